//! Room in SQLite's write-ahead log. A sync of a file that grew has its new length to write, too, which costs as much again as the sync of
//! the bytes; so the log grows by zeros, many transactions' worth at once, and what is synced mostly overwrites them. (PostgreSQL and etcd
//! keep room in their logs for the same reason.) To SQLite the zeros are what any log ends in: frames that carry no checksum.

use super::file::beside;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// What a log begins with, and what each page in it takes, in bytes: 24 more than a page. With pages of another size there may be less room
/// than is thought, and a sync costs what it costs without.
const HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;

/// What a transaction that is synced may take.
const NEEDED: u64 = 8 * FRAME;
/// A log grows by as much as it has, but at least by this
const LEAST: u64 = 16 * FRAME;
/// and at most by this.
const MOST: u64 = 64 * FRAME;
/// A log this long is soon begun anew from its start (SQLite's `wal_autocheckpoint` is 1,000 pages): it has room.
const LONG: u64 = 1000 * FRAME;

/// Keeps room in the log beside one connection.
#[derive(Debug, Default)]
pub(super) struct Room {
    log: Option<File>,
    /// Where the zeros end.
    end: u64,
}

impl Room {
    /// Makes sure that the next transaction has room. Only for who may write to the log: nobody else may write to it at the same time.
    ///
    /// # Errors
    /// Those of the file. The log is as good as before then.
    pub(super) fn keep(&mut self, database: &Path) -> io::Result<()> {
        let log = match &mut self.log {
            Some(log) => log,
            // It is there as long as the connection is.
            None => self.log.insert(OpenOptions::new().read(true).write(true).open(beside(database, "-wal"))?),
        };
        let length = log.metadata()?.len();
        if length == 0 || length >= LONG || (length == self.end && has_room(log, length)?) {
            return Ok(());
        }
        let zeros = vec![0; usize::try_from(length.clamp(LEAST, MOST)).unwrap_or_default()];
        log.write_all_at(&zeros, length)?;
        self.end = length + zeros.len() as u64;
        Ok(())
    }
}

/// Whether the frame in which `NEEDED` bytes before the end begin was never written.
fn has_room(log: &File, end: u64) -> io::Result<bool> {
    let mut header = [0; 24];
    log.read_exact_at(&mut header, HEADER + end.saturating_sub(HEADER + NEEDED) / FRAME * FRAME)?;
    Ok(header == [0; 24])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A log beside a database, as SQLite would write it.
    struct Log {
        dir: tempfile::TempDir,
        room: Room,
        written: u64,
    }

    impl Log {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("db-wal"), "").unwrap();
            Self { dir, room: Room::default(), written: 0 }
        }

        fn database(&self) -> PathBuf {
            self.dir.path().join("db")
        }

        fn file(&self) -> File {
            OpenOptions::new().read(true).write(true).open(self.dir.path().join("db-wal")).unwrap()
        }

        fn len(&self) -> u64 {
            self.file().metadata().unwrap().len()
        }

        /// One transaction of `frames` pages.
        fn write(&mut self, frames: u64) {
            self.room.keep(&self.database()).unwrap();
            for _ in 0..frames {
                let frame = vec![7; usize::try_from(FRAME).unwrap()];
                self.file().write_all_at(&frame, HEADER + self.written * FRAME).unwrap();
                self.written += 1;
            }
        }
    }

    #[test]
    fn most_transactions_find_room() {
        let mut log = Log::new();
        log.write(7);
        assert_eq!(log.len(), HEADER + 7 * FRAME, "SQLite begins a log, not we");
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..200 {
            log.write(3);
            lengths.insert(log.len());
            assert!(log.len() >= HEADER + log.written * FRAME);
        }
        assert!((2..20).contains(&lengths.len()), "it grew {} times", lengths.len());
        assert!(log.len() <= HEADER + (log.written + 80) * FRAME, "and not for nothing");
    }

    #[test]
    fn what_is_written_is_left_alone() {
        let mut log = Log::new();
        for transaction in [1, 3, 40, 3, 3, 17, 1] {
            log.write(transaction);
        }
        log.room.keep(&log.database()).unwrap();
        let content = std::fs::read(log.dir.path().join("db-wal")).unwrap();
        let written = usize::try_from(HEADER + log.written * FRAME).unwrap();
        assert!(content[32..written].iter().all(|byte| *byte == 7) && content[written..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn who_comes_second_goes_on_behind_what_the_first_wrote() {
        let mut log = Log::new();
        log.write(3);
        log.write(3);
        let first = std::mem::take(&mut log.room);
        log.write(60);
        log.room = first;
        log.write(3);
        let content = std::fs::read(log.dir.path().join("db-wal")).unwrap();
        let written = usize::try_from(HEADER + log.written * FRAME).unwrap();
        assert!(content[32..written].iter().all(|byte| *byte == 7) && content.len() > written);
    }

    #[test]
    fn a_long_log_is_not_made_longer() {
        let mut log = Log::new();
        log.written = 1000;
        log.write(1);
        let length = log.len();
        log.room.keep(&log.database()).unwrap();
        assert_eq!(log.len(), length);
    }

    #[test]
    fn without_a_log_there_is_no_room() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Room::default().keep(&dir.path().join("db")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!dir.path().join("db-wal").exists());
    }
}
