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

/// Fields that every answer has which says why there is no other.
fn assert_refused(said: &Value, status: &str, code: &str) {
    let first = &said["problems"][0];
    assert_eq!((said["schema"].as_u64(), said["status"].as_str(), first["code"].as_str()), (Some(1), Some(status), Some(code)), "{said}");
    assert!(first["severity"] == "error" && !first["message"].as_str().unwrap().is_empty(), "{said}");
    for field in ["app", "environment"] {
        assert!(said.as_object().unwrap().contains_key(field), "{field} in {said}");
    }
}

#[test]
fn whatever_is_refused_is_refused_in_the_same_json() {
    let (good, bad, place) = (project(), Project::new("[[hook]]\nid = \"h\"\nphse = \"x\"\nrun = \"true\""), Place::new());
    for command in ["run", "watch --once", "plan", "check", "list", "status", "resolve h --retry"] {
        let call = |project: &Project, more: &[&str], format: &str| {
            let args = [&command.split(' ').collect::<Vec<_>>(), more, &["--format", format]].concat();
            let ran = place.args(args).current_dir(project.path()).run().exits(2);
            assert!(!ran.stderr.is_empty(), "people are told, too");
            ran.stdout
        };
        let named = serde_json::from_str(&call(&good, &["--env-name", "a b"], "json")).unwrap();
        assert_refused(&named, "refused", "bad-name");
        let read: Value = serde_json::from_str(&call(&bad, &[], "json")).unwrap();
        assert_refused(&read, "refused", "unknown-key");
        let place = (&read["environment"], &read["problems"][0]["file"], &read["problems"][0]["line"], &read["problems"][0]["help"]);
        let expected = ("default".into(), "wasmhook.toml".into(), 5.into(), "did you mean `phase`?".into());
        assert_eq!(place, (&expected.0, &expected.1, &expected.2, &expected.3), "{command}");
        let lines = call(&bad, &[], "jsonl");
        let line: Value = serde_json::from_str(lines.trim_end()).unwrap();
        assert_refused(if command.starts_with("watch") { &line["report"] } else { &line }, "refused", "unknown-key");
    }
    let app = place.args(["plan", "--tag", "a b", "--format", "json"]).current_dir(good.path()).run().exits(2).json();
    assert_eq!((app["app"].as_str(), app["environment"].as_str()), (Some("shop"), Some("default")), "{app}");
    assert_refused(&place.args(["show", "nothing", "--format", "json"]).run().exits(2).json(), "refused", "no-run");
    assert_refused(&place.args(["cache", "--cache", "/dev/null", "--format", "json"]).run().exits(3).json(), "refused", "cache");
    for format in ["json", "jsonl"] {
        let ran = place.args(["run", "--resume", "--format", format]).current_dir(good.path()).run().exits(3);
        assert_refused(&ran.json(), "refused", "nothing-to-resume");
    }
}

#[test]
fn every_line_of_json_says_its_version() {
    let (project, place) = (project(), Place::new());
    for command in ["run", "list", "plan", "check", "status", "show", "cache", "cache --clear"] {
        let args = [&command.split(' ').collect::<Vec<_>>()[..], &["--format", "jsonl"]].concat();
        let lines = place.args(args).current_dir(project.path()).run().exits(0).stdout;
        assert!(!lines.is_empty() && lines.lines().all(|line| line.starts_with("{\"schema\":1,")), "{command}: {lines}");
    }
}

#[test]
fn a_run_that_breaks_off_since_the_disk_is_full_says_how_far_it_came() {
    let project = project();
    let call = |place: &Place, fault: &str, format: &str, count: &std::path::Path| {
        let mut call = place.args(["run", "--format", format]).current_dir(project.path()).command();
        call.env("WASMHOOK_FAULT", fault).env("WASMHOOK_FAULT_COUNT", count).output().unwrap()
    };
    let count = project.path().join("count");
    let _ = call(&Place::new(), "100000:enospc", "json", &count);
    let points: usize = project.read("count").parse().unwrap();
    let mut broke_off = 0;
    for point in 0..points {
        let ran = call(&Place::new(), &format!("{point}:enospc"), "json", &count);
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("point {point}: {error}: {ran:?}"));
        if ran.status.code() != Some(70) {
            continue;
        }
        let lines = call(&Place::new(), &format!("{point}:enospc"), "jsonl", &count);
        let last: Value = String::from_utf8(lines.stdout).unwrap().lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap();
        for said in [&report, &last] {
            assert_refused(said, if said["run_id"].is_null() { "failed" } else { "interrupted" }, "ledger");
        }
        broke_off += usize::from(report["run_id"].is_string());
        let people = String::from_utf8(ran.stderr).unwrap();
        assert!(report["run_id"].is_null() || people.contains("wasmhook run --resume"), "the way on is said: {people}");
    }
    assert!(broke_off > 0, "of {points} points");
}
