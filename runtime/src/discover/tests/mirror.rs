use super::Bed;
use crate::discover::{Git, Mirror, MirrorError, SourceError};
use crate::model::id::Commit;
use crate::model::source::{BranchName, GitUrl, Revision};
use crate::model::tree::Listed;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn mirror(bed: &Bed) -> Mirror {
    let url = GitUrl::new(format!("file://{}", bed.path("origin").display())).unwrap();
    Mirror::open(&bed.path("cache"), &url, Git::default()).unwrap()
}

#[tokio::test]
async fn s4_82_each_fetch_brings_the_newest_commit_and_nothing_else_does() {
    let bed = Bed::empty();
    bed.write("origin", "jobs/a.sh", "one");
    bed.commit();
    let mirror = mirror(&bed);
    assert!(matches!(mirror.fetched(&Revision::Head).await, Err(MirrorError::NeverFetched)));
    let one = mirror.fetch(&Revision::Head, LONG).await.unwrap();
    bed.write("origin", "jobs/a.sh", "two");
    bed.commit();
    assert_eq!(mirror.fetched(&Revision::Head).await.unwrap(), one);
    let two = mirror.fetch(&Revision::Head, LONG).await.unwrap();
    assert_eq!(two, bed.commit_of("origin", "HEAD"));
    assert_ne!(one, two);
    for (commit, text) in [(&one, "one"), (&two, "two")] {
        assert_eq!(mirror.repository().show(commit, "jobs/a.sh", 100).await.unwrap().unwrap(), text.as_bytes());
    }
}

#[tokio::test]
async fn a_revision_is_what_was_named_also_where_names_stand_in_each_other_s_way() {
    let bed = Bed::empty();
    bed.release("v1");
    bed.git("origin", &["branch", "a"]);
    bed.write("origin", "new", "");
    bed.commit();
    let mirror = mirror(&bed);
    let branch = |name: &str| Revision::Branch(BranchName::new(name).unwrap());
    let at = |revision: &str| bed.commit_of("origin", revision);
    assert_eq!(mirror.fetch(&branch("a"), LONG).await.unwrap(), at("a"));
    bed.git("origin", &["branch", "-m", "a", "a/b"]);
    assert_eq!(mirror.fetch(&branch("a/b"), LONG).await.unwrap(), at("a/b"));
    assert_eq!(mirror.fetch(&Revision::Tag(super::tag("v1")), LONG).await.unwrap(), at("v1"));
    assert_eq!(mirror.fetch(&branch("main"), LONG).await.unwrap(), at("main"));
    let error = mirror.fetch(&branch("a"), LONG).await.unwrap_err();
    assert!(error.to_string().contains("refs/heads/a"), "{error}");
}

#[tokio::test]
async fn a_commit_by_its_name_is_asked_for_once() {
    let bed = Bed::empty();
    bed.release("v1");
    let pinned = Revision::Commit(bed.commit_of("origin", "HEAD"));
    let mirror = mirror(&bed);
    let commit = mirror.fetch(&pinned, LONG).await.unwrap();
    fs::rename(bed.path("origin"), bed.path("gone")).unwrap();
    assert_eq!(mirror.fetch(&pinned, LONG).await.unwrap(), commit);
    assert!(mirror.fetch(&Revision::Head, LONG).await.is_err());
}

#[tokio::test]
async fn a_remote_that_is_gone_or_hangs_is_an_error_whatever_was_fetched_before() {
    let bed = Bed::empty();
    bed.release("v1");
    let mirror = mirror(&bed);
    mirror.fetch(&Revision::Head, LONG).await.unwrap();
    fs::rename(bed.path("origin"), bed.path("gone")).unwrap();
    assert!(matches!(mirror.fetch(&Revision::Head, LONG).await, Err(MirrorError::Git(_))));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = GitUrl::new(format!("http://{}/jobs.git", silent.local_addr().unwrap())).unwrap();
    let hanging = Mirror::open(&bed.path("cache"), &url, Git::default()).unwrap();
    let error = hanging.fetch(&Revision::Head, Duration::from_millis(500)).await.unwrap_err();
    assert!(error.to_string().contains("took longer than 500 ms"), "{error}");
}

#[tokio::test]
async fn what_a_killed_git_locked_and_a_busy_neighbour_are_told_apart() {
    let bed = Bed::empty();
    bed.release("v1");
    let mirror = mirror(&bed);
    mirror.fetch(&Revision::Head, LONG).await.unwrap();
    let dir = fs::read_dir(bed.path("cache/sources")).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    fs::write(dir.join("shallow.lock"), "").unwrap();
    mirror.fetch(&Revision::Head, LONG).await.unwrap();
    let held = fs::File::open(dir.with_extension("lock")).unwrap();
    held.lock().unwrap();
    assert!(matches!(mirror.fetch(&Revision::Head, Duration::from_millis(100)).await, Err(MirrorError::Busy(_))));
}

#[tokio::test]
async fn a_place_that_others_can_enter_is_refused() {
    let bed = Bed::empty();
    let url = GitUrl::new("https://host/a").unwrap();
    Mirror::open(&bed.path("cache"), &url, Git::default()).unwrap();
    let mode = fs::metadata(bed.path("cache/sources")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for open in ["cache/sources", "cache"] {
        fs::set_permissions(bed.path(open), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Mirror::open(&bed.path("cache"), &url, Git::default()), Err(MirrorError::Untrusted { .. })), "{open}");
        fs::set_permissions(bed.path(open), fs::Permissions::from_mode(0o700)).unwrap();
    }
    symlink(bed.path("cache"), bed.path("link")).unwrap();
    assert!(Mirror::open(&bed.path("link"), &url, Git::default()).is_err());
}

#[tokio::test]
async fn a_tree_is_everything_that_a_checkout_would_have() {
    let bed = Bed::empty();
    bed.write("origin", "jobs/run.sh", "#!/bin/sh\n");
    fs::set_permissions(bed.path("origin/jobs/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    bed.write("origin", "jobs/empty", "");
    bed.write("origin", "lib/a b\n.sh", "x\n\0y");
    bed.write("origin", "big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    symlink("../lib", bed.path("origin/jobs/lib")).unwrap();
    bed.commit();
    let sub = bed.commit_of("origin", "HEAD");
    bed.git("origin", &["update-index", "--add", "--cacheinfo", &format!("160000,{sub},vendor")]);
    bed.git("origin", &["commit", "-q", "-m", "submodule"]);
    let mirror = mirror(&bed);
    let head = mirror.fetch(&Revision::Head, LONG).await.unwrap();
    let tree = mirror.repository().tree(&head, None).await.unwrap().unwrap();
    assert_eq!(tree.listing.0.keys().collect::<Vec<_>>(), ["big.bin", "jobs/empty", "jobs/lib", "jobs/run.sh", "lib/a b\n.sh", "vendor"]);
    let Listed::File { digest, executable: true } = &tree.listing.0["jobs/run.sh"] else { panic!("{:?}", tree.listing) };
    assert_eq!(&*tree.blobs[digest], b"#!/bin/sh\n");
    let Listed::File { digest, executable: false } = &tree.listing.0["lib/a b\n.sh"] else { panic!("{:?}", tree.listing) };
    assert_eq!(&*tree.blobs[digest], b"x\n\0y");
    assert_eq!(tree.listing.0["jobs/lib"], Listed::Link { target: "../lib".to_owned() });
    assert_eq!(tree.listing.0["vendor"], Listed::Folder);
    assert_eq!(tree.lacks.len(), 2, "{:?}", tree.lacks);

    let jobs = mirror.repository().tree(&head, Some("jobs")).await.unwrap().unwrap();
    assert_eq!(jobs.listing.0.keys().collect::<Vec<_>>(), ["empty", "lib", "run.sh"]);
    assert!(mirror.repository().tree(&head, Some("none")).await.unwrap().is_none());
    assert!(matches!(mirror.repository().tree(&head, Some("big.bin")).await, Err(SourceError::Refused { .. })));
}

#[tokio::test]
async fn names_that_would_leave_the_copy_are_refused() {
    let bed = Bed::empty();
    bed.write("origin", "x", "y");
    bed.commit();
    let blob = bed.git("origin", &["rev-parse", "HEAD:x"]);
    // Git makes such a tree only if it is told every byte of it.
    for name in ["..", ".git", "."] {
        let raw = [format!("100644 {name}\0").as_bytes(), &hex::decode(&blob).unwrap()].concat();
        fs::write(bed.path("raw"), raw).unwrap();
        let raw = bed.path("raw").display().to_string();
        let tree = bed.git("origin", &["hash-object", "-t", "tree", "-w", "--literally", &raw]);
        let commit = Commit::new(bed.git("origin", &["commit-tree", "-m", "x", &tree])).unwrap();
        bed.git("origin", &["update-ref", "refs/heads/bad", commit.as_str()]);
        let mirror = mirror(&bed);
        let bad = mirror.fetch(&Revision::Branch(BranchName::new("bad").unwrap()), LONG).await.unwrap();
        assert!(matches!(mirror.repository().tree(&bad, None).await, Err(SourceError::Refused { .. })), "{name}");
    }
}
