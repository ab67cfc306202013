//! The compile cache as many processes at once use it.

use std::fs;
use std::process::{Child, Stdio};
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

const PROCESSES: usize = 10;

/// Starts ten processes that run the same module with one cache, and waits for all of them.
fn ten_at_once(place: &Place) {
    let module = programs::wasm("echo", Target::P1);
    let start = |number: usize| -> Child {
        let call = place.args(["exec", "--cache"]).arg(place.cache()).arg(&module).arg(format!("guest-{number}"));
        call.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let started: Vec<Child> = (0..PROCESSES).map(start).collect();
    for (number, child) in started.into_iter().enumerate() {
        let ended = child.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(ended.status.code(), Some(0), "process {number}: {stderr}");
        assert!(stdout.contains(&format!("arg guest-{number}\n")), "process {number} ran its guest: {stdout}");
    }
}

/// The one file in the cache.
#[track_caller]
fn only_file(place: &Place) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(place.cache()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "one artefact, and nothing that a writer left behind: {files:?}");
    files.remove(0)
}

#[test]
fn ten_processes_fill_a_cold_cache_at_once_and_leave_one_artefact() {
    let place = Place::new();
    ten_at_once(&place);
    let artefact = only_file(&place);
    let warm = place.args(["exec"]).arg(programs::wasm("echo", Target::P1)).env("WASMHOOK_LOG", "warn").run().exits(0);
    assert_eq!(warm.stderr, "", "and it is a good one");
    assert_eq!(only_file(&place), artefact, "which is used again");
}

#[test]
fn ten_processes_that_find_a_corrupted_entry_all_run_and_mend_it() {
    let place = Place::new();
    let _ = place.args(["exec"]).arg(programs::wasm("echo", Target::P1)).run().exits(0);
    let artefact = only_file(&place);
    let good = fs::read(&artefact).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0xff;
    // A new file in its place: whoever has the old one mapped keeps it.
    fs::remove_file(&artefact).unwrap();
    fs::write(&artefact, &bad).unwrap();
    ten_at_once(&place);
    assert_eq!(only_file(&place), artefact);
    assert_eq!(fs::read(&artefact).unwrap(), good, "what was corrupted is compiled again, and the same");
}

#[test]
fn a_cache_that_can_not_be_used_is_a_warning_with_its_code_and_no_line_of_a_log() {
    let project = Project::new(&hook("h", "pre-deploy", "wasm = \"ok.wat\"")).file("ok.wat", OK).file("cache", "a file");
    for (command, marked) in [(&["exec", "ok.wat"][..], "warning[cache]: the compile cache can't be used: "), (&["run"], "[cache]")] {
        let call = [&command[..1], &["--cache", "cache"], &command[1..]].concat();
        let ran = Place::new().args(call).current_dir(project.path()).run().exits(0);
        assert!(ran.said().contains(marked) && ran.said().contains("the compile cache can't be used: "), "{}", ran.said());
        assert!(!ran.said().contains("WARN"), "{}", ran.said());
    }
}
