#!/bin/sh
# update-version.sh RUN_DIR TAG: records the version that is live, in one step: a reader sees the old record or the new one.
set -eu
fresh=$(mktemp "$1/.version.XXXXXX")
trap 'rm -f "$fresh"' EXIT
echo "$2" > "$fresh"
chmod 644 "$fresh"
mv -f "$fresh" "$1/version"
echo "version is $2"
