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
