#!/bin/sh
# build.sh RUN_DIR: makes the image.
set -eu
mkdir -p "$1"
echo "image of $DEPLOY_ENV" > "$1/image"
echo "detail=image built" >> "$WASMHOOK_OUTPUT"
