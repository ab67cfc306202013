//! What others do meanwhile.

use super::super::{Backend, CommitError, Conflict, ConflictKind, Disk, StageError};
use super::{House, backends, chmod, commit, in_view, paths, tree, write};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
            let name = |Conflict { path, how, .. }: &Conflict| (path.strip_prefix(house.app()).unwrap().display().to_string(), *how);
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
    each(
        &[("new", ConflictKind::Created)],
        conflicts(|app| fs::write(app.join("new"), "mine").unwrap(), |app| fs::write(app.join("new"), "theirs").unwrap()),
    );
}

#[test]
fn a_conflict_says_what_both_did() {
    for backend in backends() {
        let house = House::new().with(&[("both", "old"), ("removed", "old"), ("lost", "old"), ("d/x", "old")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            for name in ["both", "lost", "new"] {
                fs::write(app.join(name), "mine").unwrap();
            }
            fs::create_dir(app.join("dir")).unwrap();
            fs::remove_file(app.join("removed")).unwrap();
            chmod(&app.join("d"), 0o700);
        });
        for name in ["both", "removed", "new"] {
            fs::write(house.app().join(name), "theirs").unwrap();
        }
        fs::create_dir(house.app().join("dir")).unwrap();
        fs::remove_file(house.app().join("lost")).unwrap();
        chmod(&house.app().join("d"), 0o750);
        let refused = stage.prepare().unwrap_err();
        let said = refused.to_string().replace(house.app().to_str().unwrap(), "");
        for expected in [
            "/both (modified by both)",
            "/removed (modified; the hook deleted it)",
            "/lost (deleted; the hook modified it)",
            "/new (created by both)",
            "/dir (created by both)",
            "/d (modified by both)",
        ] {
            assert!(
                said.contains(expected) || (backend != Backend::Copy && expected.starts_with("/dir ")),
                "{backend}: {expected}: {said}"
            );
        }
        refused.stage.unwrap().discard().unwrap();
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

/// What somebody else does at a moment of a stage's life.
#[derive(Clone, Default)]
struct Meddler {
    passed: Arc<AtomicU64>,
    at: Arc<AtomicU64>,
}

impl Meddler {
    fn disk(&self, act: impl Fn() + Send + Sync + 'static) -> Disk {
        let Self { passed, at } = self.clone();
        Disk::seen_by(move |_| {
            if passed.fetch_add(1, Ordering::SeqCst) == at.load(Ordering::SeqCst) {
                act();
            }
        })
    }
}

#[test]
fn what_others_change_while_a_commit_is_made_durable_is_a_conflict() {
    for backend in backends() {
        for moment in 0.. {
            let house = House::new().with(&[("a", "old"), ("b", "old")]);
            let read = |name: &str| fs::read_to_string(house.app().join(name)).unwrap();
            let meddler = Meddler { at: Arc::new(AtomicU64::new(u64::MAX)), ..Meddler::default() };
            let a = house.app().join("a");
            let disk = meddler.disk(move || fs::write(&a, "theirs").unwrap());
            let stage = house.open_all(backend, &[house.base()], &disk).unwrap();
            in_view(&stage, 0, |app| ["a", "b"].iter().for_each(|name| fs::write(app.join(name), "mine").unwrap()));
            meddler.at.store(meddler.passed.load(Ordering::SeqCst) + moment, Ordering::SeqCst);
            match stage.prepare() {
                Err(refused) => {
                    assert!(refused.to_string().contains("somebody else changed"), "{backend}, {moment}: {refused}");
                    assert_eq!([read("a"), read("b")], ["theirs", "old"], "{backend}, {moment}");
                    refused.stage.unwrap().discard().unwrap();
                    assert_eq!(house.rubbish(), paths(&[]), "{backend}, {moment}");
                }
                Ok(mut prepared) => {
                    assert_eq!(read("a"), "old", "{backend}: at moment {moment} it was decided");
                    assert!(moment > 8, "{backend}: only {moment} moments");
                    prepared.apply().unwrap();
                    assert_eq!([read("a"), read("b")], ["mine", "mine"], "{backend}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_directory_that_is_replaced_while_it_is_staged_is_noticed() {
    for backend in backends() {
        for by_link in [true, false] {
            let house = House::new().with(&[("mine", "m")]);
            write(&house.path().join("secret/s"), "s");
            let which = fs::metadata(house.app()).unwrap().ino();
            let (app, dir) = (house.app(), house.path());
            let disk = Meddler::default().disk(move || {
                fs::rename(&app, dir.join("moved")).unwrap();
                if by_link { symlink("secret", &app).unwrap() } else { fs::rename(dir.join("secret"), &app).unwrap() }
            });
            match house.open_all(backend, &[house.base()], &disk) {
                Err(StageError::Replaced { .. }) => assert_ne!(backend, Backend::Copy),
                Err(other) => panic!("{backend}: {other}"),
                Ok(stage) => {
                    assert_eq!(backend, Backend::Copy, "a mount is made from the path");
                    assert_eq!(stage.identity(0, Path::new("")).unwrap().1, which, "it is the one that was opened first");
                    in_view(&stage, 0, |app| {
                        assert!(app.join("mine").exists() && !app.join("s").exists());
                        fs::write(app.join("new"), "n").unwrap();
                    });
                    let refused = stage.prepare().unwrap_err();
                    assert!(refused.to_string().contains("was replaced while it was staged"), "{refused}");
                    refused.stage.unwrap().discard().unwrap();
                }
            }
            assert!(!house.path().join("moved/new").exists() && !house.app().join("new").exists());
            assert!(house.path().join("app/s").exists());
            assert_eq!(fs::read_dir(house.path()).unwrap().count(), if by_link { 4 } else { 3 }, "{backend}: nothing is left");
        }
    }
}
