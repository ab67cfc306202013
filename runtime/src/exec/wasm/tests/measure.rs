use super::*;
use std::time::{Duration, Instant};
fn median(mut v: Vec<Duration>) -> (Duration, Duration, Duration) { v.sort(); (v[v.len()/2], v[0], v[v.len()*9/10]) }
#[test]
#[ignore]
fn measure() {
    let noop = job(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("m"), "").unwrap();
    let open = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..job(&preview1(r#"(data (i32.const 1024) "m")"#, "(call $check (call $open (i32.const 3) (i32.const 1) (i32.const 0)))")) };
    let cache = tempfile::tempdir().unwrap();
    for (name, ex) in [("on-demand", executor()), ("pool 4", WasmExecutor::builder().pool(4.try_into().unwrap()).build().unwrap()),
        ("pool 4 signal cache", WasmExecutor::builder().pool(4.try_into().unwrap()).interrupt_signal(libc::SIGURG).cache(super::super::Cache::open(&cache.path().join("c")).unwrap()).build().unwrap())] {
        for (what, job) in [("noop", &noop), ("open", &open)] {
            let (_, around) = surroundings();
            let mut v = Vec::new();
            for _ in 0..2000 { let s = Instant::now(); ex.run_blocking(job, &around).unwrap(); v.push(s.elapsed()); }
            println!("{name} {what} run_blocking {:?}", median(v));
            let mut v = Vec::new();
            block_on(async { for _ in 0..1000 { let s = Instant::now(); ex.execute(job, around.clone()).await.unwrap(); v.push(s.elapsed()); } });
            println!("{name} {what} execute {:?}", median(v));
        }
    }
    let mut v = Vec::new();
    std::fs::write(dir.path().join("noop.sh"), "exit 0\n").unwrap();
    for _ in 0..100 { let s = Instant::now(); std::process::Command::new("/bin/bash").arg(dir.path().join("noop.sh")).status().unwrap(); v.push(s.elapsed()); }
    println!("bash noop.sh {:?}", median(v));
    let fifo = dir.path().join("f");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    let retry = preview1(r#"(data (i32.const 1024) "f")"#, "(loop $again (drop (call $open (i32.const 3) (i32.const 1) (i32.const 0))) (br $again))");
    let once = preview1(r#"(data (i32.const 1024) "f")"#, "(drop (call $open (i32.const 3) (i32.const 1) (i32.const 0)))");
    let cpu = preview1("", "(loop $l (br $l))");
    let sleep = preview1("", "(i32.store (i32.const 1040) (i32.const 1)) (i64.store (i32.const 1048) (i64.const 3600000000000)) (call $check (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 100)))");
    for (signal, name, wat) in [(true, "cpu", &cpu), (true, "sleep", &sleep), (true, "fifo", &once), (true, "fifo retry", &retry), (false, "fifo abandoned", &once)] {
        let b = WasmExecutor::builder();
        let ex = if signal { b.interrupt_signal(libc::SIGURG) } else { b }.build().unwrap();
        let mut job = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..job(wat) };
        job.limits.timeout_ms = Some(50);
        let mut v = Vec::new();
        for _ in 0..20 { let (_, around) = surroundings(); let s = Instant::now(); block_on(ex.execute(&job, around)).unwrap(); v.push(s.elapsed().saturating_sub(Duration::from_millis(50))); }
        println!("overshoot {name} {:?}", median(v));
    }
}
#[test]
#[ignore]
fn measure_rss() {
    let rss = || { let s = std::fs::read_to_string("/proc/self/status").unwrap(); s.lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned() };
    let body = "(local $x i64) (local.set $x (i64.mul (local.get $x) (i64.const 12345)))".to_string() + &"(local.set $x (i64.mul (i64.xor (local.get $x) (i64.const 77)) (i64.const 12345)))".repeat(60);
    let funcs: String = (0..40_000).map(|n| format!("(func $f{n} (export \"f{n}\") {body})")).collect();
    let wat = format!("(module (memory (export \"memory\") 1) {funcs} (func (export \"_start\")))");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let which = std::env::var("PHASE").unwrap();
    let path = if which == "1" { std::path::PathBuf::from("/tmp/whrss") } else { path };
    let path = if which == "2" { std::path::PathBuf::from("/tmp/whrss") } else { path };
    let ex = WasmExecutor::builder().cache(super::super::Cache::open(&path).unwrap()).build().unwrap();
    // A digest of a small thing stands for the big one in phase 2: only the cache is asked.
    let mut j = job(&wat);
    println!("wat {} MB", wat.len() >> 20);
    if which == "2" { if let Guest::Wasm(g) = &mut j.guest { g.file = "x.wasm".into(); g.bytes = b"\0asm\x01\0\0\0"[..].into(); } }
    drop(wat); drop(funcs);
    println!("before {}", rss());
    let s = Instant::now();
    let e = run_on(&ex, &j).0;
    println!("after {} {:?} {:?}", rss(), e.outcome, s.elapsed());
    for e in std::fs::read_dir(&path).unwrap() { println!("{} MB", e.unwrap().metadata().unwrap().len() >> 20); }
}
