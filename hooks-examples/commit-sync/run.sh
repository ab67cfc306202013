#!/bin/sh
# run.sh: jobs before and after an application, when the commit changes; natively as the app spec says, and as modules.
set -eu
. "$(dirname "$0")/../lib.sh"
prepare

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
commit() { # MESSAGE: the same commit in both sites
    for site in native wasm; do
        git -C "$dir/$site/app" add --all .
        GIT_AUTHOR_DATE=2026-02-09T12:00:00Z GIT_COMMITTER_DATE=2026-02-09T12:00:00Z \
            git -C "$dir/$site/app" -c user.name="App Team" -c user.email=app@example.org commit --quiet --allow-empty -m "$1"
    done
}
# `wasmhook watch` takes the place of these calls where it is to follow the branch by itself.
sync() {
    deploy native --manifest jobs.toml --manifest app/appspec.yaml --app my-app
    deploy wasm --manifest jobs.toml --manifest wasm.toml
}
repositories() { for site in native wasm; do git init --quiet --initial-branch=main "$dir/$site/app"; done; }
repositories

heading "The first commit: the jobs run"
commit "Add the application"
sync
compare app

heading "The same commit: they don't"
sync
compare app

heading "A new commit with another migration"
for site in native wasm; do echo "ALTER TABLE users ADD email TEXT;" > "$dir/$site/app/prisma/migrations/20260303_email.sql"; done
commit "Keep e-mail addresses"
sync
compare app
cat "$dir/native/app/config.json" "$dir/native/app/analytics/deployments"

# The document's other configurations and jobs. Its job in another repository is tests/it/seeds/scripts.rs: that address isn't ours.
for example in quick-start same-repo monorepo environment warm-cache prisma django go; do
    heading "Also in the document: $example"
    sites "$example"
    repositories
    commit "Add the application"
    deploy native --manifest app/appspec.yaml --app my-app
    deploy wasm --manifest wasm.toml
    compare app
done
