#!/bin/sh
# check.sh RUN_DIR: the platform's own checks, after the release commands: the image is that of this run.
set -eu
[ "$(cat "$1/image")" = "$WASMHOOK_RUN_ID" ]
