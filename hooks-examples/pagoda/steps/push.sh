#!/bin/sh
# push.sh APP_DIR INSTANCES: the prepared code goes to every instance.
set -eu
for instance in "$2"/*; do
    cp -R "$1/." "$instance/"
done
