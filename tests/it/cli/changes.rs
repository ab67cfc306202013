//! What a second run makes of a finished hook that changed, of a tag that moved, and of a crash.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use std::path::Path;
use std::process::Command;
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn project(on_change: &str) -> Project {
    let grant = "dirs = [{ path = \".\", mode = \"write\" }]";
    Project::new(&hook("h", "pre-deploy", &format!("run = \"./h.sh\"\n{grant}\n{on_change}"))).file("h.sh", "#!/bin/sh\necho one >> log\n")
}

#[test]
fn a_finished_hook_that_changed_is_decided_by_on_change() {
    for (on_change, code, ran_again, says) in [
        ("", 3, false, true),
        ("on_change = \"error\"", 3, false, true),
        ("on_change = \"warn\"", 0, false, true),
        ("on_change = \"rerun\"", 0, true, false),
        ("on_change = \"ignore\"", 0, false, false),
    ] {
        let (place, project) = (Place::new(), project(on_change));
        let _ = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
        project.write("h.sh", "#!/bin/sh\necho two >> log\n");
        for command in ["plan", "run"] {
            let ran = place.args([command, "--tag", "v1"]).current_dir(project.path()).run().exits(code);
            assert_eq!(ran.said().contains("hook-changed"), says, "{on_change} {command}: {}", ran.said());
        }
        assert_eq!(project.read("log"), if ran_again { "one\ntwo\n" } else { "one\n" }, "{on_change}");
        let _ = place.args(["run", "--tag", "v2"]).current_dir(project.path()).run().exits(0);
        assert!(project.read("log").ends_with("two\n"), "under a new tag it is another job: {on_change}");
    }
}

#[test]
fn changed_arguments_and_grants_are_changes_and_the_order_of_keys_is_none() {
    let write = |project: &Project, lines: &str| {
        project.write("wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{}", hook("h", "pre-deploy", lines)));
    };
    let (place, project) = (Place::new(), Project::empty().file("ok.wat", OK).file("d/x", ""));
    let run = |code: i32| place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(code);
    write(&project, "wasm = \"ok.wat\"\nargs = [\"a\"]");
    let _ = run(0);
    write(&project, "args = [\"a\"]\nlabel = \"Same job\"\nwasm = \"ok.wat\"");
    let _ = run(0);
    write(&project, "wasm = \"ok.wat\"\nargs = [\"b\"]");
    assert!(run(3).said().contains("on_change") || run(3).said().contains("hook-changed"));
    write(&project, "wasm = \"ok.wat\"\nargs = [\"a\"]\ndirs = [{ path = \"d\", mode = \"read\" }]");
    assert!(run(3).said().contains("hook-changed"));
}

fn git(dir: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"];
    let ran = Command::new("git").args(identity).args(args).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

#[test]
fn a_tag_that_moved_is_refused_until_it_is_accepted() {
    let (place, project) = (Place::new(), Project::new(&hook("h", "pre-deploy", "wasm = \"ok.wat\"")).file("ok.wat", OK));
    git(project.path(), &["init", "-q"]);
    git(project.path(), &["add", "."]);
    git(project.path(), &["commit", "-q", "-m", "one"]);
    git(project.path(), &["tag", "v1"]);
    let (first, call) = (git(project.path(), &["rev-parse", "HEAD"]), ["run", "--tag", "v1", "--format", "json"]);
    let ran = place.args(call).current_dir(project.path()).run().exits(0).report();
    assert_eq!(ran["commit"].as_str(), Some(first.as_str()));
    git(project.path(), &["commit", "-q", "--allow-empty", "-m", "two"]);
    git(project.path(), &["tag", "-f", "v1"]);
    for command in ["plan", "run"] {
        let refused = place.args([command, "--tag", "v1"]).current_dir(project.path()).run().exits(3);
        assert!(refused.said().contains("moved-tag") && refused.said().contains(&first), "{command}: {}", refused.said());
        assert!(refused.said().contains("--accept-moved-tag"), "{command}: {}", refused.said());
    }
    let ran = place.args(call).arg("--accept-moved-tag").current_dir(project.path()).run().exits(0).report();
    assert_eq!(ran["status"], "success");
    let _ = place.args(call).current_dir(project.path()).run().exits(0);
}
