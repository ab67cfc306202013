#!/bin/sh
# install-requirements.sh APP_DIR: installs what requirements.txt lists, from the wheels in APP_DIR/wheels; no network.
set -eu
requirements="$1/requirements.txt"
if ! grep -q '^[[:space:]]*[^#[:space:]]' "$requirements" 2>/dev/null; then
    echo "no requirements to install"
    exit 0
fi
[ -x "$1/.venv/bin/pip" ] || python3 -m venv "$1/.venv"
"$1/.venv/bin/pip" install --quiet --no-index --find-links "$1/wheels" -r "$requirements"
echo "installed $(grep -c '^[[:space:]]*[^#[:space:]]' "$requirements") requirements"
