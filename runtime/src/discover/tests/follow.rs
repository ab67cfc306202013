use super::Bed;
use crate::discover::{Advance, FollowError, GitError, Repository, Upstream};
use crate::model::id::Commit;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// An origin with one commit on `main`, and a clone of it.
fn cloned() -> Bed {
    let bed = Bed::empty();
    bed.write("origin", "app.txt", "1");
    bed.commit();
    bed.git("origin", &["clone", "-q", ".", "../app"]);
    bed
}

async fn fetch(repository: &Repository) -> Result<Commit, FollowError> {
    let branch = repository.upstream(&Upstream::default()).await?;
    repository.fetch_branch(&branch, LONG).await
}

/// Everything a test could have changed by accident.
fn state(bed: &Bed) -> (String, String, String) {
    let tree = fs::read_to_string(bed.path("app/app.txt")).unwrap_or_default();
    (bed.git("app", &["rev-parse", "HEAD"]), bed.git("app", &["status", "--porcelain"]), tree)
}

#[tokio::test]
async fn s4_26_a_new_commit_is_fetched_and_then_fast_forwarded() {
    let bed = cloned();
    bed.write("origin", "app.txt", "2");
    bed.commit();
    let (repository, before) = (bed.open("app").await, state(&bed));
    let commit = fetch(&repository).await.unwrap();
    assert_eq!((&commit, &state(&bed)), (&bed.commit_of("origin", "main"), &before), "fetching touches no work tree");
    assert!(!bed.path("app/.git/FETCH_HEAD").exists());
    let from = Some(Commit::new(before.0.as_str()).unwrap());
    assert_eq!(repository.advance(&commit).await.unwrap(), Advance::Done { from });
    assert_eq!(state(&bed), (commit.to_string(), String::new(), "2".to_owned()));
    assert_eq!(repository.advance(&commit).await.unwrap(), Advance::Nothing);
}

#[tokio::test]
async fn the_branch_is_the_one_that_git_would_pull_or_the_one_that_is_named() {
    let bed = cloned();
    bed.git("origin", &["branch", "release"]);
    let repository = bed.open("app").await;
    let named = |branch: &str| Upstream { branch: Some(branch.to_owned()), ..Upstream::default() };
    let shown = |branch: crate::discover::Branch| format!("{} {}", branch.remote, branch.name);
    assert_eq!(shown(repository.upstream(&Upstream::default()).await.unwrap()), "origin main");
    assert_eq!(shown(repository.upstream(&named("release")).await.unwrap()), "origin release");
    bed.git("app", &["checkout", "-q", "-b", "deployed"]);
    assert_eq!(shown(repository.upstream(&Upstream::default()).await.unwrap()), "origin deployed", "no upstream: the same name");
    bed.git("app", &["config", "branch.deployed.remote", "elsewhere"]);
    bed.git("app", &["config", "branch.deployed.merge", "refs/heads/main"]);
    assert_eq!(shown(repository.upstream(&Upstream::default()).await.unwrap()), "elsewhere main");
    for bad in ["a b", "a:b", "*", "", "a..b", "-", "a\nb"] {
        let refused = repository.upstream(&named(bad)).await;
        // Git takes a dash for the last branch where it stands alone, and for a name behind `refs/heads/`.
        assert!(matches!(refused, Err(FollowError::BadName(_))) || bad == "-", "{bad:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_detached_head_follows_a_branch_that_is_named() {
    let bed = cloned();
    bed.git("app", &["checkout", "-q", "--detach"]);
    bed.write("origin", "app.txt", "2");
    bed.commit();
    let repository = bed.open("app").await;
    assert!(matches!(repository.upstream(&Upstream::default()).await, Err(FollowError::Detached)));
    let branch = repository.upstream(&Upstream { branch: Some("main".to_owned()), remote: None }).await.unwrap();
    let commit = repository.fetch_branch(&branch, LONG).await.unwrap();
    assert!(matches!(repository.advance(&commit).await.unwrap(), Advance::Done { .. }));
    assert_eq!(state(&bed).2, "2");
}

#[tokio::test]
async fn what_was_pushed_by_force_is_no_fast_forward_and_nothing_is_lost() {
    let bed = cloned();
    bed.git("origin", &["commit", "-q", "--amend", "-m", "another history"]);
    let (repository, before) = (bed.open("app").await, state(&bed));
    let commit = fetch(&repository).await.unwrap();
    let error = repository.advance(&commit).await.unwrap_err();
    assert!(matches!(&error, FollowError::Diverged { to, .. } if *to == commit), "{error}");
    assert_eq!(state(&bed), before);
}

#[tokio::test]
async fn a_commit_that_nobody_pushed_yet_stays_checked_out() {
    let bed = cloned();
    bed.write("app", "app.txt", "local");
    bed.git("app", &["commit", "-qam", "local"]);
    let (repository, before) = (bed.open("app").await, state(&bed));
    let commit = fetch(&repository).await.unwrap();
    assert_eq!(repository.advance(&commit).await.unwrap(), Advance::Nothing);
    assert_eq!(state(&bed), before);
}

#[tokio::test]
async fn local_changes_in_the_way_stay_and_are_named_and_others_go_along() {
    let bed = cloned();
    bed.write("origin", "app.txt", "2");
    bed.commit();
    bed.write("app", "app.txt", "mine");
    let (repository, before) = (bed.open("app").await, state(&bed));
    let commit = fetch(&repository).await.unwrap();
    let error = repository.advance(&commit).await.unwrap_err();
    assert!(matches!(&error, FollowError::InTheWay { message, .. } if message.contains("app.txt")), "{error}");
    assert_eq!(state(&bed), before, "never a reset");
    bed.git("app", &["checkout", "-q", "app.txt"]);
    bed.write("app", "other.txt", "mine");
    assert!(matches!(repository.advance(&commit).await.unwrap(), Advance::Done { .. }));
    assert_eq!(fs::read_to_string(bed.path("app/other.txt")).unwrap(), "mine");
}

#[tokio::test]
async fn a_deleted_branch_is_told_from_a_broken_remote() {
    let bed = cloned();
    bed.git("origin", &["checkout", "-q", "-b", "main2"]);
    bed.git("origin", &["branch", "-q", "-D", "main"]);
    // A branch whose name ends like it isn't it.
    bed.git("origin", &["branch", "x/refs/heads/main"]);
    let repository = bed.open("app").await;
    let error = fetch(&repository).await.unwrap_err();
    assert!(matches!(&error, FollowError::NoBranch { name, .. } if name == "main"), "{error}");
    fs::rename(bed.path("origin"), bed.path("away")).unwrap();
    let error = fetch(&repository).await.unwrap_err();
    assert!(matches!(&error, FollowError::Git(GitError::Failed { .. })), "{error}");
}

#[tokio::test]
async fn a_remote_that_hangs_is_given_up_at_the_deadline() {
    let bed = cloned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bed.git("app", &["remote", "set-url", "origin", &format!("git://{}/app.git", listener.local_addr().unwrap())]);
    let repository = bed.open("app").await;
    let branch = repository.upstream(&Upstream::default()).await.unwrap();
    let error = repository.fetch_branch(&branch, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&error, FollowError::Git(GitError::Deadline { .. })), "{error}");
}

#[tokio::test]
async fn without_a_remote_there_is_nothing_to_follow() {
    let bed = cloned();
    assert!(matches!(fetch(&bed.open("origin").await).await, Err(FollowError::NoRemote)));
}

#[tokio::test]
async fn the_repository_s_hooks_do_not_run_when_it_is_fast_forwarded() {
    let bed = cloned();
    bed.write("origin", "app.txt", "2");
    bed.commit();
    for name in ["post-merge", "reference-transaction", "post-checkout"] {
        let hook = format!(".git/hooks/{name}");
        bed.write("app", &hook, "#!/bin/sh\ntouch ran\n");
        fs::set_permissions(bed.path("app").join(hook), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let repository = bed.open("app").await;
    let commit = fetch(&repository).await.unwrap();
    repository.advance(&commit).await.unwrap();
    assert!(!bed.path("app/ran").exists() && !bed.path("app/.git/ran").exists());
}

#[tokio::test]
async fn a_lock_file_of_git_is_named_and_never_removed() {
    let bed = cloned();
    bed.write("origin", "app.txt", "2");
    bed.commit();
    let (repository, before) = (bed.open("app").await, state(&bed));
    bed.write("app", ".git/refs/wasmhook/followed.lock", "");
    let named = |error: FollowError, end: &str| {
        assert!(matches!(&error, FollowError::LockFile { lock } if lock.ends_with(end) && lock.exists()), "{error}");
        assert!(error.to_string().contains("remove the file"), "{error}");
    };
    named(fetch(&repository).await.unwrap_err(), ".git/refs/wasmhook/followed.lock");
    fs::remove_file(bed.path("app/.git/refs/wasmhook/followed.lock")).unwrap();
    let commit = fetch(&repository).await.unwrap();
    for lock in ["index.lock", "HEAD.lock", "refs/heads/main.lock"] {
        let lock = format!(".git/{lock}");
        bed.write("app", &lock, "");
        named(repository.advance(&commit).await.unwrap_err(), &lock);
        fs::remove_file(bed.path("app").join(&lock)).unwrap();
        if lock.ends_with("index.lock") {
            assert_eq!(state(&bed), before, "nothing was changed");
        }
    }
    repository.advance(&commit).await.unwrap();
    assert_eq!(state(&bed), (commit.to_string(), String::new(), "2".to_owned()));
}

#[tokio::test]
async fn submodules_that_are_behind_are_told_by_their_paths() {
    let bed = Bed::empty();
    bed.write("origin", "lib.txt", "1");
    bed.commit();
    bed.git("origin", &["clone", "-q", ".", "../super"]);
    let source = bed.path("origin").display().to_string();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &source];
    bed.git("super", &[&add[..], &["vendor/a lib (1)"]].concat());
    bed.git("super", &["commit", "-qm", "with a library"]);
    bed.git("super", &["clone", "-q", ".", "../app"]);
    let app = bed.open("app").await;
    assert_eq!(app.submodules_behind().await.unwrap(), ["vendor/a lib (1)"], "its folder is empty");
    bed.git("app", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"]);
    assert_eq!(app.submodules_behind().await.unwrap(), [""; 0]);
    bed.git("app/vendor/a lib (1)", &["commit", "-q", "--allow-empty", "-m", "elsewhere"]);
    assert_eq!(app.submodules_behind().await.unwrap(), ["vendor/a lib (1)"]);
    let origin = bed.open("origin").await;
    assert_eq!(origin.submodules_behind().await.unwrap(), [""; 0], "none at all");
    let stray = format!("160000,{},stray", bed.commit_of("origin", "HEAD"));
    bed.git("origin", &["update-index", "--add", "--cacheinfo", &stray]);
    assert!(origin.submodules_behind().await.is_err(), "nothing says where it is from");
}
