#!/bin/sh
# setup.sh DIR [BUILT]: makes a tenant that waits for its upgrade from v0.3.27 to v0.4.0.
#
#   DIR/origin      the application's repository, with the releases v0.3.27, v0.3.28 and v0.4.0
#   DIR/testsite    the tenant: a clone with v0.3.27 checked out (APP_DIR); its database lies in db/ (DATA_DIR)
#   DIR/other       another deployment, to which static files are synced
#   DIR/run         port, process id, log and live version of the tenant's service
#   DIR/steps, DIR/policy.toml    the operator's side
#
# BUILT is what build.sh made; without it, the hooks are built now. End with: teardown.sh DIR
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: $0 DIR [BUILT]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 1; }

built=${2:-$dir/built}
[ $# -eq 2 ] || "$here/build.sh" "$built"
[ -d "$built/release" ] || { echo "$built holds no built hooks: run build.sh $built" >&2; exit 1; }

# Nobody's configuration, names or clock.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME="App Team" GIT_AUTHOR_EMAIL=app@example.org GIT_COMMITTER_NAME="App Team" GIT_COMMITTER_EMAIL=app@example.org
umask 022

# The documentation's /other/deployment lies beside the tenant here.
elsewhere() { # FILE
    sed "s|/other/deployment|$dir/other|g" "$dir/origin/$1" > "$dir/replaced"
    cat "$dir/replaced" > "$dir/origin/$1"
    rm "$dir/replaced"
}

release() { # TAG DATE
    cp -R "$here/app/$1/." "$dir/origin/"
    elsewhere wasmhook.toml
    GIT_AUTHOR_DATE="$2T12:00:00Z" GIT_COMMITTER_DATE="$2T12:00:00Z" sh -c '
        git -C "$1" add -A && git -C "$1" commit --quiet -m "Release $2" && git -C "$1" tag -a -m "$2" "$2"' - "$dir/origin" "$1"
}

git init --quiet --initial-branch=main "$dir/origin"
release v0.3.27 2025-11-03
release v0.3.28 2025-12-16
cp -R "$built/release" "$built/hooks" "$dir/origin/"
elsewhere hooks/static-sync.sh
release v0.4.0 2026-02-09

git -c advice.detachedHead=false clone --quiet --branch v0.3.27 "$dir/origin" "$dir/testsite"
git -C "$dir/testsite" remote set-url origin ../origin
# The tenant was set up when v0.3.27 was the newest release: the upgrade has something to fetch.
git -C "$dir/testsite" tag -d v0.3.28 v0.4.0 > /dev/null

app="$dir/testsite"
mkdir -p "$app/db" "$app/cache" "$dir/run" "$dir/other/static/data"
cp -R "$here/steps" "$here/policy.toml" "$dir/"
unset WASMHOOK_OUTPUT
"$dir/steps/migrate.sh" "$app" "$app/db" > /dev/null
sqlite3 -bail "$app/db/pocket.db" < "$app/seed.sql"
printf 'THEME=plain\nCACHE_TTL=60\n' > "$app/db/settings.env"
echo stale > "$app/cache/page-1.html"

python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > "$dir/run/port"
"$dir/steps/update-version.sh" "$dir/run" v0.3.27 > /dev/null
"$dir/steps/start-services.sh" "$app" "$app/db" "$dir/run" > /dev/null
"$dir/steps/health-check.sh" "$dir/run" v0.3.27 > /dev/null

cat <<EOF
The tenant runs v0.3.27 on http://127.0.0.1:$(cat "$dir/run/port")/health
Upgrade it:  wasmhook run -C $app --env-name testsite --policy $dir/policy.toml
Stop it:     $here/teardown.sh $dir
EOF
