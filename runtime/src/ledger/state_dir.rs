//! The state directory: private to its user, since whoever can write there decides what counts as done.

use std::fs::{File, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// The only mode a state directory may have.
const PRIVATE: u32 = 0o700;

/// Why a directory can't hold state.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// The system refused.
    #[error("cannot {doing} {path}: {source}; name another one with --state")]
    Io {
        /// What was tried (`create the state directory`).
        doing: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is somebody else's.
    #[error("the state directory {path} belongs to user {owner}, not to user {us}: run as its owner, or name another one with --state")]
    NotOurs {
        /// The directory.
        path: String,
        /// Its owner's user id.
        owner: u32,
        /// Ours.
        us: u32,
    },
    /// Others can reach it, and it isn't ours alone to close.
    #[error(
        "the state directory {path} is open to others (mode {mode:04o}) and holds no ledger: `chmod 0700` it if nobody else needs it, or name another one with --state"
    )]
    Open {
        /// The directory.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
}

impl StateDirError {
    /// An error of the system, with what was tried.
    pub(super) fn io(doing: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::Io { doing, path: path.display().to_string(), source: source.into() }
    }
}

/// Creates the directory if it is missing, makes it private, and opens it.
///
/// An existing directory that others can reach is closed to them only if it is empty or holds a ledger: `--state /srv` must not lock everybody
/// out of `/srv`.
pub(super) fn ensure(path: &Path) -> Result<File, StateDirError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE)
        .create(path)
        .map_err(|source| StateDirError::io("create the state directory", path, source))?;
    let dir = File::open(path).map_err(|source| StateDirError::io("open the state directory", path, source))?;
    let metadata = |dir: &File| dir.metadata().map_err(|source| StateDirError::io("examine the state directory", path, source));
    let found = metadata(&dir)?;
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us {
        return Err(StateDirError::NotOurs { path: path.display().to_string(), owner: found.uid(), us });
    }
    if open_to_others(&found).is_some() {
        if !is_ours_alone(path)?
            // Looked at again: what is in it may be of another process of ours, which closed it meanwhile, before it put anything there.
            && let Some(mode) = open_to_others(&metadata(&dir)?)
        {
            return Err(StateDirError::Open { path: path.display().to_string(), mode });
        }
        rustix::fs::fchmod(&dir, rustix::fs::Mode::RWXU)
            .map_err(|source| StateDirError::io("make private the state directory", path, source))?;
    }
    Ok(dir)
}

/// The permission bits of a directory that others can reach.
fn open_to_others(found: &Metadata) -> Option<u32> {
    let mode = found.mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

fn is_ours_alone(path: &Path) -> Result<bool, StateDirError> {
    let mut names = std::fs::read_dir(path).map_err(|source| StateDirError::io("list the state directory", path, source))?;
    Ok(names.next().is_none() || path.join(super::sqlite::FILE).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn open_to_all(path: &Path) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_new_state_directory_is_private() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state/wasmhook");
        ensure(&state).unwrap();
        assert_eq!(mode(&state), 0o700);
    }

    #[test]
    fn an_empty_one_or_one_with_a_ledger_is_closed_to_others() {
        let state = tempfile::tempdir().unwrap();
        open_to_all(state.path());
        ensure(state.path()).unwrap();
        assert_eq!(mode(state.path()), 0o700);

        std::fs::write(state.path().join("ledger.sqlite3"), "").unwrap();
        open_to_all(state.path());
        ensure(state.path()).unwrap();
        assert_eq!(mode(state.path()), 0o700);
    }

    #[test]
    fn who_is_second_takes_what_the_first_just_closed() {
        for _ in 0..500 {
            let state = tempfile::tempdir().unwrap();
            open_to_all(state.path());
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for number in 0..4 {
                    let (path, start) = (state.path(), &start);
                    scope.spawn(move || {
                        start.wait();
                        ensure(path).unwrap();
                        std::fs::write(path.join(format!("ledger.new-{number}")), "").unwrap();
                    });
                }
            });
        }
    }

    #[test]
    fn a_directory_with_other_things_in_it_is_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("somebody's.txt"), "").unwrap();
        open_to_all(home.path());
        let error = ensure(home.path()).unwrap_err();
        assert!(matches!(error, StateDirError::Open { mode: 0o755, .. }), "{error}");
        assert_eq!(mode(home.path()), 0o755);
    }

    #[test]
    fn a_file_is_no_state_directory() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(ensure(&file), Err(StateDirError::Io { .. })));
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        // `/` is root's; root makes a directory of `nobody`.
        let foreign = if rustix::process::geteuid().is_root() { foreign_to_root() } else { Path::new("/").to_owned() };
        assert!(matches!(ensure(&foreign), Err(StateDirError::NotOurs { .. })));
        if rustix::process::geteuid().is_root() {
            std::fs::remove_dir(foreign).unwrap();
        }
    }

    fn foreign_to_root() -> std::path::PathBuf {
        let dir = tempfile::tempdir().unwrap().keep();
        std::os::unix::fs::chown(&dir, Some(65_534), None).unwrap();
        dir
    }
}
