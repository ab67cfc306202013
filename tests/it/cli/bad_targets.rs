//! A release that can't be found or read: one diagnostic with a code, and nothing begun.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use std::process::Command;
use wasmhook_tests::project::OK;
use wasmhook_tests::{Place, Project};

const MANIFEST: &str = "schema = 1\napp = \"shop\"\nprofile = \"tenant-upgrade\"\n";

pub fn git(project: &Project, args: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"];
    assert!(Command::new("git").args(identity).args(args).current_dir(project.path()).output().unwrap().status.success(), "{args:?}");
}

fn repository(manifest: &str) -> Project {
    let project = Project::empty().file("wasmhook.toml", manifest).file("ok.wat", OK);
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "--quiet", "-m", "one"]);
    project
}

#[track_caller]
fn refused(project: &Project, args: &[&str], exit: i32, code: &str, words: &str) {
    for command in ["run", "plan"] {
        let place = Place::new();
        let ran = place.args([&[command, "--no-fetch"], args].concat()).current_dir(project.path()).run().exits(exit);
        assert!(ran.said().contains(&format!("error[{code}]: ")) && ran.said().contains(words), "{command} {args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("error[").count(), 1, "{}", ran.stderr);
        let status = place.args(["status", "--app", "shop", "--format", "json"]).run().exits(0).json();
        assert_eq!(status["runs"].as_array().map(Vec::len), Some(0), "{command}: nothing was begun");
        assert!(place.args(["explain", code]).run().exits(0).stdout.lines().count() > 1, "{code}");
    }
}

#[test]
fn without_a_release_there_is_nothing_to_deploy() {
    refused(&repository(MANIFEST), &[], 2, "no-target", "name the target with --tag");
    refused(&Project::empty().file("wasmhook.toml", MANIFEST), &[], 2, "no-target", "in no git repository");
}

#[test]
fn a_tag_or_commit_that_does_not_exist() {
    let project = repository(MANIFEST);
    git(&project, &["tag", "v1.0.0"]);
    refused(&project, &["--tag", "v1.0.1"], 2, "unknown-target", "did you mean `v1.0.0`?");
    refused(&project, &["--commit", "0123456789012345678901234567890123456789"], 2, "unknown-target", "holds no commit");
}

#[test]
fn a_tag_that_is_another_commit_than_the_one_given() {
    let project = repository(MANIFEST);
    git(&project, &["tag", "v1.0.0"]);
    git(&project, &["commit", "--quiet", "--allow-empty", "-m", "two"]);
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(project.path()).output().unwrap();
    let head = String::from_utf8(head.stdout).unwrap();
    refused(&project, &["--tag", "v1.0.0", "--commit", head.trim()], 2, "tag-elsewhere", "give one of them, or the right pair");
}

#[test]
fn a_repository_that_git_cannot_read() {
    let project = repository(MANIFEST);
    git(&project, &["tag", "v1.0.0"]);
    project.write(".git/config", "[core\n");
    refused(&project, &["--tag", "v1.0.0"], 3, "git", "`git ");
}

#[test]
fn a_release_folder_that_cannot_be_read() {
    let project = repository(MANIFEST);
    project.write("release", "not a folder\n");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "--quiet", "-m", "two"]);
    git(&project, &["tag", "v1.0.0"]);
    refused(&project, &["--tag", "v1.0.0"], 3, "release-unreadable", "not a folder");
}
