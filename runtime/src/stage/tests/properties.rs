//! Random trees and random hooks: a commit does what the hook would have done live, a discard does nothing.
//!
//! Left out is what the documentation names: renaming a directory of the base (refused by the overlay, and so not tried elsewhere), which names
//! share one file, and inode numbers.

use super::super::{Backend, Base, Disk, Ends, Fault, FaultPlan, Recovered, recover};
use super::{House, backends, commit, in_view, tree, write};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[derive(Debug, Clone)]
enum Op {
    Write(String, String),
    Append(String, String),
    Remove(String),
    RemoveAll(String),
    MakeDir(String),
    /// A file, with the directories that lead to it.
    Fill(String, String),
    Link(String, String),
    /// Something else takes the place of whatever is there.
    Replace(String, Shape),
    MoveFile(String, String),
    MoveDir(String, String),
    Chmod(String, u32),
}

#[derive(Debug, Clone)]
enum Shape {
    /// To a neighbour, that may be there or not, or to itself.
    Link(String),
    File(String),
    Pipe,
    /// With a file in a directory in it.
    Dir(String),
}

/// Few names, so that operations meet.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

fn text() -> impl Strategy<Value = String> {
    "[xyz]{0,3}"
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "c"]).prop_map(|target| Shape::Link(target.to_owned())),
        1 => text().prop_map(Shape::File),
        1 => Just(Shape::Pipe),
        1 => path().prop_map(Shape::Dir),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (path(), text()).prop_map(|(path, text)| Op::Write(path, text)),
        1 => (path(), text()).prop_map(|(path, text)| Op::Append(path, text)),
        2 => path().prop_map(Op::Remove),
        2 => path().prop_map(Op::RemoveAll),
        3 => path().prop_map(Op::MakeDir),
        2 => (path(), text()).prop_map(|(path, text)| Op::Fill(path, text)),
        3 => (path(), shape()).prop_map(|(path, shape)| Op::Replace(path, shape)),
        1 => (path(), path()).prop_map(|(path, target)| Op::Link(path, target)),
        2 => (path(), path()).prop_map(|(from, to)| Op::MoveFile(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Op::MoveDir(from, to)),
        1 => (path(), prop::sample::select(vec![0o700, 0o755, 0o750])).prop_map(|(path, mode)| Op::Chmod(path, mode)),
    ]
}

/// Trees of several levels: what most operations on few names need.
fn made() -> impl Strategy<Value = Vec<Op>> {
    let deep = prop::collection::vec((path(), text()).prop_map(|(path, text)| Op::Fill(path, text)), 0..5);
    (deep, prop::collection::vec(op(), 0..16)).prop_map(|(deep, others)| [deep, others].concat())
}

/// How a directory of the base is told from one that the hook makes, wherever it is seen.
const OF_THE_BASE: &str = "user.of-the-base";

fn is_of_the_base(dir: &Path) -> bool {
    rustix::fs::getxattr(dir, OF_THE_BASE, &mut [0; 8][..]).is_ok()
}

/// Makes the base.
fn make(root: &Path, ops: &[Op]) {
    run(root, ops);
    for (path, what) in tree(root) {
        if what.ends_with(" dir") && root.join(&path).symlink_metadata().unwrap().is_dir() {
            rustix::fs::setxattr(root.join(path), OF_THE_BASE, b"", rustix::fs::XattrFlags::empty()).unwrap();
        }
    }
}

/// Does what can be done; tells which operations could.
fn run(root: &Path, ops: &[Op]) -> Vec<bool> {
    ops.iter().map(|op| step(root, op)).collect()
}

fn step(root: &Path, op: &Op) -> bool {
    let at = |path: &String| root.join(path);
    let is_dir = |path: &String| fs::symlink_metadata(at(path)).is_ok_and(|meta| meta.is_dir());
    // Not through links: they may lead out of the tree. And not into pipes: it would wait for a reader.
    let is_odd = |path: &String| fs::symlink_metadata(at(path)).is_ok_and(|meta| !meta.is_dir() && !meta.is_file());
    match op {
        Op::Write(path, text) => !is_odd(path) && fs::write(at(path), text).is_ok(),
        Op::Append(path, text) => {
            let append = || fs::OpenOptions::new().append(true).open(at(path));
            !is_odd(path) && append().is_ok_and(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()).is_ok())
        }
        Op::Remove(path) => fs::remove_file(at(path)).is_ok(),
        Op::RemoveAll(path) => is_dir(path) && fs::remove_dir_all(at(path)).is_ok(),
        Op::MakeDir(path) => fs::create_dir(at(path)).is_ok(),
        Op::Fill(path, text) => {
            let into = at(path);
            let can = fs::symlink_metadata(&into).is_err() && fs::create_dir_all(into.parent().unwrap()).is_ok();
            can && fs::write(into, text).is_ok()
        }
        Op::Replace(path, shape) => {
            let _ = if is_dir(path) { fs::remove_dir_all(at(path)) } else { fs::remove_file(at(path)) };
            match shape {
                Shape::Link(target) => symlink(target, at(path)).is_ok(),
                Shape::File(text) => fs::symlink_metadata(at(path)).is_err() && fs::write(at(path), text).is_ok(),
                Shape::Pipe => rustix::fs::mkfifoat(rustix::fs::CWD, at(path), rustix::fs::Mode::RWXU).is_ok(),
                Shape::Dir(below) => fs::create_dir(at(path)).is_ok_and(|()| {
                    write(&at(path).join(below), "new");
                    true
                }),
            }
        }
        Op::Link(path, target) => symlink(format!("nowhere/{target}"), at(path)).is_ok(),
        Op::MoveFile(from, to) => !is_dir(from) && fs::rename(at(from), at(to)).is_ok(),
        Op::MoveDir(from, to) => is_dir(from) && !is_of_the_base(&at(from)) && fs::rename(at(from), at(to)).is_ok(),
        Op::Chmod(path, mode) => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(*mode);
            !is_odd(path) && fs::set_permissions(at(path), mode).is_ok()
        }
    }
}

/// More with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_commit_is_as_live_and_a_discard_is_nothing(
        made in made(),
        first in prop::collection::vec(op(), 0..12),
        second in prop::collection::vec(op(), 0..12),
    ) {
        let live = House::in_memory();
        make(&live.app(), &made);
        let all = [first.clone(), second.clone()].concat();
        let could = run(&live.app(), &all);
        let expected = tree(&live.app());
        for backend in backends() {
            let house = House::in_memory();
            make(&house.app(), &made);
            let before = tree(&house.app());

            // As a dry run stages it.
            let dry = Base { ends: Ends::Discard, ..house.base() };
            let dropped = house.open_all(backend, &[dry], &Disk::default()).unwrap();
            in_view(&dropped, 0, |app| drop(run(app, &all)));
            let shown = dropped.changes().unwrap().remove(0);
            dropped.discard().unwrap();
            prop_assert_eq!(&tree(&house.app()), &before, "{}: discard", backend);

            let stage = house.open(backend);
            let mut staged = Vec::new();
            in_view(&stage, 0, |app| staged.extend(run(app, &first)));
            in_view(&stage, 0, |app| staged.extend(run(app, &second)));
            prop_assert_eq!(&staged, &could, "{}: what the hook could do", backend);
            let changes = commit(stage).unwrap().remove(0);
            prop_assert_eq!(&shown, &changes, "{}: what a dry run shows", backend);
            let after = tree(&house.app());
            prop_assert_eq!(&after, &expected, "{}: commit", backend);

            let created: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).cloned().collect();
            let deleted: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).cloned().collect();
            prop_assert_eq!(&changes.created, &created, "{}", backend);
            prop_assert_eq!(&changes.deleted, &deleted, "{}", backend);
            let differ = after.iter().filter(|(path, what)| before.get(*path).is_some_and(|before| before != *what));
            for (path, _) in differ {
                prop_assert!(changes.modified.contains(path), "{}: {} isn't told as modified", backend, path.display());
            }
            prop_assert!(house.rubbish().is_empty());
        }
    }

    #[test]
    fn a_commit_that_fails_anywhere_is_finished_by_the_next_start(
        made in made(),
        hook in prop::collection::vec(op(), 0..12),
        point in 0_u64..40,
    ) {
        let live = House::in_memory();
        make(&live.app(), &made);
        run(&live.app(), &hook);
        for backend in backends() {
            let house = House::in_memory();
            make(&house.app(), &made);
            let stage = house.open(backend);
            in_view(&stage, 0, |app| drop(run(app, &hook)));
            drop(stage.prepare().unwrap());
            house.let_go();
            let start = |disk: &Disk| recover(&[house.app()], &house.scratch(), disk)?.into_iter().try_for_each(Recovered::forget);
            // A short one has no such point, and comes through.
            let _failed = start(&Disk::new(FaultPlan::at(point, Fault::Io)));
            house.let_go();
            prop_assert!(start(&Disk::default()).is_ok(), "{}: it is finished", backend);
            prop_assert_eq!(tree(&house.app()), tree(&live.app()), "{}", backend);
            prop_assert!(house.rubbish().is_empty());
        }
    }
}

/// What the property leaves out: the overlay refuses it as a mount's border does, a copy does it.
#[test]
fn renaming_a_directory_of_the_base_is_exdev_on_an_overlay_and_as_live_on_a_copy() {
    for backend in backends() {
        let house = House::new().with(&[("old/file", "text"), ("old/deeper/file", "text"), ("stays", "text")]);
        let stage = house.open(backend);
        let mut renamed = Ok(());
        in_view(&stage, 0, |app| renamed = fs::rename(app.join("old"), app.join("new")));
        if backend == Backend::Copy {
            renamed.unwrap();
            let changes = commit(stage).unwrap().remove(0);
            assert_eq!(changes.deleted, super::paths(&["old", "old/deeper", "old/deeper/file", "old/file"]));
            assert_eq!(changes.created, super::paths(&["new", "new/deeper", "new/deeper/file", "new/file"]));
            let live = House::new().with(&[("new/file", "text"), ("new/deeper/file", "text"), ("stays", "text")]);
            assert_eq!(tree(&house.app()), tree(&live.app()));
        } else {
            assert_eq!(renamed.unwrap_err().raw_os_error(), Some(rustix::io::Errno::XDEV.raw_os_error()), "{backend}");
            stage.discard().unwrap();
        }
    }
}
