//! What is run: compiled for the sandbox, and natively as its own peer.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A directory of the benchmarks that is kept between runs.
pub fn kept(name: &str) -> PathBuf {
    let dir = root().join("target/bench-guests").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The guest `benches/guests/src/bin/<name>.rs` as a preview1 module.
pub fn wasm(name: &str) -> PathBuf {
    build("runtime/benches/guests", "bench-guests", Some("wasm32-wasip1"), name)
}

/// The same program for this machine.
pub fn native(name: &str) -> PathBuf {
    build("runtime/benches/guests", "bench-guests", None, name)
}

/// The guest `tests/programs/src/bin/<name>.rs`, written with the SDK.
pub fn with_sdk(name: &str) -> PathBuf {
    build("tests/programs", "guests", Some("wasm32-wasip1"), name)
}

/// Cargo decides whether there is anything to build, and lets only one of several build.
fn build(package: &str, target_dir: &str, triple: Option<&str>, name: &str) -> PathBuf {
    let target_dir = root().join("target").join(target_dir);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(root().join(package).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&target_dir).args(triple.iter().flat_map(|triple| ["--target", triple]));
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(variable);
    }
    assert!(cargo.status().unwrap().success(), "{package} can't be compiled: tests/setup.sh installs what that needs");
    match triple {
        Some(triple) => target_dir.join(triple).join("release").join(format!("{name}.wasm")),
        None => target_dir.join("release").join(name),
    }
}

/// A module whose native code has about `functions` × 4 KiB: `_start` does nothing, the others compute without end or branch.
pub fn large(functions: u32) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // Two types: () → () and (i32) → i32.
    section(&mut module, 1, &[2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f]);
    let mut types = leb(functions + 1);
    types.push(0);
    types.extend(std::iter::repeat_n(1, functions as usize));
    section(&mut module, 3, &types);
    section(&mut module, 5, &[1, 0, 1]);
    section(&mut module, 7, b"\x02\x06_start\0\0\x06memory\x02\0");
    let mut bodies = leb(functions + 1);
    bodies.extend([2, 0, 0x0b]);
    for function in 0..functions {
        let body = body(function);
        bodies.extend(leb(u32::try_from(body.len()).unwrap()));
        bodies.extend(body);
    }
    section(&mut module, 10, &bodies);
    module
}

/// `x = (x × constant) ^ memory[x & 0xffff]`, many times: nothing that a compiler could leave out.
fn body(seed: u32) -> Vec<u8> {
    let mut code = vec![0];
    for step in 0..240 {
        let constant = (seed * 240 + step) % 1_000_003 + 3;
        code.extend([0x20, 0, 0x41]);
        code.extend(leb(constant));
        code.extend([0x6c, 0x20, 0, 0x41, 0xff, 0xff, 0x03, 0x71, 0x2d, 0, 0, 0x73, 0x21, 0]);
    }
    code.extend([0x20, 0, 0x0b]);
    code
}

fn section(module: &mut Vec<u8>, id: u8, content: &[u8]) {
    module.push(id);
    module.extend(leb(u32::try_from(content.len()).unwrap()));
    module.extend(content);
}

/// An unsigned LEB128. Read as a signed one it is another number, which a constant may be.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
    bytes
}
