//! The platform's own lines of a watch, as golden text; and how often it looks.

use super::bed::{Bed, Jobs};

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
        let said = bed.dialect(args, &[("GITHUB_SYNC_INTERVAL", variable)], |said| said.contains("Waiting"));
        assert!(said.contains(&format!("[INFO] Waiting {seconds}s before next sync...\n")), "{args:?}: {said}");
    }
    let bed = Bed::plain();
    for (args, variable) in [(&["--interval", "0"][..], ""), (&["--interval", "soon"], ""), (&["--from-env"], "often")] {
        let ran = bed.watch(args).env("GITHUB_SYNC_INTERVAL", variable).run().exits(2);
        assert!(ran.said().contains("nterval") || ran.said().contains("GITHUB_SYNC_INTERVAL"), "{}", ran.stderr);
    }
}

#[test]
fn s4_29_cycles_that_fail_wait_longer_where_that_was_asked_for() {
    let bed = Bed::plain();
    let _ = bed.once().exits(0);
    std::fs::rename(bed.path("origin"), bed.path("away")).unwrap();
    let said = bed.dialect(&["--interval", "1s", "--backoff", "3s"], &[], |said| said.contains("Waiting 3s"));
    let waits: Vec<_> = said.lines().filter(|line| line.contains("Waiting")).collect();
    // Already the start couldn't ask the remote.
    assert_eq!(waits, ["[INFO] Waiting 2s before next sync...", "[INFO] Waiting 3s before next sync..."]);
    assert!(said.contains("[WARN] `git ls-remote` failed"), "{said}");
}

#[test]
fn what_names_one_release_is_refused() {
    let bed = Bed::plain();
    for args in [&["--tag", "v1"][..], &["--commit", "abc123"], &["--at-start"]] {
        let ran = bed.watch(args).run().exits(2);
        assert!(ran.said().contains(&format!("{} is for `wasmhook run`", args[0])), "{}", ran.stderr);
    }
}
