//! Odd trees, and machines that lack something. What needs a mount, or needs something not to be there, runs in a process of its own.

use super::super::{Backend, Base, Disk, Ends, Request, Stage, StageError, recover};
use super::{House, LIMITS, backends, chmod, commit, in_view, paths, tree, write};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::MountFlags;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

#[test]
fn of_a_file_with_several_names_only_the_one_that_was_written_changes() {
    for backend in backends() {
        let house = House::new().with(&[("one", "old")]);
        fs::hard_link(house.app().join("one"), house.app().join("two")).unwrap();
        let stage = house.open(backend);
        in_view(&stage, 0, |app| fs::write(app.join("one"), "new").unwrap());
        let changes = commit(stage).unwrap();
        assert_eq!(changes[0].modified, paths(&["one"]), "{backend}");
        let read = |name: &str| fs::read_to_string(house.app().join(name)).unwrap();
        assert_eq!([read("one"), read("two")], ["new", "old"], "{backend}: the named difference from running live");
    }
}

#[test]
fn pipes_in_the_tree_block_nobody_and_stay() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]);
        for name in ["stays", "goes"] {
            mknodat(CWD, house.app().join(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::remove_file(app.join("goes")).unwrap();
            fs::write(app.join("goes"), "a file now").unwrap();
            chmod(&app.join("stays"), 0o640);
        });
        commit(stage).unwrap();
        let stays = fs::symlink_metadata(house.app().join("stays")).unwrap();
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&stays.file_type()) && stays.mode() & 0o777 == 0o640, "{backend}: {stays:?}");
        assert_eq!(fs::read_to_string(house.app().join("goes")).unwrap(), "a file now", "{backend}");
    }
}

#[test]
fn devices_of_root_alone_are_left_alone() {
    if !rustix::process::geteuid().is_root() {
        return println!("not shown here: only root can make devices");
    }
    for backend in backends() {
        let house = House::new().with(&[("a", "old"), ("d/b", "b")]);
        for name in ["null", "d/null"] {
            mknodat(CWD, house.app().join(name), FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3)).unwrap();
        }
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "new").unwrap();
            // Nobody talks to a device through a stage.
            assert!(fs::read(app.join("null")).is_err(), "{backend}");
        });
        let changes = commit(stage).unwrap();
        assert_eq!((&changes[0].modified, &changes[0].deleted), (&paths(&["a"]), &paths(&[])), "{backend}");
        assert_eq!(fs::metadata(house.app().join("null")).unwrap().rdev(), rustix::fs::makedev(1, 3), "{backend}");
    }
}

/// What a hook does. Beside it: what it is refused for; none: it is committed.
type Hook = fn(&Path);

/// Makes something; whether that can be done here.
type Make = fn(&Path) -> bool;

#[test]
fn what_a_stage_does_not_show_is_never_deleted_by_its_commit() {
    let hooks: &[(Option<&str>, Hook)] = &[
        (None, |app| fs::write(app.join("d/b"), "new").unwrap()),
        (None, |app| {
            fs::remove_file(app.join("d/b")).unwrap();
            fs::write(app.join("d/new"), "new").unwrap();
        }),
        (Some("at"), |app| fs::write(app.join("at"), "new").unwrap()),
        (Some("at"), |app| write(&app.join("at/in"), "new")),
        (Some("at"), |app| symlink("a", app.join("at")).unwrap()),
        (Some("only/at"), |app| fs::remove_dir(app.join("only")).unwrap()),
        (Some("only/at"), |app| {
            fs::remove_dir(app.join("only")).unwrap();
            fs::write(app.join("only"), "a file now").unwrap();
        }),
        // The directory is there again, and so is what was in it.
        (None, |app| {
            fs::remove_dir(app.join("only")).unwrap();
            write(&app.join("only/b"), "new");
        }),
    ];
    let kinds: &[(&str, Make)] = &[
        ("whiteout", |at| mknodat(CWD, at, FileType::CharacterDevice, Mode::RUSR, 0).is_ok()),
        ("socket", |at| std::os::unix::net::UnixListener::bind(at).is_ok()),
        ("device", |at| mknodat(CWD, at, FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3)).is_ok()),
    ];
    for (kind, make) in kinds {
        for backend in backends().into_iter().filter(|backend| *kind == "whiteout" || *backend == Backend::Copy) {
            for (number, (refused, hook)) in hooks.iter().enumerate() {
                let what = format!("{backend}: {kind}, hook {number}");
                let house = House::new().with(&[("a", "old"), ("d/b", "b"), ("only/b", "")]);
                fs::remove_file(house.app().join("only/b")).unwrap();
                let hidden = ["at", "d/at", "only/at"].map(|at| house.app().join(at));
                if !hidden.iter().all(|at| make(at)) {
                    println!("not shown here: no {kind} can be made");
                    continue;
                }
                let before = tree(&house.app());
                let stage = house.open(backend);
                in_view(&stage, 0, |app| {
                    fs::write(app.join("a"), "new").unwrap();
                    hook(app);
                });
                // The one thing that goes with its directory, as it would live.
                let goes = *kind == "socket" && *refused == Some("only/at");
                match (commit(stage), refused) {
                    (Ok(_), None) => {}
                    (Ok(changes), Some(_)) if goes => assert!(changes[0].deleted.contains(&"only/at".into()), "{what}: {changes:?}"),
                    (Err(not), Some(named)) => {
                        let said = not.to_string();
                        assert!(said.contains(&format!("app/{named} is a {kind}")) && said.contains("mode write"), "{what}: {said}");
                        assert_eq!(tree(&house.app()), before, "{what}");
                    }
                    (ended, _) => panic!("{what}: {ended:?}"),
                }
                for at in hidden.iter().filter(|at| !goes || !at.ends_with("only/at")) {
                    let stays = fs::symlink_metadata(at).unwrap_or_else(|error| panic!("{what}: {}: {error}", at.display()));
                    assert!(!stays.is_file() && !stays.is_dir() && !stays.is_symlink(), "{what}: {}", at.display());
                }
            }
        }
    }
}

/// A hook that may not be allowed what it does.
type FailingHook = fn(&Path) -> std::io::Result<()>;

/// Sets or takes a flag of a file (`chattr`); whether the file system has it.
pub(super) fn flag(at: &Path, flag: rustix::fs::IFlags, on: bool) -> bool {
    let file = fs::File::open(at).unwrap();
    let set = || {
        let now = rustix::fs::ioctl_getflags(&file)?;
        rustix::fs::ioctl_setflags(&file, if on { now | flag } else { now - flag })
    };
    set().is_ok()
}

#[test]
fn what_may_not_be_changed_live_is_refused_by_name_before_anything_is_committed_of_root_alone() {
    use rustix::fs::IFlags;
    if !rustix::process::geteuid().is_root() {
        return println!("not shown here: only root can set these flags");
    }
    let hooks: &[(&str, FailingHook)] = &[
        ("file", |app| fs::write(app.join("file"), "new")),
        ("file", |app| fs::remove_file(app.join("file"))),
        ("file", |app| std::io::Write::write_all(&mut fs::File::options().append(true).open(app.join("file"))?, b"more")),
        ("d", |app| fs::write(app.join("d/new"), "new")),
        ("d", |app| fs::remove_file(app.join("d/in"))),
    ];
    for backend in backends() {
        for (fixed, hook) in hooks {
            for kind in [IFlags::IMMUTABLE, IFlags::APPEND] {
                let house = House::new().with(&[("a", "old"), ("file", "old"), ("d/in", "old")]);
                let at = house.app().join(fixed);
                if !flag(&at, kind, true) {
                    return println!("not shown here: this file system has no such flags");
                }
                let live = hook(&house.app());
                let stage = house.open(backend);
                let mut staged = Ok(());
                in_view(&stage, 0, |app| {
                    fs::write(app.join("a"), "new").unwrap();
                    staged = hook(app);
                });
                let ended = stage.prepare();
                let what = format!("{backend}: {fixed}, {kind:?}: live {live:?}, staged {staged:?}");
                let said =
                    ended.map(|mut prepared| prepared.apply().map(|()| drop(prepared.applied()))).map_err(|refused| refused.to_string());
                flag(&at, kind, false);
                match (&live, &staged) {
                    (Err(_), Ok(())) => assert!(said.as_ref().is_err_and(|said| said.contains("chattr -")), "{what}: {said:?}"),
                    // The file itself would be another; of the directory, its time can't be set as the hook left it.
                    (Ok(()), Ok(())) => {
                        let differs = if *fixed == "file" { "which a hook could do live" } else { "live, a hook could also" };
                        let is_said = |said: &String| said.contains(differs) && said.contains("chattr -a") && said.contains("mode write");
                        assert!(said.as_ref().is_err_and(is_said), "{what}: {said:?}");
                    }
                    _ => assert!(matches!(said, Ok(Ok(()))), "{what}: {said:?}"),
                }
            }
        }
    }
}

#[test]
fn what_is_only_called_like_a_stage_is_left_alone() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old"), (".wasmhook-stage-notes/mine", "m"), (".wasmhook-gone-fishing/mine", "m")]);
        let beside = house.path();
        write(&beside.join(".wasmhook-stage-backup/upper/x"), "x");
        write(&beside.join(".wasmhook-stage-backup/mine"), "m");
        write(&beside.join(".wasmhook-gone-home/mine"), "m");
        fs::write(beside.join(".wasmhook-stage-file"), "f").unwrap();
        fs::write(beside.join(".wasmhook-gone-file"), "f").unwrap();
        symlink("app", beside.join(".wasmhook-stage-link")).unwrap();
        symlink("app", beside.join(".wasmhook-gone-link")).unwrap();
        let before = tree(&beside);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| fs::write(app.join("a"), "new").unwrap());
        commit(stage).unwrap();
        let found = recover(&[house.app()], &house.scratch(), &Disk::default()).unwrap();
        assert!(found.is_empty(), "{backend}: {found:?}");
        let mut after = tree(&beside);
        let new = after.insert("app/a".into(), before[Path::new("app/a")].clone());
        assert!(new.is_some_and(|new| new.ends_with(" new")), "{backend}");
        assert_eq!(after, before, "{backend}");
    }
}

/// Runs one of the ignored tests of this suite (`odd::…`) in namespaces of its own.
pub(super) fn elsewhere(unshare: &[&str], test: &str) {
    let can = Command::new("unshare").args(unshare).arg("true").output();
    if !can.as_ref().is_ok_and(|can| can.status.success()) {
        return println!("not shown here: unshare {unshare:?} doesn't work: {can:?}");
    }
    let test = format!("stage::tests::{test}");
    let ran = Command::new("unshare")
        .args(unshare)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", &test])
        .output()
        .unwrap();
    let out = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("1 passed"), "{out}");
    println!("{out}");
}

/// With mounts that nobody else sees.
pub(super) fn among_mounts() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] }
}

fn open(house: &House, ends: Ends, backends: &[Backend]) -> Result<Stage, StageError> {
    let (scratch, bases) = (house.scratch(), [Base { ends, ..house.base() }]);
    Stage::open(&Request { id: "t", label: "l", bases: &bases, backends, limits: LIMITS, scratch: &scratch, disk: Disk::default() })
}

fn mount_memory(at: &Path) {
    rustix::mount::mount("none", at, "tmpfs", MountFlags::empty(), None).unwrap();
}

#[test]
fn a_mount_inside_is_refused_by_name() {
    elsewhere(among_mounts(), "odd::with_a_mount_inside");
}

#[test]
#[ignore = "started by `a_mount_inside_is_refused_by_name`"]
fn with_a_mount_inside() {
    let house = House::new().with(&[("a b/c/x", "")]);
    mount_memory(&house.app().join("a b/c"));
    for ends in [Ends::Txn, Ends::Discard] {
        let refused = open(&house, ends, Backend::ALL).unwrap_err();
        let StageError::MountedInside { mounted, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*mounted, house.app().join("a b/c"));
        assert_eq!(house.rubbish(), paths(&[]));
    }
}

#[test]
fn what_is_read_only_is_refused_or_dropped() {
    elsewhere(among_mounts(), "odd::on_a_read_only_file_system");
}

#[test]
#[ignore = "started by `what_is_read_only_is_refused_or_dropped`"]
fn on_a_read_only_file_system() {
    let house = House::new().mounted();
    fs::write(house.app().join("a"), "old").unwrap();
    rustix::mount::mount_remount(house.app(), MountFlags::RDONLY, c"").unwrap();
    let refused = open(&house, Ends::Txn, Backend::ALL).unwrap_err();
    assert!(refused.to_string().contains("lies on a read-only file system") && refused.to_string().contains("mode discard"), "{refused}");
    let stage = open(&house, Ends::Discard, Backend::ALL).unwrap();
    in_view(&stage, 0, |app| fs::write(app.join("a"), "new").unwrap());
    assert_eq!(stage.changes().unwrap()[0].modified, paths(&["a"]));
    stage.discard().unwrap();
    assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "old");
    assert_eq!(house.rubbish(), paths(&[]));
}

#[test]
fn a_mount_itself_is_copied_landed_and_committed() {
    elsewhere(among_mounts(), "odd::on_a_file_system_of_its_own");
}

#[test]
#[ignore = "started by `a_mount_itself_is_copied_landed_and_committed`"]
fn on_a_file_system_of_its_own() {
    let house = House::new().mounted();
    write(&house.app().join("d/a"), "old");
    let refused = open(&house, Ends::Txn, &[Backend::Overlay, Backend::UserOverlay]).unwrap_err();
    assert!(matches!(refused, StageError::NoBackend { .. }), "{refused}");
    let stage = open(&house, Ends::Txn, Backend::ALL).unwrap();
    assert_eq!(stage.backend(0), Some(Backend::Copy));
    assert!(stage.why_not().iter().all(|why| why.reason.contains("on another file system")), "{:?}", stage.why_not());
    in_view(&stage, 0, |app| {
        fs::write(app.join("d/a"), "new").unwrap();
        symlink("a", app.join("d/link")).unwrap();
        fs::File::create(app.join("hole")).unwrap().set_len(10 << 30).unwrap();
    });
    let changes = commit(stage).unwrap();
    assert_eq!((&changes[0].created, &changes[0].modified), (&paths(&["d/link", "hole"]), &paths(&["d/a"])));
    let hole = fs::metadata(house.app().join("hole")).unwrap();
    assert!(hole.len() == 10 << 30 && hole.blocks() < 4_096, "{hole:?}");
    assert_eq!(fs::read_to_string(house.app().join("d/link")).unwrap(), "new");
    assert_eq!(house.rubbish(), paths(&[]));
}

#[test]
fn without_overlays_and_user_namespaces_it_is_copied_and_said() {
    // A user of a namespace that maps nobody may neither mount nor make another one.
    elsewhere(&["--user"], "odd::with_nothing_but_copies");
}

#[test]
#[ignore = "started by `without_overlays_and_user_namespaces_it_is_copied_and_said`"]
fn with_nothing_but_copies() {
    let house = House::new().with(&[("a", "old")]);
    let refused = open(&house, Ends::Txn, &[Backend::Overlay, Backend::UserOverlay]).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("can't be staged: overlay: ") && said.contains("; user-overlay: "), "{said}");
    assert_eq!(house.rubbish(), paths(&[]));
    let stage = open(&house, Ends::Txn, Backend::ALL).unwrap();
    assert_eq!(stage.backend(0), Some(Backend::Copy));
    assert_eq!(stage.why_not().iter().map(|why| why.backend).collect::<Vec<_>>(), [Backend::Overlay, Backend::UserOverlay]);
    in_view(&stage, 0, |app| fs::write(app.join("a"), "new").unwrap());
    commit(stage).unwrap();
    assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "new");
    assert_eq!(house.rubbish(), paths(&[]));
}
