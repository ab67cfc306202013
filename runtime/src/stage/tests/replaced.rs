//! Something of another kind takes a directory's place, or a directory takes its: a commit goes through, however often it is begun anew.

use super::super::{Backend, Disk, Fault, FaultPlan, Recovered, StageError, recover};
use super::{House, backends, chmod, commit, in_view, paths, tree, write};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A hook, by what it does.
type Replacement = (&'static str, fn(&Path));

const REPLACEMENTS: &[Replacement] = &[
    ("a directory by a link", |app| instead(&app.join("d"), link)),
    ("a directory by a file", |app| instead(&app.join("d"), file)),
    ("a directory by a pipe", |app| instead(&app.join("d"), pipe)),
    ("a directory in another by a link", |app| instead(&app.join("d/e"), link)),
    ("a directory in another by a file", |app| instead(&app.join("d/e"), file)),
    ("a directory that its owner had closed by a link", |app| instead(&app.join("closed"), link)),
    ("a directory that its owner had closed by a file", |app| instead(&app.join("closed"), file)),
    ("a directory that its owner had closed by a pipe", |app| instead(&app.join("closed"), pipe)),
    ("a link by a directory", |app| instead(&app.join("link"), dir)),
    ("a file by a directory", |app| instead(&app.join("file"), dir)),
    ("a directory by a link, and what it leads to by a file", |app| {
        instead(&app.join("d"), link);
        instead(&app.join("current"), file);
    }),
    ("a directory by a link to itself, then by a directory again", |app| {
        instead(&app.join("d"), |at| symlink("d", at).unwrap());
        instead(&app.join("d"), dir);
    }),
];

fn instead(at: &Path, make: fn(&Path)) {
    if at.is_dir() && !at.is_symlink() {
        chmod(at, 0o700);
        fs::remove_dir_all(at).unwrap();
    } else {
        fs::remove_file(at).unwrap();
    }
    make(at);
}

fn link(at: &Path) {
    symlink("current", at).unwrap();
}

fn file(at: &Path) {
    fs::write(at, "file").unwrap();
    chmod(at, 0o640);
}

fn pipe(at: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, at, rustix::fs::Mode::RUSR).unwrap();
}

fn dir(at: &Path) {
    write(&at.join("e/g"), "new");
    write(&at.join("e/h/i"), "new");
}

fn house() -> House {
    let house = House::in_memory().with(&[("d/e/f", "f"), ("d/e/g/h", "h"), ("closed/e/f", "f"), ("current/x", "x"), ("file", "old")]);
    symlink("current", house.app().join("link")).unwrap();
    chmod(&house.app().join("closed"), 0o500);
    house
}

#[test]
fn what_replaces_a_directory_is_committed_as_live() {
    for (what, replace) in REPLACEMENTS {
        let live = house();
        replace(&live.app());
        for backend in backends() {
            let house = house();
            let stage = house.open(backend);
            in_view(&stage, 0, replace);
            commit(stage).unwrap();
            assert_eq!(tree(&house.app()), tree(&live.app()), "{backend}: {what}");
            assert_eq!(house.rubbish(), paths(&[]), "{backend}: {what}");
            reopen(&house);
        }
        reopen(&live);
    }
}

#[test]
fn what_replaces_a_directory_is_committed_again_from_any_point_on() {
    for (what, replace) in REPLACEMENTS {
        let live = house();
        replace(&live.app());
        for backend in backends() {
            let whole = Disk::default();
            recovered(&decided(backend, *replace), &whole).unwrap();
            for point in 0..whole.points() {
                let house = decided(backend, *replace);
                let what = format!("{backend}: {what}, failed at {point} of {}", whole.points());
                assert!(recovered(&house, &Disk::new(FaultPlan::at(point, Fault::Io))).is_err(), "{what}");
                house.let_go();
                recovered(&house, &Disk::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(tree(&house.app()), tree(&live.app()), "{what}");
                assert_eq!(house.rubbish(), paths(&[]), "{what}");
                reopen(&house);
            }
        }
        reopen(&live);
    }
}

/// A house whose commit is decided, and its owner dead.
fn decided(backend: Backend, replace: fn(&Path)) -> House {
    let house = house();
    let stage = house.open(backend);
    in_view(&stage, 0, replace);
    drop(stage.prepare().unwrap());
    house.let_go();
    house
}

fn recovered(house: &House, disk: &Disk) -> Result<(), StageError> {
    recover(&[house.app()], &house.scratch(), disk)?.into_iter().try_for_each(Recovered::forget)
}

/// So that the house can be removed by its owner.
fn reopen(house: &House) {
    let closed = house.app().join("closed");
    if closed.is_dir() && !closed.is_symlink() {
        chmod(&closed, 0o700);
    }
}
