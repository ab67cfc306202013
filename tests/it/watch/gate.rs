//! One cycle at a time: when jobs run, and when they don't.

use super::bed::{Bed, Jobs, UNTIL_GO};

#[test]
fn s4_26_s4_3_s4_4_s4_5_a_cycle_runs_the_jobs_when_the_commit_changed() {
    let bed = Bed::plain();
    assert!(bed.once().exits(0).said().contains("succeeded"));
    assert_eq!(bed.log(), ["pre 1", "post 1"], "S4.5: the first run");
    let runs = bed.status()["runs"].as_array().unwrap().len();
    let unchanged = bed.once().exits(0);
    assert_eq!((bed.log().len(), unchanged.stdout.as_str()), (2, ""), "S4.4: {}", unchanged.stderr);
    assert_eq!(bed.status()["runs"].as_array().unwrap().len(), runs, "a cycle without a change leaves no trace");
    let commit = bed.push("2");
    assert!(bed.once().exits(0).said().contains("checked out"));
    assert_eq!((bed.log()[2..].to_vec(), bed.head()), (vec!["pre 2".to_owned(), "post 2".to_owned()], commit));
}

#[test]
fn s4_81_the_commit_is_compared_with_the_last_one_only() {
    let bed = Bed::plain();
    let (a, b) = (bed.head(), bed.push("2"));
    // Somebody else brings the commits: going back is no fast-forward.
    bed.git("app", &["fetch", "-q"]);
    for commit in [&a, &b, &a] {
        bed.git("app", &["reset", "-q", "--hard", commit]);
        let ran = bed.watch(&["--once", "--no-fetch"]).run().exits(0);
        assert!(ran.said().contains("succeeded"), "{}", ran.stderr);
    }
    assert_eq!(bed.log(), ["pre 1", "post 1", "pre 2", "post 2", "pre 1", "post 1"]);
}

#[test]
fn s4_29_s4_32_a_failed_pre_job_is_tried_again_in_the_next_cycle_without_advancing() {
    let bed = Bed::plain();
    let (first, _) = (bed.head(), bed.once().exits(0));
    bed.jobs(&Jobs { pre: "exit 3", post: "" });
    bed.push("2");
    for _ in 0..2 {
        let failed = bed.once().exits(1);
        assert!(failed.said().contains("exit code 3"), "{}", failed.stderr);
        assert_eq!(bed.status()["last_commit"], first.as_str(), "the commit isn't the last successful one");
    }
    let failed = bed.once().exits(1).stdout;
    let next = failed.split_once("\nNext:\n").unwrap().1;
    assert!(next.contains("wasmhook show ") && !next.contains("wasmhook run"), "the next cycle runs it again by itself: {next}");
    assert_eq!(bed.log()[2..], ["pre 2", "pre 2", "pre 2"], "S4.32: no post job in those cycles");
    assert_eq!(bed.status()["trigger"]["why"], "retry");
    bed.jobs(&Jobs { pre: "", post: "exit 1" });
    let third = bed.push("3");
    assert!(bed.once().exits(0).said().contains("succeeded with 1 warning"));
    assert_eq!(bed.status()["last_commit"], third.as_str(), "S4.30: a failed post job is a warning");
    assert_eq!(bed.once().exits(0).stdout, "", "and isn't tried again");
    assert_eq!(bed.log()[5..], ["pre 3", "post 3"]);
}

#[test]
fn s4_29_a_watch_says_when_it_tries_again() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    bed.jobs(&Jobs { pre: "exit 3", post: "" });
    let mut watch = bed.watch(&["--interval", "2s", "--backoff", "1h"]).spawn();
    bed.wait_log(&["pre 1", "post 1", "pre 1", "post 1"]);
    bed.push("2");
    watch.wait_for("trying again in 4 s");
    watch.signal(rustix::process::Signal::TERM);
    assert_eq!(watch.wait().code, 143);
}

#[test]
fn s4_6_the_commit_can_be_kept_in_a_file_whose_loss_means_a_first_run() {
    let bed = Bed::plain();
    let file = bed.path("last_job_commit.txt");
    let once = || bed.watch(&["--once", "--commit-file", file.to_str().unwrap()]).run().exits(0);
    let _ = once();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), bed.head() + "\n", "the SHA only");
    let _ = once();
    assert_eq!(bed.log().len(), 2);
    std::fs::remove_file(&file).unwrap();
    let _ = once();
    assert_eq!(bed.log().len(), 4, "it was lost, so it is a first run");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let _ = once();
    assert_eq!(bed.log().len(), 6, "the file's word counts, not the ledger's");
    // Without the option the ledger knows, and remembers across restarts.
    let _ = bed.once().exits(0);
    assert_eq!(bed.log().len(), 6);
    let status = bed.place.args(["status", "--format", "json", "--commit-file", file.to_str().unwrap()]).current_dir(bed.path("app"));
    let status = status.run().exits(0).json();
    assert_eq!((&status["last_commit"], &status["commit_file"]), (&bed.head().into(), &file.to_str().unwrap().into()));
}

#[test]
fn s4_6_a_profile_can_name_that_file() {
    let bed = Bed::plain();
    let file = bed.path("commit");
    let text = std::fs::read_to_string(wasmhook_tests::programs::root().join("runtime/profiles/commit-sync.toml")).unwrap();
    let own = text.replace("name = \"commit-sync\"", &format!("name = \"own\"\ncommit_file = {:?}", file.to_str().unwrap()));
    bed.write("origin/own.toml", &own);
    let manifest = std::fs::read_to_string(bed.path("origin/wasmhook.toml")).unwrap().replace("'commit-sync'", "'./own.toml'");
    bed.write("origin/wasmhook.toml", &manifest);
    bed.push("2");
    let _ = bed.once().exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), bed.head() + "\n");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let ran = bed.once().exits(0);
    assert!(ran.said().contains("[commit-not-written]"), "{}", ran.stderr);
}

#[test]
fn s4_47_status_says_which_commit_counts_where_it_is_kept_and_why_the_last_cycle_ran() {
    let bed = Bed::plain();
    let said = || bed.place.args(["status"]).current_dir(bed.path("app")).run().exits(0).said();
    let _ = bed.once().exits(0);
    let first = bed.head();
    assert!(said().contains(&format!("Last success: commit {first}, kept in the ledger.")), "{}", said());
    assert!(said().contains("The newest run ran because nothing had succeeded before."), "{}", said());
    bed.push("2");
    let _ = bed.once().exits(0);
    assert!(said().contains(&format!("because the commit changed from {}.", &first[..12])), "{}", said());
    let status = bed.status();
    assert_eq!((&status["trigger"]["why"], &status["trigger"]["from"]), (&"commit-changed".into(), &first.into()), "{status}");
}

#[test]
fn a15_s4_47_without_a_repository_a_cycle_says_that_no_commit_is_known() {
    let bed = Bed::plain();
    std::fs::remove_dir_all(bed.path("app/.git")).unwrap();
    let ran = bed.once().exits(0);
    assert!(ran.said().contains("[unknown-revision]"), "never silently: {}", ran.stderr);
    assert_eq!(bed.log(), [""; 0], "and never twice a minute");
    let report = bed.watch(&["--once", "--format", "json"]).run().exits(0).report();
    assert_eq!((&report["status"], &report["notices"][0]["code"]), (&"skipped".into(), &"unknown-revision".into()));
}

#[test]
fn s4_27_s4_28_a8_a_cycle_that_another_run_holds_off_is_skipped_and_not_queued() {
    let bed = Bed::new(&Jobs { pre: UNTIL_GO, post: "" });
    let mut first = bed.place.args(["run"]).current_dir(bed.path("app")).spawn();
    bed.wait_file("log/waiting");
    let head = bed.head();
    let skipped = bed.watch(&["--once", "--no-fetch", "--dialect", "commit-sync"]).run().exits(0);
    assert_eq!(skipped.stdout, "[INFO] Job execution in progress by another process. Skipping.\n");
    bed.push("2");
    let skipped = bed.once().exits(0);
    assert!(skipped.said().contains("another run holds the lock"), "{}", skipped.stderr);
    assert_eq!(bed.head(), head, "nobody changes files under a run");
    bed.write("log/go", "");
    assert!(first.is_running() || bed.log().len() > 1);
    assert_eq!(first.wait().exits(0).code, 0);
    let _ = bed.once().exits(0);
    assert_eq!(bed.log(), ["pre 1", "post 1", "pre 2", "post 2"], "S4.28: the lock was released");
}

#[test]
fn any_profile_can_follow_a_branch_and_deploys_once_for_each_commit() {
    let bed = Bed::plain();
    let manifest = std::fs::read_to_string(bed.path("origin/wasmhook.toml")).unwrap().replace("'commit-sync'", "'default'");
    bed.write("origin/wasmhook.toml", &format!("{manifest}\n[host_step.deploy]\nrun = \"sh -c 'echo deploy >> ../log/log'\"\n"));
    bed.push("2");
    for _ in 0..2 {
        let _ = bed.once().exits(0);
    }
    assert_eq!(bed.log(), ["pre 2", "deploy", "post 2"], "a host step isn't run twice a minute");
}
