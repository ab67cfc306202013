#!/bin/sh
# clone.sh RUN_DIR: the code is here already; the old instances still have the traffic.
set -eu
mkdir -p "$1"
echo "old instances" > "$1/traffic"
