use super::{Bed, tag};
use crate::discover::{Git, GitError, Repository};
use crate::model::facts::Fetch;
use crate::model::id::Commit;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_folder_outside_of_any_repository_has_none() {
    let bed = Bed::empty();
    assert!(Repository::open(&bed.path("."), Git::default()).await.unwrap().is_none());
    assert!(Repository::open(&bed.path("absent"), Git::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_that_the_repository_around_it_does_not_hold_has_none() {
    let bed = Bed::empty();
    bed.write("origin", "services/web/app.txt", "web");
    bed.commit();
    bed.write("origin", "scratch/app.txt", "not committed");
    assert!(Repository::open(&bed.path("origin/scratch"), Git::default()).await.unwrap().is_none());
    let web = bed.open("origin/services/web").await;
    let head = web.head().await.unwrap().unwrap();
    assert_eq!(web.show(&head, "app.txt", 100).await.unwrap().unwrap(), b"web", "paths are the application's, not the repository's");
    assert_eq!(web.list(&head, ".").await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repository_that_git_refuses_to_read_is_an_error_not_none() {
    let bed = Bed::empty();
    bed.write("origin", ".git/config", "[core\n");
    let error = Repository::open(&bed.path("origin"), Git::default()).await.unwrap_err();
    assert!(matches!(&error, GitError::Failed { code: Some(128), .. }), "{error}");
}

#[tokio::test]
async fn a_git_that_is_not_there_is_named() {
    let bed = Bed::empty();
    let git = Git { program: PathBuf::from("/no/such/git"), ..Git::default() };
    let error = Repository::open(&bed.path("origin"), git).await.unwrap_err();
    assert!(matches!(error, GitError::NotStarted { .. }));
    assert!(error.to_string().contains("`/no/such/git` can't be started"), "{error}");
}

#[tokio::test]
async fn before_the_first_commit_there_is_no_head() {
    let bed = Bed::empty();
    let repository = bed.open("origin").await;
    assert_eq!(repository.head().await.unwrap(), None);
    assert_eq!(repository.tags().await.unwrap().newest_release(), None);
}

#[tokio::test]
async fn tags_point_to_commits_also_when_they_are_annotated() {
    let bed = Bed::with_releases();
    bed.git("app", &["tag", "-a", "-m", "annotated", "v0.5.0-rc.1", "v0.4.0"]);
    let repository = bed.open("app").await;
    let expected = bed.commit_of("app", "v0.4.0^{commit}");
    assert_eq!(repository.resolve(&tag("v0.5.0-rc.1")).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(repository.tags().await.unwrap().commits[&tag("v0.5.0-rc.1")], expected);
    assert_eq!(repository.resolve(&tag("v9.9.9")).await.unwrap(), None);
}

#[tokio::test]
async fn a_tag_is_a_name_never_a_revision() {
    let bed = Bed::with_releases();
    let repository = bed.open("app").await;
    for trick in ["v0.4.0~1", "v0.4.0^", "v0.4.0^{tree}", "v0.4.0:release", "HEAD", "main", "v0.4.0@{0}", "@"] {
        assert_eq!(repository.resolve(&tag(trick)).await.unwrap(), None, "{trick}");
    }
}

#[tokio::test]
async fn tags_with_odd_names_are_reported_and_not_taken() {
    let bed = Bed::with_releases();
    bed.git("app", &["tag", "release/1.0", "v0.4.0"]);
    bed.git("app", &["tag", "a-tree", "v0.4.0^{tree}"]);
    bed.git("app", &["update-ref", "refs/tags/-dash", "v0.4.0^{commit}"]);
    let tags = bed.open("app").await.tags().await.unwrap();
    assert_eq!(tags.commits.len(), 3);
    let unusable: Vec<&str> = tags.unusable.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(unusable, ["-dash", "a-tree", "release/1.0"]);
    assert!(tags.unusable.iter().any(|(_, why)| why.contains("doesn't point to a commit")));
}

#[tokio::test]
async fn an_abbreviated_commit_is_completed_and_a_branch_of_that_name_is_not_taken_for_it() {
    let bed = Bed::with_releases();
    let repository = bed.open("app").await;
    let full = bed.commit_of("app", "v0.4.0^{commit}");
    let short = Commit::new(&full.as_str()[..10]).unwrap();
    assert_eq!(repository.complete(&short).await.unwrap(), Some(full));
    bed.git("app", &["branch", "abcdef1", "v0.3.28"]);
    assert_eq!(repository.complete(&Commit::new("abcdef1").unwrap()).await.unwrap(), None);
    assert_eq!(repository.complete(&Commit::new("0".repeat(40)).unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn s3_13_fetch_brings_tags_and_leaves_the_work_tree_alone() {
    let bed = Bed::with_releases();
    bed.write("origin", "new.txt", "new");
    bed.release("v0.5.0");
    let repository = bed.open("app").await;
    let (head, status) = (bed.git("app", &["rev-parse", "HEAD"]), bed.git("app", &["status", "--porcelain"]));
    assert_eq!(repository.fetch_tags(LONG).await.unwrap(), Fetch::Done { moved: Vec::new() });
    assert_eq!(repository.tags().await.unwrap().newest_release(), Some(&tag("v0.5.0")));
    assert_eq!((bed.git("app", &["rev-parse", "HEAD"]), bed.git("app", &["status", "--porcelain"])), (head, status));
    assert!(!bed.path("app/new.txt").exists() && !bed.path("app/.git/FETCH_HEAD").exists());
}

#[tokio::test]
async fn a_tag_that_moved_at_the_remote_is_named_with_both_commits() {
    let bed = Bed::with_releases();
    let from = bed.commit_of("origin", "v0.4.0");
    bed.commit();
    bed.git("origin", &["tag", "-f", "v0.4.0"]);
    let Fetch::Done { moved } = bed.open("app").await.fetch_tags(LONG).await.unwrap() else { panic!("not fetched") };
    assert_eq!(moved.len(), 1);
    assert_eq!((moved[0].tag.as_str(), &moved[0].from, &moved[0].to), ("v0.4.0", &from, &bed.commit_of("origin", "v0.4.0")));
}

#[tokio::test]
async fn a_repository_without_a_remote_has_nothing_to_fetch() {
    let bed = Bed::with_releases();
    assert_eq!(bed.open("origin").await.fetch_tags(LONG).await.unwrap(), Fetch::NoRemote);
}

#[tokio::test]
async fn s3_13_a_broken_remote_is_an_error_without_its_credentials() {
    let bed = Bed::with_releases();
    // Nothing listens on the discard port.
    bed.git("app", &["remote", "set-url", "origin", "http://user:s3cr3t@127.0.0.1:9/app.git"]);
    let error = bed.open("app").await.fetch_tags(LONG).await.unwrap_err();
    assert!(matches!(&error, GitError::Failed { command, .. } if command == "fetch"), "{error}");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn s3_13_a_remote_that_never_answers_is_given_up_at_the_deadline() {
    let bed = Bed::with_releases();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bed.git("app", &["remote", "set-url", "origin", &format!("git://{}/app.git", listener.local_addr().unwrap())]);
    let repository = bed.open("app").await;
    let begin = Instant::now();
    let error = repository.fetch_tags(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, GitError::Deadline { .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(30), "it waited {:?}", begin.elapsed());
    assert_eq!(repository.tags().await.unwrap().commits.len(), 3, "what was fetched before is still there");
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_stopped() {
    let bed = Bed::with_releases();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bed.git("app", &["remote", "set-url", "origin", &format!("git://{}/app.git", listener.local_addr().unwrap())]);
    let repository = bed.open("app").await;
    let fetch = tokio::spawn(async move { repository.fetch_tags(LONG).await });
    let (mut stream, _) = tokio::task::spawn_blocking(move || listener.accept().unwrap()).await.unwrap();
    fetch.abort();
    assert!(fetch.await.unwrap_err().is_cancelled());
    // The other end closes when git is gone: reading comes to an end.
    let read = tokio::task::spawn_blocking(move || {
        stream.set_read_timeout(Some(LONG)).unwrap();
        std::io::Read::read_to_end(&mut stream, &mut Vec::new())
    });
    assert!(read.await.unwrap().is_ok());
}

#[tokio::test]
async fn the_repository_s_hooks_do_not_run() {
    let bed = Bed::with_releases();
    let hook = bed.path("app/.git/hooks/reference-transaction");
    bed.write("app", ".git/hooks/reference-transaction", "#!/bin/sh\ntouch ran\n");
    std::fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bed.release("v0.6.0");
    bed.open("app").await.fetch_tags(LONG).await.unwrap();
    assert!(!bed.path("app/ran").exists() && !bed.path("app/.git/ran").exists());
}

#[tokio::test]
async fn the_tag_at_a_commit_is_the_newest_release_there() {
    let bed = Bed::with_releases();
    bed.git("app", &["tag", "zzz", "v0.3.27"]);
    bed.git("app", &["tag", "v0.3.27-rc.1", "v0.3.27"]);
    let repository = bed.open("app").await;
    let (tags, head) = (repository.tags().await.unwrap(), repository.head().await.unwrap().unwrap());
    assert_eq!(tags.at(&head), Some(&tag("v0.3.27")));
    assert_eq!(tags.at(&Commit::new("0".repeat(40)).unwrap()), None);
}
