#!/bin/sh
# Chromium, a typeface and pngquant for the tests and pictures of this folder, on Debian or Ubuntu. Needs root; starts nothing.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends chromium fonts-inter fonts-dejavu-core pngquant
