#!/bin/sh
# release.sh RUN_DIR: starts the processes of the new image. Each finds the schema that it expects.
set -eu
for process in web-1 web-2 worker-1; do
    echo "$process $DJANGO_SETTINGS_MODULE $SCHEMA"
done > "$1/processes"
echo "detail=3 processes started with the schema $SCHEMA" >> "$WASMHOOK_OUTPUT"
