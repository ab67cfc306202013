//! The repository asks, the operator grants: `--policy` is a ceiling for directories, variables, limits and confinement.

use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn project(lines: &str, policy: &str) -> Project {
    Project::new(lines).file("ok.wat", OK).file("data/x", "").file("policy.toml", format!("schema = 1\n[policy]\n{policy}\n"))
}

#[track_caller]
fn refused(project: &Project, hook: &str, line: &str) {
    for command in ["run", "plan"] {
        let ran = Place::new().args([command, "--policy", "policy.toml"]).current_dir(project.path()).run().exits(3);
        let words = format!("to allow it: {line}");
        assert!(
            ran.said().contains("error[refused-grant]") && ran.said().contains(hook) && ran.said().contains(&words),
            "{words} in {}",
            ran.stderr
        );
    }
}

#[test]
fn directories_beyond_the_ceiling_are_refused_with_the_line_that_would_allow_them() {
    let asks = hook("asks", "pre-deploy", "wasm = \"ok.wat\"\ndirs = [{ path = \"data\", mode = \"write\" }]");
    for policy in ["dirs = []", "dirs = [{ path = \"data\", mode = \"read\" }]", "dirs = [{ path = \"other\", mode = \"write\" }]"] {
        let project = project(&asks, policy);
        let data = project.path().canonicalize().unwrap().join("data").display().to_string();
        refused(&project, "asks", &format!("[policy] dirs = [{{ path = \"{data}\", mode = \"write\" }}]"));
        // The line that it names does allow it.
        project.write("policy.toml", format!("schema = 1\n[policy]\ndirs = [{{ path = \"{data}\", mode = \"write\" }}]\n"));
        let _ = Place::new().args(["run", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0);
    }
}

#[test]
fn variables_beyond_the_ceiling_are_refused_and_patterns_count() {
    let asks =
        format!("[env]\nDB_URL = \"x\"\nTOKEN = \"y\"\n{}", hook("asks", "pre-deploy", "wasm = \"ok.wat\"\nenv = [\"DB_URL\", \"TOKEN\"]"));
    let project = project(&asks, "env = [\"DB_*\"]");
    refused(&project, "TOKEN", "[policy] env = [\"TOKEN\"]");
    project.write("policy.toml", "schema = 1\n[policy]\nenv = [\"DB_*\", \"TOKEN\"]\n");
    let _ = Place::new().args(["run", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0);
}

#[test]
fn limits_are_lowered_and_plan_and_report_say_so() {
    let asks = hook("greedy", "pre-deploy", "wasm = \"ok.wat\"\ntimeout = \"1h\"\nmemory = \"4GiB\"\nfuel = 900000000000000");
    let project = project(&asks, "timeout = \"10s\"\nmemory = \"64MiB\"\nfuel = 1000000");
    let plan = Place::new().args(["plan", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0);
    assert!(plan.said().contains("limits 10 s, fuel 1M, memory 64 MiB") && plan.said().contains("[limit-lowered]"), "{}", plan.stdout);
    let json =
        Place::new().args(["run", "--policy", "policy.toml", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    let lowered = |notice: &serde_json::Value| notice["code"] == "limit-lowered";
    assert_eq!(json["notices"].as_array().unwrap().iter().filter(|notice| lowered(notice)).count(), 3, "the run says so too: {json}");
    let usage = &json["hooks"][0]["usage"];
    assert_eq!(
        (usage["timeout_ms"].as_u64(), usage["memory_limit_bytes"].as_u64(), usage["fuel_limit"].as_u64()),
        (Some(10_000), Some(64 << 20), Some(1_000_000))
    );
}

#[test]
fn weaker_confinement_is_refused() {
    for sandbox in ["none", "best-effort"] {
        let asks = hook("weak", "pre-deploy", &format!("run = \"touch ran\"\nsandbox = \"{sandbox}\""));
        let project = project(&asks, "dirs = []");
        refused(&project, "weak", &format!("[policy] sandbox = \"{sandbox}\""));
        assert!(!project.has("ran"));
    }
}

#[test]
fn with_a_policy_file_the_manifests_own_policy_and_steps_do_not_count() {
    let lines = format!(
        "[policy]\ndirs = [{{ path = \"/\", mode = \"write\" }}]\n[host_step.deploy]\nrun = \"touch theirs\"\n{}",
        hook("h", "pre-deploy", "wasm = \"ok.wat\"")
    );
    let project = project(&lines, "dirs = []\n[host_step.deploy]\nrun = \"touch ours\"");
    let ran = Place::new().args(["run", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0);
    assert!(project.has("ours") && !project.has("theirs"), "{}", ran.stderr);
    assert!(ran.said().contains("is not used: --policy names the operator's file"), "{}", ran.said());
}

#[test]
fn one_file_for_both_is_said() {
    let project = project(&hook("h", "pre-deploy", "wasm = \"ok.wat\""), "");
    assert!(Place::new().args(["plan"]).current_dir(project.path()).run().exits(0).said().contains("[one-file]"));
    assert!(
        !Place::new().args(["plan", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0).said().contains("[one-file]")
    );
}
