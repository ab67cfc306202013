//! What a killed wasmhook leaves in the directory for temporary files, and who removes it.

use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wasmhook_tests::call::Call;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A hook that is told by a file whether to hang, and leaves something in its private HOME.
fn project(hangs: bool) -> Project {
    let script = "#!/bin/sh\nmkdir $HOME/cache && touch $HOME/cache/file && chmod 500 $HOME/cache\necho is there\n[ ! -e hang/yes ] || exec sleep 600\n";
    let manifest = hook("h", "pre-deploy", "run = \"./h.sh\"\ndirs = [{ path = \"hang\", mode = \"read\" }]");
    let project = Project::new(&manifest).file("h.sh", script).file("hang/no", "");
    if hangs { project.file("hang/yes", "") } else { project }
}

fn run(place: &Place, project: &Project, scratch: &Path) -> Call {
    place.args(["run"]).env("TMPDIR", scratch).current_dir(project.path())
}

/// The private directories there.
fn private(scratch: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(scratch).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn the_next_wasmhook_removes_what_a_killed_one_left_and_nothing_of_one_that_lives() {
    let (scratch, place) = (tempfile::tempdir().unwrap(), Place::new());
    let (hanging, quick) = (project(true), project(false));
    let mut killed = run(&place, &hanging, scratch.path()).spawn();
    killed.wait_for("is there");
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().code, 128 + 9);
    let dead = private(scratch.path());
    assert!(dead.iter().any(|path| path.join("cache/file").exists()), "its HOME: {dead:?}");

    let elsewhere = Place::new();
    let mut living = run(&elsewhere, &hanging, scratch.path()).spawn();
    living.wait_for("is there");
    let live: Vec<PathBuf> = private(scratch.path()).into_iter().filter(|path| !dead.contains(path)).collect();
    assert!(!live.is_empty());

    let start = Instant::now();
    while dead.iter().any(|path| path.exists()) {
        assert!(start.elapsed() < PATIENCE, "{:?}", private(scratch.path()));
        // A run as short as this may be over before the sweep is: the next one goes on with it.
        let _ = run(&Place::new(), &quick, scratch.path()).run().exits(0);
    }
    for _ in 0..3 {
        let _ = run(&Place::new(), &quick, scratch.path()).run().exits(0);
    }
    assert_eq!(private(scratch.path()), live, "what lives is left alone, and short runs leave nothing");
    assert!(live.iter().any(|path| path.join("cache/file").exists()));
}

/// A hook in the sandbox with a private directory, that sleeps for so many milliseconds.
fn sleeping(ms: u32) -> Project {
    let lines = format!("wasm = \"sleeps.wasm\"\nargs = [\"{ms}\"]\ndirs = [{{ guest = \"/tmp\", mode = \"scratch\" }}]");
    Project::new(&hook("h", "pre-deploy", &lines)).guest("sleeps.wasm", programs::wasm("sleeps", Target::P1))
}

#[test]
fn the_next_wasmhook_removes_what_a_killed_one_left_of_a_hook_in_the_sandbox() {
    let (scratch, place) = (tempfile::tempdir().unwrap(), Place::new());
    let (long, quick) = (sleeping(600_000), sleeping(1));
    let mut killed = run(&place, &long, scratch.path()).spawn();
    killed.wait_for("sleeping");
    let live = private(scratch.path());
    assert_eq!(live.len(), 1, "{live:?}");
    std::fs::write(live[0].join("file"), "x").unwrap();

    let _ = run(&Place::new(), &quick, scratch.path()).run().exits(0);
    assert_eq!(private(scratch.path()), live, "what lives is left alone");

    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().code, 128 + 9);
    let start = Instant::now();
    while live[0].exists() {
        assert!(start.elapsed() < PATIENCE, "{:?}", private(scratch.path()));
        let _ = run(&Place::new(), &quick, scratch.path()).run().exits(0);
    }
    assert!(private(scratch.path()).is_empty());
}
