//! What others do meanwhile.

use super::super::{CommitError, Conflict, ConflictKind};
use super::{House, backends, chmod, commit, in_view, paths, tree, write};
use std::fs;
use std::path::Path;

/// Runs a hook and, while it is staged, somebody else; tells what they both changed.
fn conflicts(hook: impl Fn(&Path), somebody_else: impl Fn(&Path)) -> Vec<Vec<(String, ConflictKind)>> {
    backends()
        .into_iter()
        .map(|backend| {
            let house = House::new().with(&[("a", "a"), ("b", "b"), ("d/c", "c"), ("d/e", "e")]);
            let stage = house.open(backend);
            in_view(&stage, 0, &hook);
            somebody_else(&house.app());
            let theirs = tree(&house.app());
            let Err(refused) = stage.prepare() else { return Vec::new() };
            let CommitError::Conflict { conflicts } = &refused.error else { panic!("{backend}: {}", refused.error) };
            let name = |Conflict { path, how }: &Conflict| (path.strip_prefix(house.app()).unwrap().display().to_string(), *how);
            let found = conflicts.iter().map(name).collect();
            assert_eq!(tree(&house.app()), theirs, "{backend}: nothing was committed");
            refused.stage.expect("it is kept").discard().unwrap();
            assert_eq!(house.rubbish(), paths(&[]));
            found
        })
        .collect()
}

fn each(expected: &[(&str, ConflictKind)], found: Vec<Vec<(String, ConflictKind)>>) {
    let expected: Vec<(String, ConflictKind)> = expected.iter().map(|(path, how)| ((*path).to_owned(), *how)).collect();
    for found in found {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_file_that_both_write_is_a_conflict() {
    each(
        &[("a", ConflictKind::Modified)],
        conflicts(|app| fs::write(app.join("a"), "mine").unwrap(), |app| fs::write(app.join("a"), "theirs").unwrap()),
    );
}

#[test]
fn a_file_whose_mode_others_change_is_a_conflict() {
    each(&[("a", ConflictKind::Modified)], conflicts(|app| fs::write(app.join("a"), "mine").unwrap(), |app| chmod(&app.join("a"), 0o600)));
}

#[test]
fn a_file_that_others_removed_is_a_conflict() {
    each(
        &[("a", ConflictKind::Deleted)],
        conflicts(|app| fs::write(app.join("a"), "mine").unwrap(), |app| fs::remove_file(app.join("a")).unwrap()),
    );
}

#[test]
fn a_file_that_both_create_is_a_conflict() {
    for found in conflicts(|app| fs::write(app.join("new"), "mine").unwrap(), |app| fs::write(app.join("new"), "theirs").unwrap()) {
        assert!(matches!(found.as_slice(), [(path, ConflictKind::Created | ConflictKind::Modified)] if path == "new"), "{found:?}");
    }
}

#[test]
fn a_file_that_others_write_in_a_removed_directory_is_a_conflict() {
    for found in conflicts(|app| fs::remove_dir_all(app.join("d")).unwrap(), |app| fs::write(app.join("d/c"), "theirs").unwrap()) {
        assert!(found.contains(&("d/c".to_owned(), ConflictKind::Modified)), "{found:?}");
    }
}

#[test]
fn what_others_change_elsewhere_is_no_conflict() {
    for backend in backends() {
        let house = House::new().with(&[("a", "a"), ("b", "b"), ("d/c", "c"), ("d/gone", "x")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "mine").unwrap();
            write(&app.join("d/mine"), "mine");
        });
        fs::write(house.app().join("b"), "theirs").unwrap();
        fs::write(house.app().join("d/theirs"), "theirs").unwrap();
        fs::remove_file(house.app().join("d/gone")).unwrap();
        let changes = commit(stage).unwrap();
        assert_eq!(changes[0].deleted, paths(&[]), "{backend}: what others removed isn't told as the hook's");
        let read = |path: &str| fs::read_to_string(house.app().join(path)).unwrap();
        assert_eq!([read("a"), read("b"), read("d/mine"), read("d/theirs")], ["mine", "theirs", "mine", "theirs"], "{backend}");
        assert!(!house.app().join("d/gone").exists(), "{backend}");
    }
}

#[test]
fn what_was_written_just_before_the_stage_is_no_conflict() {
    for round in 0..12 {
        for backend in backends() {
            let house = House::new().with(&[("a", "a")]);
            fs::write(house.app().join("a"), "just now").unwrap();
            let stage = house.open(backend);
            in_view(&stage, 0, |app| fs::write(app.join("a"), "mine").unwrap());
            assert!(commit(stage).is_ok(), "{backend}, round {round}");
        }
    }
}

#[test]
fn what_is_written_just_after_the_stage_began_is_a_conflict() {
    for round in 0..12 {
        for backend in backends() {
            let house = House::new().with(&[("a", "a")]);
            let stage = house.open(backend);
            fs::write(house.app().join("a"), "b").unwrap();
            in_view(&stage, 0, |app| fs::write(app.join("a"), "mine").unwrap());
            let refused = commit(stage).expect_err(&format!("{backend}, round {round}"));
            refused.stage.unwrap().discard().unwrap();
        }
    }
}
