//! Somebody else comes between the decision of a commit and its redo, with anything anywhere: no start fails for it, what they did stays, the rest
//! is committed, and what the hook wrote isn't lost.

use super::super::{Backend, Disk, Ending, Recovered, recover};
use super::{House, backends, in_view, paths, tree, write};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Something that somebody leaves at a path.
type Theirs = (&'static str, fn(&Path));

const THEIRS: &[Theirs] = &[
    ("nothing", |_| {}),
    ("a file", |at| fs::write(at, "theirs").unwrap()),
    ("an empty directory", |at| fs::create_dir(at).unwrap()),
    ("a directory", |at| write(&at.join("in/it"), "theirs")),
    ("a link to nowhere", |at| symlink("nowhere", at).unwrap()),
    ("a link to a directory", |at| symlink("elsewhere", at).unwrap()),
    ("a link out of it", |at| symlink("/", at).unwrap()),
    ("a pipe", |at| rustix::fs::mkfifoat(rustix::fs::CWD, at, rustix::fs::Mode::RWXU).unwrap()),
];

/// Where: what the hook wrote over, made, replaced by another kind and removed, and what leads there.
const WHERE: &[&str] = &[
    "over",
    "new",
    "d/over",
    "d/new",
    "d",
    "file-to-dir",
    "file-to-dir/in",
    "dir-to-file",
    "made",
    "made/deep",
    "made/deep/new",
    "gone",
    "gone-dir",
    "gone-dir/x",
    "link",
    "d/e",
    "d/e/f",
];

fn house() -> House {
    let house = House::in_memory().with(&[
        ("over", "old"),
        ("d/over", "old"),
        ("d/e/f", "old"),
        ("file-to-dir", "old"),
        ("dir-to-file/x", "old"),
        ("gone", "old"),
        ("gone-dir/x", "old"),
        ("elsewhere/kept", "old"),
        ("untouched", "old"),
    ]);
    symlink("over", house.app().join("link")).unwrap();
    house
}

fn hook(app: &Path) {
    for at in ["over", "new", "d/over", "d/new", "d/e/f", "made/deep/new"] {
        write(&app.join(at), &format!("the hook's {at}"));
    }
    fs::remove_file(app.join("file-to-dir")).unwrap();
    write(&app.join("file-to-dir/in"), "the hook's file-to-dir/in");
    fs::remove_dir_all(app.join("dir-to-file")).unwrap();
    write(&app.join("dir-to-file"), "the hook's dir-to-file");
    fs::remove_file(app.join("gone")).unwrap();
    fs::remove_dir_all(app.join("gone-dir")).unwrap();
    fs::remove_file(app.join("link")).unwrap();
    symlink("new", app.join("link")).unwrap();
}

/// A house whose commit is decided, and its owner dead.
fn decided(backend: Backend) -> House {
    house().decided(backend, hook)
}

/// Takes away what is there, and leaves something else.
fn meddle(at: &Path, make: fn(&Path)) -> bool {
    let Ok(parent) = fs::symlink_metadata(at.parent().unwrap()) else { return false };
    if !parent.is_dir() {
        return false;
    }
    match fs::symlink_metadata(at) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(at).unwrap(),
        Ok(_) => fs::remove_file(at).unwrap(),
        Err(_) => {}
    }
    make(at);
    true
}

fn found(house: &House) -> Vec<Recovered> {
    let found = recover(&[house.app()], &house.scratch(), &Disk::default());
    found.unwrap_or_else(|error| panic!("it is wedged: {error}"))
}

/// What lies at a path or below it.
fn below<'a>(tree: &'a BTreeMap<PathBuf, String>, at: &str) -> BTreeMap<&'a Path, &'a str> {
    tree.iter().filter(|(path, _)| path.starts_with(at)).map(|(path, what)| (path.as_path(), what.as_str())).collect()
}

#[test]
fn whatever_somebody_else_left_after_the_decision_stays_and_the_rest_is_committed() {
    let live = house();
    hook(&live.app());
    let new = tree(&live.app());
    for backend in backends() {
        for at in WHERE {
            for (theirs, make) in THEIRS {
                let house = decided(backend);
                if !meddle(&house.app().join(at), *make) {
                    continue;
                }
                let what = format!("{backend}: {theirs} at {at}");
                let before = tree(&house.app());
                let all = found(&house);
                let [recovered] = all.as_slice() else { panic!("{what}: {all:?}") };
                assert!(matches!(recovered.ending, Ending::Committed(_)), "{what}: {:?}", recovered.ending);
                let left = recovered.left().map(ToOwned::to_owned);
                let after = tree(&house.app());
                check(&what, at, [&before, &after, &new], left.as_deref());
                let Ending::Committed(changes) = &recovered.ending else { unreachable!() };
                for path in changes[0].created.iter().chain(&changes[0].modified) {
                    assert_eq!(after.get(path), new.get(path), "{what}: it tells {} as done", path.display());
                }
                // The hook's is where it belongs, or where the message says.
                for path in new.iter().filter(|(_, text)| text.contains("the hook's")).map(|(path, _)| path) {
                    let is_there = after.get(path) == new.get(path);
                    assert!(
                        is_there || left.as_deref().is_some_and(|left| has(left, &new[path])),
                        "{what}: {} is lost: {left:?}",
                        path.display()
                    );
                }
                for recovered in all {
                    recovered.forget().unwrap();
                }
                again(&house, &what, left.as_deref(), &after);
            }
        }
    }
}

fn check(what: &str, at: &str, [before, after, new]: [&BTreeMap<PathBuf, String>; 3], left: Option<&str>) {
    for (path, was) in below(before, at) {
        let is_dir = was.ends_with(" dir");
        let now = after.get(path);
        // Directories of both are one; and where they put what was to be there, it is.
        assert!(now.is_some_and(|now| now == was || is_dir && now.ends_with(" dir")), "{what}: theirs at {} is {now:?}", path.display());
    }
    let is_else = |path: &&PathBuf| !path.starts_with(at) && !Path::new(at).starts_with(path);
    for path in new.keys().chain(after.keys()).filter(is_else) {
        assert_eq!(after.get(path), new.get(path), "{what}: {} is as the hook left it", path.display());
    }
    if below(after, at) != below(new, at) && below(before, at).is_empty() && !below(new, at).is_empty() {
        assert!(left.is_some_and(|left| left.contains(at)), "{what}: {left:?}");
    }
}

/// Whether one of the files that a message names holds a text, or one below it.
fn has(left: &str, text: &str) -> bool {
    let text = text.split_once(' ').unwrap().1;
    let named = left.split("the hook's lies in ").skip(1).map(|rest| Path::new(rest.split_once(')').unwrap().0));
    let mut all = named.flat_map(|path| {
        if path.is_dir() { tree(path).into_values().collect() } else { vec![format!("0 {}", fs::read_to_string(path).unwrap())] }
    });
    all.any(|found| found.split_once(' ').unwrap().1 == text)
}

/// The next starts change nothing more, and say what is kept until somebody removes it.
fn again(house: &House, what: &str, left: Option<&str>, after: &BTreeMap<PathBuf, String>) {
    house.let_go();
    for _ in 0..2 {
        let all = found(house);
        match (left.filter(|left| left.contains("the hook's lies in")), all.as_slice()) {
            (Some(left), [kept]) => assert_eq!(kept.ending, Ending::Kept(left.to_owned()), "{what}"),
            (None, []) => {}
            (left, all) => panic!("{what}: {left:?}, and {all:?}"),
        }
        drop(all);
        house.let_go();
        assert_eq!(tree(&house.app()), *after, "{what}");
    }
    // As anybody can who may write there.
    house.rubbish().iter().for_each(|stage| fs::remove_dir_all(stage).unwrap());
    assert!(found(house).is_empty(), "{what}");
}

/// What somebody does with the directory, or its stage. Beside it: whether the commit counts all the same.
type Move = fn(&House);

#[test]
fn what_is_told_of_a_decided_commit_before_is_what_the_next_start_does() {
    let moves: &[(&str, Move, bool)] = &[
        ("nothing", |_| {}, true),
        ("a file", |house| fs::create_dir(house.app().join("new")).unwrap(), true),
        ("gone", |house| fs::rename(house.app(), house.path().join("moved")).unwrap(), false),
        (
            "another",
            |house| {
                fs::rename(house.app(), house.path().join("moved")).unwrap();
                fs::create_dir(house.app()).unwrap();
            },
            false,
        ),
        (
            "a link to it",
            |house| {
                fs::rename(house.app(), house.path().join("moved")).unwrap();
                symlink("moved", house.app()).unwrap();
            },
            false,
        ),
        (
            "a file in its place",
            |house| {
                fs::rename(house.app(), house.path().join("moved")).unwrap();
                fs::write(house.app(), "").unwrap();
            },
            false,
        ),
        (
            "something of somebody's in the stage",
            |house| {
                let stage = house.rubbish().remove(0);
                fs::write(stage.join("notes"), "").unwrap();
            },
            false,
        ),
    ];
    for backend in backends() {
        for (what, meddle, counts) in moves {
            let house = decided(backend);
            meddle(&house);
            let told = super::super::decided(&[house.app()], &house.scratch());
            assert_eq!(told, if *counts { vec!["run-1/hook"] } else { vec![] }, "{backend}: {what}");
            let committed = |found: &Recovered| matches!(found.ending, Ending::Committed(_));
            assert_eq!(found(&house).iter().any(committed), *counts, "{backend}: {what}");
        }
    }
}

#[test]
fn a_file_that_was_edited_after_the_decision_keeps_the_edit() {
    for backend in backends() {
        for at in ["over", "gone"] {
            let house = decided(backend);
            fs::write(house.app().join(at), "edited").unwrap();
            let all = found(&house);
            let left = all[0].left().unwrap();
            assert!(left.contains(&format!("app/{at} (it was changed since")), "{backend}: {left}");
            assert_eq!(fs::read_to_string(house.app().join(at)).unwrap(), "edited", "{backend}");
            assert_eq!(fs::read_to_string(house.app().join("new")).unwrap(), "the hook's new", "{backend}");
        }
    }
}

#[test]
fn a_directory_that_is_another_by_now_is_not_committed_to_and_the_hook_counts_as_not_done() {
    for backend in backends() {
        for (is_there, has_its_number) in [(true, false), (true, true), (false, false)] {
            let house = decided(backend);
            fs::rename(house.app(), house.path().join("moved")).unwrap();
            if is_there {
                write(&house.app().join("over"), "theirs");
            }
            if has_its_number {
                give_number(&house);
            }
            assert_eq!(super::super::decided(&[house.app()], &house.scratch()), Vec::<String>::new(), "{backend}: foretold so");
            for _ in 0..2 {
                let all = found(&house);
                let Ending::Kept(why) = &all[0].ending else { panic!("{backend}: {:?}", all[0].ending) };
                assert!(why.contains("app (it isn't the directory that was staged; the hook's lies in"), "{backend}: {why}");
                assert!(has(why, "0 the hook's new"), "{backend}: {why}");
                drop(all);
                house_let_go(&house);
            }
            assert_eq!(house.app().exists(), is_there, "{backend}");
            assert_eq!(fs::read_to_string(house.path().join("moved/over")).unwrap(), "old", "{backend}: nor is the one that was moved");
        }
    }
}

/// Lets the app that stands there have the number of the one that was staged, as a file system does that gives numbers anew.
fn give_number(house: &House) {
    let log = house.rubbish().iter().map(|stage| stage.join("commit")).find(|log| log.exists()).unwrap();
    let mut parsed: serde_json::Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    let app = fs::metadata(house.app()).unwrap();
    parsed["parts"][0]["identity"] =
        serde_json::json!([std::os::unix::fs::MetadataExt::dev(&app), std::os::unix::fs::MetadataExt::ino(&app)]);
    fs::write(log, parsed.to_string()).unwrap();
}

/// As [`House::let_go`], where the app may be missing.
fn house_let_go(house: &House) {
    let was_there = house.app().exists();
    fs::create_dir_all(house.app()).unwrap();
    house.let_go();
    if !was_there {
        fs::remove_dir(house.app()).unwrap();
    }
}

#[test]
fn what_was_left_to_others_is_told_by_whoever_commits_and_kept() {
    for backend in backends() {
        let house = house();
        let stage = house.open(backend);
        in_view(&stage, 0, hook);
        let mut prepared = stage.prepare().unwrap();
        fs::create_dir(house.app().join("new")).unwrap();
        prepared.apply().unwrap();
        prepared.apply().unwrap();
        let applied = prepared.applied();
        assert!(applied.left().unwrap().contains("app/new (a directory stands there since; the hook's lies in"), "{:?}", applied.left());
        assert!(!applied.changes()[0].created.contains(&"new".into()), "{:?}", applied.changes());
        assert_eq!(applied.changes()[0].deleted, paths(&["dir-to-file/x", "gone", "gone-dir", "gone-dir/x"]), "{backend}");
        applied.forget().unwrap();
        house.let_go();
        assert!(matches!(found(&house)[0].ending, Ending::Kept(_)), "{backend}");
    }
}

#[test]
fn a_failure_at_any_point_of_a_commit_that_leaves_something_to_others_is_made_good_by_the_next() {
    let meddled = |backend| {
        let house = decided(backend);
        for at in ["over", "made"] {
            meddle(&house.app().join(at), |at| fs::create_dir(at).unwrap());
        }
        fs::write(house.app().join("d/over"), "edited").unwrap();
        house
    };
    let start = |house: &House, disk: &Disk| recover(&[house.app()], &house.scratch(), disk)?.into_iter().try_for_each(Recovered::forget);
    for backend in backends() {
        let whole = Disk::default();
        let house = meddled(backend);
        start(&house, &whole).unwrap();
        let expected = tree(&house.app());
        for point in 0..whole.points() {
            let house = meddled(backend);
            let what = format!("{backend}: failed at {point} of {}", whole.points());
            assert!(start(&house, &Disk::new(super::super::FaultPlan::at(point, super::super::Fault::Io))).is_err(), "{what}");
            house.let_go();
            let all = found(&house);
            let told = match &all[0].ending {
                Ending::Committed(_) => all[0].left().unwrap().to_owned(),
                Ending::Kept(why) => why.clone(),
                Ending::Dropped => panic!("{what}: dropped"),
            };
            assert!(
                told.contains("app/over (a directory stands there since") && told.contains("app/d/over (it was changed since"),
                "{what}: {told}"
            );
            all.into_iter()
                .try_for_each(|found| if matches!(found.ending, Ending::Committed(_)) { found.forget() } else { Ok(()) })
                .unwrap();
            assert_eq!(tree(&house.app()), expected, "{what}");
        }
    }
}
