//! Mode `txn`, and what a manifest means that names no mode.

use super::{assert_nothing_left, project};
use wasmhook_tests::Place;
use wasmhook_tests::project::hook;

/// The same work by each kind of guest: two files written, one removed, then `end`.
fn works(end: &str) -> [String; 3] {
    let args = |more: &str| {
        format!("args = [\"write\", \"data/a.txt\", \"new\", \"append\", \"data/b.txt\", \"b\", \"remove\", \"data/old.txt\"{more}]")
    };
    let more = if end == "fail" { ", \"read\", \"data/absent\"" } else { "" };
    let code = if end == "fail" { 3 } else { 0 };
    [
        format!("wasm = \"files.wasm\"\n{}", args(more)).replace("data/", "/data/"),
        format!("wasm = \"files-p2.wasm\"\n{}", args(more)).replace("data/", "/data/"),
        format!("run = \"sh -c 'printf new > data/a.txt; printf b >> data/b.txt; rm data/old.txt; exit {code}'\""),
    ]
}

fn grant(work: &str, mode: &str) -> String {
    let guest = if work.contains("wasm") { ", guest = \"/data\"" } else { "" };
    format!("{work}\ndirs = [{{ path = \"data\"{guest}{mode} }}]")
}

#[test]
fn what_a_hook_wrote_is_there_when_it_succeeded() {
    for work in works("well") {
        for mode in ["", ", mode = \"txn\""] {
            let project = project(&hook("h", "pre-deploy", &grant(&work, mode)));
            let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
            assert_eq!((project.read("app/data/a.txt").as_str(), project.read("app/data/b.txt").as_str()), ("new", "b"), "{work}");
            assert!(!project.has("app/data/old.txt"), "{work}");
            let files = &ran.report()["hooks"][0]["files"];
            assert_eq!(*files, serde_json::json!({ "created": ["a.txt", "b.txt"], "modified": [], "deleted": ["old.txt"] }), "{work}");
            assert_nothing_left(&project);
        }
    }
}

#[test]
fn a_hook_that_fails_has_changed_nothing() {
    for work in works("fail") {
        let project = project(&hook("h", "pre-deploy", &grant(&work, "")));
        let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(1);
        assert_eq!(project.read("app/data/old.txt"), "old\n", "{work}");
        assert!(!project.has("app/data/a.txt") && !project.has("app/data/b.txt"), "{work}");
        let report = ran.report();
        assert_eq!(report["hooks"][0]["files"]["created"], serde_json::json!(["a.txt", "b.txt"]), "what it tried is told: {work}");
        assert_nothing_left(&project);
    }
}

#[test]
fn a_hook_that_is_not_verified_has_changed_nothing_and_its_verify_saw_what_it_wrote() {
    for verify in ["wasm = \"files.wasm\"", "run = \"sh -c 'grep -q new data/a.txt && ! rm data/a.txt'\"", "run = \"sh -c 'exit 9'\""] {
        let work = format!("run = \"sh -c 'printf new > data/a.txt'\"\ndirs = [{{ path = \"data\" }}]\nverify = {{ {verify} }}");
        let project = project(&hook("h", "pre-deploy", &work));
        let args = ["run", "-C", "app", "--tag", "v1", "--format", "json"];
        let denied = verify.contains("exit 9");
        let ran = Place::new().args(args).current_dir(project.path()).run().exits(i32::from(denied));
        assert_eq!(project.has("app/data/a.txt"), !denied, "{}", ran.stderr);
        let report = ran.report();
        let kind = &report["hooks"][0]["cause"]["kind"];
        assert_eq!(kind.as_str(), denied.then_some("not-verified"), "{report}");
        assert_eq!(report["hooks"][0]["files"]["created"], serde_json::json!(["a.txt"]), "the verify removed nothing");
        assert_nothing_left(&project);
    }
}

#[test]
fn a_hook_out_of_time_has_changed_nothing() {
    let work = "run = \"sh -c 'rm data/old.txt; sleep 60'\"\ntimeout = \"300ms\"\ndirs = [{ path = \"data\" }]";
    let project = project(&hook("h", "pre-deploy", work));
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(1);
    assert_eq!(ran.report()["hooks"][0]["outcome"], "timed-out");
    assert_eq!(project.read("app/data/old.txt"), "old\n");
    assert_nothing_left(&project);
}

#[test]
fn later_hooks_see_what_earlier_ones_committed() {
    let lines = [
        hook(
            "one",
            "pre-deploy",
            "wasm = \"files.wasm\"\nargs = [\"write\", \"/d/x\", \"1\"]\ndirs = [{ path = \"data\", guest = \"/d\" }]",
        ),
        hook("two", "pre-deploy", "run = \"sh -c 'cat data/x; echo 2 >> data/x'\"\ndirs = [{ path = \"data\" }]"),
        hook(
            "three",
            "post-deploy",
            "wasm = \"files-p2.wasm\"\nargs = [\"read\", \"/d/x\"]\ndirs = [{ path = \"data\", guest = \"/d\", mode = \"read\" }]",
        ),
    ];
    let project = project(&lines.concat());
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("post-deploy/three │ read ok 12"), "{}", ran.stderr);
    assert_eq!(project.read("app/data/x"), "12\n");
    assert_nothing_left(&project);
}

#[test]
fn a_change_by_somebody_else_meanwhile_is_a_conflict_and_what_the_hook_wrote_is_kept() {
    let work = "run = \"sh -c 'echo mine > data/old.txt; echo written; while ! test -e go/on; do sleep 0.05; done'\"\n\
                dirs = [{ path = \"data\" }, { path = \"go\", mode = \"read\" }]";
    let project = project(&hook("h", "pre-deploy", work)).file("app/go/x", "");
    let place = Place::new();
    let call = || place.args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path());
    let mut running = call().spawn();
    running.wait_for("│ written");
    project.write("app/data/old.txt", "theirs\n");
    project.write("app/go/on", "");
    let ran = running.wait().exits(1);
    assert_eq!(project.read("app/data/old.txt"), "theirs\n", "nothing was committed");
    let cause = &ran.report()["first_error"]["cause"];
    assert_eq!(cause["why"]["kind"].as_str().or(cause["kind"].as_str()), Some("conflict"), "{cause}");
    let kept = cause["why"]["kept"].as_str().or(cause["kept"].as_str()).unwrap().to_owned();
    assert!(ran.stderr.contains("data/old.txt"), "{}", ran.stderr);
    let written =
        std::fs::read_to_string(format!("{kept}/upper/old.txt")).or_else(|_| std::fs::read_to_string(format!("{kept}/tree/old.txt")));
    assert_eq!(written.unwrap(), "mine\n", "it is kept for somebody to look at");

    let status = || place.args(["status", "-C", "app"]).current_dir(project.path()).run().exits(0).said();
    let words = format!("could not be committed, and lies in {kept}: look at it, then remove it");
    assert!(status().contains(&words), "{}", status());
    let next = call().run().exits(0);
    assert!(status().contains(&words), "as long as it lies there: {}", status());
    assert!(next.stderr.contains("[stage-kept]") && next.stderr.contains("then remove it"), "no run leaves it unsaid: {}", next.stderr);
    std::fs::remove_dir_all(kept).unwrap();
    assert!(!status().contains("could not be committed"), "{}", status());
    assert!(!call().run().exits(0).stderr.contains("stage-kept"));
    assert_nothing_left(&project);
}

#[test]
fn a_live_grant_inside_a_staged_one_stays_live() {
    let lines = hook(
        "h",
        "pre-deploy",
        "run = \"sh -c 'echo live > data/live.txt; echo staged > staged.txt; exit 3'\"\n\
         dirs = [{ path = \".\", mode = \"txn\" }, { path = \"data\", mode = \"write\" }]",
    );
    let project = project(&lines);
    let _ = Place::new().args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path()).run().exits(1);
    assert_eq!(project.read("app/data/live.txt"), "live\n", "as its mode says");
    assert!(!project.has("app/staged.txt"));
    assert_nothing_left(&project);
}

#[test]
fn how_each_directory_was_staged_is_reported_and_people_read_once_why_it_was_copied() {
    let writes = "run = \"sh -c 'echo x > data/x; echo y > volume/y'\"\ndirs = [{ path = \"data\" }, { path = \"volume\" }]";
    let project = project(&[hook("one", "pre-deploy", writes), hook("two", "pre-deploy", writes)].concat()).file("app/volume/.keep", "");
    let volume = project.path().join("app/volume");
    let run =
        |more: &[&str]| Place::new().args([&["run", "-C", "app"], more].concat()).current_dir(project.path()).run_with_a_mount(&volume);
    let Some(ran) = run(&["--tag", "v1", "--format", "json"]) else { return };
    let report = ran.exits(0).report();
    for hook in report["hooks"].as_array().unwrap() {
        let [data, volume] = &hook["stages"].as_array().unwrap()[..] else { panic!("{hook}") };
        for (stage, name) in [(data, "data"), (volume, "volume")] {
            assert_eq!(stage["dir"], project.path().join("app").join(name).display().to_string());
        }
        let why = |stage: &serde_json::Value| stage["why"].to_string();
        assert_eq!(volume["how"], "copy", "{volume}");
        assert!(why(volume).contains("overlay: its parent directory isn't writable, or on another file system"), "{volume}");
        assert!(!why(data).contains("on another file system"), "each for itself: {data}");
    }
    let Some(ran) = run(&["--tag", "v2"]) else { return };
    let copied = format!("{} is staged by copying it: no overlay can be made of it here (overlay: ", volume.display());
    assert_eq!((ran.stderr.matches(&copied).count(), ran.code), (1, 0), "{}", ran.stderr);
}

#[test]
fn what_is_copied_by_choice_is_reported_and_no_news() {
    let project = project(&hook("h", "pre-deploy", &grant(&works("well")[2], "")));
    let call = |tag: &str, format: &str| {
        let call = Place::new().args(["run", "-C", "app", "--tag", tag, "--dry-run", "--format", format]);
        call.env("WASMHOOK_STAGE", "copy").current_dir(project.path()).run().exits(0)
    };
    let dir = project.path().join("app/data").display().to_string();
    assert_eq!(call("v1", "json").report()["hooks"][0]["stages"], serde_json::json!([{ "dir": dir, "how": "copy" }]));
    let people = call("v2", "human");
    assert!(!people.said().contains("by copying"), "{}", people.said());
}
