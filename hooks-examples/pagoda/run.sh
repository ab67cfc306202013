#!/bin/sh
# run.sh: build hooks for the code, then deploy hooks for each service on its instances; natively as the Boxfile says, and as modules.
set -eu
. "$(dirname "$0")/../lib.sh"
prepare

on_instances() { # SITE OPTION...
    instances="$dir/$1/instances"
    mkdir -p "$instances/web1-a" "$instances/web1-b" "$instances/web2-a"
    deploy "$@" --instance web1/a="$instances/web1-a" --instance web1/b="$instances/web1-b" --instance web2/a="$instances/web2-a"
}

heading "The document's own Boxfile"
on_instances native --manifest app/Boxfile --app shop

heading "The same hooks as modules"
on_instances wasm --manifest wasm.toml

heading "What came of both"
compare app instances run
echo "traffic goes to: $(tr '\n' ' ' < "$dir/native/run/traffic")"
