//! The start of a container: what comes before the application, what beside it, and what if that fails.

use super::bed::{Bed, Jobs, UNTIL_GO, wait};
use rustix::process::Signal;

#[test]
fn s4_1_s4_2_s4_24_pre_comes_before_the_application_and_post_runs_beside_it() {
    // The post job ends only once the application has run.
    let bed = Bed::new(&Jobs { pre: "", post: "while [ ! -e ../../log/app ]; do sleep 0.02; done; echo done >> ../../log/log" });
    let ran = bed.follow(&[
        "--",
        "sh",
        "-c",
        "echo \"app $(cat VERSION)\" >> ../log/log; : > ../log/app; while [ ! -e ../log/go ]; do sleep 0.02; done; exit 7",
    ]);
    wait(|| bed.log().last().is_some_and(|line| line == "done"), || format!("{:?}", bed.log()));
    let mut first = bed.log();
    first.truncate(3);
    first[1..].sort();
    assert_eq!(first, ["pre 1", "app 1", "post 1"]);
    bed.wait_runs(1);
    let status = bed.status();
    assert_eq!((&status["trigger"]["why"], &status["last_commit"]), (&"at-start".into(), &bed.head().into()), "it is journaled");
    bed.push("2");
    wait(|| bed.log().iter().any(|line| line == "post 2"), || format!("{:?}", bed.log()));
    bed.write("log/go", "");
    let ran = ran.wait().exits(7);
    assert!(ran.said().contains("the application ended with exit code 7"), "{}", ran.stderr);
}

#[test]
fn a17_how_the_first_post_job_ended_is_in_the_journal_though_nobody_waited_for_it() {
    let bed = Bed::new(&Jobs { pre: "", post: "exit 5" });
    let mut watch = bed.follow(&["--", "sleep", "600"]);
    bed.wait_runs(1);
    let shown = bed.place.args(["show", "--format", "json"]).current_dir(bed.path("app")).run().exits(0).report();
    let post = &shown["hooks"][1];
    assert_eq!((&post["outcome"], &post["exit_code"]), (&"failed".into(), &5.into()), "{shown}");
    assert_eq!((&shown["status"], &shown["warnings"]), (&"success".into(), &1.into()), "{shown}");
    assert!(watch.is_running(), "a notice that failed ends no application");
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().code, 143);
}

#[test]
fn s4_7_s4_25_a_pre_job_that_fails_at_the_start_ends_with_1_and_the_application_is_not_started() {
    let bed = Bed::new(&Jobs { pre: "exit 3", post: "" });
    for application in [&["--", "sh", "-c", "echo app >> ../log/log"][..], &[]] {
        let ran = bed.watch(&[&["--dialect", "commit-sync"], application].concat()).run().exits(1);
        assert!(ran.stdout.contains("ERROR: Initial PRE_DEPLOY job failed. Container cannot start.\n"), "{}", ran.stdout);
    }
    assert_eq!(bed.log(), ["pre 1", "pre 1"]);
}

#[test]
fn s4_80_a9_a_start_runs_the_jobs_whatever_ran_before_and_the_cycles_after_it_do_not() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    // To a file: nobody reads a pipe meanwhile.
    let mut watch = bed.watch(&["--interval", "50ms", "--format", "jsonl"]).command();
    let mut watch = watch.stdout(std::fs::File::create(bed.path("told")).unwrap()).stderr(std::process::Stdio::null()).spawn().unwrap();
    bed.wait_log(&["pre 1", "post 1", "pre 1", "post 1"]);
    bed.wait_runs(2);
    let before = bed.status()["runs"].as_array().unwrap().len();
    bed.push("2");
    bed.wait_log(&["pre 1", "post 1", "pre 1", "post 1", "pre 2", "post 2"]);
    bed.wait_runs(3);
    assert_eq!((before, bed.status()["runs"].as_array().unwrap().len()), (2, 3), "nothing ran in between");
    rustix::process::kill_process(rustix::process::Pid::from_child(&watch), Signal::TERM).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(143));
    let told = std::fs::read_to_string(bed.path("told")).unwrap();
    let lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["schema"] == 1));
    assert!(lines.iter().any(|line| line["watch"] == "waiting" && line["seconds"] == 1), "50 ms are shown as 1 s");
    let ran = lines.iter().filter(|line| line["watch"] == "ran").map(|line| line["report"]["status"].as_str().unwrap());
    assert!(ran.filter(|status| *status == "success").count() == 2, "{told}");
}

#[test]
fn s4_72_a_start_waits_for_the_lock_since_the_application_needs_its_jobs() {
    let bed = Bed::new(&Jobs { pre: UNTIL_GO, post: "" });
    let first = bed.place.args(["run"]).current_dir(bed.path("app")).spawn();
    bed.wait_file("log/waiting");
    let mut watch = bed.follow(&["--", "sh", "-c", "echo app >> ../log/log; exit 5"]);
    watch.wait_for("waiting for the lock");
    assert_eq!(bed.log(), ["pre 1"], "the application isn't started without its jobs");
    bed.write("log/go", "");
    assert_eq!(first.wait().code, 0);
    assert_eq!(watch.wait().code, 5);
    let log = bed.log();
    assert_eq!(log.iter().filter(|line| *line == "pre 1").count(), 2, "{log:?}");
    assert!(log.contains(&"app".to_owned()), "{log:?}");
}

#[test]
fn s4_79_a_killed_watch_is_started_again_and_nobody_has_to_do_anything() {
    let bed = Bed::new(&Jobs { pre: UNTIL_GO, post: "" });
    let watch = bed.follow(&["--", "sh", "-c", "exit 9"]);
    bed.wait_file("log/waiting");
    watch.signal(Signal::KILL);
    assert_eq!(watch.wait().code, 137);
    bed.write("log/go", "");
    let again = bed.watch(&["--interval", "50ms", "--", "sh", "-c", "echo app >> ../log/log; sleep 1; exit 9"]).run().exits(9);
    assert!(again.said().contains("[run-died]") || again.said().contains("[rerun-after-crash]"), "{}", again.stderr);
    assert_eq!(bed.log()[..2], ["pre 1", "pre 1"], "it ran again by itself");
    assert!(bed.log().contains(&"app".to_owned()));
}

#[test]
fn s4_79_a_watch_that_is_killed_while_it_sleeps_or_while_a_post_job_runs_needs_nobody_either() {
    for (post, asleep) in [("", true), (UNTIL_GO, false)] {
        let bed = Bed::new(&Jobs { pre: "", post });
        let watch = bed.watch(&["--interval", "1h", "--", "sleep", "600"]).spawn();
        if asleep {
            bed.wait_runs(1);
        } else {
            bed.wait_file("log/waiting");
        }
        watch.signal(Signal::KILL);
        assert_eq!(watch.wait().code, 137);
        bed.write("log/go", "");
        let again = bed.watch(&["--once", "--", "sh", "-c", "exit 9"]).run().exits(9);
        assert_eq!(bed.log(), ["pre 1", "post 1", "pre 1", "post 1"], "{}", again.stderr);
        assert_eq!((again.said().contains("[run-died]"), &bed.status()["runs"][0]["status"]), (!asleep, &"success".into()));
    }
}

#[test]
fn once_with_an_application_is_one_start_and_its_end() {
    let bed = Bed::plain();
    let ran = bed.watch(&["--once", "--", "sh", "-c", "echo app >> ../log/log; exit 4"]).run().exits(4);
    let mut log = bed.log();
    log[1..].sort();
    assert_eq!(log, ["pre 1", "app", "post 1"], "the post job comes to its end: {}", ran.stderr);
    assert_eq!(bed.status()["runs"][0]["status"], "success");
}

#[test]
fn s4_7_a_start_whose_jobs_can_not_be_had_ends_with_1_and_the_application_is_not_started() {
    let bed = Bed::plain();
    // The jobs of the environment are for an application that has no manifest.
    std::fs::remove_file(bed.path("app/wasmhook.toml")).unwrap();
    let start = |more: &[&str]| {
        let args = ["--from-env", "--no-fetch", "--app", "shop"];
        let call = bed.watch(&[&args[..], more, &["--", "sh", "-c", "echo app >> ../log/log"]].concat());
        call.env("PRE_DEPLOY_COMMAND", "./job.sh").env("PRE_DEPLOY_FOLDER", "jobs").env("PRE_DEPLOY_REPO_URL", bed.path("nowhere"))
    };
    let gone = start(&[]).run().exits(1);
    assert!(gone.said().contains("can't be read") && gone.said().contains("git ls-remote"), "{}", gone.stderr);
    let told = start(&["--dialect", "commit-sync"]).run().exits(1);
    assert!(told.stdout.contains("ERROR: Initial PRE_DEPLOY job failed. Container cannot start.\n"), "S4.43: {}", told.stdout);
    bed.write("nowhere/other/file", "");
    bed.git("nowhere", &["init", "-q", "-b", "main"]);
    bed.git("nowhere", &["add", "-A"]);
    bed.git("nowhere", &["commit", "-q", "-m", "1"]);
    let lacks = start(&[]).run().exits(1);
    assert!(lacks.said().contains("has no folder jobs"), "A32: {}", lacks.stderr);
    let status = bed.place.args(["status", "--app", "shop", "--format", "json"]).current_dir(bed.path("app")).run().json();
    let ended: Vec<_> = status["runs"].as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!((ended, bed.log()), (vec!["failed"; 3], vec![]), "each start is in the journal");
}

#[test]
fn a_start_whose_plan_is_refused_ends_as_a_refused_run_does() {
    let bed = Bed::plain();
    bed.write("app/policy.toml", "schema = 1\n[policy]\ndirs = [{ path = '$APP_DIR', mode = 'read' }]\n");
    let refused = bed.watch(&["--policy", "policy.toml", "--", "true"]).run().exits(3);
    assert!(refused.said().contains("to allow it"), "{}", refused.stderr);
    bed.write("app/wasmhook.toml", "schema = 1\nno such\n");
    let _ = bed.watch(&["--no-fetch", "--", "true"]).run().exits(2);
    assert_eq!(bed.log(), [""; 0]);
}
