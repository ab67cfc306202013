//! The pre-release command: alone, executable, and by its path.

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn project(script: &str) -> Project {
    with(script, "")
}

fn with(script: &str, more: &str) -> Project {
    let command = hook("migrate", "pre-release", &format!("run = './bin/pre-release.sh'\n{more}"));
    Project::new(&format!("profile = 'blueking'\n{command}")).file("bin/pre-release.sh", script)
}

#[test]
fn s1_6_a_second_command_at_the_same_time_is_refused() {
    // What is only read is not staged, so the script sees what comes later.
    let read = "dirs = [{ path = '$APP_DIR', mode = 'read' }]";
    let project = with("#!/bin/sh\necho waiting\nwhile [ ! -e go ]; do sleep 0.02; done\n", read);
    let place = Place::new();
    let mut first = place.args(["run"]).current_dir(project.path()).spawn();
    first.wait_for("│ waiting");
    let second = place.args(["run"]).current_dir(project.path()).run().exits(4);
    assert!(!second.said().contains("│ waiting"), "nothing of it ran: {}", second.stderr);
    project.write("go", "");
    assert_eq!(first.wait().code, 0);
}

#[test]
fn s1_29_s1_31_a_script_is_named_by_its_path_and_ends_at_its_first_failing_line() {
    let ran = Place::new()
        .args(["run", "--format", "json"])
        .current_dir(project("#!/bin/sh\nset -e\necho first\nfalse\necho never\n").path())
        .run()
        .exits(1);
    let report = ran.report();
    assert_eq!((&report["hooks"][0]["exit_code"], &report["hooks"][0]["tail"]), (&1.into(), &serde_json::json!(["first"])));
}

/// S1.20, S1.24: what is configured on the platform's side stands in a file of its own, comes after the application's, and its single values hold.
#[test]
fn s1_20_s1_24_the_platforms_configuration_has_precedence_and_shows_its_origin() {
    let project = project("#!/bin/sh\n").file(
        "platform/config.toml",
        format!("schema = 1\napp = \"renamed\"\n{}", hook("start-up", "pre-release", "run = 'startup.sh'\nenabled = false")),
    );
    let args = ["plan", "--format", "json", "--manifest", "wasmhook.toml", "--manifest", "platform/config.toml"];
    let plan = Place::new().args(args).current_dir(project.path()).run().exits(0).json();
    assert_eq!(plan["plan"]["app"], "renamed");
    let text = plan.to_string();
    let (own, platform) = (text.find("\"origin\":\"wasmhook.toml\""), text.find("\"origin\":\"platform/config.toml\""));
    assert!(own.is_some() && own < platform, "{text}");
}

#[test]
fn s1_15_what_the_command_writes_does_not_reach_the_release() {
    let project = project("#!/bin/sh\nset -e\necho migrated > state\ncat state\nrm kept\n").file("kept", "as it was");
    let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("│ migrated"), "the command itself sees what it wrote: {}", ran.stderr);
    assert_eq!((project.read("kept").as_str(), project.has("state")), ("as it was", false));
}
