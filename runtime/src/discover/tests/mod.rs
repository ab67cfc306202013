//! Against real repositories, made in temporary directories.

mod follow;
mod git;
mod mirror;
mod release;
mod source;
mod target;

use super::{Git, Repository};
use crate::model::id::{Commit, Tag};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// An origin with a clone of it.
struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    /// An origin with the releases v0.3.27, v0.3.28 and v0.4.0, each with its own hook, and a clone that has v0.3.27 checked out.
    fn with_releases() -> Self {
        let bed = Self::empty();
        for tag in ["v0.3.27", "v0.3.28", "v0.4.0"] {
            bed.write("origin", &format!("release/{tag}.sh"), &format!("#!/bin/sh\necho {tag}\n"));
            bed.write("origin", "wasmhook.toml", &format!("# {tag}\n"));
            bed.release(tag);
        }
        bed.git("origin", &["clone", "-q", ".", "../app"]);
        bed.git("app", &["checkout", "-q", "v0.3.27"]);
        bed
    }

    /// An origin without a commit.
    fn empty() -> Self {
        let bed = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(bed.path("origin")).unwrap();
        bed.git("origin", &["init", "-q", "-b", "main"]);
        bed
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn write(&self, repository: &str, file: &str, text: &str) {
        let path = self.path(repository).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything in the origin, and tags it.
    fn release(&self, tag: &str) {
        self.commit();
        self.git("origin", &["tag", tag]);
    }

    fn commit(&self) {
        self.git("origin", &["add", "-A"]);
        self.git("origin", &["commit", "-q", "--allow-empty", "-m", "a change"]);
    }

    fn git(&self, repository: &str, args: &[&str]) -> String {
        let identity =
            ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "tag.gpgSign=false", "-c", "commit.gpgSign=false"];
        let output = Command::new("git").arg("-C").arg(self.path(repository)).args(identity).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit_of(&self, repository: &str, revision: &str) -> Commit {
        Commit::new(self.git(repository, &["rev-parse", revision])).unwrap()
    }

    async fn open(&self, repository: &str) -> Repository {
        Repository::open(&self.path(repository), Git::default()).await.unwrap().unwrap()
    }
}

fn tag(name: &str) -> Tag {
    Tag::new(name).unwrap()
}
