#!/bin/sh
# run.sh: an application with a pre-release command, deployed as its app_desc.yaml says, and again with the command as a module.
set -eu
. "$(dirname "$0")/../lib.sh"
prepare

heading "The document's own app_desc.yaml"
deploy native --manifest app/app_desc.yaml --app shop
cat "$dir/native/run/processes"

heading "The same command as a module"
deploy wasm --manifest wasm.toml
cat "$dir/wasm/run/processes"

heading "What came of both"
compare app run
[ ! -e "$dir/native/app/db" ] && echo "what the command wrote to the application's files is gone with its container"

# The document's other commands.
for example in guided script; do
    heading "Also in the document: $(sed -n 's/^ *pre_release_hook: //p' "$here/more/$example/app/app_desc.yaml")"
    sites "$example"
    deploy native --manifest app/app_desc.yaml --app shop
    deploy wasm --manifest wasm.toml
    compare app run
done
