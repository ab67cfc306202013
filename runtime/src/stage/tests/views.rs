//! Opening, looking, dropping.

use super::super::{Backend, Base, Disk, Ends, Limits, Request, Stage, StageError};
use super::{House, LIMITS, backends, in_view, paths, through, tree, write};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn what_a_hook_writes_stays_in_the_stage() {
    for backend in backends() {
        let house = House::new().with(&[("a.txt", "old"), ("dir/b.txt", "b")]);
        let before = tree(&house.app());
        let stage = house.open(backend);
        assert_eq!(stage.backend(0), Some(backend));
        in_view(&stage, 0, |app| {
            fs::write(app.join("a.txt"), "new").unwrap();
            fs::remove_file(app.join("dir/b.txt")).unwrap();
            write(&app.join("fresh/c.txt"), "c");
        });
        in_view(&stage, 0, |app| {
            assert_eq!(fs::read_to_string(app.join("a.txt")).unwrap(), "new", "{backend}: each view shows the same");
            assert!(!app.join("dir/b.txt").exists());
        });
        assert_eq!(tree(&house.app()), before, "{backend}: nothing outside changes");
        let changes = &stage.changes().unwrap()[0];
        assert_eq!(changes.created, paths(&["fresh", "fresh/c.txt"]), "{backend}");
        assert_eq!(changes.modified, paths(&["a.txt"]), "{backend}");
        assert_eq!(changes.deleted, paths(&["dir/b.txt"]), "{backend}");
        stage.discard().unwrap();
        assert_eq!(tree(&house.app()), before, "{backend}");
        assert_eq!(house.rubbish(), paths(&[]), "{backend}: no stage stays");
    }
}

#[test]
fn a_hook_that_reads_changes_nothing() {
    for backend in backends() {
        let house = House::new().with(&[("a.txt", "old"), ("dir/b.txt", "b")]);
        symlink("a.txt", house.app().join("link")).unwrap();
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            assert_eq!(fs::read_to_string(app.join("link")).unwrap(), "old");
            // Opened for writing, and left alone: overlayfs copies it, and yet nothing changed.
            fs::OpenOptions::new().write(true).open(app.join("dir/b.txt")).unwrap();
        });
        assert!(stage.changes().unwrap()[0].is_empty(), "{backend}: {:?}", stage.changes());
        stage.discard().unwrap();
    }
}

#[test]
fn both_sides_of_a_changed_file_can_be_read() {
    for backend in backends() {
        let house = House::new().with(&[("a.txt", "old"), ("gone.txt", "gone")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a.txt"), "new").unwrap();
            fs::remove_file(app.join("gone.txt")).unwrap();
        });
        let read = |file: Option<fs::File>| file.map(|mut file| std::io::read_to_string(&mut file).unwrap());
        let (before, after) = stage.sides(0, "a.txt".as_ref()).unwrap();
        assert_eq!((read(before).as_deref(), read(after).as_deref()), (Some("old"), Some("new")), "{backend}");
        let (before, after) = stage.sides(0, "gone.txt".as_ref()).unwrap();
        assert_eq!((read(before).as_deref(), after.is_none()), (Some("gone"), true), "{backend}");
        stage.discard().unwrap();
    }
}

#[test]
fn no_overlay_appears_in_the_mount_table() {
    let house = House::new().with(&[("a.txt", "old")]);
    for backend in backends() {
        let stage = house.open(backend);
        let view = stage.view(0, Path::new("")).unwrap();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(house.path().to_str().unwrap()), "{backend}");
        assert_eq!(view.user_namespace.is_some(), backend == Backend::UserOverlay);
        drop(view);
        stage.discard().unwrap();
    }
}

#[test]
fn a_live_grant_inside_stays_live_and_out_of_the_commit() {
    for backend in backends() {
        let house = House::new().with(&[("a.txt", "old"), ("data/db", "1")]);
        let base = Base { live: vec![house.app().join("data")], ..house.base() };
        let stage = house.open_all(backend, &[base], &Disk::default()).unwrap();
        if backend == Backend::Copy {
            in_view(&stage, 0, |app| assert!(fs::read_dir(app.join("data")).unwrap().next().is_none(), "it isn't copied"));
        } else {
            in_view(&stage, 0, |app| fs::write(app.join("data/db"), "2").unwrap());
            assert_eq!(fs::read_to_string(house.app().join("data/db")).unwrap(), "2", "{backend}: at once");
        }
        fs::write(house.app().join("data/db"), "3").unwrap();
        assert!(stage.changes().unwrap()[0].is_empty(), "{backend}: {:?}", stage.changes());
        stage.discard().unwrap();
    }
}

#[test]
fn a_directory_beside_which_nothing_can_be_written_is_copied_and_said() {
    // `/dev/shm` is a mount: its parent is on another file system.
    let Ok(own) = tempfile::tempdir_in("/dev/shm") else { return };
    let house = House::new();
    let shm = Base { host: "/dev/shm".into(), ends: Ends::Txn, live: Vec::new() };
    let empty = std::fs::read_dir("/dev/shm").unwrap().count() == 1;
    assert!(empty || own.path().exists());
    let (scratch, backends) = (house.scratch(), Backend::ALL);
    let request =
        Request { id: "t", label: "l", bases: &[shm], backends: &backends[..2], limits: LIMITS, scratch: &scratch, disk: Disk::default() };
    let refused = Stage::open(&request).unwrap_err();
    assert!(matches!(refused, StageError::NoBackend { .. }), "{refused}");
    assert!(refused.to_string().contains("its parent directory isn't writable, or on another file system"), "{refused}");
    assert_eq!(house.rubbish(), paths(&[]), "what was begun is removed");
}

#[test]
fn more_than_may_be_copied_is_refused_by_the_limit() {
    let house = House::new().with(&[("a.txt", "0123456789"), ("b.txt", "")]);
    let scratch = house.scratch();
    let open = |bytes, files| {
        let bases = [house.base()];
        Stage::open(&Request {
            id: "t",
            label: "l",
            bases: &bases,
            backends: &[Backend::Copy],
            limits: Limits { bytes, files },
            scratch: &scratch,
            disk: Disk::default(),
        })
    };
    assert!(open(9, 9).unwrap_err().to_string().contains("more than 9 bytes"));
    assert!(open(99, 1).unwrap_err().to_string().contains("more than 1 files"));
    assert_eq!(house.rubbish(), paths(&[]));
    open(10, 2).unwrap().discard().unwrap();
}

#[test]
fn a_view_can_be_had_while_another_is_used() {
    for backend in backends() {
        let house = House::new().with(&[("a.txt", "old")]);
        let stage = house.open(backend);
        let (one, two) = (stage.view(0, Path::new("")).unwrap(), stage.view(0, Path::new("")).unwrap());
        fs::write(through(&one).join("new.txt"), "new").unwrap();
        assert_eq!(fs::read_to_string(through(&two).join("new.txt")).unwrap(), "new", "{backend}");
        drop((one, two));
        stage.discard().unwrap();
    }
}
