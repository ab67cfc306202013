//! A run whose future is dropped: its guest ends, the lock falls only then, and the next run cleans up.

use super::world::{Tape, World, hook, size, step};
use std::time::Duration;
use wasmhook::Stop;
use wasmhook::manifest::HookDecl;
use wasmhook::model::event::{Status, What};
use wasmhook::model::grant::DirMode;
use wasmhook::model::id::HookId;

/// Opens `beat` in the first granted directory and writes to it for ever, a byte at a time.
const BEATS: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "beat\n")
  (data (i32.const 16) "\00\00\00\00\05\00\00\00")
  (func (export "_start") (local $fd i32)
    ;; fd 3, no lookup flags, 4 bytes of path, create, may write, append
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 1)
          (i32.const 32))
      (then unreachable))
    (local.set $fd (i32.load (i32.const 32)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 40)))
    (loop $again
      (drop (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 40)))
      (br $again))))"#;

#[tokio::test]
async fn a_dropped_run_leaves_no_guest_behind_and_the_next_run_recovers() {
    let (world, tape) = (World::new(), Tape::new());
    let engine = world.engine().sink(tape.clone()).build().unwrap();
    let beats = HookDecl::wasm(HookId::new("beats").unwrap(), step("hooks"), "beats.wat").dir("$APP_DIR", DirMode::Write);
    let request = world.request().with_module("beats.wat", BEATS.as_bytes()).with_hook(beats);
    let stop = Stop::new();
    tokio::select! {
        report = engine.run(&request, &stop) => panic!("it runs for ever: {report:#?}"),
        () = tape.guest_speaks() => {}
    }
    let file = world.dir.path().join("testsite/beat");
    assert_eq!(world.called(), ["stop-services"]);

    // The next run waits for the lock, so the first guest has ended once it runs anything. It brings the services back up before that.
    let next = world.request().with_hook(hook("prints").arg("lines").arg("1"));
    let report = tokio::time::timeout(Duration::from_mins(2), engine.run(&next, &stop)).await.unwrap().unwrap();
    let beats = size(&file);
    assert!(beats > 0, "it was writing when it was dropped");
    assert_eq!(report.status, Status::Success, "{report:#?}");
    assert_eq!(world.called(), ["stop-services", "start-services", "stop-services", "deploy", "start-services"]);
    let unknown = tape.events().iter().any(|event| match &event.what {
        What::Finished { place, result } => place.to_string() == "hooks/beats" && result.outcome.word() == "unknown",
        _ => false,
    });
    assert!(unknown, "nobody knows how far the first hook came, and the journal says so");

    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(size(&file), beats, "nobody writes any more");
}

#[tokio::test]
async fn a_dropped_step_in_code_ends_with_its_run() {
    let world = World::new();
    let tape = Tape::new();
    let started = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = started.clone();
    let calls = world.calls.clone();
    let engine = world
        .engine()
        .sink(tape)
        .host_step(step("deploy"), move |_| {
            let (told, calls) = (told.clone(), calls.clone());
            async move {
                told.notify_one();
                tokio::time::sleep(Duration::from_millis(200)).await;
                calls.lock().unwrap().push("deploy went on".to_owned());
                Ok(Vec::new())
            }
        })
        .build()
        .unwrap();
    let (request, stop) = (world.request(), Stop::new());
    tokio::select! {
        report = engine.run(&request, &stop) => panic!("{report:#?}"),
        () = started.notified() => {}
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.called(), ["stop-services"]);
}
