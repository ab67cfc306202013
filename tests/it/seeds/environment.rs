//! What a command before the release sees is what the release sees: its variables, and its tree.

use std::collections::BTreeMap;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Each process has its own of these, and a host step has the operator's besides; everything else is the same for a hook and for the step that
/// it comes before.
const OWN: &[&str] = &[
    "HOME",
    "TMPDIR",
    "PATH",
    "WASMHOOK_PHASE",
    "WASMHOOK_HOOK",
    "WASMHOOK_OUTPUT",
    "TRACEPARENT",
    "SHLVL",
    "_",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
];

const DUMP: &str = "#!/bin/sh\nenv | sed 's/^/env /'\nfind . -type f | sort | xargs cksum | sed 's/^/file /'\n";

/// What a place wrote: its variables by name, and its files.
fn dump(stderr: &str, place: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let prefix = format!("{place} │ ");
    let lines: Vec<&str> = stderr.lines().filter_map(|line| line.trim_start().strip_prefix(&prefix)).collect();
    let env = lines.iter().filter_map(|line| line.strip_prefix("env ")?.split_once('='));
    let env = env.filter(|(name, _)| !OWN.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned()));
    (env.collect(), lines.iter().filter_map(|line| line.strip_prefix("file ")).map(str::to_owned).collect())
}

fn same_as_in_the_release(profile: &str, phase: &str, step: &str) {
    let lines = format!(
        "profile = '{profile}'\nenv_file = 'app.env'\n[host_step.{step}]\nrun = ['./bin/dump.sh']\nenv = ['DATABASE_URL', 'MODE']\n{}",
        hook("dump", phase, "run = './bin/dump.sh'")
    );
    let project = Project::new(&lines)
        .file("bin/dump.sh", DUMP)
        .file("app.env", "DATABASE_URL=mysql://db.internal/shop\nMODE=production\n")
        .file("src/main.py", "print()\n");
    let ran = Place::new().args(["run", "--tag", "v7"]).current_dir(project.path()).run().exits(0);
    let (hook, release) = (dump(&ran.stderr, &format!("{phase}/dump")), dump(&ran.stderr, step));
    assert_eq!(hook.0.get("DATABASE_URL").map(String::as_str), Some("mysql://db.internal/shop"), "{}", ran.stderr);
    assert_eq!(hook.0.get("DEPLOY_TAG").map(String::as_str), Some("v7"));
    assert!(hook.1.iter().any(|file| file.ends_with("./src/main.py")), "{:?}", hook.1);
    assert_eq!(hook, release, "{}", ran.stderr);
}

#[test]
fn s1_16_a_pre_release_command_sees_what_the_release_sees() {
    same_as_in_the_release("blueking", "pre-release", "release");
}

#[test]
fn s2_7_a_release_command_sees_what_the_application_sees() {
    same_as_in_the_release("divio", "release", "switch");
}
