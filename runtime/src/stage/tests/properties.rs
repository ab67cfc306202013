//! Random trees and random hooks: a commit does what the hook would have done live, a discard does nothing.
//!
//! Left out is what the documentation names: renaming a directory of the base (refused by the overlay), which names share one file, and inode
//! numbers.

use super::{House, backends, commit, in_view, tree};
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
    Link(String, String),
    MoveFile(String, String),
    Chmod(String, u32),
}

/// Few names, so that operations meet.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

fn text() -> impl Strategy<Value = String> {
    "[xyz]{0,3}"
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (path(), text()).prop_map(|(path, text)| Op::Write(path, text)),
        1 => (path(), text()).prop_map(|(path, text)| Op::Append(path, text)),
        2 => path().prop_map(Op::Remove),
        2 => path().prop_map(Op::RemoveAll),
        3 => path().prop_map(Op::MakeDir),
        1 => (path(), path()).prop_map(|(path, target)| Op::Link(path, target)),
        2 => (path(), path()).prop_map(|(from, to)| Op::MoveFile(from, to)),
        1 => (path(), prop::sample::select(vec![0o700, 0o755, 0o750])).prop_map(|(path, mode)| Op::Chmod(path, mode)),
    ]
}

/// Does what can be done; tells which operations could.
fn run(root: &Path, ops: &[Op]) -> Vec<bool> {
    ops.iter().map(|op| step(root, op)).collect()
}

fn step(root: &Path, op: &Op) -> bool {
    let at = |path: &String| root.join(path);
    let is_dir = |path: &String| fs::symlink_metadata(at(path)).is_ok_and(|meta| meta.is_dir());
    // Not through links: they may lead out of the tree.
    let is_link = |path: &String| fs::symlink_metadata(at(path)).is_ok_and(|meta| meta.is_symlink());
    match op {
        Op::Write(path, text) => !is_link(path) && fs::write(at(path), text).is_ok(),
        Op::Append(path, text) => {
            let file = fs::OpenOptions::new().append(true).open(at(path));
            !is_link(path) && file.is_ok_and(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()).is_ok())
        }
        Op::Remove(path) => fs::remove_file(at(path)).is_ok(),
        Op::RemoveAll(path) => is_dir(path) && fs::remove_dir_all(at(path)).is_ok(),
        Op::MakeDir(path) => fs::create_dir(at(path)).is_ok(),
        Op::Link(path, target) => symlink(format!("nowhere/{target}"), at(path)).is_ok(),
        Op::MoveFile(from, to) => !is_dir(from) && fs::rename(at(from), at(to)).is_ok(),
        Op::Chmod(path, mode) => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(*mode);
            !is_link(path) && fs::set_permissions(at(path), mode).is_ok()
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
        made in prop::collection::vec(op(), 0..16),
        first in prop::collection::vec(op(), 0..12),
        second in prop::collection::vec(op(), 0..12),
    ) {
        let live = House::in_memory();
        run(&live.app(), &made);
        let could = run(&live.app(), &[first.clone(), second.clone()].concat());
        let expected = tree(&live.app());
        for backend in backends() {
            let house = House::in_memory();
            run(&house.app(), &made);
            let before = tree(&house.app());

            let dropped = house.open(backend);
            in_view(&dropped, 0, |app| drop(run(app, &first)));
            dropped.discard().unwrap();
            prop_assert_eq!(&tree(&house.app()), &before, "{}: discard", backend);

            let stage = house.open(backend);
            let mut staged = Vec::new();
            in_view(&stage, 0, |app| staged.extend(run(app, &first)));
            in_view(&stage, 0, |app| staged.extend(run(app, &second)));
            prop_assert_eq!(&staged, &could, "{}: what the hook could do", backend);
            let changes = commit(stage).unwrap().remove(0);
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
}
