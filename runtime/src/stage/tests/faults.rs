//! Every point at which the disk is changed, with every fault: afterwards each directory is old or new, all of them together, and nothing stays.
//!
//! How many points there are is counted, not written down: a new one can't be forgotten.

use super::super::{Backend, Base, Disk, Ending, Ends, Fault, FaultPlan, Stage, recover};
use super::{House, backends, in_view, paths, tree, write};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOUSE: &str = "WASMHOOK_TEST_STAGE_HOUSE";
const BACKEND: &str = "WASMHOOK_TEST_STAGE_BACKEND";
const FAULT: &str = "WASMHOOK_TEST_STAGE_FAULT";

pub(super) const FILES: &[(&str, &str)] =
    &[("a", "old"), ("gone", "g"), ("dir/b", "old"), ("dir/sub/c", "c"), ("swap", "file"), ("back/x", "x"), ("nest/in/f", "f")];

pub(super) fn house() -> House {
    let house = House::in_memory().with(FILES);
    write(&house.path().join("other/o"), "old");
    house
}

pub(super) fn bases(house: &Path) -> Vec<Base> {
    ["app", "other"].iter().map(|name| Base { host: house.join(name), ends: Ends::Txn, live: Vec::new() }).collect()
}

/// A change of every kind, in two directories.
pub(super) fn hook(stage: &Stage) {
    in_view(stage, 0, |app| {
        fs::write(app.join("a"), "new").unwrap();
        fs::remove_file(app.join("gone")).unwrap();
        fs::write(app.join("dir/b"), "new").unwrap();
        fs::remove_dir_all(app.join("dir/sub")).unwrap();
        fs::remove_file(app.join("swap")).unwrap();
        write(&app.join("swap/now/dir"), "d");
        fs::remove_dir_all(app.join("back")).unwrap();
        symlink("a", app.join("back")).unwrap();
        fs::remove_dir_all(app.join("nest")).unwrap();
        symlink("dir", app.join("nest")).unwrap();
        super::chmod(&app.join("dir"), 0o711);
    });
    in_view(stage, 1, |other| fs::write(other.join("o"), "new").unwrap());
}

pub(super) fn open(house: &Path, backend: Backend, disk: &Disk) -> Result<Stage, super::super::StageError> {
    let scratch = house.join("scratch");
    let bases = bases(house);
    Stage::open(&super::super::Request {
        id: "t",
        label: "run-1/hook",
        bases: &bases,
        backends: &[backend],
        limits: super::LIMITS,
        scratch: &scratch,
        disk: disk.clone(),
    })
}

/// A whole life of a stage, with errors passed on as an engine would: what fails before the decision is dropped.
fn live(house: &Path, backend: Backend, disk: &Disk) -> Result<(), String> {
    let stage = open(house, backend, disk).map_err(|error| error.to_string())?;
    hook(&stage);
    let mut prepared = stage.prepare().map_err(|refused| {
        let text = refused.to_string();
        let left = refused.stage.map(Stage::discard);
        format!("{text} {left:?}")
    })?;
    prepared.apply().map_err(|error| error.to_string())?;
    prepared.applied().forget().map_err(|error| error.to_string())
}

pub(super) type Trees = BTreeMap<PathBuf, String>;

/// Both directories, without what a stage keeps in one until it is forgotten.
pub(super) fn both(house: &House) -> (Trees, Trees) {
    let of_others = |path: &Path| path.iter().next().is_none_or(|first| !super::super::place::is_ours(first));
    let tree = |dir: PathBuf| tree(&dir).into_iter().filter(|(path, _)| of_others(path)).collect();
    (tree(house.app()), tree(house.path().join("other")))
}

/// What the directories are before and after, and how many points lie between.
fn old_new_points(backend: Backend) -> ((Trees, Trees), (Trees, Trees), u64) {
    old_new_points_of(&house(), backend)
}

fn old_new_points_of(house: &House, backend: Backend) -> ((Trees, Trees), (Trees, Trees), u64) {
    let old = both(house);
    let disk = Disk::default();
    live(&house.path(), backend, &disk).unwrap();
    let new = both(house);
    assert_ne!(old, new);
    assert_ne!(old.1, new.1);
    (old, new, disk.points())
}

/// Recovers as the next start would, possibly failing again first, and checks what is there.
fn check(house: &House, old: &(Trees, Trees), new: &(Trees, Trees), what: &str) -> bool {
    house.let_go();
    let bases: Vec<PathBuf> = bases(&house.path()).into_iter().map(|base| base.host).collect();
    let found = recover(&bases, &house.scratch(), &Disk::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let now = both(house);
    assert!(now == *old || now == *new, "{what}: a mixture: {now:#?}");
    for recovered in found {
        let is_new = matches!(recovered.ending, Ending::Committed(_));
        assert_eq!(is_new, now == *new, "{what}: it says {:?}", recovered.ending);
        assert_eq!(recovered.label, "run-1/hook", "{what}");
        recovered.forget().unwrap();
    }
    assert_eq!(house.rubbish(), paths(&[]), "{what}");
    now == *new
}

#[test]
#[ignore = "the victim of `a_kill_at_any_point_leaves_old_or_new`, which starts it"]
fn victim() {
    let Some(house) = std::env::var_os(HOUSE).map(PathBuf::from) else { return };
    let word = std::env::var(BACKEND).unwrap();
    let backend = *Backend::ALL.iter().find(|backend| backend.word() == word).unwrap();
    let plan: FaultPlan = std::env::var(FAULT).unwrap().parse().unwrap();
    live(&house, backend, &Disk::new(plan)).unwrap();
}

#[test]
fn a_kill_at_any_point_leaves_old_or_new() {
    for backend in backends() {
        let (old, new, points) = old_new_points(backend);
        let mut ended_new = 0;
        for point in 0..points {
            let house = house();
            let victim = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--ignored", "stage::tests::faults::victim"])
                .env(HOUSE, house.path())
                .env(BACKEND, backend.word())
                .env(FAULT, format!("{point}:kill"))
                .output()
                .unwrap();
            assert_eq!(victim.status.signal(), Some(9), "{backend} {point}: {}", String::from_utf8_lossy(&victim.stdout));
            ended_new += u64::from(check(&house, &old, &new, &format!("{backend}, killed at {point} of {points}")));
        }
        assert!(ended_new > 0 && ended_new < points, "{backend}: {ended_new} of {points}");
        println!("{backend}: {points} points killed, {ended_new} ended new, {} old, 0 wrong", points - ended_new);
    }
}

#[test]
fn an_error_at_any_point_leaves_old_or_new() {
    for backend in backends() {
        let _points = errors_at_any_point(backend, house);
    }
}

/// Says how many points there are.
pub(super) fn errors_at_any_point(backend: Backend, house: fn() -> House) -> u64 {
    let (old, new, points) = old_new_points_of(&house(), backend);
    for point in 0..points {
        for fault in [Fault::Io, Fault::NoSpace] {
            let house = house();
            let _told = live(&house.path(), backend, &Disk::new(FaultPlan::at(point, fault)));
            check(&house, &old, &new, &format!("{backend}, {fault:?} at {point} of {points}"));
        }
    }
    points
}

/// A stage whose owner died just after the decision.
pub(super) fn decided(house: House, backend: Backend) -> House {
    let stage = open(&house.path(), backend, &Disk::default()).unwrap();
    hook(&stage);
    drop(stage.prepare().unwrap());
    house.let_go();
    house
}

#[test]
fn an_error_at_any_point_of_a_recovery_is_made_good_by_the_next() {
    for backend in backends() {
        let (old, new, _) = old_new_points(backend);
        let recovery = |house: &House, disk: &Disk| -> Result<(), super::super::StageError> {
            let bases: Vec<PathBuf> = bases(&house.path()).into_iter().map(|base| base.host).collect();
            recover(&bases, &house.scratch(), disk)?.into_iter().try_for_each(super::super::Recovered::forget)
        };
        let disk = Disk::default();
        recovery(&decided(house(), backend), &disk).unwrap();
        for point in 0..disk.points() {
            let house = decided(house(), backend);
            let failed = recovery(&house, &Disk::new(FaultPlan::at(point, Fault::Io)));
            assert!(failed.is_err(), "{backend}, {point}: each point counts");
            let what = format!("{backend}, recovery failed at {point} of {}", disk.points());
            assert!(check(&house, &old, &new, &what), "{what}: it was decided");
        }
    }
}
