#!/bin/sh
# build.sh RUN_DIR: makes the image.
set -eu
mkdir -p "$1"
echo "$WASMHOOK_RUN_ID" > "$1/image"
