#!/bin/sh
# build.sh OUT: compiles the example's hooks for WASI and puts them into OUT, under the names that the release gives them.
# Needs: cargo with the targets wasm32-wasip1 and wasm32-wasip2, and a C compiler for WASI (clang-19 with wasi-libc, or WASI_CC).
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/release" "$1/hooks"
out=$(cd "$1" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}

rust() { # PACKAGE TARGET FILE
    cargo build --quiet --locked --release --manifest-path "$here/../Cargo.toml" --target-dir "$target" --package "$1" --target "$2"
    cp "$target/$2/release/$1.wasm" "$out/$3"
}

rust cache-warmup wasm32-wasip1 release/v0.4.0.post-migrate.wasm
rust data-prep wasm32-wasip2 release/v0.4.0.pre-migrate.wasm
rust static-sync wasm32-wasip1 hooks/static-sync.wasm
# shellcheck disable=SC2086  # a compiler may come with options of its own
${WASI_CC:-clang-19 --target=wasm32-wasi} -Os -s -Wall -Wextra -Werror -o "$out/release/v0.4.0.pre-pull.wasm" "$here/hooks/config-update/hook.c"
cp -p "$here/hooks/static-sync.sh" "$out/hooks/static-sync.sh"
find "$out" -name "*.wasm" -exec chmod 644 {} +
echo "built $(find "$out" -name '*.wasm' | wc -l | tr -d ' ') modules in $out"
