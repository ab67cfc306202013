//! What a remote can do to a watch: nothing that isn't said, and nothing that is lost.

use super::bed::Bed;
use std::fs;
use std::net::TcpListener;

#[test]
fn a_remote_that_is_gone_is_said_and_followed_again_when_it_is_back() {
    let bed = Bed::plain();
    let mut watch = bed.follow(&[]);
    bed.wait_log(&["pre 1", "post 1"]);
    fs::rename(bed.path("origin"), bed.path("away")).unwrap();
    watch.wait_for("[fetch-failed]");
    watch.wait_for("[fetch-failed]");
    fs::rename(bed.path("away"), bed.path("origin")).unwrap();
    bed.push("2");
    bed.wait_log(&["pre 1", "post 1", "pre 2", "post 2"]);
}

#[test]
fn a_start_goes_on_with_what_is_checked_out_where_the_remote_does_not_answer() {
    let bed = Bed::plain();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bed.git("app", &["remote", "set-url", "origin", &format!("git://{}/app.git", listener.local_addr().unwrap())]);
    let ran = bed.watch(&["--fetch-timeout", "100ms", "--", "sh", "-c", "echo app >> ../log/log; exit 3"]).run().exits(3);
    assert!(ran.said().contains("took longer than 100 ms"), "{}", ran.stderr);
    assert_eq!(bed.log()[0], "pre 1");
    let ran = bed.watch(&["--once", "--fetch-timeout", "100ms"]).run();
    assert!([0, 3].contains(&ran.code) && ran.said().contains("[fetch-failed]"), "{}", ran.stderr);
}

#[test]
fn one_cycle_that_could_not_look_and_had_nothing_to_run_is_no_success() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    fs::rename(bed.path("origin"), bed.path("away")).unwrap();
    assert!(bed.once().exits(3).said().contains("[fetch-failed]"));
    assert_eq!(bed.watch(&["--once", "--no-fetch"]).run().exits(0).stdout, "");
}

#[test]
fn what_was_pushed_by_force_and_a_deleted_branch_are_said_and_nothing_is_lost() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    let head = bed.head();
    bed.git("origin", &["commit", "-q", "--amend", "-m", "another history"]);
    let said = bed.once().exits(3).said();
    assert!(said.contains("is no fast-forward") && said.contains("[not-followed]"), "{said}");
    bed.git("origin", &["checkout", "-q", "-b", "other"]);
    bed.git("origin", &["branch", "-q", "-D", "main"]);
    let said = bed.once().exits(3).said();
    assert!(said.contains("origin has no branch `main`"), "{said}");
    assert_eq!((bed.head(), bed.log().len()), (head.clone(), 2));
    // Another branch can be followed by name, as soon as it goes on from what is checked out.
    bed.git("origin", &["reset", "-q", "--hard", &head]);
    bed.push("2");
    let _ = bed.watch(&["--once", "--branch", "other"]).run().exits(0);
    assert_eq!(bed.log()[2..], ["pre 2", "post 2"]);
}

#[test]
fn local_changes_stay_and_are_named() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    bed.write("app/VERSION", "mine\n");
    bed.push("2");
    let said = bed.once().exits(3).said();
    assert!(said.contains("VERSION") && said.contains("what is in the way"), "{said}");
    assert_eq!(fs::read_to_string(bed.path("app/VERSION")).unwrap(), "mine\n", "never a reset");
    bed.git("app", &["checkout", "-q", "VERSION"]);
    let _ = bed.once().exits(0);
    assert_eq!(bed.log()[2..], ["pre 2", "post 2"]);
}

#[test]
fn a_lock_that_a_killed_git_left_is_named_and_the_branch_followed_once_it_is_gone() {
    let bed = Bed::plain();
    let mut watch = bed.follow(&[]);
    bed.wait_log(&["pre 1", "post 1"]);
    bed.write("app/.git/index.lock", "");
    bed.push("2");
    watch.wait_for(".git/index.lock is there");
    watch.wait_for("[not-followed]");
    watch.wait_for("trying again in");
    assert_eq!(bed.log().len(), 2, "{:?}", bed.log());
    fs::remove_file(bed.path("app/.git/index.lock")).unwrap();
    bed.wait_log(&["pre 1", "post 1", "pre 2", "post 2"]);
}

#[test]
fn submodules_that_stay_behind_are_told_once_for_each_commit_with_the_command_that_brings_them() {
    let bed = Bed::plain();
    let library = bed.path("origin").display().to_string();
    bed.git("origin", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &library, "vendor/lib"]);
    bed.push("2");
    // To a file: what is told twice would be told while nobody reads.
    let mut watch = bed.watch(&["--interval", "50ms", "--format", "jsonl"]).command();
    let mut watch = watch.stdout(fs::File::create(bed.path("told")).unwrap()).stderr(std::process::Stdio::null()).spawn().unwrap();
    bed.wait_log(&["pre 2", "post 2"]);
    bed.push("3");
    bed.wait_log(&["pre 2", "post 2", "pre 3", "post 3"]);
    bed.git("app", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"]);
    bed.push("4");
    bed.wait_log(&["pre 2", "post 2", "pre 3", "post 3", "pre 4", "post 4"]);
    watch.kill().unwrap();
    watch.wait().unwrap();
    let told = fs::read_to_string(bed.path("told")).unwrap();
    let lines = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let behind: Vec<_> =
        lines.filter(|line| line["code"] == "submodules").map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(behind.len(), 2, "{behind:?}");
    let command =
        format!("vendor/lib; run `git -C {} submodule update --init --recursive`", bed.path("app").canonicalize().unwrap().display());
    assert!(behind.iter().all(|message| message.contains(&command)), "{behind:?}");
}

#[test]
fn a_manifest_that_a_commit_broke_is_mended_by_the_next_one() {
    let bed = Bed::plain();
    let good = fs::read_to_string(bed.path("origin/wasmhook.toml")).unwrap();
    let mut watch = bed.follow(&[]);
    bed.wait_log(&["pre 1", "post 1"]);
    bed.write("origin/wasmhook.toml", "schema = 1\nno such\n");
    bed.push("2");
    watch.wait_for("error[toml-syntax]");
    bed.write("origin/wasmhook.toml", &good);
    bed.push("3");
    bed.wait_log(&["pre 1", "post 1", "pre 3", "post 3"]);
    drop(watch);
    // Also by a start that finds it broken.
    bed.git("app", &["reset", "-q", "--hard", "HEAD~1"]);
    let ran = bed.watch(&["--no-fetch", "--once"]).run().exits(2);
    assert!(ran.said().contains("error[toml-syntax]"), "{}", ran.stderr);
    bed.push("4");
    let _ = bed.once().exits(0);
    assert_eq!(bed.log()[4..], ["pre 4", "post 4"]);
}
