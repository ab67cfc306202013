//! `wasmhook run --dry-run`: everything runs, and nothing happened.

use super::{assert_nothing_left, project, tree};
use std::net::TcpListener;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn released() -> Project {
    let lines = [
        hook(
            "one",
            "pre-deploy",
            "wasm = \"files.wasm\"\nargs = [\"write\", \"/d/x\", \"1\\n\", \"remove\", \"/d/old.txt\"]\ndirs = [{ path = \"data\", guest = \"/d\" }]",
        ),
        hook("two", "pre-deploy", "run = \"sh -c 'cat data/x; echo 2 >> data/x'\"\ndirs = [{ path = \"data\", mode = \"write\" }]"),
        hook("late", "post-deploy", "run = \"sh -c 'cat data/x'\"\ndirs = [{ path = \"data\", mode = \"read\" }]"),
        "[host_step.deploy]\nrun = \"sh -c 'echo deployed > deployed'\"\n".to_owned(),
    ];
    project(&lines.concat())
}

#[test]
fn hooks_run_later_ones_see_what_earlier_ones_wrote_and_nothing_is_left() {
    let project = released();
    let place = Place::new();
    let before = tree(project.path());
    let ran = place.args(["run", "-C", "app", "--tag", "v1", "--dry-run", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert_eq!(tree(project.path()), before, "no trace in the tree");
    assert_eq!(project.read("app/data/old.txt"), "old\n");
    assert!(!place.ledger().exists(), "nor in the ledger");
    assert!(ran.stderr.contains("pre-deploy/two │ 1\n"), "{}", ran.stderr);
    let report = ran.report();
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["would_change"]["files"], serde_json::json!({ "created": ["x"], "modified": [], "deleted": ["old.txt"] }));
    assert_eq!(report["would_change"]["diffs"][0]["diff"], "--- x\n+++ x\n@@ -0,0 +1,2 @@\n+1\n+2\n");
    assert_eq!(report["hooks"][1]["files"]["modified"], serde_json::json!(["x"]), "what each hook did by itself");
    assert_eq!(report["would_change"]["not_tried"], serde_json::json!(["deploy"]));
    assert_eq!(report["hooks"][2]["after_skipped"], serde_json::json!(["deploy"]));
    assert_eq!(report["hooks"][0]["after_skipped"], serde_json::json!([]));
    let deploy = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "deploy").unwrap();
    assert_eq!(deploy["outcome"], "skipped");
    assert_nothing_left(&project);
}

#[test]
fn people_see_the_changes_the_texts_on_demand_and_last_what_was_not_tried() {
    let project = released();
    let place = Place::new();
    let shown = |more: &[&str]| {
        let args = [&["run", "-C", "app", "--tag", "v1", "--dry-run"], more].concat();
        place.args(args).current_dir(project.path()).run().exits(0)
    };
    let said = shown(&[]).stderr;
    assert_eq!(said.matches("⚠ after skipped step deploy: what it did may depend on that\n").count(), 1, "{said}");
    let shown = |more: &[&str]| shown(more).stdout;
    let plain = shown(&[]);
    assert!(plain.contains("It would change 2 paths:\n  + x\n  - old.txt\n") && !plain.contains("@@"), "{plain}");
    assert!(plain.ends_with("\n1 thing was not tried: deploy.\n"), "{plain}");
    assert!(plain.contains("⚠ post-deploy/late after skipped step deploy: what it did may depend on that.\n"), "{plain}");
    let diffs = shown(&["--diff"]);
    assert!(diffs.contains("@@ -0,0 +1,2 @@\n+1\n+2\n") && diffs.contains("-old\n"), "{diffs}");
    let _ = place.args(["run", "-C", "app", "--diff"]).current_dir(project.path()).run().exits(2);
}

#[test]
fn a_real_run_then_changes_exactly_what_was_shown() {
    let project = released();
    let place = Place::new();
    let call = |more: &[&str]| {
        let args = [&["run", "-C", "app", "--tag", "v1", "--format", "json"], more].concat();
        place.args(args).current_dir(project.path()).run().exits(0).report()
    };
    let shown = call(&["--dry-run"]);
    let _ = call(&[]);
    assert_eq!(project.read("app/data/x"), "1\n2\n");
    assert!(!project.has("app/data/old.txt") && project.has("app/deployed"));
    assert_eq!(shown["would_change"]["files"]["created"], serde_json::json!(["x"]));
    let again = call(&["--dry-run"]);
    assert_eq!(again["hooks"][0]["outcome"], "skipped", "a dry run asks the ledger as a real one does");
}

#[test]
fn the_exit_code_is_that_of_what_ran_and_a_failed_hook_s_writes_do_not_count() {
    let lines = [
        hook("one", "pre-deploy", "run = \"sh -c 'echo kept > data/kept'\"\ndirs = [{ path = \"data\" }]"),
        hook("two", "pre-deploy", "run = \"sh -c 'echo lost > data/lost; exit 3'\"\ndirs = [{ path = \"data\" }]"),
    ];
    let project = project(&lines.concat());
    let ran =
        Place::new().args(["run", "-C", "app", "--tag", "v1", "--dry-run", "--format", "json"]).current_dir(project.path()).run().exits(1);
    let report = ran.report();
    assert_eq!(report["would_change"]["files"]["created"], serde_json::json!(["kept"]));
    assert_eq!(report["first_error"]["hook"], "two");
    assert_nothing_left(&project);
}

#[test]
fn what_an_aborted_dry_run_did_not_come_to_was_not_tried() {
    let lines = [
        hook("bad", "pre-deploy", "run = \"sh -c 'exit 3'\""),
        hook("t", "post-deploy", "run = \"true\""),
        "[host_step.deploy]\nrun = \"true\"\n".to_owned(),
    ];
    let project = project(&lines.concat());
    let call = |more: &[&str]| {
        let args = [&["run", "-C", "app", "--tag", "v1", "--dry-run"], more].concat();
        Place::new().args(args).current_dir(project.path()).run().exits(1)
    };
    let shown = call(&[]).stdout;
    assert!(shown.ends_with("\n2 things were not tried: deploy, post-deploy/t.\n"), "{shown}");
    let report = call(&["--format", "json"]).report();
    assert_eq!(report["would_change"]["not_tried"], serde_json::json!(["deploy", "post-deploy/t"]));
}

/// A hook that reads a file of its grant, and one outside of it, where it ends.
fn curious(target: Target) -> Project {
    let hook = hook(
        "curious",
        "pre-deploy",
        "wasm = \"curious.wasm\"\nargs = [\"read\", \"/d/old.txt\", \"read\", \"/etc/hostname\"]\ndirs = [{ path = \"data\", guest = \"/d\" }]\nallow_failure = true",
    );
    project(&hook).guest("app/curious.wasm", programs::wasm("files", target))
}

const LOOKED: &str = "path /etc/hostname, which lies outside every grant";
const ALLOW: &str = "add { path = \"/etc\", mode = \"read\" } to the hook's dirs";

#[test]
fn a_dry_run_and_an_audited_one_see_what_hooks_look_for_outside_their_grants() {
    for target in Target::ALL {
        let project = curious(target);
        for how in ["--dry-run", "--audit"] {
            let call = |more: &[&str]| {
                let args = [&["run", "-C", "app", "--tag", "v1", how], more].concat();
                Place::new().args(args).current_dir(project.path()).run().exits(0)
            };
            let report = call(&["--format", "json"]).report();
            assert_eq!(report["outside_path_attempts"], "observed");
            let hook = &report["hooks"][0];
            assert_eq!(hook["cause"]["kind"], "exit", "{target}: the guest itself finds nothing there: {hook}");
            let denials = hook["denials"].as_array().unwrap();
            assert_eq!(denials.len(), 1, "{target}, {how}: {denials:?}");
            assert_eq!((&denials[0]["what"], &denials[0]["allow"]), (&LOOKED.into(), &ALLOW.into()), "{target}");
            let people = call(&[]);
            assert!(people.stderr.contains(&format!("refused: {LOOKED}; to allow it: {ALLOW}\n")), "{}", people.stderr);
            assert!(!people.stdout.contains("not observed"), "{}", people.stdout);
        }
        assert_nothing_left(&project);
    }
}

/// Looks for a hundred files outside every grant.
const LOOKS_FOR_MANY: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $i i32)
    (loop $next
      (i32.store8 (i32.const 0) (i32.add (i32.const 97) (i32.div_u (local.get $i) (i32.const 10))))
      (i32.store8 (i32.const 1) (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 10))))
      (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))))"#;

#[test]
fn refusals_beyond_those_that_are_kept_are_counted() {
    let project = Project::new(&hook("curious", "pre-deploy", "wasm = \"many.wat\"")).file("many.wat", LOOKS_FOR_MANY);
    let ran = Place::new().args(["run", "--tag", "v1", "--audit", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let report = ran.report();
    let hook = &report["hooks"][0];
    assert_eq!((hook["denials"].as_array().unwrap().len(), hook["more_denials"].as_u64()), (64, Some(36)), "{hook}");
    assert!(ran.stderr.contains("refused 36 more times: only the first 64 are listed\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("and 80 more; the JSON report has 64 of all\n"), "{}", ran.stderr);
}

#[test]
fn any_other_run_says_that_nobody_looked() {
    for target in Target::ALL {
        let project = curious(target);
        let call = |more: &[&str]| {
            let args = [&["run", "-C", "app", "--tag", "v1"], more].concat();
            Place::new().args(args).current_dir(project.path()).run().exits(0)
        };
        let report = call(&["--format", "json"]).report();
        assert_eq!(report["outside_path_attempts"], "not-observed");
        assert_eq!(
            (&report["hooks"][0]["outcome"], &report["hooks"][0]["denials"]),
            (&"failed".into(), &serde_json::json!([])),
            "{target}"
        );
        let shown = call(&[]).stdout;
        assert!(shown.contains("  outside-path attempts not observed (with --audit they are)\n"), "{target}: {shown}");
    }
}

#[test]
fn people_read_what_a_hook_that_ended_well_was_refused() {
    let lines = hook("kind", "pre-deploy", "wasm = \"kind.wat\"");
    let project = project(&lines).file("app/kind.wat", LOOKS_AND_ENDS_WELL);
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--dry-run"]).current_dir(project.path()).run().exits(0);
    let unfolded = ran.stdout.replace("\n  ", " ");
    assert!(unfolded.contains(&format!("pre-deploy/kind was refused {LOOKED}; to allow it: {ALLOW}\n")), "{}", ran.stdout);
}

/// Asks about a path below the first directory that was opened, whatever that is, and ends well.
const LOOKS_AND_ENDS_WELL: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "etc/hostname")
  (func (export "_start") (drop (call $stat (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 12) (i32.const 2048)))))"#;

#[test]
fn a_native_hook_reaches_nothing_but_its_stages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let elsewhere = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/bash\n(echo x > {}/x) 2>/dev/null && echo wrote\n(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo connected\ntouch data/y\necho done\n",
        elsewhere.path().display()
    );
    let project = project(&hook("h", "pre-deploy", "run = \"./h.sh\"\nsandbox = \"none\"\ndirs = [{ path = \".\" }]"));
    project.write("app/h.sh", script);
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--dry-run"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("│ done") && !ran.stderr.contains("│ wrote") && !ran.stderr.contains("│ connected"), "{}", ran.stderr);
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    assert_nothing_left(&project);
}
