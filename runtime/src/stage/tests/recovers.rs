//! What is found after a crash. The owner dies by being dropped without a word; the kills are in `faults`.

use super::super::{Disk, Ending, recover};
use super::{House, backends, in_view, paths, tree, write};
use std::fs;
use std::os::unix::fs::MetadataExt;

fn recovered(house: &House) -> Vec<super::super::Recovered> {
    recover(&[house.app(), house.path().join("other")], &house.scratch(), &Disk::default()).unwrap()
}

#[test]
fn a_stage_that_was_not_decided_is_dropped_with_its_label() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]);
        let before = tree(&house.app());
        let stage = house.open(backend);
        in_view(&stage, 0, |app| fs::write(app.join("a"), "new").unwrap());
        assert!(recovered(&house).is_empty(), "{backend}: its owner lives");
        drop(stage);
        house.let_go();
        for _ in 0..2 {
            let found = recovered(&house);
            assert_eq!(found.len(), 1, "{backend}: until it is forgotten");
            assert_eq!((found[0].label.as_str(), &found[0].ending), ("run-1/hook", &Ending::Dropped), "{backend}");
            drop(found);
            house.let_go();
        }
        recovered(&house).pop().unwrap().forget().unwrap();
        assert!(recovered(&house).is_empty(), "{backend}");
        assert_eq!(tree(&house.app()), before, "{backend}");
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
    }
}

#[test]
fn a_decided_stage_is_finished_and_told_with_its_changes() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old"), ("b", "b")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| {
            fs::write(app.join("a"), "new").unwrap();
            fs::remove_file(app.join("b")).unwrap();
            write(&app.join("c/d"), "d");
        });
        drop(stage.prepare().unwrap());
        house.let_go();
        assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "old", "{backend}");
        for _ in 0..2 {
            let found = recovered(&house);
            let Ending::Committed(changes) = &found[0].ending else { panic!("{backend}: {:?}", found[0].ending) };
            assert_eq!(changes[0].created, paths(&["c", "c/d"]), "{backend}");
            assert_eq!(changes[0].deleted, paths(&["b"]), "{backend}");
            assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "new", "{backend}");
            drop(found);
            house.let_go();
        }
        recovered(&house).pop().unwrap().forget().unwrap();
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
    }
}

#[test]
fn a_kept_stage_stays_until_it_is_forgotten() {
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]);
        let stage = house.open(backend);
        in_view(&stage, 0, |app| fs::write(app.join("a"), "mine").unwrap());
        fs::write(house.app().join("a"), "theirs").unwrap();
        let refused = stage.prepare().unwrap_err();
        let kept = refused.stage.unwrap().keep(&refused.error.to_string()).unwrap();
        assert!(kept[0].is_dir(), "{backend}");
        house.let_go();
        let found = recovered(&house).pop().unwrap();
        let Ending::Kept(why) = &found.ending else { panic!("{backend}: {:?}", found.ending) };
        assert!(why.contains("somebody else changed") && why.contains("app/a (modified by both)"), "{why}");
        assert_eq!(found.paths().count(), 1);
        found.forget().unwrap();
        assert_eq!(house.rubbish(), paths(&[]), "{backend}");
        assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "theirs", "{backend}");
    }
}

#[test]
fn a_forged_stage_reaches_no_other_directory() {
    let house = House::new().with(&[("a", "old")]);
    let victim = House::new().with(&[("a", "old")]);
    let stage = house.open(super::super::Backend::Copy);
    in_view(&stage, 0, |app| fs::write(app.join("a"), "new").unwrap());
    drop(stage.prepare().unwrap());
    house.let_go();
    // The log now speaks of the victim, beside which no stage lies.
    let log = house.path().join(".wasmhook-stage-t-0/commit");
    let text = fs::read_to_string(&log).unwrap().replace(house.app().to_str().unwrap(), victim.app().to_str().unwrap());
    let mut forged: serde_json::Value = serde_json::from_str(&text).unwrap();
    let app = fs::metadata(victim.app()).unwrap();
    forged["parts"][0]["identity"] = serde_json::json!([app.dev(), app.ino()]);
    forged["parts"][0]["born"] = serde_json::Value::Null;
    fs::write(&log, forged.to_string()).unwrap();
    let refused = recover(&[house.app(), victim.app()], &house.scratch(), &Disk::default()).unwrap_err();
    assert!(refused.to_string().contains("holds no part of that stage"), "{refused}");
    assert_eq!(fs::read_to_string(victim.app().join("a")).unwrap(), "old");
}

#[test]
fn rubbish_of_a_removal_and_a_stage_without_an_owner_are_swept() {
    let house = House::new();
    write(&house.path().join(".wasmhook-gone-x/upper/deep/er/file"), "x");
    fs::create_dir(house.path().join(".wasmhook-stage-y")).unwrap();
    assert!(recovered(&house).is_empty());
    assert_eq!(house.rubbish(), paths(&[]));
}

#[test]
fn a_decided_commit_that_the_system_does_not_allow_now_names_its_stage_and_the_way_out() {
    let user = rustix::process::geteuid();
    for backend in backends() {
        let house = House::new().with(&[("a", "old")]).decided(backend, |app| fs::write(app.join("a"), "new").unwrap());
        let forbid = |on| {
            super::chmod(&house.app(), if on && !user.is_root() { 0o500 } else { 0o700 });
            !user.is_root() || super::odd::flag(&house.app().join("a"), rustix::fs::IFlags::IMMUTABLE, on)
        };
        if !forbid(true) {
            return println!("not shown here: this file system has no such flags");
        }
        let refused = recover(&[house.app()], &house.scratch(), &Disk::default()).unwrap_err().to_string();
        forbid(false);
        let stage = house.rubbish().remove(0);
        for said in [
            house.app().join("a").display().to_string(),
            format!("that belongs to the stage {}: let user {} do it", stage.display(), user.as_raw()),
            "or move that stage away".to_owned(),
        ] {
            assert!(refused.contains(&said), "{backend}: {refused}");
        }
        house.let_go();
        assert!(matches!(recovered(&house)[0].ending, Ending::Committed(_)), "{backend}");
    }
}

#[test]
fn a_decided_commit_that_nobody_understands_is_told_as_decided_and_stops_the_next_start() {
    for text in ["{", r#"{"schema": 2, "label": "", "parts": []}"#] {
        let house = House::new().with(&[("a", "old")]).decided(backends()[0], |app| fs::write(app.join("a"), "new").unwrap());
        let stage = house.rubbish().remove(0);
        fs::write(stage.join("commit"), text).unwrap();
        assert_eq!(super::super::decided(&[house.app()], &house.scratch()), ["run-1/hook"]);
        let refused = recover(&[house.app()], &house.scratch(), &Disk::default()).unwrap_err().to_string();
        assert!(
            refused.contains(stage.to_str().unwrap()) && refused.contains("run the wasmhook that wrote it, or move it away"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(house.app().join("a")).unwrap(), "old");
    }
}
