#!/bin/sh
# teardown.sh DIR: stops the service of a tenant that setup.sh made, by its process id. The files stay.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
exec "$1/steps/stop-services.sh" "$(cd "$1" && pwd)/run"
