//! What a manifest names by its path comes from the release, like the manifest itself: nothing of what happens to be checked out.

use super::bad_targets::git;
use std::fs;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

const PROFILE: &str = include_str!("../../../runtime/profiles/tenant-upgrade.toml");

/// A repository with the release v1.0.0, checked out, and v2.0.0, whose files differ as `edit` says.
fn two_releases(lines: &str, files: &[(&str, &str)], edit: impl Fn(&Project)) -> Project {
    let says = "run = [\"sh\", \"-c\", \"echo colour=$COLOUR\"]\nenv = [\"COLOUR\"]";
    let project = Project::new(&format!("{lines}\n{}", hook("say", "pre-pull", says)));
    git(&project, &["init", "--quiet", "--initial-branch=main"]);
    for (name, content) in files {
        project.write(name, content);
    }
    release(&project, "v1.0.0");
    edit(&project);
    release(&project, "v2.0.0");
    git(&project, &["checkout", "--quiet", "v1.0.0"]);
    project
}

fn release(project: &Project, tag: &str) {
    git(project, &["add", "-A"]);
    git(project, &["commit", "--quiet", "--allow-empty", "-m", tag]);
    git(project, &["tag", tag]);
}

/// Runs the hook of the release that isn't checked out.
#[track_caller]
fn upgrade(project: &Project, exit: i32) -> wasmhook_tests::call::Ran {
    Place::new().args(["run", "--tag", "v2.0.0", "--phase", "pre-pull", "--format", "json"]).current_dir(project.path()).run().exits(exit)
}

const LINES: &str = "profile = \"tenant-upgrade\"\nenv_file = \"app.env\"";

#[test]
fn the_environment_file_is_that_of_the_release() {
    let project = two_releases(LINES, &[("app.env", "COLOUR=red\n")], |project| project.write("app.env", "COLOUR=green\n"));
    assert!(upgrade(&project, 0).stderr.contains("colour=green"));
    // Also if somebody edits the one that is checked out: what is planned are the bytes of the commit.
    project.write("app.env", "COLOUR=blue\n");
    assert!(upgrade(&project, 0).stderr.contains("colour=green"));
}

#[test]
fn an_environment_file_that_no_commit_knows_is_the_machines_own() {
    let project = two_releases(LINES, &[(".gitignore", "app.env\n"), ("app.env", "COLOUR=red\n")], |_| {});
    assert!(project.path().join("app.env").exists());
    assert!(upgrade(&project, 0).stderr.contains("colour=red"));
}

#[test]
fn an_environment_file_that_the_release_no_longer_has_is_refused_before_anything_runs() {
    let gone = |project: &Project| fs::remove_file(project.path().join("app.env")).unwrap_or_default();
    let project = two_releases(LINES, &[("app.env", "COLOUR=red\n")], gone);
    for command in ["run", "plan"] {
        let ran = Place::new().args([command, "--tag", "v2.0.0"]).current_dir(project.path()).run().exits(2);
        let said = ran.said();
        assert!(said.contains("error[unreadable]") && said.contains("app.env") && said.contains("doesn't hold it"), "{said}");
    }
}

#[test]
fn an_environment_file_of_the_release_is_not_read_through_a_link() {
    let outside = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let secret = outside.path().join("secret");
    let planted = |project: &Project| {
        let written = fs::write(&secret, "COLOUR=canary\n").and_then(|()| fs::remove_file(project.path().join("app.env")));
        let linked = written.and_then(|()| std::os::unix::fs::symlink(&secret, project.path().join("app.env")));
        assert!(linked.is_ok(), "{linked:?}");
    };
    let project = two_releases(LINES, &[("app.env", "COLOUR=red\n")], planted);
    let ran = upgrade(&project, 2);
    assert!(ran.said().contains("error[unreadable]") && ran.said().contains("symbolic link"), "{}", ran.said());
    assert!(!ran.said().contains("canary"));
}

#[test]
fn the_profiles_file_is_that_of_the_release() {
    let lines = "profile = \"./own.toml\"\n[env]\nCOLOUR = \"red\"";
    let shorter = PROFILE.replace("timeout = \"300s\"", "timeout = \"77s\"");
    let project = two_releases(lines, &[("own.toml", PROFILE)], |project| project.write("own.toml", &shorter));
    assert_eq!(upgrade(&project, 0).json()["hooks"][0]["usage"]["timeout_ms"], 77_000);
}

/// v1.0.0, checked out, whose manifest has the hook `say`; v2.0.0 without a manifest, but with a script that is found by its name.
fn without_a_manifest() -> Project {
    two_releases("profile = \"tenant-upgrade\"\n[env]\nCOLOUR = \"red\"", &[], |project| {
        let script = "#!/bin/sh\necho found by its name\n";
        project.write("release/v2.0.0.pre-pull.sh", script);
        assert!(fs::remove_file(project.path().join("wasmhook.toml")).is_ok());
    })
}

fn commit_of(project: &Project, tag: &str) -> String {
    let found = std::process::Command::new("git").args(["rev-list", "-n1", tag]).current_dir(project.path()).output();
    found.map(|found| String::from_utf8_lossy(&found.stdout).trim().to_owned()).unwrap_or_default()
}

/// The codes and words of the plan of v2.0.0, `notices` or `warnings`.
fn planned(project: &Project, args: &[&str], field: &str) -> Vec<String> {
    let plan = [&["plan", "--format", "json", "--tag", "v2.0.0"], args].concat();
    let plan = Place::new().args(plan).current_dir(project.path()).run().exits(0).json();
    plan["plan"][field].as_array().into_iter().flatten().map(|said| format!("{}: {}", said["code"], said["message"])).collect()
}

const CODE: &str = "release-without-manifest";

#[test]
fn s3_14_a_release_without_a_manifest_never_runs_under_that_of_another_release() {
    let project = without_a_manifest();
    let commit = commit_of(&project, "v2.0.0");
    for command in ["run", "plan", "list"] {
        for target in [["--tag", "v2.0.0"], ["--commit", &commit]] {
            let place = Place::new();
            let ran = place.args([&[command], &target[..]].concat()).current_dir(project.path()).run().exits(2);
            assert!(ran.said().contains(&format!("error[{CODE}]")) && ran.said().contains("--manifest FILE"), "{}", ran.said());
            assert!(ran.said().contains(&commit[..12]) && !ran.said().contains("colour="), "{}", ran.said());
            let status = place.args(["status", "--app", "shop", "--format", "json"]).run().exits(0).json();
            assert_eq!(status["runs"].as_array().map(Vec::len), Some(0), "{command}: nothing was begun");
        }
    }
}

#[test]
fn a_release_without_a_manifest_runs_as_the_operator_says() {
    let project = without_a_manifest();
    let ran = |more: &[&str]| {
        let run = [&["run", "--tag", "v2.0.0", "--phase", "pre-pull"], more].concat();
        let said = Place::new().args(run).current_dir(project.path()).run().exits(0).stderr;
        (said.contains("colour=red"), said.contains("found by its name"))
    };
    assert_eq!(ran(&["--manifest", "wasmhook.toml"]), (true, true), "it was named");
    assert_eq!(ran(&["--profile", "tenant-upgrade"]), (false, true), "the profile alone");
    let notices = planned(&project, &["--profile", "tenant-upgrade"], "notices");
    assert!(notices.iter().any(|notice| notice.contains(CODE) && notice.contains("under the profile tenant-upgrade alone")), "{notices:?}");
}

#[test]
fn a_release_that_has_a_manifest_brings_it_along_where_none_was() {
    let project = two_releases(LINES, &[("app.env", "COLOUR=red\n")], |_| {});
    git(&project, &["rm", "--quiet", "wasmhook.toml"]);
    git(&project, &["commit", "--quiet", "-m", "none"]);
    let run = ["run", "--tag", "v2.0.0", "--phase", "pre-pull", "--profile", "tenant-upgrade", "--app", "shop"];
    assert!(Place::new().args(run).current_dir(project.path()).run().exits(0).stderr.contains("colour=red"));
}

#[test]
fn a_manifest_that_no_commit_knows_is_the_machines_own_and_the_plan_says_so() {
    let project = two_releases(LINES, &[(".gitignore", "wasmhook.toml\n"), ("app.env", "COLOUR=red\n")], |project| {
        project.write("app.env", "COLOUR=green\n");
    });
    assert!(upgrade(&project, 0).stderr.contains("colour=green"), "what it names is the release's all the same");
    for live in ["v1.0.0", "v2.0.0"] {
        git(&project, &["checkout", "--quiet", live]);
        let notices = planned(&project, &[], "notices");
        assert!(notices.iter().any(|notice| notice.contains(CODE) && notice.contains("this machine's own")), "{live}: {notices:?}");
    }
}

#[test]
fn where_the_work_tree_is_deployed_its_manifest_holds_and_another_name_for_it_is_a_warning() {
    for profile in ["default", "blueking", "blueking-image", "divio", "commit-sync", "pagoda"] {
        let project = Project::new(&format!("profile = {profile:?}"));
        git(&project, &["init", "--quiet", "--initial-branch=main"]);
        release(&project, "v1.0.0");
        git(&project, &["rm", "--quiet", "wasmhook.toml"]);
        release(&project, "v2.0.0");
        git(&project, &["checkout", "--quiet", "v1.0.0"]);
        let said = |warnings: &[String]| {
            warnings.iter().any(|said| said.contains("\"target\"") && said.contains("the work tree is what is deployed"))
        };
        assert!(said(&planned(&project, &[], "warnings")), "{profile}");
        git(&project, &["tag", "--force", "v2.0.0", "v1.0.0"]);
        assert!(!said(&planned(&project, &[], "warnings")), "{profile}: it is what is checked out");
    }
    let project = Project::new(&hook("say", "pre-deploy", "run = \"echo here\""));
    git(&project, &["init", "--quiet", "--initial-branch=main"]);
    release(&project, "v1.0.0");
    release(&project, "v2.0.0");
    let run = |tag: &str| Place::new().args(["run", "--tag", tag, "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!((&run("v1.0.0")["notices"][0]["code"], &run("v1.0.0")["warnings"]), (&"target".into(), &1.into()), "a run says so, too");
    assert_eq!(run("v2.0.0")["warnings"], 0);
}
