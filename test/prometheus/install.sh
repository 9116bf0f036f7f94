#!/bin/sh
# Prometheus and promtool for the tests of this folder, on Debian or Ubuntu. Needs root; starts nothing.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends prometheus
# The package would run a Prometheus of its own at boot.
if command -v systemctl >/dev/null; then systemctl disable prometheus prometheus-node-exporter 2>/dev/null || true; fi
