//! The formats of `run`: what is asked for on standard output, what happens meanwhile on standard error.

use serde_json::Value;
use std::process::Stdio;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{FAILS, OK, hook};
use wasmhook_tests::{Place, Project};

fn project() -> Project {
    let lines = [
        hook(
            "prints",
            "pre-deploy",
            "wasm = \"prints.wasm\"\nargs = [\"plain\", \"\\u001b[2J\\u001b]0;title\\u0007red\\rover\", \"raw\", \"err\", \"oh\"]",
        ),
        hook("bad", "post-deploy", "wasm = \"bad.wat\"\nallow_failure = true"),
    ];
    Project::new(&lines.concat()).file("ok.wat", OK).file("bad.wat", FAILS).guest("prints.wasm", programs::wasm("prints", Target::P1))
}

#[test]
fn without_a_terminal_no_escape_and_no_carriage_return_comes_out() {
    let project = project();
    for format in ["human", "json", "jsonl"] {
        let ran = Place::new().args(["run", "--format", format]).current_dir(project.path()).run().exits(0);
        for text in [&ran.stdout, &ran.stderr] {
            let steers: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
            assert!(steers.is_empty(), "{format}: {steers:?} in {text:?}");
        }
        assert!(ran.stderr.contains("pre-deploy/prints │ plain\n"), "{}", ran.stderr);
    }
}

#[test]
fn color_always_colours_and_no_color_does_not() {
    let project = project();
    let coloured = Place::new().args(["run", "--color", "always"]).current_dir(project.path()).run().exits(0);
    assert!(coloured.stdout.contains("\u{1b}[") && coloured.stderr.contains("\u{1b}["));
    let plain = Place::new().args(["run", "--color", "never"]).env("CLICOLOR_FORCE", "1").current_dir(project.path()).run().exits(0);
    assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'));
}

#[test]
fn json_lines_are_the_events_in_order() {
    let ran = Place::new().args(["run", "--tag", "v1", "--format", "jsonl"]).current_dir(project().path()).run().exits(0);
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() > 6 && events.iter().all(|event| event["schema"] == 1), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.starts_with("{\"schema\":1,")), "{}", ran.stdout);
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let (first, last) = (events[0].to_string(), events[events.len() - 1].to_string());
    assert!(first.contains("run-started") && last.contains("run-finished"), "{first}\n{last}");
}

#[test]
fn every_field_of_the_report_is_there() {
    let json = Place::new().args(["run", "--tag", "v1", "--format", "json"]).current_dir(project().path()).run().exits(0).report();
    let top = "schema status run_id app environment tag commit plan_digest dry_run new_version_live first_error warnings previous_version new_version \
               migrations_run hooks_executed backup_path details steps hooks";
    let of_a_hook =
        "id label phase service instance guest fallback outcome verdict cause exit_code skip_reason usage denials files attempt started_at";
    let of_usage = "fuel fuel_limit wall_ms timeout_ms memory_peak_bytes memory_limit_bytes output_bytes";
    for (value, names) in [(&json, top), (&json["hooks"][0], of_a_hook), (&json["hooks"][0]["usage"], of_usage)] {
        let object = value.as_object().unwrap();
        for name in names.split_whitespace() {
            assert!(object.contains_key(name), "{name} in {value}");
        }
    }
    assert_eq!(json["hooks_executed"][0], "pre-deploy: prints.wasm - OK");
    assert_eq!(json["hooks_executed"][1], "post-deploy: bad.wat - FAILED (exit code 7)");
}

#[test]
fn a_run_whose_output_nobody_reads_goes_on_to_its_end() {
    let place = Place::new();
    let project = project();
    let mut command = place.args(["run", "--tag", "v1", "--format", "jsonl"]).current_dir(project.path()).command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!(status["runs"][0]["status"], "success");
}

#[test]
fn json_of_a_run_that_is_refused_says_so() {
    let project =
        Project::new(&hook("h", "pre-deploy", "wasm = \"ok.wat\"\ndirs = [{ path = \"/etc\", mode = \"write\" }]")).file("ok.wat", OK);
    let project = project.file("policy.toml", "schema = 1\n[policy]\ndirs = []\n");
    let ran = Place::new().args(["run", "--policy", "policy.toml", "--format", "json"]).current_dir(project.path()).run().exits(3);
    let report = ran.report();
    assert_eq!((report["status"].as_str(), report["notices"][0]["code"].as_str()), (Some("refused"), Some("refused-grant")), "{report}");
}
