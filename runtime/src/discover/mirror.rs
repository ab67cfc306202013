//! Copies of repositories that hooks come from: bare, each in a directory of our own, of which nothing is ever checked out. The operator's git brings
//! them, with the operator's credentials; the address stands on its command line and in no file.

use super::error::MirrorError;
use super::git::{Git, Repository};
use crate::model::id::{Commit, Digest};
use crate::model::source::{GitUrl, Revision};
use rustix::fs::{AtFlags, CWD, FileType};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folder of all copies, in the cache.
const FOLDER: &str = "sources";

/// How often a lock that somebody else holds is tried.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// A copy of one repository.
#[derive(Debug)]
pub struct Mirror {
    repository: Repository,
    dir: PathBuf,
    url: GitUrl,
}

impl Mirror {
    /// The copy of `url` below the directory `cache`, which is made if it isn't there, and must be this user's alone.
    ///
    /// # Errors
    /// [`MirrorError::Untrusted`] if anybody else could write there, [`MirrorError::Io`] if it can't be made.
    pub fn open(cache: &Path, url: &GitUrl, git: Git) -> Result<Self, MirrorError> {
        if let Some(parent) = cache.parent() {
            std::fs::create_dir_all(parent).map_err(|source| MirrorError::Io { path: parent.to_owned(), source })?;
        }
        let folder = cache.join(FOLDER);
        let dir = folder.join(&Digest::of(url.as_str().as_bytes()).hex()[..32]);
        [cache, &folder, &dir].into_iter().try_for_each(own)?;
        Ok(Self { repository: Repository::bare(dir.clone(), git), dir, url: url.clone() })
    }

    /// The repository: whatever was fetched can be read from it.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The commit that `revision` is at the remote now, with everything in it. One that was named by its whole name and is here is not asked for.
    ///
    /// # Errors
    /// [`MirrorError`] if the remote doesn't give it within `deadline` (once somebody else who fetches it has ended, for whom nobody waits longer); what was fetched earlier is never taken in its place.
    pub async fn fetch(&self, revision: &Revision, deadline: Duration) -> Result<Commit, MirrorError> {
        let _lock = self.lock(deadline).await?;
        self.make().await?;
        if let (Revision::Commit(_), Some(here)) = (revision, self.here(revision).await?) {
            return Ok(here);
        }
        self.bring(revision, deadline).await?;
        self.here(revision).await?.ok_or(MirrorError::NeverFetched)
    }

    /// The commit that `revision` was when it was fetched last.
    ///
    /// # Errors
    /// [`MirrorError::NeverFetched`] if it never was.
    pub async fn fetched(&self, revision: &Revision) -> Result<Commit, MirrorError> {
        if !self.is_made() {
            return Err(MirrorError::NeverFetched);
        }
        self.here(revision).await?.ok_or(MirrorError::NeverFetched)
    }

    async fn here(&self, revision: &Revision) -> Result<Option<Commit>, MirrorError> {
        Ok(self.repository.commit_of(&format!("{}^{{commit}}", local_ref(revision))).await?)
    }

    fn is_made(&self) -> bool {
        self.dir.join("HEAD").is_file()
    }

    async fn make(&self) -> Result<(), MirrorError> {
        if !self.is_made() {
            self.repository.ask(&["init", "--quiet", "--bare", "--template="]).await?.success("init")?;
        }
        // We hold the lock: whoever left this one is gone.
        let _ = std::fs::remove_file(self.dir.join("shallow.lock"));
        Ok(())
    }

    async fn bring(&self, revision: &Revision, deadline: Duration) -> Result<(), MirrorError> {
        let what = format!("+{}:{}", revision.remote_ref(), local_ref(revision));
        self.repository.fetch(&["--depth=1", "--update-shallow", "--no-tags"], &[self.url.as_str(), &what], deadline).await?;
        Ok(())
    }

    /// One process at a time brings something into a copy.
    async fn lock(&self, patience: Duration) -> Result<File, MirrorError> {
        let path = self.dir.with_extension("lock");
        let io = |source| MirrorError::Io { path: path.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if began.elapsed() >= patience => return Err(MirrorError::Busy(patience)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
    }
}

/// What the copy calls a revision. Names of the remote could stand in each other's way (`a` and `a/b`).
fn local_ref(revision: &Revision) -> String {
    format!("refs/wasmhook/{}", &Digest::of(revision.remote_ref().as_bytes()).hex()[..16])
}

/// Makes a directory that is this user's alone, or sees that it is.
fn own(path: &Path) -> Result<(), MirrorError> {
    let failed = |source: io::Error| MirrorError::Io { path: path.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(errno.into()))?;
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    let untrusted = |rule| Err(MirrorError::Untrusted { path: path.to_owned(), rule });
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return untrusted("is another user's, who could put other hooks there");
    }
    if stat.st_mode & 0o077 != 0 { untrusted("can be entered by other users") } else { Ok(()) }
}
