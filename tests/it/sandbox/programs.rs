//! `[policy] programs`: what the operator's directories hold is found first, and nothing beside them is.

use std::os::unix::fs::PermissionsExt as _;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// An application in `app`, and programs of the operator's beside it: `tool` says what lies in the directory next to its own.
fn project(lines: &str) -> Project {
    let tool = "#!/bin/sh\necho \"tool of the operator\"\ncat \"$(dirname \"$0\")/../secret/key\" 2>/dev/null || echo denied\n";
    let project = Project::empty()
        .file("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{}", hook("h", "pre-deploy", lines)))
        .file("programs/tool", tool)
        .file("secret/key", "hunter2\n")
        .file("policy.toml", "schema = 1\n[policy]\nprograms = ['$APP_DIR/../programs']\ndirs = []\n");
    std::fs::set_permissions(project.path().join("programs/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    project
}

#[test]
fn an_operators_program_runs_and_reaches_nothing_beside_itself() {
    for lines in ["run = ['tool']", "run = 'tool'\nshell = true"] {
        let project = project(lines);
        let run = |policy: &[&str]| Place::new().args([&["run", "-C", "app"], policy].concat()).current_dir(project.path()).run();
        let ran = run(&["--policy", "policy.toml"]).exits(0);
        assert!(ran.stderr.contains("│ tool of the operator") && ran.stderr.contains("│ denied"), "{}", ran.stderr);
        let _ = run(&[]).exits(1);
    }
}

/// What is found in wasmhook's own PATH is not what the hook will find.
#[test]
fn s1_10_a_program_is_looked_for_where_the_hook_will_look() {
    let project = project("run = ['tool']");
    let path = format!("{}:/usr/bin:/bin", project.path().join("programs").display());
    let ran = Place::new().args(["run", "-C", "app", "--format", "json"]).env("PATH", path).current_dir(project.path()).run().exits(1);
    let cause = &ran.report()["hooks"][0]["cause"];
    assert_eq!(cause["kind"], "preflight", "{cause}");
    assert!(cause.to_string().contains("`tool` is not in PATH"), "{cause}");
}
