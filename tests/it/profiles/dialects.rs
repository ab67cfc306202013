//! `run --dialect`: each platform's exact lines, as golden text.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project, Ran};

/// Makes the project a repository with one commit.
fn committed(project: Project) -> Project {
    commit(&project);
    project
}

fn commit(project: &Project) {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(project.path()).args(["-c", "user.name=a", "-c", "user.email=a@b.c"]).args(args);
        let done = command.output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all", ":!go", ":!log"]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "a change"]);
}

fn run(place: &Place, project: &Project, dialect: &str, more: &[&str]) -> Ran {
    place.args([&["run", "--dialect", dialect], more].concat()).current_dir(project.path()).run()
}

/// An application with the jobs of the quick start, each as its lines.
fn jobs(pre: &str, post: &str) -> Project {
    let job = |phase: &str, script: &str| {
        let id = script.trim_end_matches(".sh");
        hook(id, phase, &format!("run = 'bash {script}'\ncwd = 'scripts/{phase}'\ntimeout = '1s'"))
    };
    let manifest = format!("profile = 'commit-sync'\n{}{}", job("pre-deploy", "migrate.sh"), job("post-deploy", "warm-cache.sh"));
    let script = |lines: &str| format!("#!/usr/bin/env bash\nset -euo pipefail\n{lines}\n");
    committed(
        Project::new(&manifest).file("scripts/pre-deploy/migrate.sh", script(pre)).file("scripts/post-deploy/warm-cache.sh", script(post)),
    )
}

const PRE: &str = "echo '[PRE-DEPLOY] =========================================='\necho 'Running migrations...'\necho '[PRE-DEPLOY] ✓ Migrations complete'";
const POST: &str = "echo '[POST-DEPLOY] Warming cache...'\necho '  → /api/data'";

#[test]
fn a11_s4_34_s4_35_s4_36_s4_38_s4_42_a_cycle_in_the_platforms_own_lines() {
    let (place, project) = (Place::new(), jobs(PRE, POST));
    let first = run(&place, &project, "commit-sync", &[]).exits(0);
    let expected = "[INFO] Repository commit changed. Executing deploy jobs...
[PRE-DEPLOY] ==========================================
[PRE-DEPLOY] Running migrations...
[PRE-DEPLOY] ✓ Migrations complete
[POST-DEPLOY] Warming cache...
[POST-DEPLOY]   → /api/data
[INFO] Deploy jobs completed. Commit SHA updated.
";
    assert_eq!(first.stdout, expected, "{}", first.stderr);
    let second = run(&place, &project, "commit-sync", &[]).exits(0);
    assert_eq!(second.stdout, "[INFO] Repository commit unchanged. Skipping deploy jobs.\n", "S4.38");
    commit(&project);
    assert_eq!(run(&place, &project, "commit-sync", &[]).exits(0).stdout, expected);
}

#[test]
fn a10_a13_s4_25_s4_43_a_failed_pre_job_is_told_as_the_platform_does() {
    let (place, project) = (Place::new(), jobs("echo 'ERROR: Cannot connect to database'\nexit 3", POST));
    let failed = run(&place, &project, "commit-sync", &[]).exits(1);
    let expected = "[INFO] Repository commit changed. Executing deploy jobs...
[PRE-DEPLOY] ERROR: Cannot connect to database
[PRE-DEPLOY] ERROR: Job failed with exit code 3
ERROR: PRE_DEPLOY job failed. Not updating commit SHA (will retry on next sync).
";
    assert_eq!(failed.stdout, expected, "{}", failed.stderr);
    let again = run(&place, &project, "commit-sync", &["--at-start"]).exits(1);
    let expected = "[PRE-DEPLOY] ERROR: Cannot connect to database
[PRE-DEPLOY] ERROR: Job failed with exit code 3
ERROR: Initial PRE_DEPLOY job failed. Container cannot start.
";
    assert_eq!(again.stdout, expected, "S4.25, S4.43: {}", again.stderr);
}

#[test]
fn s4_37_s4_39_a_post_job_that_times_out_or_fails_is_a_warning() {
    for (lines, said) in [("sleep 30", "Job timed out after 1s"), ("exit 124", "Job failed with exit code 124")] {
        let (place, project) = (Place::new(), jobs(PRE, lines));
        let ran = run(&place, &project, "commit-sync", &[]).exits(0);
        let expected = format!(
            "[POST-DEPLOY] ERROR: {said}\n[WARN] POST_DEPLOY job failed (lenient mode - continuing)\n[INFO] Deploy jobs completed. Commit SHA updated.\n"
        );
        assert!(ran.stdout.ends_with(&expected), "A31: 124 is an exit code like any other: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a8_s4_27_a_run_that_another_one_holds_off_says_so() {
    let project = committed(
        Project::new(&format!("profile = 'commit-sync'\n{}", hook("wait", "pre-deploy", "run = './wait.sh'")))
            .file("wait.sh", "#!/bin/sh\necho waiting\nwhile [ ! -e go ]; do sleep 0.02; done\n"),
    );
    let place = Place::new();
    let mut first = place.args(["run"]).current_dir(project.path()).spawn();
    first.wait_for("│ waiting");
    let second = run(&place, &project, "commit-sync", &[]).exits(0);
    assert_eq!(second.stdout, "[INFO] Job execution in progress by another process. Skipping.\n");
    project.write("go", "");
    assert_eq!(first.wait().code, 0);
}

const CHECKS: &str = "Running security configuration checks...

database configuration    ... passed
user accounts             ... passed
gateway server            ... failed (HTTPS not enforced; no exemptions)

Security configuration checks failed.
";

#[test]
fn s2_24_s2_25_s2_26_a35_the_sample_log_line_by_line() {
    let project = Project::new(&format!("profile = 'divio'\n{}", hook("checks", "release", "run = './checks.sh'")))
        .file("checks.sh", format!("#!/bin/sh\ncat <<'EOF'\n{CHECKS}EOF\nexit 1\n"));
    let ran = run(&Place::new(), &project, "divio", &[]).exits(1);
    assert_eq!(ran.stdout, format!("===== docker release commands =====\n\n{CHECKS}"), "{}", ran.stderr);
}

#[test]
fn a4_a5_the_pre_release_command_in_the_platforms_own_lines() {
    let pre_release = |lines: &str| {
        Project::new(&format!("profile = 'blueking'\n{lines}")).file("bin/pre-release.sh", "#!/bin/sh\necho migrating\nexit 1\n")
    };
    let skipped = "The Pre-release command is not configured, skip the Pre-release phase.\n";
    assert_eq!(run(&Place::new(), &pre_release(""), "blueking", &[]).exits(0).stdout, skipped);
    let disabled = hook("migrate", "pre-release", "run = './bin/pre-release.sh'\nenabled = false");
    assert_eq!(run(&Place::new(), &pre_release(&disabled), "blueking", &[]).exits(0).stdout, skipped);
    let failing = hook("migrate", "pre-release", "run = './bin/pre-release.sh'");
    let failed = run(&Place::new(), &pre_release(&failing), "blueking", &[]).exits(1);
    assert_eq!(failed.stdout, "migrating\nPre-Release-Hook failed, please check logs for more details\n", "{}", failed.stderr);
}

#[test]
fn a7_an_interrupted_pre_release_command_is_not_a_failed_one() {
    let sleeps = hook("migrate", "pre-release", "run = \"sh -c 'echo migrating; sleep 600'\"");
    let project = Project::new(&format!("profile = 'blueking'\n{sleeps}"));
    let place = Place::new();
    let mut call = place.args(["run", "--dialect", "blueking"]).current_dir(project.path()).command();
    let mut running = call.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "migrating\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&running), rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), running.wait().unwrap().code()), ("Pre-Release-Hook interrupted\n", Some(130)));
}

#[test]
fn s3_34_s3_44_s3_48_s3_49_the_upgrade_endpoints_answer_and_the_banners() {
    let script = "#!/bin/sh\necho \"=== Release hook: $DEPLOY_TAG ===\"\necho working\n";
    let project = Project::new("profile = 'tenant-upgrade'")
        .file("release/v0.3.28.sh", script)
        .file("release/v0.3.28.post-migrate.wat", wasmhook_tests::project::OK);
    let place = Place::new();
    let ran = run(&place, &project, "tenant-upgrade", &["--tag", "v0.3.28"]).exits(0);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["status"], &answer["new_version"]), (&"success".into(), &"v0.3.28".into()));
    let keys = ["status", "previous_version", "new_version", "commit", "migrations_run", "hooks_executed", "backup_path", "details"];
    let places: Vec<_> = keys.iter().map(|key| ran.stdout.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted() && answer.as_object().unwrap().len() == keys.len(), "exactly these, in this order: {}", ran.stdout);
    assert_eq!(answer["hooks_executed"], serde_json::json!(["post-pull: v0.3.28.sh - OK", "post-migrate: v0.3.28.post-migrate.wat - OK"]));
    let banner = "=== Release hook: v0.3.28 ===\nworking\n=== Release hook complete ===\n";
    let silent = "=== Release hook: v0.3.28 ===\n=== Release hook complete ===\n";
    assert!(ran.stderr.contains(&format!("{banner}{silent}")), "said once, by the script or for it: {}", ran.stderr);
    let again = run(&place, &project, "tenant-upgrade", &["--tag", "v0.3.28"]).exits(0);
    assert!(again.stderr.contains("Already applied, skipping\n"), "S3.36: {}", again.stderr);
}

#[test]
fn s3_66_the_answer_of_a_failed_upgrade_says_what_failed() {
    let project = Project::new("profile = 'tenant-upgrade'").file("release/v1.sh", "#!/bin/sh\nexit 4\n");
    let ran = run(&Place::new(), &project, "tenant-upgrade", &["--tag", "v1"]).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["status"], &answer["first_error"]["cause"]["code"]), (&"failed".into(), &4.into()), "{}", ran.stdout);
}

#[test]
fn with_json_asked_for_the_lines_go_to_standard_error() {
    let (place, project) = (Place::new(), jobs(PRE, POST));
    let ran = run(&place, &project, "commit-sync", &["--format", "json"]).exits(0);
    assert_eq!(ran.report()["status"], "success");
    assert!(ran.stderr.contains("[INFO] Repository commit changed. Executing deploy jobs...\n"), "{}", ran.stderr);
    let unknown = run(&place, &project, "comit-sync", &[]).exits(2);
    assert!(unknown.said().contains("did you mean `commit-sync`?"), "{}", unknown.stderr);
}
