//! What is committed is on another file system than the directory that it belongs to: it is brought there first, and each of the two may lose
//! what it hasn't synced.

use super::super::super::Backend;
use super::super::House;
use super::super::faults::{FILES, decided, errors_at_any_point};
use super::super::odd::{among_mounts, elsewhere};
use super::super::write;
use super::{report, tried_commit, tried_recovery, tried_without_syncs};

/// The app is on a file system of its own, and the other directory on that of the stages.
fn house() -> House {
    let house = House::in_memory().mounted().with(FILES);
    write(&house.path().join("other/o"), "old");
    house
}

#[test]
fn whenever_the_power_goes_what_is_landed_is_whole_or_nothing() {
    elsewhere(among_mounts(), "power::landing::a_commit");
    elsewhere(among_mounts(), "power::landing::a_recovery");
}

#[test]
#[ignore = "started by `whenever_the_power_goes_what_is_landed_is_whole_or_nothing`"]
fn a_commit() {
    report("landed commit", Backend::Copy, &tried_commit(&house(), Backend::Copy));
    let tried = tried_without_syncs(&house(), Backend::Copy);
    assert!(tried.wrong.len() > 3, "syncs are needed: only {} of {}", tried.wrong.len(), tried.states);
}

#[test]
#[ignore = "started by `whenever_the_power_goes_what_is_landed_is_whole_or_nothing`"]
fn a_recovery() {
    let house = decided(house(), Backend::Copy);
    assert!(house.rubbish().iter().any(|place| place.starts_with(house.app())), "it has landed: {:?}", house.rubbish());
    report("landed recovery", Backend::Copy, &tried_recovery(&house));
}

#[test]
fn an_error_at_any_point_of_a_landing_leaves_old_or_new() {
    elsewhere(among_mounts(), "power::landing::errors");
}

#[test]
#[ignore = "started by `an_error_at_any_point_of_a_landing_leaves_old_or_new`"]
fn errors() {
    let points = errors_at_any_point(Backend::Copy, house);
    assert!(points > 60, "only {points}");
}
