//! A run that is killed while a hook's verify runs: the journal tells one from the other, and the next run asks the verify alone.

use rustix::process::Signal;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// The verify waits the first time, until nobody waits for it any more.
const WORK: &str = r#"
run = "sh -c 'echo ran >> log/log'"
dirs = [{ path = "log", mode = "write" }]
verify = { run = "sh -c 'echo looking at the log; grep -q ran log/log && { test -e log/go || sleep 600; }'" }
"#;

#[test]
fn a_run_killed_in_a_verify_says_so_and_the_next_one_asks_it_again_and_nothing_else() {
    let manifest =
        format!("schema = 1\napp = \"shop\"\n{}{}", hook("h", "pre-deploy", WORK), hook("after", "pre-deploy", "run = \"true\""));
    let project = Project::empty().file("app/wasmhook.toml", manifest).file("app/log/log", "");
    let place = Place::new();
    let call = |words: &[&str]| place.args(words).arg("-C").arg("app").current_dir(project.path());
    let mut running = call(&["run", "--tag", "v1"]).spawn();
    running.wait_for("pre-deploy/h (verify) │ looking at the log");
    running.signal(Signal::KILL);
    let _ = running.wait();

    let status = call(&["status"]).run().exits(0).stdout;
    let words = ["pre-deploy/h ended with success", "its verify was under way", "the next run asks its verify"];
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|word| status.contains(word)), "{status}");
    let shown = call(&["show", "--format", "json"]).run().exits(0).json();
    let (entry, verify) = (&shown["hooks"][0], &shown["hooks"][0]["verify"]);
    assert_eq!((entry["outcome"].as_str(), verify["outcome"].as_str()), (Some("unknown"), Some("unknown")), "{shown:#}");
    assert_eq!(verify["hook_ended"].as_bool(), Some(true));

    project.write("app/log/go", "");
    let next = call(&["run", "--tag", "v1", "--format", "json"]).run().exits(0);
    assert!(next.stderr.contains("had ended with success and was being verified"), "{}", next.stderr);
    assert_eq!(project.read("app/log/log"), "ran\n", "the hook ran once");
    let report = next.json();
    assert_eq!(report["hooks"][0]["outcome"], "succeeded", "{report:#}");
    assert_eq!((&report["hooks"][0]["verify"]["outcome"], &report["hooks"][0]["verify"]["exit_code"]), (&"succeeded".into(), &0.into()));
}

/// Kills a run in the verify of a hook that is native, so that nobody knows what else it did, and that wrote to a `txn` directory.
fn killed(verify: &str) -> (Place, Project) {
    let work = format!(
        "run = \"sh -c 'echo new > data/x'\"\ndirs = [{{ path = \"data\" }}, {{ path = \"go\", mode = \"read\" }}]\nverify = {{ run = \"sh -c 'echo looking; {verify} && {{ test -e go/on || sleep 600; }}'\" }}"
    );
    let manifest = format!("schema = 1\napp = \"shop\"\n{}", hook("h", "pre-deploy", &work));
    let (place, project) =
        (Place::new(), Project::empty().file("app/wasmhook.toml", manifest).file("app/data/old", "").file("app/go/x", ""));
    let mut running = place.args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path()).spawn();
    running.wait_for("(verify) │ looking");
    running.signal(Signal::KILL);
    let _ = running.wait();
    project.write("app/go/on", "");
    assert!(!project.has("app/data/x"), "nothing was committed");
    (place, project)
}

#[test]
fn a_verify_that_looks_at_what_was_staged_finds_nothing_and_the_hook_runs_again() {
    let (place, project) = killed("grep -q new data/x");
    let next = place.args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert_eq!(project.read("app/data/x"), "new\n");
    assert_eq!(next.stderr.matches("(verify) │ looking").count(), 2, "before the hook, and after it: {}", next.stderr);
}

#[test]
fn a_verify_that_does_not_look_there_cannot_speak_for_what_was_dropped() {
    let (place, project) = killed("true");
    let call = |words: &[&str]| place.args(words).arg("-C").arg("app").current_dir(project.path());
    let next = call(&["run", "--tag", "v1"]).run().exits(1);
    assert!(next.said().contains("what it wrote to `txn` directories was dropped when the run died"), "{}", next.stderr);
    assert!(!project.has("app/data/x"));
    let _ = call(&["resolve", "h", "--retry", "--tag", "v1"]).run().exits(0);
    let _ = call(&["run", "--tag", "v1"]).run().exits(0);
    assert_eq!(project.read("app/data/x"), "new\n");
}
