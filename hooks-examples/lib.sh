# The parts that the run.sh of blueking, divio, commit-sync and pagoda have in common. WASMHOOK=PROGRAM uses a wasmhook that is there already.
[ $# -eq 0 ] || { echo "usage: $0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
examples=$(cd "$here/.." && pwd)
root=$(cd "$examples/.." && pwd)

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
heading() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Builds what isn't there yet.
prepare() {
    heading "Building: wasmhook, and the hooks in Rust and C for WASI"
    case ${WASMHOOK:-} in
        /* | '') ;;
        */*) WASMHOOK="$PWD/$WASMHOOK" ;;
    esac
    if [ -z "${WASMHOOK:-}" ]; then
        "$root/tests/setup.sh"
        (cd "$root" && cargo build --quiet --workspace)
        WASMHOOK="${CARGO_TARGET_DIR:-$root/target}/debug/wasmhook"
    fi
    "$examples/build-ported.sh" "$dir/hooks" | sed "s|$dir/||"
    sites
}

# Makes two sites anew: one for the commands as they stand in the document, one for the modules. Over the example lies what a folder of `more`
# holds, if one is named.
sites() { # [FOLDER]
    for site in native wasm; do
        rm -rf "${dir:?}/$site"
        cp -R "$here" "$dir/$site"
        cp -R "$examples/stand-ins" "$dir/hooks" "$dir/$site/"
        [ $# -eq 0 ] || cp -R "$here/more/$1/." "$dir/$site/"
    done
}

# deploy SITE [OPTION]...: runs the site's hooks. People read on, the report goes to SITE/report.json.
deploy() (
    cd "$dir/$1"
    shift
    "$WASMHOOK" run -C app "$@" --policy policy.toml --env-file platform.env --env-name production --state state --cache ../cache \
        --format json > report.json
)

# What ran, in order: phase, hook and instance, outcome, verdict.
sequence() { # SITE
    python3 - "$dir/$1/report.json" <<'PYTHON'
import json, sys
for hook in json.load(open(sys.argv[1]))["hooks"]:
    name = hook["id"] + (f"@{hook['instance']}" if hook["instance"] else "")
    print(f"{hook['phase']:18} {name:28} {hook['outcome']:10} {hook['verdict']}")
PYTHON
}

# Both sites did the same, and hold the same files below each path that there is in either.
compare() { # PATH...
    sequence native > "$dir/native.sequence"
    sequence wasm > "$dir/wasm.sequence"
    diff "$dir/native.sequence" "$dir/wasm.sequence"
    for path in "$@"; do
        [ -e "$dir/native/$path" ] || [ -e "$dir/wasm/$path" ] || continue
        diff -r --exclude .git "$dir/native/$path" "$dir/wasm/$path"
    done
    cat "$dir/native.sequence"
    echo "natively and as modules: the same sequence, the same files"
}
