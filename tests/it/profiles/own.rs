//! A profile of one's own: a file beside the manifest.

use wasmhook_tests::project::{FAILS, OK, hook};
use wasmhook_tests::{Place, Project};

pub const PROFILE: &str = "schema = 1
name = \"mine\"
description = \"Warm up, go live, tell\"
on_locked = \"fail\"
on_unknown = \"rerun\"
default_mode = \"read\"

[commands]
forbid_word = [\"sudo\"]

[[step]]
name = \"warm-up\"
kind = \"phase\"
title = \"Warm-up\"
on_failure = \"warn\"
lines = { tolerated = \"{title} was cold: {file}\" }

[[step]]
name = \"tell\"
kind = \"phase\"
title = \"Notice\"
when = \"failed\"
";

fn project(profile: &str, hooks: &str) -> Project {
    Project::new(&format!("profile = './my.toml'\n{hooks}")).file("my.toml", profile).file("ok.wat", OK).file("fails.wat", FAILS)
}

#[test]
fn it_is_named_by_its_path_and_obeyed() {
    let hooks = hook("cache", "warm-up", "wasm = 'fails.wat'") + &hook("mail", "tell", "wasm = 'ok.wat'");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project(PROFILE, &hooks).path()).run().exits(0);
    let report = ran.report();
    assert_eq!(report["details"], serde_json::json!(["Warm-up was cold: fails.wat"]));
    assert_eq!(report["hooks_executed"], serde_json::json!(["warm-up: fails.wat - FAILED (exit code 7)", "tell: ok.wat - OK"]));
    let fine = hook("cache", "warm-up", "wasm = 'ok.wat'") + &hook("mail", "tell", "wasm = 'ok.wat'");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project(PROFILE, &fine).path()).run().exits(0);
    assert_eq!(ran.report()["hooks_executed"], serde_json::json!(["warm-up: ok.wat - OK"]), "there was nothing to tell");
}

#[test]
fn its_rules_hold() {
    let ran = Place::new().args(["check"]).current_dir(project(PROFILE, &hook("a", "warm-up", "run = 'sudo x'")).path()).run().exits(2);
    assert!(ran.said().contains("forbidden-command"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_it_is_told_with_its_place() {
    let broken = PROFILE.replace("when = \"failed\"", "when = \"broken\"").replace("[commands]", "[command]");
    let ran = Place::new().args(["check"]).current_dir(project(&broken, "").path()).run().exits(2);
    assert!(ran.stderr.contains("my.toml:22:8") && ran.stderr.contains("did you mean `commands`?"), "{}", ran.stderr);
}
