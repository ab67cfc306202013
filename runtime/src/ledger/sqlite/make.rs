//! A new ledger: built whole and durable under another name, then put in its place. Under its own name it is never empty or half made, so that
//! one which is has lost what it held.

use super::{file, schema};
use crate::ledger::LedgerError;
use crate::salt::salt;
use rusqlite::{Connection, OpenFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What the name of one begins with that isn't in its place yet.
const NEW: &str = "ledger.new-";

/// Makes the ledger `path` in `state_dir`, unless somebody else was faster: then theirs stands there. Whoever calls has the directory's lock.
///
/// # Errors
/// [`LedgerError::Io`] and [`LedgerError::Database`]; nothing stands at `path` then, or somebody else's.
pub(super) fn make(state_dir: &Path, path: &Path) -> Result<(), LedgerError> {
    let shown = path.display().to_string();
    let io = |source| LedgerError::Io { doing: "create the ledger", path: shown.clone(), source };
    sweep(state_dir).map_err(io)?;
    let new = state_dir.join(name());
    build(&new).and_then(|()| put(&new, path).map_err(io))?;
    names_that_lead_to(path).map_err(io)
}

/// Removes what was left by whoever died while making one.
fn sweep(state_dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(state_dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(NEW) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A name that nobody else uses, also where directories can't be locked.
fn name() -> OsString {
    // Without the kernel's randomness there is still the process.
    format!("{NEW}{}-{}", std::process::id(), hex::encode(salt())).into()
}

/// A whole ledger, durable but for its name.
fn build(new: &Path) -> Result<(), LedgerError> {
    let shown = new.display().to_string();
    let io = |source| LedgerError::Io { doing: "create the ledger", path: shown.clone(), source };
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(new).map_err(io)?;
    let made = Connection::open_with_flags(new, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).and_then(|new| {
        // It is all new: what a crash leaves of it is swept away, not rolled back.
        new.pragma_update(None, "journal_mode", "off")?;
        new.pragma_update(None, "synchronous", "off")?;
        schema::create(&new)?;
        new.close().map_err(|(_, error)| error)
    });
    made.map_err(|source| LedgerError::Database { path: shown.clone(), doing: "making its tables", source })?;
    file.sync_all().map_err(io)
}

/// Gives it its name, if nobody has that: the other one is removed.
fn put(new: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::link(new, path) {
        Ok(()) | Err(Errno::EXIST) => std::fs::remove_file(new),
        // A file system on which a file has one name: then the lock alone keeps others out.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => std::fs::rename(new, path),
        Err(error) => Err(error.into()),
    }
}

/// Makes durable that it is there, and the directories that it is in: they may be as new.
fn names_that_lead_to(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mut dirs = path.ancestors().skip(1).map(Path::to_owned);
    dirs.next().map_or(Ok(()), |own| sync(&own))?;
    // Those that are older need no sync, and may forbid it.
    dirs.for_each(|above| drop(sync(&above)));
    Ok(())
}

fn sync(dir: &PathBuf) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Why a file that should be a ledger, or would become one, isn't: it, or what belongs to it, was cut off or taken away. `None` if there is
/// nothing wrong with its size.
///
/// # Errors
/// [`LedgerError::Io`] if that can't be found out, [`LedgerError::NotALedger`] if no regular file is there.
pub(super) fn lost(path: &Path) -> Result<Option<String>, LedgerError> {
    Ok(match file::size_of_file(path)? {
        Some(0) => Some("it is empty, and no ledger ever was".to_owned()),
        Some(_) => None,
        // SQLite would throw them away, or write what stands in them over a new file.
        None => ["-wal", "-journal"].into_iter().find_map(|companion| {
            let beside = file::beside(path, companion);
            let holds = file::size_of_file(&beside).is_ok_and(|size| size.is_some_and(|size| size > 0));
            holds.then(|| format!("it is gone, and {} is still there", beside.display()))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::SqliteLedger;
    use super::*;
    use crate::ledger::Ledger;
    use crate::ledger::sample::{begin, target};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn names(state: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_built_is_whole_before_it_has_its_name() {
        let state = tempfile::tempdir().unwrap();
        let new = state.path().join("ledger.new-x");
        build(&new).unwrap();
        assert_eq!(names(state.path()), ["ledger.new-x"], "one file, with nothing beside it");
        let bytes = fs::read(&new).unwrap();
        put(&new, &state.path().join(file::FILE)).unwrap();
        assert_eq!((names(state.path()), fs::read(state.path().join(file::FILE)).unwrap()), (vec![file::FILE.to_owned()], bytes));
        begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
    }

    #[test]
    fn whoever_is_slower_takes_what_stands_there() {
        let state = tempfile::tempdir().unwrap();
        begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
        let before = fs::read(state.path().join(file::FILE)).unwrap();
        make(state.path(), &state.path().join(file::FILE)).unwrap();
        assert_eq!(fs::read(state.path().join(file::FILE)).unwrap(), before);
        assert_eq!(names(state.path()), [file::FILE]);
    }

    #[test]
    fn many_at_once_without_a_lock_make_one() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join(file::FILE);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (new, path) = (state.path().join(format!("ledger.new-{number}")), path.clone());
                scope.spawn(move || {
                    build(&new).unwrap();
                    put(&new, &path).unwrap();
                    assert!(
                        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap() > 0
                    );
                });
            }
        });
        assert_eq!(names(state.path()), [file::FILE]);
    }

    #[test]
    fn what_died_while_it_made_one_is_swept_away_and_counts_for_nothing() {
        let state = tempfile::tempdir().unwrap();
        // As it is by the time anything is made in it.
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
        for (name, text) in [("ledger.new-1-a", ""), ("ledger.new-2-b", "half of a databa")] {
            fs::write(state.path().join(name), text).unwrap();
        }
        assert!(SqliteLedger::open_readonly(state.path()).unwrap().is_none());
        begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
        assert_eq!(names(state.path()), [file::FILE]);
    }

    #[test]
    fn one_that_lost_everything_is_damaged_and_nothing_beside_it_is_touched() {
        for (cut, log) in [(true, None), (true, Some("frames")), (false, Some("frames"))] {
            let state = tempfile::tempdir().unwrap();
            begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
            let path = state.path().join(file::FILE);
            if cut {
                fs::write(&path, "").unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            if let Some(log) = log {
                fs::write(file::beside(&path, "-wal"), log).unwrap();
            }
            let before = names(state.path());
            for error in [SqliteLedger::open(state.path()).err().unwrap(), SqliteLedger::open_readonly(state.path()).err().unwrap()] {
                assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
                let text = error.to_string();
                let why = if cut { "it is empty, and no ledger ever was" } else { "it is gone, and" };
                assert!(text.contains(why) && text.contains("put a copy of it back"), "{text}");
            }
            assert_eq!(names(state.path()), before);
        }
    }

    /// Why the log of an empty file is of no use: SQLite itself removes it.
    #[test]
    fn sqlite_throws_the_log_of_an_empty_file_away() {
        let state = tempfile::tempdir().unwrap();
        let mut ledger = SqliteLedger::open(state.path()).unwrap();
        begin(&mut ledger, &target("shop"), "r1");
        let path = state.path().join(file::FILE);
        let log = fs::read(file::beside(&path, "-wal")).unwrap();
        assert!(log.len() > 4096, "it holds what was recorded");
        let copy = tempfile::tempdir().unwrap();
        let cut = copy.path().join(file::FILE);
        fs::write(&cut, "").unwrap();
        fs::write(file::beside(&cut, "-wal"), log).unwrap();
        let connection = Connection::open(&cut).unwrap();
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
        assert_eq!((tables, file::beside(&cut, "-wal").exists()), (0, false));
        drop(ledger);
    }

    #[test]
    fn a_log_that_was_taken_up_needs_no_companion_to_be_read() {
        let state = tempfile::tempdir().unwrap();
        begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
        let path = state.path().join(file::FILE);
        // An empty log is what another program leaves that only looked.
        fs::write(file::beside(&path, "-wal"), "").unwrap();
        assert_eq!(SqliteLedger::open_readonly(state.path()).unwrap().unwrap().targets().unwrap(), [target("shop")]);
        fs::rename(&path, state.path().join("moved")).unwrap();
        assert!(SqliteLedger::open_readonly(state.path()).unwrap().is_none(), "nothing is left of it that could be lost");
    }
}
