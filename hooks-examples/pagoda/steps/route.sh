#!/bin/sh
# route.sh INSTANCES RUN_DIR: traffic goes to the new instances.
set -eu
ls "$1" > "$2/traffic"
