//! A state directory or ledger that can't be used: exit code 3, a diagnostic that names the file, and nothing changed or run.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests: what goes wrong here fails the test")]

use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn project() -> Project {
    let touch = hook("touch", "pre-deploy", "run = \"touch ran\"\nonce = false\ndirs = [{ path = \".\", mode = \"write\" }]");
    Project::new(&format!("{touch}{}", hook("ok", "pre-deploy", "wasm = \"ok.wat\""))).file("ok.wat", OK)
}

#[track_caller]
fn refused(place: &Place, project: &Project, words: &str) {
    let ran = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("error[ledger]") && ran.said().contains(words), "{words:?} in {}", ran.stderr);
    assert!(!project.has("ran"), "nothing ran");
}

#[test]
fn a_ledger_that_is_not_sqlite() {
    let (place, project) = (Place::new(), project());
    fs::create_dir_all(place.state()).unwrap();
    fs::set_permissions(place.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(place.ledger(), "these are my notes, not a database, and quite a few of them\n".repeat(50)).unwrap();
    let before = fs::read(place.ledger()).unwrap();
    refused(&place, &project, "is not a ledger");
    let _ = place.args(["status"]).current_dir(project.path()).run().exits(3);
    assert_eq!(fs::read(place.ledger()).unwrap(), before, "it is as it was");
}

#[test]
fn a_database_of_somebody_else() {
    let (place, project) = (Place::new(), project());
    fs::create_dir_all(place.state()).unwrap();
    fs::set_permissions(place.state(), fs::Permissions::from_mode(0o700)).unwrap();
    Connection::open(place.ledger()).unwrap().execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x');").unwrap();
    refused(&place, &project, "is not a ledger");
    let songs: i64 = Connection::open(place.ledger()).unwrap().query_row("SELECT count(*) FROM songs", [], |row| row.get(0)).unwrap();
    assert_eq!(songs, 1);
}

#[test]
fn a_ledger_of_a_newer_version() {
    let (place, project) = (Place::new(), project());
    let _ = place.args(["run", "--tag", "v0"]).current_dir(project.path()).run().exits(0);
    fs::remove_file(project.path().join("ran")).unwrap();
    let dump = || {
        let ledger = Connection::open(place.ledger()).unwrap();
        let runs: i64 = ledger.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        let version: i64 = ledger.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        (runs, version)
    };
    Connection::open(place.ledger()).unwrap().pragma_update(None, "user_version", 9_999).unwrap();
    let before = dump();
    refused(&place, &project, "was written by a newer wasmhook (ledger version 9999");
    for command in ["status", "show", "plan"] {
        let ran = place.args([command, "--tag", "v1"]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains("newer wasmhook"), "{command}: {}", ran.stderr);
    }
    assert_eq!(dump(), before, "it is as it was");
}

#[test]
fn a_state_directory_that_is_a_file() {
    let (place, project) = (Place::new(), project());
    fs::create_dir_all(place.state().parent().unwrap()).unwrap();
    fs::write(place.state(), "").unwrap();
    refused(&place, &project, "state/wasmhook");
}

#[test]
fn a_state_directory_that_others_can_reach_and_that_holds_other_things() {
    let (place, project) = (Place::new(), project());
    fs::create_dir_all(place.state()).unwrap();
    fs::write(place.state().join("thesis.tex"), "").unwrap();
    fs::set_permissions(place.state(), fs::Permissions::from_mode(0o755)).unwrap();
    refused(&place, &project, "is open to others (mode 0755)");
    assert_eq!(fs::metadata(place.state()).unwrap().permissions().mode() & 0o777, 0o755, "it is as it was");
}

/// The command line of `program` as the user `nobody`; `None` (and a line that says so) where this user can't become another.
fn as_nobody(what: &str) -> Option<Command> {
    let there = Command::new("setpriv").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !rustix::process::getuid().is_root() || !there {
        eprintln!("skipped: {what} needs root and setpriv");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    Some(command)
}

/// The program in a place that `nobody` can reach.
fn copied(into: &Path) -> std::path::PathBuf {
    let program = into.join("wasmhook");
    // By another process: one that this one forks meanwhile would have the file open for writing for a moment, and nobody could start it.
    assert!(Command::new("cp").arg(wasmhook_tests::call::program()).arg(&program).status().unwrap().success());
    program
}

fn own(path: &Path) {
    assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(path).status().unwrap().success());
}

#[test]
fn a_read_only_state_directory() {
    let Some(mut nobody) = as_nobody("a read-only state directory") else { return };
    let project = project().file("state/x", "");
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(project.path().join("state"), fs::Permissions::from_mode(0o555)).unwrap();
    let program = copied(project.path());
    let run = nobody.arg(program).args(["run", "--state", "state/deeper", "--cache", "cache"]).current_dir(project.path());
    let ran = run.env_remove("XDG_STATE_HOME").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("error[ledger]") && said.contains("Permission denied") && said.contains("--state"), "{said}");
    assert!(!project.has("ran") && !project.has("state/deeper"));
}

#[test]
fn a_granted_directory_that_this_user_may_not_read() {
    let Some(mut nobody) = as_nobody("an unreadable directory") else { return };
    let project = Project::new(&hook("h", "pre-deploy", "wasm = \"ok.wat\"\ndirs = [{ path = \"closed\", mode = \"read\" }]"));
    let project = project.file("ok.wat", OK).file("closed/secret", "");
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    own(project.path());
    assert!(Command::new("chown").arg("0:0").arg(project.path().join("closed")).status().unwrap().success());
    fs::set_permissions(project.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let program = copied(project.path());
    let ran = nobody.arg(program).args(["run", "--state", "s", "--cache", "c"]).current_dir(project.path()).output().unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.status.code(), Some(1), "folders are the preflight's, just before the phase: {said}");
    assert!(said.contains("closed") && said.contains("may not be read") && said.contains("[preflight]"), "{said}");
}

/// A file system with room for `size` at `path`, for as long as it lives.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn new(path: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        if mounted.is_ok_and(|ran| ran.status.success()) {
            return Some(Self(path));
        }
        eprintln!("skipped: a full disk needs the right to mount a tmpfs");
        None
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).output();
    }
}

#[test]
fn a_full_disk() {
    let (place, project) = (Place::new(), project());
    let state = place.state();
    let Some(_disk) = Tmpfs::new(&state, "64k") else { return };
    let filler = [0; 4096];
    let mut file = fs::File::create(state.join("filler")).unwrap();
    while std::io::Write::write_all(&mut file, &filler).is_ok() {}
    drop(file);
    let ran = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("error[ledger]") && ran.said().contains("No space left on device"), "{}", ran.stderr);
    assert!(!project.has("ran"), "what can't be recorded doesn't happen");
}

#[test]
fn a_disk_that_is_full_after_some_runs_loses_nothing_of_them() {
    let (place, project) = (Place::new(), project());
    let state = place.state();
    let Some(_disk) = Tmpfs::new(&state, "512k") else { return };
    let _ = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    fs::remove_file(project.path().join("ran")).unwrap();
    let mut file = fs::File::create(state.join("filler")).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    drop(file);
    let full = place.args(["run", "--tag", "v2"]).current_dir(project.path()).run();
    assert!([3, 70].contains(&full.code) && full.said().contains("error[ledger]"), "{}: {}", full.code, full.stderr);
    fs::remove_file(state.join("filler")).unwrap();
    let again = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!(again["hooks"][1]["outcome"], "skipped", "the first run is remembered: {again}");
}
