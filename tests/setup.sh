#!/bin/sh
# Installs what the tests need on a Debian machine: a C compiler for WASI, git, sqlite3 and python3 with venv, and Rust's WASI targets.
# Safe to run again: what is there isn't touched, and then it takes no network and less than a second. As root, or with sudo.
set -eu

packages="clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32"
# Programs that may come from anywhere, with the package that brings each.
programs="git:git sqlite3:sqlite3 python3:python3 ps:procps setsid:util-linux"
targets="wasm32-wasip1 wasm32-wasip2"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: neither root nor sudo; run as root: $*" >&2
        exit 1
    fi
}

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
for program in $programs; do
    command -v "${program%%:*}" >/dev/null || missing="$missing ${program#*:}"
done
# The example installs a requirement into a virtual environment.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    echo "setup: installing$missing"
    as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

if command -v rustup >/dev/null; then
    installed=$(rustup target list --installed)
    for target in $targets; do
        case "$installed" in
            *"$target"*) ;;
            *) echo "setup: adding $target"; rustup target add "$target" ;;
        esac
    done
else
    for target in $targets; do
        [ -d "$(rustc --print target-libdir --target "$target")" ] || {
            echo "setup: no rustup here, and rustc lacks $target: install rustup, or a rustc that has the target" >&2
            exit 1
        }
    done
fi
echo "setup: everything the tests need is there"
