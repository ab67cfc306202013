//! Each execution has a sandbox of its own, and nothing is left of it, however it ends.

use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wasmhook_tests::call::Call;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Fails if its memory isn't new.
const FRESH: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
    (func (export "_start") (if (i32.load (i32.const 0)) (then (call $exit (i32.const 1)))) (i32.store (i32.const 0) (i32.const 1))))"#;

/// Says where its private directory is and what it finds in it and in the application, and leaves something in both.
const SCRIPT: &str = "#!/bin/sh
echo home $HOME
echo found $(ls -A $HOME) $(ls left 2>/dev/null)
echo place $(stat -c %d:%i .)
echo x > $HOME/.s3cfg
echo x > left
case $1 in
    fail) exit 1 ;;
    hang) exec sleep 600 ;;
esac
";

/// An application in `app`, with nothing beside it but what an execution puts there.
fn project(lines: &str) -> Project {
    Project::empty()
        .file("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\nprofile = 'blueking'\n{lines}"))
        .file("app/bin/pre-release.sh", SCRIPT)
        .file("app/fresh.wat", FRESH)
        .file("scratch/.keep", "")
}

fn run(place: &Place, project: &Project) -> Call {
    place.args(["run", "-C", "app"]).env("TMPDIR", project.path().join("scratch")).current_dir(project.path())
}

fn said<'a>(stderr: &'a str, word: &str) -> &'a str {
    let mut lines = stderr.lines().filter_map(|line| line.split_once("│ "));
    let found = lines.find_map(|(_, line)| line.strip_prefix(word));
    found.unwrap_or_else(|| panic!("no {word:?}: {stderr}")).trim()
}

#[test]
fn s1_13_each_execution_starts_in_a_sandbox_of_its_own() {
    use std::os::unix::fs::MetadataExt as _;
    let project = project(&hook("h", "pre-release", "run = './bin/pre-release.sh'"));
    let place = Place::new();
    let ran = [run(&place, &project).run().exits(0), run(&place, &project).run().exits(0)];
    for ran in &ran {
        assert_eq!(said(&ran.stderr, "found"), "", "nothing of an earlier one: {}", ran.stderr);
        assert!(!Path::new(said(&ran.stderr, "home ")).exists(), "S1.14: its HOME went with it");
    }
    assert_ne!(said(&ran[0].stderr, "home "), said(&ran[1].stderr, "home "));
    let app = std::fs::metadata(project.path().join("app")).unwrap();
    assert_ne!(said(&ran[0].stderr, "place "), format!("{}:{}", app.dev(), app.ino()), "another directory in its place");
    assert!(!project.has("app/left"));
}

#[test]
fn s1_13_a_module_starts_with_new_memory_each_time() {
    let project = project(&[hook("a", "pre-release", "wasm = 'fresh.wat'"), hook("b", "pre-release", "wasm = 'fresh.wat'")].concat());
    let place = Place::new();
    for _ in 0..2 {
        let _ = run(&place, &project).run().exits(0);
    }
}

/// What lies beside the application, where stages are, and where private directories are.
fn left(project: &Project) -> Vec<PathBuf> {
    let entries = ["", "scratch"].map(|dir| std::fs::read_dir(project.path().join(dir)).unwrap());
    let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths.map(|path| path.strip_prefix(project.path()).unwrap().to_owned()).collect();
    found.sort();
    found
}

#[test]
fn s1_14_nothing_is_left_after_success_failure_timeout_and_crash() {
    let expected = ["app", "scratch", "scratch/.keep"].map(PathBuf::from);
    for (how, lines, code) in [("well", "", 0), ("fail", "", 1), ("hang", "timeout = '1s'", 1)] {
        let project = project(&hook("h", "pre-release", &format!("run = './bin/pre-release.sh {how}'\n{lines}")));
        let ran = run(&Place::new(), &project).run().exits(code);
        assert_eq!(left(&project), expected, "{how}: {}", ran.stderr);
        assert!(!project.has("app/left"));
    }
    let project = project(&hook("h", "pre-release", "run = './bin/pre-release.sh hang'"));
    let place = Place::new();
    let mut killed = run(&place, &project).spawn();
    killed.wait_for("│ place");
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().code, 128 + 9);
    assert_ne!(left(&project), expected, "a killed one can't clean up");
    // The next one does; a run as short as this may be over before it is done with that.
    let ends = hook("h", "pre-release", "run = './bin/pre-release.sh well'");
    project.write("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\nprofile = 'blueking'\n{ends}"));
    let start = Instant::now();
    while left(&project) != expected {
        assert!(start.elapsed() < PATIENCE, "{:?}", left(&project));
        let _ = run(&place, &project).run().exits(0);
    }
    assert!(!project.has("app/left"));
}
