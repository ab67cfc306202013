//! Guests that are stuck in the kernel when their time is up: the program's signal gets them out, and what comes next may run.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

/// Two guests that open a pipe to which nobody writes: one opens it again after each interruption.
fn stuck() -> [(&'static str, std::path::PathBuf, &'static [&'static str]); 2] {
    let [read, retry]: [&[&str]; 2] = [&["read", "/d/pipe"], &["/d/pipe"]];
    [("component", programs::wasm("files", Target::P2), read), ("retrying", programs::c("fifo_retry"), retry)]
}

/// A project with such a pipe in `data`.
fn with_pipe(lines: &str) -> Project {
    let project = Project::new(lines).file("data/x", "").guest("files.wasm", programs::wasm("files", Target::P1));
    mknodat(CWD, project.path().join("data/pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    project
}

#[test]
fn exec_ends_a_guest_that_opens_a_pipe_again_and_again() {
    for (name, file, args) in stuck() {
        let project = with_pipe("");
        let dir = format!("{}::/d", project.path().join("data").display());
        let file = file.display().to_string();
        let ran = Place::new().args([&["exec", "--timeout", "300ms", "--dir", &dir, &file], args].concat()).run().exits(134);
        assert!(ran.said().contains("not done within 300 ms"), "{name}: {}", ran.stderr);
        assert!(!ran.said().contains("abandoned"), "{name}: {}", ran.stderr);
    }
}

#[test]
fn a_run_ends_it_and_the_next_hook_gets_its_directory() {
    for (name, file, args) in stuck() {
        let data = "dirs = [{ path = \"data\", guest = \"/d\", mode = \"write\" }]";
        let lines = [
            hook(
                "stuck",
                "pre-deploy",
                &format!("wasm = \"stuck.wasm\"\nargs = {args:?}\ntimeout = \"300ms\"\nallow_failure = true\n{data}"),
            ),
            hook("next", "pre-deploy", &format!("wasm = \"files.wasm\"\nargs = [\"write\", \"/d/next\", \"1\"]\n{data}")),
        ];
        let project = with_pipe(&lines.concat()).guest("stuck.wasm", file);
        let place = Place::new();
        let report = place.args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
        let (stuck, next) = (&report["hooks"][0], &report["hooks"][1]);
        assert_eq!(stuck["outcome"], "timed-out", "{name}: {report}");
        assert_eq!((&stuck["cause"]["limit"], &stuck["cause"]["abandoned"]), (&"deadline".into(), &false.into()), "{name}: {stuck}");
        assert_eq!(next["outcome"], "succeeded", "{name}: {next}");
        assert!(project.has("data/next"), "{name}");
        let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
        assert_eq!(status["locked"], false, "{name}: {status}");
    }
}

/// Opens `pipe` in its first directory, again and again.
const OPENS: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 64) "pipe")
    (func (export "_start") (loop $again (drop (call $open
        (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
        (br $again))))"#;

#[test]
fn what_takes_a_deployment_back_is_ended_too() {
    let undone = |id: &str, revert: &str| {
        let lines = format!("wasm = \"ok.wat\"\ntimeout = \"2s\"\nrevert = {{ {revert} }}");
        hook(id, "pre-deploy", &format!("{lines}\ndirs = [{{ path = \"data\", mode = \"write\" }}]"))
    };
    let lines = undone("one", "run = \"touch data/undone\"") + &undone("two", "wasm = \"opens.wat\"");
    let project = with_pipe(&lines).file("ok.wat", OK).file("opens.wat", OPENS);
    let place = Place::new();
    let run = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    let resolve = ["resolve", "--deploy-failed", run["run_id"].as_str().unwrap(), "--tag", "v1", "--format", "json"];
    let reverts = place.args(resolve).current_dir(project.path()).run().exits(1).json()["reverts"].clone();
    assert_eq!((&reverts[0]["id"], &reverts[0]["outcome"]), (&"two".into(), &"timed-out".into()), "{reverts}");
    assert_eq!(reverts[0]["cause"]["abandoned"], false, "{reverts}");
    assert!(project.has("data/undone"), "the other is taken back all the same: {reverts}");
}
