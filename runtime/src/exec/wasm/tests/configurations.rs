//! One cache under engines of different configurations: neither is given what was compiled for the other.

use super::super::Cache;
use super::super::load::Loader;
use super::*;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wasmtime::{Config, Engine};

fn ours(cache: &Path) -> WasmExecutor {
    WasmExecutor::builder().cache(Cache::open(cache).unwrap()).build().unwrap()
}

/// An executor whose engine compiles otherwise: other code for the same hook.
fn other(cache: &Path) -> WasmExecutor {
    let mut config = Config::new();
    config.concurrency_support(false).consume_fuel(true).cranelift_nan_canonicalization(true);
    let cache = Arc::new(Cache::open(cache).unwrap());
    let mut executor = executor();
    let core = Arc::get_mut(&mut executor.core).unwrap();
    core.loader = Loader::new(Engine::new(&config).unwrap(), Some(cache), Duration::from_mins(1));
    executor
}

#[test]
fn a_hook_has_an_entry_for_each_configuration_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let exits = job(&preview1("", "(call $exit (i32.const 5))"));
    // Compiled by each once, and found by each afterwards: neither overwrites the other's.
    for (make, compiles, entries) in [(ours as fn(&Path) -> WasmExecutor, 1, 1), (other, 1, 2), (ours, 0, 2), (other, 0, 2)] {
        let executor = make(&path);
        assert_eq!(run_on(&executor, &exits).0.exit_code, Some(5));
        assert_eq!(executor.core.loader.compiles.load(Ordering::Relaxed), compiles);
        assert_eq!(Cache::open(&path).unwrap().entries().unwrap().len(), entries);
    }
}
