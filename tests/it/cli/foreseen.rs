//! `check` and `plan` say what a run would find now, and run nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// What `check` finds: severity and message.
fn check(project: &Project, more: &[&str], exit: i32) -> Vec<(String, String)> {
    let place = Place::new();
    let ran = place.args([&["check", "--format", "json"], more].concat()).current_dir(project.path()).run().exits(exit);
    assert!(!place.ledger().exists(), "nothing was begun");
    let problems = ran.json()["problems"].as_array().unwrap().clone();
    let of_preflight = problems.iter().filter(|problem| problem["code"] == "preflight");
    of_preflight
        .map(|problem| (problem["severity"].as_str().unwrap().to_owned(), problem["message"].as_str().unwrap().to_owned()))
        .collect()
}

#[track_caller]
fn finds(found: &[(String, String)], severity: &str, words: &str) {
    assert!(found.iter().any(|(is, message)| is == severity && message.contains(words)), "{severity} {words:?} in {found:#?}");
}

#[test]
fn what_the_tree_lacks_is_an_error_and_a_run_fails_there() {
    let hooks = [
        hook("script", "pre-deploy", "run = [\"./bin/migrate\"]"),
        hook("folder", "pre-deploy", "run = [\"true\"]\ncwd = \"web\""),
        hook("grant", "pre-deploy", "run = [\"true\"]\ndirs = [{ path = \"var\", mode = \"write\" }]"),
        hook("plain", "pre-deploy", "run = [\"./notes.txt\"]"),
    ];
    let project = Project::new(&hooks.concat()).file("notes.txt", "");
    let found = check(&project, &[], 3);
    finds(&found, "error", "pre-deploy/script: `./bin/migrate` doesn't exist");
    finds(&found, "error", "pre-deploy/folder: the working directory");
    finds(&found, "error", "pre-deploy/grant: directory");
    finds(&found, "error", "pre-deploy/plain: `./notes.txt` is not executable");
    let run = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1).json();
    assert!(run["first_error"]["cause"]["text"].as_str().is_some_and(|cause| cause.contains("`./bin/migrate` doesn't exist")), "{run}");
    let plan = Place::new().args(["plan"]).current_dir(project.path()).run().exits(0);
    assert!(
        plan.said().contains("pre-deploy/script: `./bin/migrate` doesn't exist") && plan.said().contains("[preflight]"),
        "{}",
        plan.said()
    );
}

#[test]
fn what_the_machine_lacks_is_a_warning() {
    let hooks = [
        hook("program", "pre-deploy", "run = [\"no-such-program-here\"]"),
        hook("variable", "pre-deploy", "run = [\"true\"]\nenv = [\"DATABASE_URL\"]"),
        hook("elsewhere", "pre-deploy", "run = [\"true\"]\ndirs = [{ path = \"/srv/no-such-directory\", mode = \"read\" }]"),
    ];
    let project = Project::new(&format!("{}\n[host_step.deploy]\nrun = [\"no-such-deploy\"]\n", hooks.concat()));
    let found = check(&project, &[], 0);
    finds(&found, "warning", "pre-deploy/program: `no-such-program-here` is not in PATH");
    finds(&found, "warning", "pre-deploy/variable: the variable DATABASE_URL is not set");
    finds(&found, "warning", "pre-deploy/elsewhere: directory /srv/no-such-directory does not exist");
    finds(&found, "warning", "deploy: `no-such-deploy` is not in PATH");
    assert_eq!(found.len(), 4, "{found:#?}");
    let human = Place::new().args(["check"]).current_dir(project.path()).run().exits(0);
    assert_eq!(human.stdout, "shop: profile default, 3 hooks, 4 warnings\n");
    let with_values = project.file("prod.env", "DATABASE_URL=x\n");
    assert_eq!(check(&with_values, &["--env-file", "prod.env"], 0).len(), 3);
}

#[test]
fn what_an_earlier_step_may_make_is_a_warning() {
    let after = hook("after", "post-deploy", "run = [\"true\"]\ncwd = \"web\"");
    let deployed = Project::new(&format!("{after}\n[host_step.deploy]\nrun = [\"true\"]\n"));
    finds(&check(&deployed, &[], 0), "warning", "post-deploy/after: the working directory");
    let maker = hook("maker", "pre-deploy", "run = [\"mkdir\", \"web\"]\ndirs = [{ path = \".\", mode = \"write\" }]");
    let made = Project::new(&format!("{maker}{after}"));
    finds(&check(&made, &[], 0), "warning", "post-deploy/after: the working directory");
    let _ = Place::new().args(["run"]).current_dir(made.path()).run().exits(0);
    assert!(made.has("web"));
    let alone = Project::new(&format!("{after}{}", hook("other", "pre-deploy", "run = [\"true\"]")));
    let found = check(&alone, &["--only", "after"], 3);
    finds(&found, "error", "post-deploy/after: the working directory");
}
