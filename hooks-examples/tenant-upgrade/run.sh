#!/bin/sh
# run.sh: the whole example. Builds wasmhook and the hooks, upgrades a tenant made for the occasion, shows what came of it, and cleans up.
# WASMHOOK=PROGRAM uses a wasmhook that is there already.
set -eu
[ $# -eq 0 ] || { echo "usage: $0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
heading() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

dir=$(mktemp -d)
clean_up() {
    [ ! -d "$dir/tenant/steps" ] || "$here/teardown.sh" "$dir/tenant" > /dev/null
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tenant="$dir/tenant"
wasmhook=${WASMHOOK:-${CARGO_TARGET_DIR:-$root/target}/debug/wasmhook}
upgrade() {
    "$wasmhook" run -C "$tenant/testsite" --env-name testsite --policy "$tenant/policy.toml" --state "$dir/state" --cache "$dir/cache"
}
service() {
    python3 - "$(cat "$tenant/run/port")" <<'PYTHON'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print("service:   ", opener.open(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=5).read().decode().strip())
PYTHON
}
database() { sqlite3 "$tenant/testsite/db/pocket.db" "$1" | tr '\n' ' '; }
tables() { printf 'tables:     %s\n' "$(database "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")"; }

heading "Building: wasmhook, and hooks in Rust and C for WASI"
if [ -z "${WASMHOOK:-}" ]; then
    "$root/tests/setup.sh"
    (cd "$root" && cargo build --quiet --workspace)
fi
"$here/build.sh" "$dir/built" | sed "s|$dir/||"

heading "A tenant that runs v0.3.27"
"$here/setup.sh" "$tenant" "$dir/built" > /dev/null
service
tables

heading "Its upgrade: wasmhook run -C testsite --env-name testsite --policy policy.toml"
upgrade

heading "What came of it"
service
tables
printf 'migrations: %s\n' "$(database 'SELECT name FROM schema_migrations ORDER BY name')"
printf 'version:    %s\n' "$(cat "$tenant/run/version")"
printf 'synced:     %s\n' "$(ls "$tenant/other/static/data")"

heading "The same command again: every hook is done already"
upgrade 2> /dev/null
service

heading "Done: the service is stopped, and nothing is left behind"
