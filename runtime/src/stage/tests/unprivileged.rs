//! The same suite as a user without rights, in a process of its own: overlays are then mounted in a user namespace.

use super::super::{Backend, Disk};
use super::{House, commit, in_view, paths};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Somebody who owns nothing here.
const NOBODY: u32 = 65_534;

/// Somebody else who owns nothing here.
const SOMEBODY: u32 = 12_345;
type Hook = fn(&Path);
const HOUSE: &str = "WASMHOOK_TEST_STAGE_OF_OTHERS";

/// Runs tests of this suite as nobody.
fn as_nobody(args: &[&str], house: Option<&Path>) -> Output {
    // The program may lie where only root may look.
    let dir = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let program = dir.path().join("suite");
    // By another process: a child that another test starts meanwhile would hold our handle open, and what somebody may write can't be executed.
    assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap().success());
    let mut suite = Command::new(&program);
    suite.args(args).current_dir("/").env_remove("TMPDIR").envs(house.map(|house| (HOUSE, house))).uid(NOBODY).gid(NOBODY);
    suite.output().unwrap()
}

#[test]
fn the_suite_holds_for_a_user_without_rights() {
    if !rustix::process::geteuid().is_root() {
        // Then the suite itself is this test.
        return;
    }
    let ran = as_nobody(&["stage::tests::", "--skip", "unprivileged", "--skip", "of_root_alone", "--test-threads", "2"], None);
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}");
    let passed = out.rsplit_once(" passed").and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed > 20), "{out}");
}

/// A directory that anybody may write to, with files of somebody else's that anybody may write to.
fn of_somebody_else() -> House {
    let house = House::new().with(&[
        ("theirs", "old"),
        ("shared/own", "old"),
        ("anew", "old"),
        ("closed/theirs", "old"),
        ("sticky/theirs", "old"),
        ("grouped", "old"),
    ]);
    for (path, owner, mode) in [
        (house.path(), NOBODY, 0o755),
        (house.scratch(), NOBODY, 0o700),
        (house.app(), SOMEBODY, 0o777),
        (house.app().join("theirs"), SOMEBODY, 0o666),
        (house.app().join("shared"), SOMEBODY, 0o777),
        (house.app().join("shared/own"), NOBODY, 0o644),
        (house.app().join("anew"), SOMEBODY, 0o644),
        (house.app().join("closed"), SOMEBODY, 0o755),
        (house.app().join("closed/theirs"), SOMEBODY, 0o666),
        (house.app().join("sticky"), SOMEBODY, 0o1777),
        (house.app().join("sticky/theirs"), SOMEBODY, 0o666),
        (house.app().join("grouped"), NOBODY, 0o666),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        // Changing the owner takes some away.
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    chown(house.app().join("grouped"), None, Some(SOMEBODY)).unwrap();
    house
}

#[test]
fn what_belongs_to_others_keeps_its_owner_or_is_refused_by_name() {
    if !rustix::process::geteuid().is_root() {
        return println!("not shown here: only root can make files of somebody else's");
    }
    let house = of_somebody_else();
    let ran = as_nobody(&["--exact", "--ignored", "--nocapture", "stage::tests::unprivileged::among_others"], Some(&house.path()));
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let owner = |path: &str| fs::metadata(house.app().join(path)).unwrap().uid();
    let owners = ["", "theirs", "shared", "shared/own", "shared/new", "anew"].map(owner);
    assert_eq!(owners, [SOMEBODY, SOMEBODY, SOMEBODY, NOBODY, NOBODY, NOBODY]);
    assert_eq!(fs::read_to_string(house.app().join("shared/own")).unwrap(), "new");
    assert_eq!(house.rubbish(), paths(&[]));
}

#[test]
#[ignore = "a part of `what_belongs_to_others_keeps_its_owner_or_is_refused_by_name`, which starts it as another user"]
fn among_others() {
    let Some(house) = std::env::var_os(HOUSE).map(PathBuf::from) else { return };
    let base = super::Base { host: house.join("app"), ends: super::Ends::Txn, live: Vec::new() };
    let scratch = house.join("scratch");
    let open = || {
        super::Stage::open(&super::Request {
            id: "t",
            label: "l",
            bases: std::slice::from_ref(&base),
            backends: &[Backend::Copy],
            limits: super::LIMITS,
            scratch: &scratch,
            disk: Disk::default(),
        })
        .unwrap()
    };
    let refusals: &[(Hook, &str)] = &[
        (
            |app| fs::write(app.join("theirs"), "mine").unwrap(),
            "theirs belongs to user 12345, and the hook's version would belong to user 65534; run as user 12345 or as root",
        ),
        (|app| super::chmod(&app.join("shared"), 0o700), "shared belongs to user 12345"),
        (
            |app| fs::write(app.join("grouped"), "mine").unwrap(),
            "grouped belongs to group 12345, and the hook's version would belong to group 65534; run as group 12345",
        ),
        (
            |app| fs::write(app.join("closed/new"), "mine").unwrap(),
            "closed is a directory in which user 65534 may neither add nor remove anything",
        ),
        (|app| fs::remove_file(app.join("closed/theirs")).unwrap(), "closed is a directory in which user 65534"),
        (
            |app| fs::remove_file(app.join("sticky/theirs")).unwrap(),
            "sticky/theirs belongs to user 12345, and in that directory (chmod +t)",
        ),
    ];
    for (hook, said) in refusals {
        let stage = open();
        in_view(&stage, 0, |app| {
            fs::write(app.join("shared/own"), "lost").unwrap();
            hook(app);
        });
        let refused = stage.prepare().unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        refused.stage.unwrap().discard().unwrap();
    }
    let stage = open();
    in_view(&stage, 0, |app| {
        fs::write(app.join("shared/own"), "new").unwrap();
        fs::write(app.join("shared/new"), "new").unwrap();
        fs::write(app.join("sticky/new"), "new").unwrap();
        // Whoever may replace it has it.
        fs::remove_file(app.join("anew")).unwrap();
        fs::write(app.join("anew"), "new").unwrap();
    });
    let changes = commit(stage).unwrap();
    assert_eq!(changes[0].created, paths(&["shared/new", "sticky/new"]));
    assert_eq!(changes[0].modified, paths(&["anew", "shared/own"]));
}
