#!/bin/sh
# build-ported.sh OUT: compiles the modules that stand for the commands of blueking, divio, commit-sync and pagoda, into OUT.
# Needs: cargo with the targets wasm32-wasip1 and wasm32-wasip2, and a C compiler for WASI (clang-19 with wasi-libc, or WASI_CC).
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
target=${CARGO_TARGET_DIR:-$here/target}

build() { # TARGET [OPTION]...
    triple=$1
    shift
    cargo build --quiet --locked --release --manifest-path "$here/Cargo.toml" --target-dir "$target" --package ported --target "$triple" "$@"
}

build wasm32-wasip1
for source in "$here"/ported/src/bin/*.rs; do
    name=$(basename "$source" .rs)
    cp "$target/wasm32-wasip1/release/$name.wasm" "$out/$name.wasm"
done
# One of them as a component.
build wasm32-wasip2 --bin check-config
cp "$target/wasm32-wasip2/release/check-config.wasm" "$out/check-config.wasm"
# shellcheck disable=SC2086  # a compiler may come with options of its own
${WASI_CC:-clang-19 --target=wasm32-wasi} -Os -s -Wall -Wextra -Werror -o "$out/checksum.wasm" "$here/ported/c/checksum.c"
chmod 644 "$out"/*.wasm
echo "built $(find "$out" -name '*.wasm' | wc -l | tr -d ' ') modules in $out"
