#!/usr/bin/env bash
# Passes or fails: format, lints, and every test of the workspace. On a fresh machine with Rust it installs what the tests need first.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "what the tests need"
tests/setup.sh

step "format"
cargo fmt --all --check

step "build"
# One feature resolution for everything: the tests drive the program that this builds.
cargo build --workspace --all-targets --locked

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "dependencies"
# What may stand in the tree, and why, is said in deny.toml.
if command -v cargo-deny >/dev/null; then
    for workspace in . hooks-examples tests/programs runtime/benches/guests; do
        cargo deny --manifest-path "$workspace/Cargo.toml" --config deny.toml --log-level error check --allow duplicate --allow license-not-encountered licenses bans sources
    done
else
    echo "not checked: cargo install --locked cargo-deny"
fi

step "tests"
cargo test --workspace --locked
