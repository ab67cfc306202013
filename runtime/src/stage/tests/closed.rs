//! What a hook closes to its own user: directories without a way in, files without a reader. To root it makes no difference; the same suite
//! runs as a user without rights.

use super::super::{Backend, Disk, Fault, FaultPlan, Recovered, recover};
use super::{House, backends, chmod, commit, in_view, paths, write};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn house() -> House {
    House::in_memory().with(&[("d/a", "old"), ("d/e/b", "old"), ("f/e/b", "old"), ("file", "old"), ("w/a", "old")])
}

fn hook(app: &Path) {
    fs::write(app.join("d/a"), "new").unwrap();
    fs::write(app.join("d/e/b"), "new").unwrap();
    chmod(&app.join("d/e"), 0o000);
    chmod(&app.join("d"), 0o600);
    // Nothing but its mode, above something else.
    fs::write(app.join("f/e/b"), "new").unwrap();
    chmod(&app.join("f"), 0o400);
    write(&app.join("made/in/x"), "new");
    fs::write(app.join("made/secret"), "new").unwrap();
    chmod(&app.join("made/secret"), 0o000);
    chmod(&app.join("made/in"), 0o200);
    chmod(&app.join("made"), 0o100);
    fs::remove_file(app.join("w/a")).unwrap();
    chmod(&app.join("w"), 0o500);
    chmod(&app.join("file"), 0o000);
}

/// Everything below a directory: mode and content. What is closed is opened for that, and stays so.
fn opened(root: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            chmod(&path, 0o700);
            let content = if meta.is_dir() { "dir".to_owned() } else { fs::read_to_string(&path).unwrap() };
            if meta.is_dir() {
                dirs.push(path.clone());
            }
            found.insert(path.strip_prefix(root).unwrap().to_owned(), (meta.mode() & 0o7777, content));
        }
    }
    found
}

fn live() -> BTreeMap<PathBuf, (u32, String)> {
    let live = house();
    hook(&live.app());
    opened(&live.app())
}

#[test]
fn what_a_hook_closes_is_committed_as_live() {
    for backend in backends() {
        let house = house();
        let stage = house.open(backend);
        in_view(&stage, 0, hook);
        for _ in 0..2 {
            let changes = stage.changes().unwrap();
            assert!(changes[0].modified.contains(&"d/e/b".into()), "{backend}: {changes:?}");
            in_view(&stage, 0, |app| {
                let modes = ["d", "f", "made"].map(|name| fs::metadata(app.join(name)).unwrap().mode() & 0o777);
                assert_eq!(modes, [0o600, 0o400, 0o100], "{backend}: the next hook finds what the one before left");
            });
        }
        commit(stage).unwrap();
        assert_eq!(opened(&house.app()), live(), "{backend}");
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
    }
}

#[test]
fn a_root_that_a_hook_closes_is_committed_too() {
    for backend in backends() {
        let house = house();
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("file"), "new").unwrap();
            chmod(&app.join("."), 0o400);
        });
        commit(stage).unwrap();
        assert_eq!(fs::metadata(house.app()).unwrap().mode() & 0o777, 0o400, "{backend}");
        chmod(&house.app(), 0o700);
        assert_eq!(fs::read_to_string(house.app().join("file")).unwrap(), "new", "{backend}");
    }
}

#[test]
fn what_a_hook_closes_is_committed_again_from_any_point_on() {
    let live = live();
    for backend in backends() {
        let whole = Disk::default();
        recovered(&decided(backend), &whole).unwrap();
        for point in 0..whole.points() {
            let house = decided(backend);
            let what = format!("{backend}: failed at {point} of {}", whole.points());
            assert!(recovered(&house, &Disk::new(FaultPlan::at(point, Fault::Io))).is_err(), "{what}");
            house.let_go();
            recovered(&house, &Disk::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(opened(&house.app()), live, "{what}");
            assert_eq!(house.rubbish(), paths(&[]), "{what}");
        }
    }
}

fn decided(backend: Backend) -> House {
    house().decided(backend, hook)
}

fn recovered(house: &House, disk: &Disk) -> Result<(), super::super::StageError> {
    recover(&[house.app()], &house.scratch(), disk)?.into_iter().try_for_each(Recovered::forget)
}

#[test]
fn what_this_user_may_not_read_stops_a_copy_by_name_before_a_hook_starts() {
    if rustix::process::geteuid().is_root() {
        // Who may read everything. The suite runs without rights, too.
        return;
    }
    for (closed, mode, named) in [("d/a", 0o200, "d/a"), ("d", 0o600, "d"), ("d", 0o300, "d"), ("", 0o600, ""), ("", 0o300, "")] {
        let house = house();
        let (closed, named) = (house.app().join(closed), house.app().join(named));
        chmod(&closed, mode);
        let tried = |backends: &[Backend]| {
            let (scratch, bases) = (house.scratch(), [house.base()]);
            let request = super::Request {
                id: "t",
                label: "l",
                bases: &bases,
                backends,
                limits: super::LIMITS,
                scratch: &scratch,
                disk: Disk::default(),
            };
            super::Stage::open(&request).map(|stage| stage.discard().unwrap()).map_err(|error| error.to_string())
        };
        let refused = tried(&[Backend::Copy]);
        // An overlay needs none of it.
        let overlay = tried(&[Backend::UserOverlay]);
        chmod(&closed, 0o700);
        let user = rustix::process::geteuid().as_raw();
        let said = [
            format!("user {user} can't copy {}: Permission denied", named.display().to_string().trim_end_matches('/')),
            format!("what a stage of {} holds is a copy", house.app().display()),
            "let that user read it".to_owned(),
            "with the mode write".to_owned(),
        ];
        assert!(refused.as_ref().is_err_and(|refused| said.iter().all(|said| refused.contains(said))), "{mode:o}: {refused:?}");
        assert_eq!(overlay, Ok(()), "{mode:o}");
        assert_eq!(house.rubbish(), paths(&[]), "{mode:o}");
    }
}
