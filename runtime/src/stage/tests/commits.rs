//! What a commit does.

use super::super::{Base, CommitError, Disk, Ends, Kind};
use super::{House, backends, chmod, commit, in_view, paths, tree, write};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Runs the same hook live and staged, and compares the trees.
fn same_as_live(files: &[(&str, &str)], prepare: impl Fn(&Path), hook: impl Fn(&Path)) {
    let live = House::new().with(files);
    prepare(&live.app());
    hook(&live.app());
    for backend in backends() {
        let house = House::new().with(files);
        prepare(&house.app());
        let stage = house.open(backend);
        in_view(&stage, 0, &hook);
        commit(stage).unwrap();
        assert_eq!(tree(&house.app()), tree(&live.app()), "{backend}");
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
    }
}

#[test]
fn files_are_created_modified_and_deleted() {
    same_as_live(
        &[("a", "a"), ("b", "b"), ("d/c", "c"), ("d/e/f", "f")],
        |_| {},
        |app| {
            fs::write(app.join("a"), "new").unwrap();
            fs::remove_file(app.join("b")).unwrap();
            fs::remove_dir_all(app.join("d/e")).unwrap();
            write(&app.join("x/y/z"), "z");
            fs::rename(app.join("d/c"), app.join("x/c")).unwrap();
        },
    );
}

#[test]
fn one_kind_takes_the_place_of_another() {
    same_as_live(
        &[("file", "f"), ("dir/a/b", "b"), ("dir/c", "c"), ("again/old", "o"), ("again/both", "1")],
        |app| symlink("file", app.join("link")).unwrap(),
        |app| {
            fs::remove_file(app.join("file")).unwrap();
            write(&app.join("file/now/a/dir"), "x");
            fs::remove_dir_all(app.join("dir")).unwrap();
            fs::write(app.join("dir"), "now a file").unwrap();
            fs::remove_file(app.join("link")).unwrap();
            symlink("elsewhere", app.join("link")).unwrap();
            // A directory that was removed and made again hides what was in it.
            fs::remove_dir_all(app.join("again")).unwrap();
            write(&app.join("again/both"), "2");
            write(&app.join("again/new"), "n");
        },
    );
}

#[test]
fn modes_links_and_pipes_come_over() {
    same_as_live(
        &[("run.sh", "#!"), ("dir/x", "x"), ("dir2/x", "x")],
        |_| {},
        |app| {
            chmod(&app.join("run.sh"), 0o750);
            chmod(&app.join("dir"), 0o711);
            symlink("../run.sh", app.join("dir/link")).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, app.join("pipe"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
            write(&app.join("locked/inside"), "x");
            chmod(&app.join("locked"), 0o500);
            fs::write(app.join("dir2/y"), "y").unwrap();
            chmod(&app.join("dir2"), 0o555);
        },
    );
}

#[test]
fn names_that_are_not_text_and_very_deep_paths_come_over() {
    let odd = || PathBuf::from(OsStr::from_bytes(b"caf\xe9 %41\n\\"));
    let deep = || (0..210).map(|level| format!("level-{level:03}-with-a-long-name")).collect::<PathBuf>();
    // Made and read one level at a time: the whole path is longer than the kernel takes.
    let descend = |root: &Path, make: bool| {
        let mut dir = rustix::fs::openat(rustix::fs::CWD, root, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
        for name in &deep() {
            if make {
                rustix::fs::mkdirat(&dir, name, rustix::fs::Mode::RWXU).unwrap();
            }
            dir = rustix::fs::openat(&dir, name, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
        }
        dir
    };
    for backend in backends() {
        let house = House::new();
        fs::write(house.app().join(odd()), "old").unwrap();
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join(odd()), "new").unwrap();
            let bottom = descend(app, true);
            rustix::fs::mkdirat(bottom, "bottom", rustix::fs::Mode::RWXU).unwrap();
        });
        commit(stage).unwrap();
        assert_eq!(fs::read_to_string(house.app().join(odd())).unwrap(), "new", "{backend}");
        let bottom = descend(&house.app(), false);
        assert!(rustix::fs::statat(bottom, "bottom", rustix::fs::AtFlags::empty()).is_ok(), "{backend}");

        let stage = house.open(backend);
        let view = stage.view(0, Path::new("")).unwrap();
        super::super::place::remove(&view.dir, OsStr::new("level-000-with-a-long-name")).unwrap();
        drop(view);
        assert_eq!(stage.changes().unwrap()[0].deleted.len(), 211, "{backend}");
        commit(stage).unwrap();
        assert!(!house.app().join("level-000-with-a-long-name").exists(), "{backend}");
    }
}

#[test]
fn no_mark_of_the_overlay_reaches_the_directory() {
    for backend in backends() {
        let house = House::new().with(&[("a", "a"), ("d/b", "b")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "new").unwrap();
            fs::remove_dir_all(app.join("d")).unwrap();
            write(&app.join("d/new"), "new");
            write(&app.join("e/new"), "new");
        });
        commit(stage).unwrap();
        for path in ["a", "d", "d/new", "e", "e/new", "."] {
            let file = super::super::tree::open_root(&house.app()).unwrap();
            let handle = super::super::tree::Tree::new(std::os::fd::AsFd::as_fd(&file)).handle(Path::new(path)).unwrap();
            let marks = super::super::tree::xattr_names(&handle).unwrap();
            assert!(!marks.iter().any(|name| super::super::tree::is_overlay_mark(name)), "{backend} {path}: {marks:?}");
        }
    }
}

#[test]
fn attributes_and_times_that_a_hook_sets_come_over() {
    for backend in backends() {
        let house = House::new().with(&[("a", "a"), ("d/b", "b")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            let set = |path: &str| {
                rustix::fs::setxattr(app.join(path), "user.note", b"hello", rustix::fs::XattrFlags::empty()).unwrap();
                let file = fs::File::open(app.join(path)).unwrap();
                super::super::tree::set_mtime(&file, (1_000_000_000, 7)).unwrap();
            };
            set("a");
            set("d");
        });
        assert_eq!(stage.changes().unwrap()[0].modified, paths(&["a", "d"]), "{backend}");
        commit(stage).unwrap();
        for path in ["a", "d"] {
            let mut value = [0; 16];
            let length = rustix::fs::getxattr(house.app().join(path), "user.note", &mut value[..]).unwrap();
            assert_eq!(&value[..length], b"hello", "{backend} {path}");
            let meta = fs::metadata(house.app().join(path)).unwrap();
            assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_000_000_000, 7), "{backend} {path}");
        }
    }
}

#[test]
fn several_directories_are_committed_together_and_discarded_ones_are_not() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]);
        let (other, third) = (house.path().join("other"), house.path().join("third"));
        write(&other.join("b"), "old");
        write(&third.join("c"), "old");
        let base = |host: &Path, ends| Base { host: host.to_owned(), ends, live: Vec::new() };
        let bases = [house.base(), base(&other, Ends::Discard), base(&third, Ends::Txn)];
        let stage = house.open_all(backend, &bases, &Disk::default()).unwrap();
        for (index, name) in ["a", "b", "c"].iter().enumerate() {
            in_view(&stage, index, |dir| fs::write(dir.join(name), "new").unwrap());
        }
        assert_eq!(stage.changes().unwrap().len(), 3, "{backend}: also what is dropped is told");
        let mut prepared = stage.prepare().unwrap();
        prepared.apply().unwrap();
        let applied = prepared.applied();
        assert_eq!(applied.changes().len(), 2, "{backend}");
        applied.forget().unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(house.app().join("a")) + &read(other.join("b")) + &read(third.join("c")), "newoldnew", "{backend}");
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
    }
}

#[test]
fn a_socket_made_by_the_hook_is_refused_by_name() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]);
        let before = tree(&house.app());
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "new").unwrap();
            UnixListener::bind(app.join("sock")).unwrap();
        });
        let refused = commit(stage).unwrap_err();
        let CommitError::NotStageable { path, kind } = &refused.error else { panic!("{backend}: {}", refused.error) };
        assert_eq!((path, *kind), (&house.app().join("sock"), Kind::Socket), "{backend}");
        refused.stage.unwrap().discard().unwrap();
        assert_eq!(tree(&house.app()), before, "{backend}");
    }
}

#[test]
fn a_socket_in_the_tree_is_left_alone() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old"), ("d/b", "b")]);
        let _sock = UnixListener::bind(house.app().join("sock")).unwrap();
        let _gone = UnixListener::bind(house.app().join("d/sock")).unwrap();
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "new").unwrap();
            fs::remove_dir_all(app.join("d")).unwrap();
        });
        let changes = commit(stage).unwrap();
        assert_eq!(changes[0].deleted, paths(&["d", "d/b", "d/sock"]), "{backend}");
        assert!(house.app().join("sock").exists() && !house.app().join("d").exists(), "{backend}");
    }
}

#[test]
fn what_is_changed_below_a_live_grant_through_the_staged_one_is_refused() {
    let house = House::new().with(&[("data/db", "1")]);
    let base = Base { live: vec![house.app().join("data")], ..house.base() };
    let stage = house.open_all(super::super::Backend::Copy, &[base], &Disk::default()).unwrap();
    in_view(&stage, 0, |app| fs::write(app.join("data/new"), "2").unwrap());
    let refused = commit(stage).unwrap_err();
    assert!(matches!(&refused.error, CommitError::InLiveGrant { .. }), "{}", refused.error);
    refused.stage.unwrap().discard().unwrap();
    assert_eq!(fs::read_to_string(house.app().join("data/db")).unwrap(), "1");
}

#[test]
fn what_is_written_again_as_it_was_is_no_change_and_its_time_comes_over() {
    for backend in backends() {
        let house = House::new().with(&[("again", "same"), ("anew", "same"), ("other", "1234"), ("mode", "same"), ("d/in", "same")]);
        symlink("again", house.app().join("link")).unwrap();
        let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("again"), "same").unwrap();
            fs::File::open(app.join("again")).unwrap().set_modified(later).unwrap();
            fs::remove_file(app.join("anew")).unwrap();
            fs::write(app.join("anew"), "same").unwrap();
            fs::write(app.join("other"), "1235").unwrap();
            chmod(&app.join("mode"), 0o600);
            fs::remove_file(app.join("link")).unwrap();
            symlink("again", app.join("link")).unwrap();
            fs::remove_dir_all(app.join("d")).unwrap();
            write(&app.join("d/in"), "same");
        });
        let changes = commit(stage).unwrap();
        assert_eq!(changes[0].modified, paths(&["mode", "other"]), "{backend}");
        assert!(changes[0].created.is_empty() && changes[0].deleted.is_empty(), "{backend}: {changes:?}");
        assert_eq!(fs::metadata(house.app().join("again")).unwrap().modified().unwrap(), later, "{backend}: as live");
    }
}

/// A file that holds nothing but its ends, and more than may be copied.
fn sparse(at: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(at).unwrap();
    file.set_len(10 << 30).unwrap();
    file.write_all_at(b"end", (10 << 30) - 3).unwrap();
}

#[test]
fn holes_are_neither_counted_nor_filled() {
    for backend in backends() {
        for house in [House::new(), House::in_memory()] {
            sparse(&house.app().join("old"));
            let stage = house.open(backend);
            in_view(&stage, 0, |app| {
                assert_eq!(fs::metadata(app.join("old")).unwrap().len(), 10 << 30);
                chmod(&app.join("old"), 0o600);
                sparse(&app.join("new"));
            });
            let changes = commit(stage).unwrap();
            assert_eq!((&changes[0].created, &changes[0].modified), (&paths(&["new"]), &paths(&["old"])), "{backend}");
            for name in ["old", "new"] {
                let meta = fs::metadata(house.app().join(name)).unwrap();
                assert!(meta.len() == 10 << 30 && meta.blocks() * 512 < 4 << 20, "{backend}: {name}: {meta:?}");
            }
        }
    }
}
