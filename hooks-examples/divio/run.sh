#!/bin/sh
# run.sh: a list of release commands, deployed natively and as modules. The first deployment fails its self-test; then that is mended.
set -eu
. "$(dirname "$0")/../lib.sh"
prepare

deploy_both() {
    deploy native --manifest app/release-commands --as command-list --app site --dialect divio || failed=$?
    deploy wasm --manifest wasm.toml || failed=$?
}

heading "The release commands: the self-test finds that HTTPS isn't enforced, and the deployment fails"
failed=0
deploy_both
[ "$failed" -eq 1 ]
compare app
[ ! -e "$dir/native/run/live" ] && echo "the old containers go on"

heading "Mended, and deployed again"
for site in native wasm; do sed -i 's/https=optional/https=enforced/' "$dir/$site/app/config/production.ini"; done
failed=0
deploy_both
[ "$failed" -eq 0 ]
compare app run/live
echo "live: $(cat "$dir/native/run/live")"
