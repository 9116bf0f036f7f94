#!/bin/sh
# Prometheus and Alertmanager, promtool and amtool, for the tests of this folder and `npm run demo -- --alerts`, on
# Debian or Ubuntu. Needs root; starts nothing.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends prometheus prometheus-alertmanager
# The packages would run servers of their own at boot.
if command -v systemctl >/dev/null; then systemctl disable prometheus prometheus-node-exporter prometheus-alertmanager 2>/dev/null || true; fi
