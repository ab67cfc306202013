//! `files` as a phase's policy: one stage for all of its hooks.

use super::{assert_nothing_left, project};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn with_profile(files: &str, lines: &str) -> Project {
    let profile = format!(
        "schema = 1\nname = \"mine\"\ndescription = \"x\"\non_locked = \"wait\"\non_unknown = \"rerun\"\nenv = \"named\"\ndefault_mode = \"write\"\n\
         [[step]]\nname = \"release\"\nkind = \"phase\"\ntitle = \"Release\"\ngate = \"once\"\nfiles = \"{files}\"\n"
    );
    project(&format!("profile = \"./mine.toml\"\n{lines}")).file("app/mine.toml", profile)
}

fn writes(id: &str, shell: &str) -> String {
    hook(id, "release", &format!("run = \"sh -c '{shell}'\"\ndirs = [{{ path = \"data\" }}]"))
}

#[test]
fn s1_15_s2_5_hooks_of_a_phase_share_one_stage_that_is_dropped_at_its_end() {
    let lines = [
        hook(
            "one",
            "release",
            "wasm = \"files.wasm\"\nargs = [\"write\", \"/d/x\", \"seen\"]\ndirs = [{ path = \"data\", guest = \"/d\" }]",
        ),
        writes("two", "cat data/x; rm data/old.txt"),
    ];
    let project = with_profile("discard", &lines.concat());
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("release/two │ seen"), "{}", ran.stderr);
    assert_eq!(project.read("app/data/old.txt"), "old\n");
    assert!(!project.has("app/data/x"));
    assert_nothing_left(&project);
}

#[test]
fn a_phase_commits_as_one_whole() {
    let lines = [writes("one", "echo 1 > data/one"), writes("two", "cat data/one; echo 2 > data/two")];
    let project = with_profile("commit", &lines.concat());
    let place = Place::new();
    let call = || place.args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path());
    let _ = call().run().exits(0);
    assert_eq!((project.read("app/data/one").as_str(), project.read("app/data/two").as_str()), ("1\n", "2\n"));
    let again = call().run().exits(0);
    assert!(again.said().contains("all 2 hooks skipped: already done"), "{}", again.said());
    assert_nothing_left(&project);
}

#[test]
fn a_failure_drops_the_whole_phase_and_all_of_it_runs_again() {
    let lines = [writes("one", "echo 1 >> data/one"), writes("two", "test -e data/go")];
    let project = with_profile("commit", &lines.concat());
    let place = Place::new();
    let call = || place.args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path());
    let _ = call().run().exits(1);
    assert!(!project.has("app/data/one"));
    project.write("app/data/go", "");
    let second = call().run().exits(0).report();
    assert_eq!(second["hooks"][0]["outcome"], "succeeded", "what was dropped isn't done");
    assert_eq!(project.read("app/data/one"), "1\n");
    assert_nothing_left(&project);
}

/// Runs a phase of one hook, while somebody else writes the file that it writes.
fn disturbed(policy: &str) -> (Project, Place, wasmhook_tests::Ran) {
    let project = with_profile("commit", "");
    let beside = project.path().join("beside");
    std::fs::create_dir(&beside).unwrap();
    let at = beside.display();
    let line = format!("echo mine > data/x; touch {at}/ready; while ! [ -e {at}/go ]; do sleep 0.02; done");
    let lines = hook("one", "release", &format!("run = [\"sh\", \"-c\", \"{line}\"]\nsandbox = \"none\"\ndirs = [{{ path = \"data\" }}]"));
    project.write("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\nprofile = \"./mine.toml\"\n{lines}"));
    project.write("app/mine.toml", format!("{}{policy}\n", project.read("app/mine.toml")));
    let place = Place::new();
    let ran = std::thread::scope(|scope| {
        let run = scope.spawn(|| place.args(["run", "-C", "app", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run());
        while !beside.join("ready").exists() && !run.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        project.write("app/data/x", "theirs");
        std::fs::write(beside.join("go"), "").unwrap();
        run.join().unwrap()
    });
    (project, place, ran)
}

#[test]
fn a_phase_whose_commit_is_refused_has_failed_and_says_why() {
    for policy in ["on_failure = \"abort\"", "on_failure = \"revert\""] {
        let (project, _, ran) = disturbed(policy);
        let report = ran.exits(1).report();
        assert_eq!(report["status"], "failed", "{report}");
        let why = report["first_error"].to_string();
        assert!(why.contains("data/x"), "{policy}: {report}");
        assert!(report["notices"].to_string().contains("kept") || why.contains("kept"), "{policy}: where what it wrote is: {report}");
        assert_eq!(project.read("app/data/x"), "theirs");
    }
    let (_, place, ran) = disturbed("on_failure = \"warn\"");
    let report = ran.exits(0).report();
    assert!(report["warnings"].as_u64() > Some(0), "{report}");
    let step = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "release").unwrap();
    assert!(step["cause"].to_string().contains("data/x"), "{report}");
    drop(place);
}
