//! `wasmhook run` with the profile `default`: hooks of its phases, wasm and native, and what the report says of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{FAILS, OK, hook};
use wasmhook_tests::{Place, Project};

fn outcomes(report: &serde_json::Value) -> Vec<(String, String)> {
    let hooks = report["hooks"].as_array().unwrap();
    hooks.iter().map(|hook| (hook["id"].as_str().unwrap().to_owned(), hook["outcome"].as_str().unwrap().to_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, outcome)| ((*id).to_owned(), (*outcome).to_owned())).collect()
}

#[test]
fn hooks_run_in_the_order_of_phases_with_the_deploy_between_them() {
    let lines = [
        hook("late", "post-deploy", "run = \"sh -c 'echo late >> log'\"\ndirs = [{ path = \".\", mode = \"write\" }]"),
        hook("first", "pre-deploy", "run = \"sh -c 'echo first >> log'\"\ndirs = [{ path = \".\", mode = \"write\" }]"),
        hook("second", "pre-deploy", "run = \"sh -c 'echo second >> log'\"\ndirs = [{ path = \".\", mode = \"write\" }]"),
        "[host_step.deploy]\nrun = \"sh -c 'echo deploy {tag} >> log'\"\n".to_owned(),
    ];
    let project = Project::new(&lines.concat());
    let ran = Place::new().args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert_eq!(project.read("log"), "first\nsecond\ndeploy v1\nlate\n");
    let report = ran.report();
    assert_eq!(outcomes(&report), pairs(&[("first", "succeeded"), ("second", "succeeded"), ("late", "succeeded")]));
    assert_eq!((report["new_version_live"].as_bool(), report["new_version"].as_str()), (Some(true), Some("v1")));
}

#[test]
fn modules_components_and_text_run_with_what_they_were_granted() {
    let granted =
        "env = [\"GREETING\"]\nset = { OWN = \"1\" }\nargs = [\"/srv\"]\ndirs = [{ path = \"data\", guest = \"/srv\", mode = \"read\" }]";
    let lines = [
        "[env]\nGREETING = \"hello\"\nOTHER = \"kept\"\n".to_owned(),
        hook("module", "pre-deploy", &format!("wasm = \"p1.wasm\"\n{granted}")),
        hook("component", "pre-deploy", &format!("wasm = \"p2.wasm\"\n{granted}")),
        hook("text", "post-deploy", "wasm = \"ok.wat\""),
    ];
    let project = Project::new(&lines.concat()).file("data/seen", "").file("ok.wat", OK);
    let project = project.guest("p1.wasm", programs::wasm("echo", Target::P1)).guest("p2.wasm", programs::wasm("echo", Target::P2));
    let ran = Place::new().args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    for id in ["module", "component"] {
        for line in [
            "arg /srv",
            "env GREETING=hello",
            "env OWN=1",
            "env DEPLOY_TAG=v1",
            "env DEPLOY_ENV=default",
            "entry /srv/seen",
            "stdin 0 bytes",
        ] {
            assert!(ran.stderr.contains(&format!("pre-deploy/{id} │ {line}\n")), "{id}: {line} in {}", ran.stderr);
        }
    }
    assert!(!ran.stderr.contains("OTHER") && !ran.stderr.contains("env HOME"), "{}", ran.stderr);
    let report = ran.report();
    let usage = &report["hooks"][0]["usage"];
    assert!(usage["fuel"].as_u64().unwrap() > 0 && usage["memory_peak_bytes"].as_u64().unwrap() > 0, "{usage}");
    assert_eq!(report["hooks"][0]["denials"].as_array().map(Vec::len), Some(0), "observed, and none");
}

#[test]
fn s3_30_exit_code_0_is_success_and_any_other_is_a_failure() {
    let codes = [0, 1, 2, 77, 124, 255];
    let guests = codes.map(|code| {
        let wasm =
            hook(&format!("wasm-{code}"), "pre-deploy", &format!("wasm = \"exits.wasm\"\nargs = [\"{code}\"]\nallow_failure = true"));
        let native =
            hook(&format!("native-{code}"), "pre-deploy", &format!("run = [\"sh\", \"-c\", \"exit {code}\"]\nallow_failure = true"));
        wasm + &native
    });
    let project = Project::new(&guests.concat()).guest("exits.wasm", programs::wasm("exits", Target::P1));
    let report = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    for code in codes {
        for guest in ["wasm", "native"] {
            let id = format!("{guest}-{code}");
            let hook = report["hooks"].as_array().unwrap().iter().find(|hook| hook["id"] == id).unwrap();
            let expected = if code == 0 { "succeeded" } else { "failed" };
            assert_eq!((hook["outcome"].as_str(), hook["exit_code"].as_i64()), (Some(expected), Some(code)), "{hook}");
            assert_eq!(hook["cause"].is_null(), code == 0, "{hook}");
        }
    }
}

#[test]
fn a_failed_hook_ends_the_run_and_the_report_says_everything() {
    let lines = [
        hook("bad", "pre-deploy", "wasm = \"bad.wat\""),
        hook("never", "pre-deploy", "wasm = \"ok.wat\""),
        hook("late", "post-deploy", "wasm = \"ok.wat\""),
    ];
    let project = Project::new(&lines.concat()).file("ok.wat", OK).file("bad.wat", FAILS);
    let ran = Place::new().args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(1);
    let report = ran.report();
    assert_eq!((report["status"].as_str(), report["new_version_live"].as_bool()), (Some("failed"), Some(false)));
    assert_eq!(report["first_error"]["hook"], "bad", "{}", report["first_error"]);
    assert_eq!(report["hooks"][0]["exit_code"], 7);
    assert_eq!(report["hooks"][0]["verdict"], "abort");
    for words in ["exit code 7", "Did not run because of it: ", "The new version is not live.", "wasmhook show ", "wasmhook run --tag v1"] {
        assert!(ran.said().contains(words), "{words}: {}", ran.stderr);
    }
}

#[test]
fn a_tolerated_failure_is_a_success_with_a_warning() {
    let lines = [hook("bad", "pre-deploy", "wasm = \"bad.wat\"\nallow_failure = true"), hook("next", "pre-deploy", "wasm = \"ok.wat\"")];
    let project = Project::new(&lines.concat()).file("ok.wat", OK).file("bad.wat", FAILS);
    let report = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert_eq!(outcomes(&report), pairs(&[("bad", "failed"), ("next", "succeeded")]));
    assert_eq!((report["status"].as_str(), report["warnings"].as_u64()), (Some("success"), Some(1)));
    assert_eq!(report["hooks"][0]["verdict"], "proceed-with-warning");
}

#[test]
fn a_disabled_hook_is_skipped_with_the_reason() {
    let project = Project::new(&hook("off", "pre-deploy", "wasm = \"gone.wasm\"\nenabled = false"));
    let report = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert_eq!(outcomes(&report), pairs(&[("off", "skipped")]));
    assert!(report["hooks"][0]["skip_reason"].to_string().contains("disabled"), "{report}");
}

#[test]
fn s3_36_the_second_run_of_a_release_skips_and_names_the_first() {
    let lines = [hook("a", "pre-deploy", "wasm = \"ok.wat\""), hook("always", "post-deploy", "wasm = \"ok.wat\"\nonce = false")];
    let project = Project::new(&lines.concat()).file("ok.wat", OK);
    let place = Place::new();
    let run = |tag: &str| place.args(["run", "--format", "json", "--tag", tag]).current_dir(project.path()).run().exits(0).report();
    let first = run("v1");
    let second = run("v1");
    assert_eq!(outcomes(&second), pairs(&[("a", "skipped"), ("always", "succeeded")]));
    let run_id = first["run_id"].as_str().unwrap();
    assert!(second["hooks"][0]["skip_reason"].to_string().contains(run_id), "{}", second["hooks"][0]);
    assert_eq!(outcomes(&run("v2")), pairs(&[("a", "succeeded"), ("always", "succeeded")]), "another release");
    let staging =
        place.args(["run", "--format", "json", "--tag", "v1", "--env-name", "staging"]).current_dir(project.path()).run().exits(0);
    assert_eq!(outcomes(&staging.report())[0].1, "succeeded", "another environment");
}

#[test]
fn a_failed_hook_runs_again_and_only_it() {
    let lines = [hook("a", "pre-deploy", "wasm = \"ok.wat\""), hook("b", "pre-deploy", "run = \"./b.sh\"")];
    let project = Project::new(&lines.concat()).file("ok.wat", OK).file("b.sh", "#!/bin/sh\nexit 3\n");
    let place = Place::new();
    let run = || place.args(["run", "--format", "json", "--tag", "v1"]).current_dir(project.path()).run();
    assert_eq!(run().exits(1).report()["hooks"][1]["attempt"], 1);
    project.write("b.sh", "#!/bin/sh\nexit 0\n");
    let second = run().exits(0).report();
    assert_eq!(outcomes(&second), pairs(&[("a", "skipped"), ("b", "succeeded")]), "what never succeeded may change");
    assert_eq!(second["hooks"][1]["attempt"], 2);
}

#[test]
fn a_fallback_runs_when_it_was_declared_for_and_its_reason_is_recorded() {
    let fallback = |when: &str| format!("fallback = {{ run = \"sh -c 'echo the twin runs'\", when = \"{when}\" }}");
    let cases = [
        ("missing", "wasm = \"gone.wasm\"", Some("there is no module gone.wasm")),
        ("unsupported", "wasm = \"import.wat\"", Some("it needs env.system")),
        ("unsupported", "wasm = \"gone.wasm\"", Some("there is no module gone.wasm")),
        ("always", "wasm = \"ok.wat\"", Some("always, as declared")),
        ("missing", "wasm = \"ok.wat\"", None),
        ("unsupported", "wasm = \"ok.wat\"", None),
    ];
    for (when, wasm, reason) in cases {
        let project = Project::new(&hook("h", "pre-deploy", &format!("{wasm}\n{}", fallback(when))));
        let project =
            project.file("ok.wat", OK).file("import.wat", "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))");
        let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0);
        let hook = &ran.report()["hooks"][0];
        match reason {
            Some(reason) => {
                assert!(hook["fallback"].as_str().unwrap().contains(reason), "{when}: {hook}");
                assert_eq!(hook["guest"], "native");
                assert!(hook["denials"].is_null(), "of a native hook nobody knows: {hook}");
                assert!(ran.stderr.contains("│ the twin runs"), "{}", ran.stderr);
            }
            None => assert!(hook["fallback"].is_null() && hook["guest"] == "wasm", "{when}: {hook}"),
        }
    }
}

#[test]
fn a_fallback_never_runs_after_a_hook_that_started() {
    let lines = hook(
        "h",
        "pre-deploy",
        "wasm = \"bad.wat\"\nfallback = { run = \"touch ran\", when = \"unsupported\" }\ndirs = [{ path = \".\", mode = \"write\" }]",
    );
    let project = Project::new(&lines).file("bad.wat", FAILS);
    let report = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1).report();
    assert!(report["hooks"][0]["fallback"].is_null() && !project.has("ran"), "{report}");
}
