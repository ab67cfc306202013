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
