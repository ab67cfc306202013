//! A deployment is taken back and the program dies at it, at every point; or another run has died before.

use rustix::process::Signal;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// What was made is there or isn't; how often it was made and taken back stands beside it.
const WORK: &str = r#"
run = "sh -c 'test ! -e data/made; echo made >> data/log; touch data/made'"
dirs = [{ path = "data", mode = "txn" }]
revert = { run = "sh -c 'set -e; rm data/made; echo unmade >> data/log'" }
"#;

struct Site {
    place: Place,
    project: Project,
}

impl Site {
    fn new(more: &str) -> Self {
        let manifest = format!("schema = 1\napp = \"shop\"\n{}{more}", hook("h", "pre-deploy", WORK));
        Self { place: Place::new(), project: Project::empty().file("app/wasmhook.toml", manifest).file("app/data/log", "") }
    }

    fn call(&self, args: &[&str]) -> wasmhook_tests::call::Call {
        self.place.args(args).arg("-C").arg("app").current_dir(self.project.path())
    }

    fn run(&self, tag: &str) -> String {
        let report = self.call(&["run", "--tag", tag, "--format", "json"]).run().exits(0).report();
        report["run_id"].as_str().unwrap().to_owned()
    }

    fn log(&self) -> String {
        self.project.read("app/data/log").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn stages(&self) -> Vec<String> {
        let beside = std::fs::read_dir(self.project.path().join("app")).unwrap().map(|entry| entry.unwrap().file_name());
        beside.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(".wasmhook-")).collect()
    }
}

#[test]
fn whenever_it_dies_it_is_taken_back_once_and_the_next_run_knows() {
    let mut ended = [0, 0];
    for point in 0.. {
        let site = Site::new("");
        let run = site.run("v1");
        let resolve = ["resolve", "--deploy-failed", &run, "--tag", "v1"];
        let died = site.call(&resolve).env("WASMHOOK_FAULT", format!("{point}:kill")).spawn().wait();
        if died.code == 0 {
            assert!(point > 15, "only {point} points");
            break;
        }
        if point % 2 == 0 {
            // Said again: what was decided is done, and recorded as done.
            let again = site.call(&resolve).run();
            assert!(again.code == 0 || again.said().contains("ended as succeeded-but-deploy-failed"), "{point}: {}", again.stderr);
            assert_eq!((site.log().as_str(), site.project.has("app/data/made")), ("made unmade", false), "{point}: {}", again.stderr);
        }
        // The next run goes by what there is: it makes again what is gone, and nothing else. Of what nobody knows how much is gone it waits.
        let next = site.call(&["run", "--tag", "v1"]).run();
        if next.code != 0 {
            assert!(point % 2 == 1 && next.said().contains("half-taken-back"), "{point}: {}", next.stderr);
            let _ = site.call(&resolve).run().exits(0);
            site.run("v1");
        }
        let log = site.log();
        assert!(log == "made unmade made" || (log == "made" && point % 2 == 1), "{point}: {log}, after {}", died.stderr);
        assert!(site.project.has("app/data/made"), "{point}: {log}");
        assert_eq!(site.stages(), [""; 0], "{point}");
        ended[usize::from(log == "made")] += 1;
    }
    assert!(ended.iter().all(|count| *count > 0), "both ends were seen: {ended:?}");
}

#[test]
fn what_another_run_that_died_left_in_the_directories_is_brought_to_an_end_before() {
    let slow = hook(
        "slow",
        "post-deploy",
        "run = \"sh -c 'echo slow >> data/log; echo written; test -e data/go || sleep 600'\"\ndirs = [{ path = \"data\", mode = \"txn\" }]\nidempotent = true",
    );
    let site = Site::new(&slow);
    site.project.write("app/data/go", "");
    let run = site.run("v1");
    std::fs::remove_file(site.project.path().join("app/data/go")).unwrap();
    let mut running = site.call(&["run", "--tag", "v2"]).spawn();
    running.wait_for("│ written");
    running.signal(Signal::KILL);
    let _ = running.wait();
    assert_eq!(site.stages().len(), 1);
    let undone = site.call(&["resolve", "--deploy-failed", &run, "--tag", "v1"]).run().exits(0);
    assert!(undone.stdout.contains("died during post-deploy/slow"), "it says what it found: {}", undone.stdout);
    assert_eq!(site.stages(), [""; 0]);
    assert_eq!(site.log(), "made slow made unmade", "what the dead run had staged was dropped");
    let status = site.call(&["status", "--format", "json"]).run().exits(0).json();
    assert_eq!(status["runs"][0]["state"], "ended", "{status:#}");
}
