//! The platform's own lines of a watch, as golden text; and how often it looks.

use super::bed::{Bed, Jobs};
use rustix::process::Signal;

#[test]
fn a11_s4_26_s4_33_a_start_and_its_cycles_in_the_platforms_own_lines() {
    let bed = Bed::new(&Jobs { pre: "echo migrating", post: "echo '[POST-DEPLOY] warming'" });
    let once = |args: &[&str]| bed.watch(&[&["--once", "--dialect", "commit-sync"], args].concat()).run();
    let first = bed.head();
    let expected = format!(
        "[INFO] Current commit: {first}
[INFO] Repository commit changed. Executing deploy jobs...
[PRE-DEPLOY] migrating
[POST-DEPLOY] warming
[INFO] Deploy jobs completed. Commit SHA updated.
"
    );
    let ran = once(&[]).exits(0);
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
    let unchanged = format!("[INFO] Current commit: {first}\n[INFO] Repository commit unchanged. Skipping deploy jobs.\n");
    assert_eq!(once(&[]).exits(0).stdout, unchanged, "S4.38");
    bed.jobs(&Jobs { pre: "exit 2", post: "" });
    let second = bed.push("2");
    let failed = format!(
        "[INFO] Current commit: {second}
[INFO] Repository commit changed. Executing deploy jobs...
[PRE-DEPLOY] ERROR: Job failed with exit code 2
ERROR: PRE_DEPLOY job failed. Not updating commit SHA (will retry on next sync).
"
    );
    assert_eq!(once(&[]).exits(1).stdout, failed, "A10, A13");
    assert_eq!(once(&[]).exits(1).stdout, failed, "S4.29");
}

#[test]
fn a12_s4_33_the_interval_is_thirty_seconds_unless_somebody_says_another() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&[], "15", "30"),
        (&["--from-env"], "15", "15"),
        (&["--from-env"], "", "30"),
        (&["--from-env", "--interval", "40s"], "15", "40"),
        (&["--interval", "2m"], "15", "120"),
    ];
    for (args, variable, seconds) in cases {
        let bed = Bed::plain();
        let watch = bed.watch(&[&["--dialect", "commit-sync"], args].concat()).env("GITHUB_SYNC_INTERVAL", variable).spawn();
        bed.wait_log(&["pre 1", "post 1"]);
        bed.wait_runs(1);
        watch.signal(Signal::TERM);
        let ran = watch.wait().exits(143);
        // The signal may come before it sleeps: then it never said how long.
        let said = ran.stdout.lines().find(|line| line.contains("Waiting"));
        assert!(said.is_none_or(|said| said == format!("[INFO] Waiting {seconds}s before next sync...")), "{args:?}: {}", ran.stdout);
    }
    let bed = Bed::plain();
    for (args, variable) in [(&["--interval", "0"][..], ""), (&["--interval", "soon"], ""), (&["--from-env"], "often")] {
        let ran = bed.watch(args).env("GITHUB_SYNC_INTERVAL", variable).run().exits(2);
        assert!(ran.said().contains("nterval") || ran.said().contains("GITHUB_SYNC_INTERVAL"), "{}", ran.stderr);
    }
}

#[test]
fn what_names_one_release_is_refused() {
    let bed = Bed::plain();
    for args in [&["--tag", "v1"][..], &["--commit", "abc123"], &["--at-start"]] {
        let ran = bed.watch(args).run().exits(2);
        assert!(ran.said().contains(&format!("{} is for `wasmhook run`", args[0])), "{}", ran.stderr);
    }
}
