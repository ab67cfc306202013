//! A run that was killed or failed: what `status` says of it, what can be said of it, and what `run --resume` then does.

use rustix::process::Signal;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project, Ran};

/// Each step and hook leaves its name in `log`; the hook `slow` hangs until there is a file `go`, `fails` fails until there is a file `mended`.
fn project(on_unknown_lines: &str) -> Project {
    let run = |name: &str| format!("run = \"./say.sh {name}\"\ndirs = [{{ path = \".\", mode = \"write\" }}]");
    let slow = format!("run = \"./slow.sh\"\ndirs = [{{ path = \".\", mode = \"write\" }}]\n{on_unknown_lines}");
    let lines = [
        "[host_step.deploy]\nrun = \"./say.sh deploy\"\n".to_owned(),
        hook("first", "pre-deploy", &run("first")),
        hook("slow", "pre-deploy", &slow),
        hook("last", "post-deploy", &run("last")),
    ];
    Project::new(&lines.concat())
        .file("say.sh", "#!/bin/sh\necho $1 >> log\nif [ -e broken-$1 ]; then exit 3; fi\n")
        .file("slow.sh", "#!/bin/sh\necho slow >> log; echo hanging\nwhile [ ! -e go ]; do sleep 0.02; done\n")
}

fn killed(place: &Place, project: &Project) {
    let mut run = place.args(["run", "--tag", "v1"]).current_dir(project.path()).spawn();
    run.wait_for("│ hanging");
    run.signal(Signal::KILL);
    assert_eq!(run.wait().code, 137);
    assert_eq!(project.read("log"), "first\nslow\n");
    project.write("go", "");
}

/// What the hooks may write to.
fn touched(project: &Project) -> serde_json::Value {
    serde_json::json!({ "live": [project.path()], "staged": [], "unconfined": false })
}

fn call(place: &Place, project: &Project, args: &[&str]) -> Ran {
    place.args(args).current_dir(project.path()).run()
}

#[test]
fn a_killed_run_is_resolved_and_resumed() {
    for (word, expected) in [
        ("--retry", "first\nslow\nslow\ndeploy\nlast\n"),
        ("--mark-not-run", "first\nslow\nslow\ndeploy\nlast\n"),
        ("--mark-done", "first\nslow\ndeploy\nlast\n"),
    ] {
        let (place, project) = (Place::new(), project(""));
        killed(&place, &project);
        let status = call(&place, &project, &["status", "--format", "json"]).exits(0).json();
        let open = &status["unresolved"][0];
        assert_eq!((open["place"].as_str(), open["waits"].as_bool()), (Some("pre-deploy/slow"), Some(true)), "{status}");
        assert_eq!(status["resumable"], status["runs"][0]["run_id"], "{status}");
        assert_eq!(open["may_have_touched"], touched(&project), "{status}");
        let human = call(&place, &project, &["status", "--cache", "a cache"]).exits(0).stdout.replace("\\\n", "");
        let typed = |line: &str| human.lines().any(|shown| shown.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(line));
        for word in ["--retry", "--mark-done", "--mark-not-run"] {
            let line = format!("wasmhook resolve pre-deploy/slow {word} --cache 'a cache'");
            assert!(typed(&line), "{line}: {human}");
        }
        assert!(typed("wasmhook run --resume --cache 'a cache'"), "{human}");
        let wrote = format!(": it may have changed files in {}", project.path().display());
        assert!(human.replace("\n  ", " ").contains(&wrote), "{wrote}: {human}");
        let shown = call(&place, &project, &["show", "--format", "json"]).exits(0).json();
        let unknown = shown["hooks"].as_array().unwrap().iter().find(|hook| hook["outcome"] == "unknown").unwrap();
        assert_eq!(unknown["may_have_touched"], touched(&project), "{shown}");
        assert!(shown["hooks"][0]["may_have_touched"].is_null(), "it is known how that ended: {shown}");

        let stopped = call(&place, &project, &["run", "--resume", "--format", "json"]).exits(1);
        assert!(stopped.said().contains("wasmhook resolve pre-deploy/slow --mark-done --tag v1"), "{}", stopped.stderr);
        assert_eq!(project.read("log"), "first\nslow\n", "nothing ran");

        let said = call(&place, &project, &["resolve", "slow", word]).exits(0);
        assert!(said.stdout.starts_with("pre-deploy/slow of release v1 is "), "{}", said.stdout);
        let resumed = call(&place, &project, &["run", "--resume", "--format", "json"]).exits(0).report();
        assert_eq!(resumed["status"], "success", "{resumed}");
        assert_eq!(resumed["tag"], "v1", "the version of the run that is resumed");
        assert_eq!(project.read("log"), expected, "{word}");
        let settled = call(&place, &project, &["status", "--format", "json"]).exits(0).json();
        assert_eq!((settled["unresolved"].as_array().map(Vec::len), settled["resumable"].is_null()), (Some(0), true), "{settled}");
    }
}

#[test]
fn a_hook_that_is_idempotent_restarts_by_itself() {
    let (place, project) = (Place::new(), project("idempotent = true"));
    killed(&place, &project);
    let status = call(&place, &project, &["status", "--format", "json"]).exits(0).json();
    assert_eq!(status["unresolved"][0]["waits"], false, "{status}");
    let ran = call(&place, &project, &["run", "--resume"]).exits(0);
    assert!(ran.said().contains("rerun-after-crash"), "{}", ran.stderr);
    assert_eq!(project.read("log"), "first\nslow\nslow\ndeploy\nlast\n");
}

#[test]
fn a18_a_failed_run_is_mended_and_resumed_and_done_steps_are_not_repeated() {
    let (place, project) = (Place::new(), project(""));
    project.write("go", "");
    project.write("broken-last", "");
    let failed = call(&place, &project, &["run", "--tag", "v1"]).exits(1);
    assert!(failed.said().contains("wasmhook run --resume --tag v1"), "{}", failed.stderr);
    std::fs::remove_file(project.path().join("broken-last")).unwrap();
    let resumed = call(&place, &project, &["run", "--resume", "--format", "json"]).exits(0).report();
    assert_eq!(project.read("log"), "first\nslow\ndeploy\nlast\nlast\n");
    let of = |name: &str| resumed["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
    assert_eq!((&of("deploy")["outcome"], &resumed["new_version_live"]), (&"skipped".into(), &true.into()), "{resumed}");
    let nothing = call(&place, &project, &["run", "--resume"]).exits(3);
    assert!(nothing.said().contains("[nothing-to-resume]"), "{}", nothing.stderr);
}

#[test]
fn a_plan_that_changed_is_not_resumed_and_the_difference_is_shown() {
    let (place, project) = (Place::new(), project(""));
    project.write("go", "");
    project.write("broken-deploy", "");
    let _ = call(&place, &project, &["run", "--tag", "v1"]).exits(1);
    let manifest = project.read("wasmhook.toml").replace("./say.sh deploy", "./say.sh other");
    project.write("wasmhook.toml", manifest + &hook("new", "post-deploy", "run = \"true\""));
    project.write("slow.sh", "#!/bin/sh\n");
    let refused = call(&place, &project, &["run", "--resume", "--format", "json"]).exits(3);
    for words in ["[plan-changed]", "the command of step deploy", "post-deploy/new is new", "pre-deploy/slow: bytes"] {
        assert!(refused.said().contains(words), "{words}: {}", refused.stderr);
    }
    assert_eq!(refused.report()["status"], "refused");
    assert_eq!(project.read("log"), "first\nslow\ndeploy\n", "nothing ran");
}

#[test]
fn what_can_not_be_resolved_is_told_what_can() {
    let (place, project) = (Place::new(), project(""));
    let early = call(&place, &project, &["resolve", "slow", "--mark-done"]).exits(3);
    assert!(early.said().contains("there is no run of shop in default yet"), "{}", early.stderr);
    killed(&place, &project);
    let unknown = call(&place, &project, &["resolve", "nonsense", "--retry"]).exits(2);
    assert!(unknown.said().contains("error[unknown-hook]") && unknown.said().contains("pre-deploy/slow"), "{}", unknown.stderr);
    let done = call(&place, &project, &["resolve", "pre-deploy/first", "--retry", "--tag", "v1"]).exits(3);
    assert!(done.said().contains("use --mark-not-run"), "{}", done.stderr);
    for args in [&["resolve", "slow"][..], &["resolve", "--retry"], &["resolve", "slow", "--retry", "--mark-done"]] {
        let _ = call(&place, &project, args).exits(2);
    }
    // A hook that is done is undone by a word, and only then runs again.
    let _ = call(&place, &project, &["resolve", "slow", "--mark-done", "--tag", "v1"]).exits(0);
    let _ = call(&place, &project, &["resolve", "first", "--mark-not-run", "--tag", "v1"]).exits(0);
    let _ = call(&place, &project, &["run", "--tag", "v1"]).exits(0);
    assert_eq!(project.read("log"), "first\nslow\nfirst\ndeploy\nlast\n");
}

#[test]
fn s2_19_a_deployment_that_failed_is_taken_back_in_reverse_and_what_fails_is_tried_again() {
    let undo = |name: &str| {
        format!(
            "run = \"./say.sh {name}\"\ndirs = [{{ path = \".\", mode = \"write\" }}]\nrevert = {{ run = [\"./say.sh\", \"un{name}\"] }}"
        )
    };
    let lines = hook("a", "pre-deploy", &undo("a")) + &hook("b", "pre-deploy", &undo("b"));
    let say = "#!/bin/sh\necho $1 >> log\nif [ -e broken-$1 ]; then exit 3; fi\n";
    let (place, project) = (Place::new(), Project::new(&lines).file("say.sh", say).file("broken-una", ""));
    let run = call(&place, &project, &["run", "--tag", "v1", "--format", "json"]).exits(0).report();
    let run = run["run_id"].as_str().unwrap();
    let first = call(&place, &project, &["resolve", "--deploy-failed", run, "--tag", "v1"]).exits(1);
    assert!(first.stdout.contains("pre-deploy (revert): say.sh - FAILED (exit code 3)"), "{}", first.stdout);
    assert_eq!(project.read("log"), "a\nb\nunb\nuna\n");
    std::fs::remove_file(project.path().join("broken-una")).unwrap();
    let second = call(&place, &project, &["resolve", "--deploy-failed", run, "--tag", "v1", "--format", "json"]).exits(0).json();
    assert_eq!(second["reverts"].as_array().map(Vec::len), Some(2), "{second}");
    assert_eq!(project.read("log"), "a\nb\nunb\nuna\nuna\n", "what was taken back is left alone");
    let over = call(&place, &project, &["resolve", "--deploy-failed", run]).exits(3);
    assert!(over.said().contains("ended as succeeded-but-deploy-failed"), "{}", over.stderr);
    let _ = call(&place, &project, &["run", "--tag", "v1"]).exits(0);
    assert_eq!(project.read("log"), "a\nb\nunb\nuna\nuna\na\nb\n", "and is to be done again");
}

#[test]
fn s2_20_a_phase_that_fails_takes_back_real_files_in_a_stage_of_its_own() {
    let profile = "schema = 1\nname = \"mine\"\ndescription = \"x\"\non_locked = \"wait\"\non_unknown = \"stop\"\ndefault_mode = \"txn\"\n\
                   [[step]]\nname = \"go\"\nkind = \"phase\"\ntitle = \"Go\"\non_failure = \"revert\"\n";
    let made =
        "run = \"sh -c 'echo made > data/made'\"\ndirs = [{ path = \"data\" }]\nrevert = { run = \"sh -c 'mv data/made data/kept'\" }";
    let lines = format!("profile = \"./mine.toml\"\n{}{}", hook("a", "go", made), hook("b", "go", "wasm = \"fails.wat\""));
    let project = Project::new(&lines).file("mine.toml", profile).file("fails.wat", wasmhook_tests::project::FAILS).file("data/x", "");
    let report = call(&Place::new(), &project, &["run", "--tag", "v1", "--format", "json"]).exits(1).report();
    assert!(!project.has("data/made"), "{report}");
    assert_eq!(project.read("data/kept"), "made\n");
    let entry = &report["hooks"][2];
    assert_eq!((entry["role"].as_str(), entry["files"]["deleted"][0].as_str()), (Some("revert"), Some("made")), "its own stage: {report}");
}

#[test]
fn s2_19_a_deployment_that_failed_after_the_run_is_recorded() {
    let (place, project) = (Place::new(), project(""));
    project.write("go", "");
    let run = call(&place, &project, &["run", "--tag", "v1", "--format", "json"]).exits(0).report();
    let run = run["run_id"].as_str().unwrap();
    let _ = call(&place, &project, &["resolve", "--deploy-failed", run]).exits(0);
    let shown = call(&place, &project, &["show", run, "--format", "json"]).exits(0).report();
    assert_eq!(shown["status"], "succeeded-but-deploy-failed");
    assert!(shown["details"].to_string().contains("effects kept, deployment not completed"), "{shown}");
    let again = call(&place, &project, &["resolve", "--deploy-failed", run]).exits(3);
    assert!(again.said().contains("ended as succeeded-but-deploy-failed"), "{}", again.stderr);
    let unknown = call(&place, &project, &["resolve", "--deploy-failed", "nonsense"]).exits(3);
    assert!(unknown.said().contains("run nonsense is none of shop"), "{}", unknown.stderr);
}

#[test]
fn what_waits_is_resolved_without_a_manifest_where_the_application_is_named() {
    let (place, project, elsewhere) = (Place::new(), project(""), Project::empty());
    killed(&place, &project);
    let there = |args: &[&str]| call(&place, &elsewhere, args);
    assert_eq!(there(&["unlock", "--app", "shop"]).exits(0).stdout, "shop/default is not locked\n");
    assert!(there(&["resolve", "slow", "--mark-done"]).exits(2).stderr.contains("[no-manifest]"));
    assert!(there(&["resolve", "slow", "--mark-done", "--app", "nobody"]).exits(3).stderr.contains("[no-run]"));
    let unknown = there(&["resolve", "last", "--mark-done", "--app", "shop"]).exits(2).stderr;
    for said in
        ["nothing called last waits to be resolved (what waits: pre-deploy/slow)", "only the manifest knows", "-C DIR", "[no-manifest]"]
    {
        assert!(unknown.contains(said), "{said}: {unknown}");
    }
    let resolved = there(&["resolve", "slow", "--mark-done", "--app", "shop"]).exits(0);
    assert!(resolved.stdout.starts_with("pre-deploy/slow of release v1 is "), "{}", resolved.stdout);
    let _ = call(&place, &project, &["run", "--resume"]).exits(0);
    assert_eq!(project.read("log"), "first\nslow\ndeploy\nlast\n");
}

#[test]
fn a_deployment_that_failed_needs_a_manifest_only_where_something_is_taken_back() {
    let elsewhere = Project::empty();
    for (revert, code) in [("", 0), ("revert = { run = \"./say.sh undo\" }", 2)] {
        let (place, project) = (Place::new(), project(revert));
        project.write("go", "");
        let run = call(&place, &project, &["run", "--tag", "v1", "--format", "json"]).exits(0).report();
        let run = run["run_id"].as_str().unwrap();
        let ran = call(&place, &elsewhere, &["resolve", "--deploy-failed", run, "--app", "shop"]).exits(code);
        let shown = call(&place, &project, &["show", run, "--format", "json"]).exits(0).report();
        let expected = if code == 0 { "succeeded-but-deploy-failed" } else { "success" };
        assert_eq!(shown["status"], expected, "{}", ran.stderr);
        let needs = ran.stderr.contains("what takes back the hooks of run") && ran.stderr.contains("-C DIR");
        assert_eq!(needs, code == 2, "{}", ran.stderr);
    }
}
