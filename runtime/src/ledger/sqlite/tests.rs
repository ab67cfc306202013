//! The file: made, shared, refused, full. What every ledger must do is in the suite.

mod power;
mod under;

use super::*;
use crate::ledger::StateDirError;
use crate::ledger::sample::{begin, event, finished, header, key, run_finished, run_id, run_started, started, target, warning};
use crate::ledger::suite::expectations;
use crate::model::event::Status;
use crate::model::outcome::Outcome;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn with_a_new_one(expectation: fn(&mut dyn Ledger)) {
    let state = tempfile::tempdir().unwrap();
    expectation(&mut SqliteLedger::open(state.path()).unwrap());
}
expectations!(with_a_new_one);

fn error_of<T>(result: Result<T, LedgerError>) -> LedgerError {
    result.err().expect("it was refused")
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn append(ledger: &mut SqliteLedger, run: &str, seq: u64, durability: Durability) -> Result<(), LedgerError> {
    ledger.append(&event(run, seq, warning("w")), None, durability)
}

/// What another process would see: what is in the file.
fn written(state: &Path, run: &str) -> usize {
    SqliteLedger::open_readonly(state).unwrap().unwrap().events(&run_id(run)).unwrap().len()
}

#[test]
fn the_file_is_private_and_in_its_directory() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    drop(SqliteLedger::open(&state).unwrap());
    assert_eq!(names(&state), ["ledger.sqlite3"]);
    assert_eq!(std::fs::metadata(state.join("ledger.sqlite3")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn an_operator_can_read_it_with_sqlite3() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    let key = key("a");
    let digest = Digest::of(b"hook");
    ledger.append(&event("r1", 1, started(&key)), Some((&key, &digest)), Durability::Later).unwrap();
    ledger.append(&event("r1", 2, finished(&key, Outcome::Succeeded)), Some((&key, &digest)), Durability::Now).unwrap();
    let file = Connection::open(state.path().join("ledger.sqlite3")).unwrap();
    let line = |sql: &str| file.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(line("SELECT run || ' ' || app || ' ' || tag || ' ' || coalesce(status, 'running') FROM runs"), "r1 shop v1 running");
    assert_eq!(line("SELECT group_concat(event, ' ') FROM (SELECT event FROM events ORDER BY seq)"), "run-started started finished");
    assert_eq!(line("SELECT min(at) FROM events"), "2025-10-09T08:53:20Z");
    assert_eq!(line("SELECT step || '/' || hook || ' ' || outcome FROM executions"), r#"post-pull/a {"outcome":"succeeded"}"#);
    assert_eq!(line("SELECT tag || ' ' || commit_id FROM tags"), format!("v1 {}", "a".repeat(40)));
}

#[test]
fn reading_creates_nothing() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    assert!(SqliteLedger::open_readonly(&state).unwrap().is_none());
    assert!(names(home.path()).is_empty());
    std::fs::create_dir(&state).unwrap();
    assert!(SqliteLedger::open_readonly(&state).unwrap().is_none());
    assert!(names(&state).is_empty());

    begin(&mut SqliteLedger::open(&state).unwrap(), &target("shop"), "r1");
    let before = names(&state);
    let mut reader = SqliteLedger::open_readonly(&state).unwrap().unwrap();
    assert_eq!(reader.targets().unwrap(), [target("shop")]);
    let start = run_started("r2", header(&target("shop")));
    assert!(matches!(reader.begin(&target("shop"), "v1", "{}", &start), Err(LedgerError::Database { .. })));
    drop(reader);
    assert_eq!(names(&state), before);
}

#[test]
fn a_reader_beside_a_writer_sees_whole_transactions() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    append(&mut ledger, "r1", 1, Durability::Later).unwrap();
    assert_eq!(written(state.path(), "r1"), 1, "not durable yet");
    append(&mut ledger, "r1", 2, Durability::Now).unwrap();
    assert_eq!(written(state.path(), "r1"), 3, "durable with everything before it");
}

#[test]
fn whoever_appended_reads_it_back_at_once() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    append(&mut ledger, "r1", 1, Durability::Later).unwrap();
    assert_eq!(ledger.events(&run_id("r1")).unwrap().len(), 2);
}

#[test]
fn an_orderly_end_loses_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    append(&mut ledger, "r1", 1, Durability::Later).unwrap();
    ledger.flush().unwrap();
    assert_eq!(written(state.path(), "r1"), 2);
    append(&mut ledger, "r1", 2, Durability::Later).unwrap();
    ledger.append(&event("r1", 3, run_finished(Status::Success)), None, Durability::Later).unwrap();
    assert_eq!(written(state.path(), "r1"), 4, "the end of a run is durable");
    begin(&mut ledger, &target("shop"), "r2");
    append(&mut ledger, "r2", 1, Durability::Later).unwrap();
    drop(ledger);
    assert_eq!(written(state.path(), "r2"), 2);
}

#[test]
fn what_waits_is_written_when_it_is_much_or_old() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    for seq in 1..=4096 {
        assert_eq!(ledger.pending.borrow().entries().len() as u64, seq - 1);
        append(&mut ledger, "r1", seq, Durability::Later).unwrap();
    }
    assert!(ledger.pending.borrow().is_empty(), "many");
    ledger.append(&event("r1", 4097, warning(&"x".repeat(1 << 20))), None, Durability::Later).unwrap();
    assert!(ledger.pending.borrow().is_empty(), "large");
    append(&mut ledger, "r1", 4098, Durability::Later).unwrap();
    let mut later = event("r1", 4099, warning("later"));
    later.at += jiff::SignedDuration::from_secs(2);
    ledger.append(&later, None, Durability::Later).unwrap();
    assert!(ledger.pending.borrow().is_empty(), "old");
}

#[test]
fn another_engine_goes_on_with_the_run_of_a_dead_one() {
    let state = tempfile::tempdir().unwrap();
    begin(&mut SqliteLedger::open(state.path()).unwrap(), &target("shop"), "r1");
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    append(&mut ledger, "r1", 1, Durability::Now).unwrap();
    let gap = error_of(append(&mut ledger, "r1", 3, Durability::Now));
    assert!(matches!(gap, LedgerError::Refused { refusal: Refusal::Gap { expected: 2, found: 3 }, .. }), "{gap}");
    ledger.append(&event("r1", 2, run_finished(Status::Interrupted)), None, Durability::Now).unwrap();
    let mut third = SqliteLedger::open(state.path()).unwrap();
    assert!(matches!(append(&mut third, "r1", 3, Durability::Now), Err(LedgerError::Refused { refusal: Refusal::Over, .. })));
}

/// The file after `prepare`, and whether opening it either way leaves its bytes alone.
fn refused(prepare: impl FnOnce(&Path)) -> [LedgerError; 2] {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("ledger.sqlite3");
    prepare(&file);
    let before = std::fs::read(&file).unwrap();
    let errors = [error_of(SqliteLedger::open(state.path())), error_of(SqliteLedger::open_readonly(state.path()))];
    assert_eq!(std::fs::read(&file).unwrap(), before, "untouched");
    assert_eq!(names(state.path()).iter().filter(|name| name.starts_with("ledger")).count(), 1, "nothing beside it");
    errors
}

#[test]
fn what_is_no_ledger_is_refused_untouched() {
    for error in refused(|file| std::fs::write(file, "not a database, but long enough to be read as one".repeat(100)).unwrap()) {
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error}");
    }
    for error in refused(|file| Connection::open(file).unwrap().execute_batch("CREATE TABLE other (x); PRAGMA application_id = 7").unwrap())
    {
        assert!(matches!(&error, LedgerError::NotALedger { why, .. } if why.contains("application id 7")), "{error}");
    }
    for error in refused(|file| {
        std::fs::write(file.with_file_name("elsewhere"), "").unwrap();
        std::os::unix::fs::symlink("elsewhere", file).unwrap();
    }) {
        assert!(matches!(&error, LedgerError::NotALedger { why, .. } if why.contains("no regular file")), "{error}");
    }
}

#[test]
fn a_newer_ledger_is_refused_untouched() {
    let errors = refused(|file| {
        drop(SqliteLedger::open(file.parent().unwrap()).unwrap());
        Connection::open(file).unwrap().pragma_update(None, "user_version", 2).unwrap();
    });
    for error in errors {
        assert!(matches!(error, LedgerError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

#[test]
fn a_damaged_entry_is_named() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    append(&mut ledger, "r1", 1, Durability::Now).unwrap();
    ledger.connection.execute("UPDATE journal SET lines = '{}' WHERE id & 1", []).unwrap();
    let error = error_of(ledger.events(&run_id("r1")));
    assert!(matches!(&error, LedgerError::Entry { run, seq: 1, .. } if run == "r1"), "{error}");
    ledger.connection.execute("UPDATE journal SET lines = 'one' || char(10) || 'two' WHERE id & 1", []).unwrap();
    assert!(matches!(ledger.events(&run_id("r1")), Err(LedgerError::Database { .. })), "two lines for one event");
    ledger.connection.execute("UPDATE runs SET status = 'odd'", []).unwrap();
    assert!(matches!(ledger.runs(&target("shop"), 1), Err(LedgerError::Database { .. })));
}

#[test]
fn a_full_disk_is_an_error_and_damages_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    append(&mut ledger, "r1", 1, Durability::Later).unwrap();
    let pages: i64 = ledger.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let room = |ledger: &SqliteLedger, pages: i64| {
        ledger.connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0)).unwrap()
    };
    room(&ledger, pages);
    let large = event("r1", 2, warning(&"x".repeat(100_000)));
    let LedgerError::Database { source, .. } = error_of(ledger.append(&large, None, Durability::Now)) else { panic!("another error") };
    assert_eq!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));

    room(&ledger, pages + 1_000);
    ledger.append(&large, None, Durability::Now).unwrap();
    assert_eq!(ledger.events(&run_id("r1")).unwrap().len(), 3, "nothing lost, nothing twice");
    let health: String = ledger.connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(health, "ok");
}

/// Runs `work` as an ordinary user, since permissions mean nothing to root. (Elsewhere than on Linux a thread has no user of its own: there these
/// tests aren't for root.)
fn as_ordinary_user(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        #[cfg(target_os = "linux")]
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(65_534);
            // Of this thread alone.
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        work();
    })
    .join()
    .unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_state_directory_that_can_not_be_written_is_an_error_but_can_be_read() {
    as_ordinary_user(|| {
        let home = tempfile::Builder::new().prefix("a 100% odd? name#").tempdir_in("/tmp").unwrap();
        let state = home.path().join("state");
        begin(&mut SqliteLedger::open(&state).unwrap(), &target("shop"), "r1");
        let file = state.join("ledger.sqlite3");
        set_mode(&state, 0o500);
        let error = error_of(SqliteLedger::open(&state));
        assert!(matches!(&error, LedgerError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied), "{error}");
        set_mode(&file, 0o400);
        let before = (names(&state), std::fs::read(&file).unwrap());

        let error = error_of(SqliteLedger::open(&state));
        assert!(matches!(&error, LedgerError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied), "{error}");
        let reader = SqliteLedger::open_readonly(&state).unwrap().unwrap();
        assert_eq!(reader.events(&run_id("r1")).unwrap().len(), 1);
        drop(reader);
        assert_eq!((names(&state), std::fs::read(&file).unwrap()), before);

        set_mode(home.path(), 0o500);
        let error = error_of(SqliteLedger::open(&home.path().join("other")));
        assert!(matches!(error, LedgerError::StateDir(StateDirError::Io { .. })), "{error}");
        set_mode(home.path(), 0o700);
        set_mode(&state, 0o700);
    });
}

#[test]
fn ten_thousand_lines_of_output_take_a_few_transactions() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    let begun = std::time::Instant::now();
    for seq in 1..=10_000 {
        append(&mut ledger, "r1", seq, Durability::Later).unwrap();
    }
    ledger.flush().unwrap();
    println!("10,000 events in {:?}", begun.elapsed());
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(written(state.path(), "r1"), 10_001);
}

#[test]
fn the_log_of_many_synced_events_grows_a_few_times() {
    let state = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    begin(&mut ledger, &target("shop"), "r1");
    let log = state.path().join("ledger.sqlite3-wal");
    let mut lengths = std::collections::BTreeSet::new();
    for seq in 1..=100 {
        append(&mut ledger, "r1", seq, Durability::Now).unwrap();
        lengths.insert(log.metadata().unwrap().len());
    }
    assert!((1..12).contains(&lengths.len()), "{lengths:?}");

    // Whoever finds the files after a crash finds everything, and no room stays once the log is gone.
    let found = tempfile::tempdir().unwrap();
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal"] {
        std::fs::copy(state.path().join(name), found.path().join(name)).unwrap();
    }
    assert_eq!(written(found.path(), "r1"), 101);
    drop(ledger);
    assert_eq!(names(state.path()), ["ledger.sqlite3"]);
}

#[test]
fn runs_of_different_targets_write_at_once() {
    let state = tempfile::tempdir().unwrap();
    let write = |number: usize, state: PathBuf| {
        let run = format!("r{number}");
        let mut ledger = SqliteLedger::open(&state).unwrap();
        begin(&mut ledger, &target(&format!("app{number}")), &run);
        for seq in 1..=200 {
            let durability = if seq % 5 == 0 { Durability::Now } else { Durability::Later };
            append(&mut ledger, &run, seq, durability).unwrap();
        }
    };
    // All of them also race to create the file.
    std::thread::scope(|scope| {
        for number in 0..4 {
            let path = state.path().to_owned();
            scope.spawn(move || write(number, path));
        }
    });
    for number in 0..4 {
        assert_eq!(written(state.path(), &format!("r{number}")), 201);
    }
}
