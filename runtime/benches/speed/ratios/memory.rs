//! What loading a large compiled hook adds to a process's memory: mapped from our cache, and read into memory. Each in a fresh process.

use super::{Goal, Row};
use crate::guests;
use crate::sandbox::{Sandbox, job};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmtime::{Config, Engine, Module};

/// The argument that makes this program such a process.
pub const CHILD: &str = "--measure-memory";

/// About 40 MB of native code.
const FUNCTIONS: u32 = 5_600;
const GOAL: u64 = 8 << 20;

pub fn rows() -> Vec<Row> {
    let dir = guests::kept("large");
    let wasm = dir.join("large.wasm");
    std::fs::write(&wasm, guests::large(FUNCTIONS)).unwrap();
    // Compiles it, unless an earlier run did.
    let cache = guests::kept(&format!("large/cache-{FUNCTIONS}"));
    Sandbox::on_demand(&cache).succeed(&job(&wasm, &[]));
    let artefact = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap();
    let read = dir.join("large.cwasm");
    std::fs::write(&read, Engine::new(&plain()).unwrap().precompile_module(&std::fs::read(&wasm).unwrap()).unwrap()).unwrap();
    let mapped = in_fresh_process("mapped", &[&wasm, &cache]);
    let bytes = in_fresh_process("read", &[&read]);
    let peer = format!("Module::deserialize(bytes) {}", super::mebibytes(bytes));
    vec![Row::bytes(format!("memory added by loading {} of native code", super::mebibytes(artefact)), mapped, peer, Goal::Bytes(GOAL))]
}

fn in_fresh_process(how: &str, files: &[&PathBuf]) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap()).arg(CHILD).arg(how).args(files).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Prints by how many bytes loading what `args` name grew this process.
pub fn child(args: &[String]) {
    let grown = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mapped", wasm, cache] => mapped(Path::new(wasm), Path::new(cache)),
        ["read", artefact] => read(Path::new(artefact)),
        _ => panic!("mapped WASM CACHE, or read ARTEFACT"),
    };
    println!("{grown}");
}

/// Through the executor, to the end of a run: the WebAssembly itself is in memory before, as the job's bytes.
fn mapped(wasm: &Path, cache: &Path) -> u64 {
    let sandbox = Sandbox::on_demand(cache);
    let job = job(wasm, &[]);
    let before = resident();
    sandbox.succeed(&job);
    resident() - before
}

#[expect(unsafe_code, reason = "native code that this program has just compiled for itself")]
fn read(artefact: &Path) -> u64 {
    let engine = Engine::new(&plain()).unwrap();
    let before = resident();
    let bytes = std::fs::read(artefact).unwrap();
    // SAFETY: `rows` has just written it, with the same engine's compiler.
    let module = unsafe { Module::deserialize(&engine, &bytes) }.unwrap();
    drop(bytes);
    let after = resident();
    drop(module);
    after - before
}

/// Without fuel: the peer's compiler needn't take longer than it must.
fn plain() -> Config {
    let mut config = Config::new();
    config.concurrency_support(false);
    config
}

/// The bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
