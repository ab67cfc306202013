use super::{Bed, tag};
use crate::discover::{EntryKind, Refusal, Source, SourceError, WorkTree};
use std::os::unix::fs::symlink;

/// A commit and a work tree with the same files.
async fn both(bed: &Bed) -> [Source; 2] {
    let repository = bed.open("origin").await;
    let head = repository.head().await.unwrap().unwrap();
    [Source::Commit(repository, head), Source::WorkTree(WorkTree::open(&bed.path("origin")).unwrap())]
}

fn rule<T: std::fmt::Debug>(result: Result<T, SourceError>) -> Refusal {
    match result {
        Err(SourceError::Refused { rule, .. }) => rule,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn s3_15_files_of_a_release_are_read_though_it_is_not_checked_out() {
    let bed = Bed::with_releases();
    let repository = bed.open("app").await;
    let target = repository.resolve(&tag("v0.4.0")).await.unwrap().unwrap();
    let source = Source::Commit(repository, target);
    assert!(!bed.path("app/release/v0.4.0.sh").exists());
    assert_eq!(source.read("release/v0.4.0.sh", 1 << 20).await.unwrap().unwrap(), b"#!/bin/sh\necho v0.4.0\n");
    assert_eq!(source.read("wasmhook.toml", 1 << 20).await.unwrap().unwrap(), b"# v0.4.0\n");
    bed.write("app", "wasmhook.toml", "# tampered with\n");
    assert_eq!(source.read("wasmhook.toml", 1 << 20).await.unwrap().unwrap(), b"# v0.4.0\n", "the work tree has no say");
    let names: Vec<String> = source.list("release").await.unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["v0.3.27.sh", "v0.3.28.sh", "v0.4.0.sh"]);
}

#[tokio::test]
async fn both_sources_answer_alike() {
    let bed = Bed::empty();
    bed.write("origin", "release/a.sh", "a");
    bed.write("origin", "release/deep/b.sh", "bb");
    bed.write("origin", "odd [*] name", "c");
    bed.write("origin", ":(top)x", "d");
    bed.commit();
    for source in both(&bed).await {
        assert_eq!(source.read("release/a.sh", 1).await.unwrap().unwrap(), b"a");
        assert_eq!(source.read("./release/./a.sh", 1).await.unwrap().unwrap(), b"a");
        assert_eq!(source.read("odd [*] name", 9).await.unwrap().unwrap(), b"c");
        assert_eq!(source.read(":(top)x", 9).await.unwrap().unwrap(), b"d");
        assert_eq!(source.read("release/absent", 1).await.unwrap(), None);
        assert_eq!(source.read("release/a.sh/below/it", 1).await.unwrap(), None);
        assert_eq!(source.read("absent/x", 1).await.unwrap(), None);
        assert_eq!(source.list("absent").await.unwrap(), None);
        let entries = source.list("release").await.unwrap().unwrap();
        let shown: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind, entry.size)).collect();
        assert_eq!(shown, [("a.sh", EntryKind::File { executable: false }, Some(1)), ("deep", EntryKind::Folder, None)]);
        assert_eq!(rule(source.read("release/deep/b.sh", 1).await), Refusal::TooLarge { size: 2, max: 1 });
        assert_eq!(rule(source.read("release", 9).await), Refusal::NotAFile("a folder"));
        assert_eq!(rule(source.read(".", 9).await), Refusal::NotAFile("a folder"));
        assert_eq!(rule(source.list("release/a.sh").await), Refusal::NotAFolder("a file"));
        assert!(source.list(".").await.unwrap().unwrap().iter().any(|entry| entry.name == "release"));
        for outside in ["../x", "release/../../x", "/etc/passwd", "", "a//b", "release/..", "a\0b"] {
            assert_eq!(rule(source.read(outside, 9).await), Refusal::LeavesRoot, "{outside:?}");
        }
    }
}

#[tokio::test]
async fn neither_source_follows_a_symbolic_link() {
    let bed = Bed::empty();
    bed.write("origin", "real/file.sh", "real");
    let origin = bed.path("origin");
    symlink("real/file.sh", origin.join("link.sh")).unwrap();
    symlink("/etc/passwd", origin.join("out.sh")).unwrap();
    symlink("real", origin.join("folder")).unwrap();
    symlink("/etc", origin.join("etc")).unwrap();
    bed.commit();
    for source in both(&bed).await {
        for path in ["link.sh", "out.sh", "folder/file.sh", "etc/passwd", "folder"] {
            assert_eq!(rule(source.read(path, 1 << 20).await), Refusal::Symlink, "{path}");
        }
        assert_eq!(rule(source.list("folder").await), Refusal::Symlink);
        let kinds = source.list(".").await.unwrap().unwrap();
        assert_eq!(kinds.iter().filter(|entry| entry.kind == EntryKind::Link).count(), 4);
    }
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    let bed = Bed::empty();
    let pipe = bed.path("origin/wasmhook.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let tree = WorkTree::open(&bed.path("origin")).unwrap();
    assert_eq!(rule(tree.read("wasmhook.toml", 100)), Refusal::NotAFile(EntryKind::Special.words()));
}

#[tokio::test]
async fn s3_35_a_marker_is_a_regular_file() {
    let bed = Bed::empty();
    let tree = WorkTree::open(&bed.path("origin")).unwrap();
    assert!(!tree.has_file(".release-v0.4.0-done").unwrap());
    bed.write("origin", ".release-v0.4.0-done", "");
    assert!(tree.has_file(".release-v0.4.0-done").unwrap());
    symlink("/etc/passwd", bed.path("origin/.release-v0.5.0-done")).unwrap();
    assert_eq!(rule(tree.has_file(".release-v0.5.0-done")), Refusal::Symlink);
}

#[tokio::test]
async fn a_submodule_and_a_pointer_to_a_large_file_are_refused_by_name() {
    let bed = Bed::with_releases();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
    bed.write("origin", "hook.wasm", pointer);
    bed.git("origin", &["add", "-A"]);
    let head = bed.git("origin", &["rev-parse", "HEAD"]);
    bed.git("origin", &["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    bed.git("origin", &["commit", "-qm", "odd entries"]);
    let repository = bed.open("origin").await;
    let commit = repository.head().await.unwrap().unwrap();
    assert_eq!(rule(repository.show(&commit, "hook.wasm", 1 << 20).await), Refusal::LfsPointer);
    assert_eq!(rule(repository.show(&commit, "sub", 1 << 20).await), Refusal::NotAFile("a git submodule"));
}

#[tokio::test]
async fn errors_name_the_path_and_the_rule() {
    let bed = Bed::empty();
    let tree = WorkTree::open(&bed.path("origin")).unwrap();
    bed.write("origin", "big", "12345");
    assert_eq!(tree.read("big", 4).unwrap_err().to_string(), "`big` has 5 B, more than the limit of 4 B");
    let error = tree.read("../\u{1b}[31m", 4).unwrap_err().to_string();
    assert!(error.starts_with("`../\\u{1b}[31m` is not a path below the application's root"), "{error}");
}
