//! The compile cache.

use super::super::{Cache, CacheError};
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const HOOK: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 5))))"#;

fn with_cache(path: &Path) -> WasmExecutor {
    WasmExecutor::builder().cache(Cache::open(path).unwrap()).build().unwrap()
}

fn entry_files(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_hook_is_compiled_once_for_all_executors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/cache");
    for _ in 0..3 {
        assert_eq!(run_on(&with_cache(&path), &job(HOOK)).0.exit_code, Some(5));
    }
    let cache = Cache::open(&path).unwrap();
    let entries = cache.entries().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].digest, Digest::of(HOOK.as_bytes()));
    assert_eq!(entries[0].bytes, fs::metadata(&entry_files(&path)[0]).unwrap().len());
    cache.clear().unwrap();
    assert_eq!(cache.entries().unwrap(), []);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_hook_that_is_wanted_many_times_at_once_is_compiled_once() {
    let executor = executor();
    let ran: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| run_on(&executor, &job(HOOK)).0.exit_code)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(ran, [Some(5); 8]);
    assert_eq!(executor.core.loader.compiles.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_component_is_cached_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let component = r#"(component (core module $m (func (export "run") (result i32) (i32.const 1))) (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run"))) (instance $x (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $x)))"#;
    for _ in 0..2 {
        assert_eq!(run_on(&with_cache(&path), &job(component)).0.exit_code, Some(1));
    }
    assert_eq!(Cache::open(&path).unwrap().entries().unwrap().len(), 1);
}

#[test]
fn an_entry_that_was_changed_is_compiled_again_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    run_on(&with_cache(&path), &job(HOOK));
    let file = entry_files(&path).remove(0);
    let good = fs::read(&file).unwrap();
    let flipped = |index: usize| {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        bytes
    };
    let bad = [
        flipped(good.len() / 2),
        flipped(good.len() - 1),
        flipped(good.len() - 50),
        good[..good.len() / 2].to_vec(),
        Vec::new(),
        b"\x7fELF".to_vec(),
    ];
    for bytes in bad {
        // Put in its place, as somebody who restores a backup would: an executor of the last round may still have the old file mapped.
        fs::write(dir.path().join("bad"), &bytes).unwrap();
        fs::rename(dir.path().join("bad"), &file).unwrap();
        assert_eq!(run_on(&with_cache(&path), &job(HOOK)).0.exit_code, Some(5));
        assert_eq!(fs::read(&file).unwrap(), good, "the entry is whole again");
    }
}

#[test]
fn an_entry_under_the_name_of_another_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let other = HOOK.replace("i32.const 5", "i32.const 6");
    run_on(&with_cache(&path), &job(HOOK));
    let first = entry_files(&path).remove(0);
    run_on(&with_cache(&path), &job(&other));
    let second = entry_files(&path).into_iter().find(|file| *file != first).unwrap();
    fs::remove_file(&first).unwrap();
    fs::copy(&second, &first).unwrap();
    assert_eq!(run_on(&with_cache(&path), &job(HOOK)).0.exit_code, Some(5));
}

#[test]
fn a_link_in_the_cache_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    run_on(&with_cache(&path), &job(HOOK));
    let entry = entry_files(&path).remove(0);
    fs::rename(&entry, dir.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("moved"), &entry).unwrap();
    assert_eq!(run_on(&with_cache(&path), &job(HOOK)).0.exit_code, Some(5));
    assert!(!fs::symlink_metadata(&entry).unwrap().is_symlink(), "replaced by an entry");
}

#[test]
fn ten_fill_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let fills: Vec<_> = (0..10)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || run_on(&with_cache(&path), &job(HOOK)).0.exit_code)
        })
        .collect();
    assert!(fills.into_iter().all(|fill| fill.join().unwrap() == Some(5)));
    assert_eq!(entry_files(&path).len(), 1, "one entry, and nothing unfinished");
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let executor = with_cache(&path);
    // Gone altogether: even root can't write there, as it could into a read-only directory.
    fs::remove_dir(&path).unwrap();
    assert_eq!(run_on(&executor, &job(HOOK)).0.exit_code, Some(5));
}

#[test]
fn a_cache_that_others_may_enter_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    fs::create_dir(&path).unwrap();
    for mode in [0o755, 0o770, 0o701] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Cache::open(&path), Err(CacheError::Untrusted { .. })), "{mode:o}");
    }
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    assert!(matches!(Cache::open(&dir.path().join("link")), Err(CacheError::Io { .. })));
}

#[test]
fn a_grant_that_reaches_the_cache_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let executor = with_cache(&dir.path().join("cache"));
    let job = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..job(HOOK) };
    let Cause::Denied { denial } = cause(run_on(&executor, &job).0) else { panic!() };
    assert_eq!(denial.what, format!("grant {} reaches the cache", dir.path().display()));
    assert_eq!(denial.allow, "use --cache or narrow it");
}

#[test]
fn what_took_too_long_to_compile_is_there_once_it_is_compiled_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let cache = || Cache::open(&path).unwrap();
    let executor = WasmExecutor::builder().cache(cache()).compile_timeout(Duration::from_millis(1)).build().unwrap();
    let slow = format!("(module (func (export \"_start\")) {})", "(func (result i32) i32.const 1)".repeat(3_000));
    assert!(matches!(cause(run_on(&executor, &job(&slow)).0), Cause::BrokenModule { message } if message.contains("compile timeout")));
    let start = Instant::now();
    while cache().entries().unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "nothing was kept of it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(run_on(&executor, &job(&slow)).0.outcome, Outcome::Succeeded);
}
