use super::*;
use crate::ledger::sample::target;
use crate::model::id::{AppName, EnvironmentName};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const STATE: &str = "WASMHOOK_TEST_LOCK_STATE";

fn me(command: &str) -> Owner {
    Owner::of_this_process(command, jiff::Timestamp::from_second(1_760_000_000).unwrap())
}

fn held(attempt: Attempt) -> Lock {
    match attempt {
        Attempt::Held(lock) => lock,
        Attempt::Busy(holder) => panic!("held by {holder:?}"),
    }
}

fn busy(attempt: Attempt) -> Holder {
    match attempt {
        Attempt::Busy(holder) => holder,
        Attempt::Held(_) => panic!("nobody held it"),
    }
}

fn try_it(state: &Path, app: &str) -> Attempt {
    Lock::try_acquire(state, &target(app), &me("run")).unwrap()
}

#[test]
fn one_at_a_time_for_each_target() {
    let state = tempfile::tempdir().unwrap();
    let lock = held(try_it(state.path(), "shop"));
    assert_eq!(busy(try_it(state.path(), "shop")), Holder::Known(me("run")));
    held(try_it(state.path(), "other"));
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), Some(Holder::Known(me("run"))));
    drop(lock);
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), None);
    held(try_it(state.path(), "shop"));
}

#[test]
fn a_lock_that_is_broken_open_is_free_and_its_owner_can_not_give_the_next_ones_back() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(Lock::break_open(state.path(), &target("shop")).unwrap(), None, "nobody holds it");
    let first = held(try_it(state.path(), "shop"));
    assert_eq!(Lock::break_open(state.path(), &target("shop")).unwrap(), Some(Holder::Known(me("run"))));
    let second = held(try_it(state.path(), "shop"));
    drop(first);
    assert_eq!(busy(try_it(state.path(), "shop")), Holder::Known(me("run")));
    drop(second);
    assert_eq!(Lock::break_open(state.path(), &target("shop")).unwrap(), None, "it is free");
}

#[test]
fn an_owner_gives_signs_of_life() {
    let state = tempfile::tempdir().unwrap();
    let lock = held(try_it(state.path(), "shop"));
    lock.file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let sign = || Lock::last_sign(state.path(), &target("shop")).unwrap().unwrap();
    assert_eq!(sign(), jiff::Timestamp::UNIX_EPOCH);
    lock.beat();
    assert!(sign() > jiff::Timestamp::from_second(1_000_000_000).unwrap());
}

#[test]
fn looking_creates_nothing() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(Lock::holder(&state.path().join("none"), &target("shop")).unwrap(), None);
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), None);
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    drop(held(try_it(state.path(), "other")));
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), None);
    assert_eq!(std::fs::read_dir(state.path().join("locks")).unwrap().count(), 1);
}

#[test]
fn looking_never_makes_the_lock_busy() {
    let state = tempfile::tempdir().unwrap();
    drop(held(try_it(state.path(), "shop")));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    Lock::holder(state.path(), &target("shop")).unwrap();
                }
            });
        }
        let taken = (0..500).filter(|_| matches!(try_it(state.path(), "shop"), Attempt::Held(_))).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(taken, 500);
    });
}

#[test]
fn an_unreadable_record_is_an_unknown_holder() {
    let state = tempfile::tempdir().unwrap();
    let lock = held(try_it(state.path(), "shop"));
    lock.file.set_len(10).unwrap();
    assert_eq!(busy(try_it(state.path(), "shop")), Holder::Unknown);
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), Some(Holder::Unknown));
}

#[test]
fn a_link_in_the_place_of_a_lock_is_not_followed() {
    let state = tempfile::tempdir().unwrap();
    drop(held(try_it(state.path(), "shop")));
    let path = state.path().join("locks").join(file::file_name(&target("shop")));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(state.path().join("victim"), "precious").unwrap();
    std::os::unix::fs::symlink("../victim", &path).unwrap();
    assert!(matches!(Lock::try_acquire(state.path(), &target("shop"), &me("run")), Err(LockError::Io { .. })));
    assert_eq!(std::fs::read(state.path().join("victim")).unwrap(), b"precious");
}

#[test]
fn names_that_look_alike_have_locks_of_their_own() {
    let target =
        |app: &str, environment: &str| Target { app: AppName::new(app).unwrap(), environment: EnvironmentName::new(environment).unwrap() };
    let long = "x".repeat(200);
    let pairs = [
        ("a", "b"),
        ("A", "b"),
        ("a__b", "c"),
        ("a", "b__c"),
        ("a:b", "c"),
        ("a;b", "c"),
        ("ä", "c"),
        ("日本", "c"),
        (&long, &long),
        (&long, "x"),
    ];
    let names: std::collections::BTreeSet<String> = pairs.iter().map(|(app, env)| file::file_name(&target(app, env))).collect();
    assert_eq!(names.len(), pairs.len());
    assert!(names.iter().all(|name| name.len() <= 255 && name.is_ascii() && !name.contains(['/', ':'])), "{names:?}");
    assert!(file::file_name(&target("shop", "prod")).starts_with("shop__prod-"));
}

#[tokio::test]
async fn whoever_waits_gets_it_when_it_is_free() {
    let state = tempfile::tempdir().unwrap();
    let lock = held(try_it(state.path(), "shop"));
    let path = state.path().to_owned();
    let (tell, told) = tokio::sync::oneshot::channel();
    let waiting = tokio::spawn(async move {
        let mut tell = Some(tell);
        let mut heard = 0;
        let attempt = Lock::acquire_waiting(&path, &target("shop"), &me("second"), None, |holder| {
            heard += 1;
            tell.take().unwrap().send(holder.clone()).unwrap();
        })
        .await
        .unwrap();
        (held(attempt), heard)
    });
    assert_eq!(told.await.unwrap(), Holder::Known(me("run")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(lock);
    let (_lock, heard) = waiting.await.unwrap();
    assert_eq!(heard, 1, "once for each holder");
    assert_eq!(busy(try_it(state.path(), "shop")), Holder::Known(me("second")));
}

#[tokio::test]
async fn patience_ends() {
    let state = tempfile::tempdir().unwrap();
    let _lock = held(try_it(state.path(), "shop"));
    for patience in [Duration::ZERO, Duration::from_millis(30)] {
        let begun = std::time::Instant::now();
        let attempt = Lock::acquire_waiting(state.path(), &target("shop"), &me("second"), Some(patience), |_| {}).await.unwrap();
        assert_eq!(busy(attempt), Holder::Known(me("run")));
        assert!(begun.elapsed() >= patience);
    }
}

/// Takes the lock and starts a child of its own that outlives it; says so, and waits to be killed.
#[test]
#[ignore = "the victim of `a8_stale_lock`, which starts it"]
fn victim() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let _lock = held(Lock::try_acquire(Path::new(&state), &target("shop"), &me("victim")).unwrap());
    #[expect(clippy::zombie_processes, reason = "it outlives us on purpose; the test that started us ends it")]
    let heir = Command::new("sleep").arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    writeln!(std::io::stdout(), "heir {}", heir.id()).unwrap();
    std::thread::sleep(Duration::from_mins(10));
}

/// The victim's child, ended with the test.
struct Heir(rustix::process::Pid);

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
    }
}

fn start_victim(state: &Path) -> (Child, Heir) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "ledger::lock::tests::victim"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let heir = |line: String| line.split_once("heir ").and_then(|(_, pid)| rustix::process::Pid::from_raw(pid.parse().unwrap()));
    let heir = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap).find_map(heir);
    (victim, Heir(heir.expect("it works")))
}

#[test]
fn a8_stale_lock() {
    let state = tempfile::tempdir().unwrap();
    let (mut victim, heir) = start_victim(state.path());
    let Holder::Known(owner) = busy(try_it(state.path(), "shop")) else { panic!("its record is there") };
    assert_eq!((owner.pid, owner.command.as_str()), (victim.id(), "victim"));
    victim.kill().unwrap();
    victim.wait().unwrap();

    assert!(rustix::process::test_kill_process(heir.0).is_ok(), "its child lives, without the lock");
    assert_eq!(Lock::holder(state.path(), &target("shop")).unwrap(), None, "its record is stale");
    let _lock = held(try_it(state.path(), "shop"));
    assert_eq!(busy(try_it(state.path(), "shop")), Holder::Known(me("run")), "the record is the new owner's");
}

#[test]
fn an_owner_knows_its_process_and_machine() {
    let owner = Owner::of_this_process(&"ä".repeat(5_000), jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(owner.pid, std::process::id());
    assert!(!owner.user.is_empty() && !owner.host.is_empty());
    assert_eq!(owner.command.len(), 4_096, "cut at a character");
    if cfg!(target_os = "linux") {
        assert_eq!(owner.boot_id.map(|id| id.len()), Some(36));
    }
    if rustix::process::geteuid().is_root() {
        assert_eq!(owner.user, "root");
    }
}
