//! The power goes: at every moment, with every state that the disk may be in then, each directory is old or new, all of them together, and what
//! was promised before holds. More combinations with `WASMHOOK_TEST_ROUNDS`.
//!
//! In [`landing`] one of the directories lies on a file system of its own, so that what is committed has to be brought there first.

mod landing;
mod recording;
mod states;

use super::super::log::{Log, Step};
use super::super::{Backend, Disk, Ending, recover};
use super::faults::{Trees, both, decided, hook, house, open};
use super::{House, backends, paths};
use proptest::test_runner::{RngAlgorithm, TestRng};
use recording::{Event, Id, Recorder, Recording};
use states::{Before, Kept, below, restore};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Combinations of unsynced changes that are tried at each moment, besides the regular ones.
const COMBINATIONS: u64 = 6;
/// So many unsynced changes are tried in every combination.
const FEW: usize = 4;

fn rounds() -> u64 {
    std::env::var("WASMHOOK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// How many states were tried, and what was wrong with some.
struct Tried {
    states: u64,
    wrong: Vec<String>,
}

/// Lets the power go in every state of a recording; `check` says what is wrong with what is found.
fn lose_power(recording: &Recording, house: &House, mut check: impl FnMut(&Before<'_>) -> Option<String>) -> Tried {
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let mut tried = Tried { states: 0, wrong: Vec::new() };
    // What is unsynced here may be missing, so the moments between say nothing more.
    let moments = recording.events.iter().enumerate().filter(|(_, event)| !matches!(event, Event::Changed(_)));
    for moment in moments.map(|(moment, _)| moment) {
        let before = Before::new(recording, moment);
        for kept in states(&before, &mut dice) {
            let picture = before.picture(&kept, &mut dice);
            let numbers = restore(&picture, &house.path());
            renumber(house, &numbers);
            tried.states += 1;
            let found = check(&before);
            tried.wrong.extend(found.map(|what| {
                let events = &recording.events[..moment];
                format!(
                    "power lost before event {moment} of {}, after {:?}: {what}\nwith {kept:?} of {events:#?}",
                    recording.events.len(),
                    before.marks
                )
            }));
        }
    }
    tried
}

fn states(before: &Before<'_>, dice: &mut TestRng) -> BTreeSet<Kept> {
    let unsynced = before.unsynced();
    let mut states = BTreeSet::from([before.least(), before.most()]);
    states.extend(unsynced.iter().map(|change| before.up_to(*change)));
    if unsynced.len() <= FEW {
        let combinations = 0..1_usize << unsynced.len();
        states
            .extend(combinations.map(|bits| before.with((0..unsynced.len()).filter(|bit| bits >> bit & 1 == 1).map(|bit| unsynced[bit]))));
    } else {
        for _ in 0..COMBINATIONS * rounds() {
            // Sometimes nearly all of it is there, sometimes nearly nothing.
            let part = below(dice, 8);
            let some: Vec<usize> = unsynced.iter().copied().filter(|_| below(dice, 8) <= part).collect();
            states.insert(before.with(some.into_iter()));
        }
    }
    states
}

/// A restored file isn't the same inode: the log learns the new numbers.
fn renumber(house: &House, numbers: &BTreeMap<Id, Id>) {
    for stage in house.rubbish() {
        for name in ["commit", "done"] {
            let path = stage.join(name);
            let Some(mut log) = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Log>(&text).ok()) else { continue };
            let new = |id: Id| numbers.get(&id).copied().unwrap_or((u64::MAX, u64::MAX));
            for part in &mut log.parts {
                let device = part.identity.0;
                part.identity = new(part.identity);
                part.born = None;
                part.steps.iter_mut().for_each(|step| {
                    if let Step::Remove { inode, .. } = step {
                        *inode = new((device, *inode)).1;
                    }
                    // Nor does it have its time.
                    if let Step::Remove { was, .. } | Step::Put { was, .. } = step {
                        *was = None;
                    }
                });
            }
            fs::write(&path, serde_json::to_vec(&log).unwrap()).unwrap();
        }
    }
}

/// What the next start makes of it.
struct Found {
    trees: (Trees, Trees),
    endings: Vec<Ending>,
    kept: Vec<PathBuf>,
}

fn next_start(house: &House) -> Result<Found, String> {
    let bases = [house.app(), house.path().join("other")];
    let found = recover(&bases, &house.scratch(), &Disk::default()).map_err(|error| error.to_string())?;
    let trees = both(house);
    let endings = found.iter().map(|found| found.ending.clone()).collect();
    let is_kept = |ending: &Ending| matches!(ending, Ending::Kept(_));
    let kept = found.iter().filter(|found| is_kept(&found.ending)).flat_map(|found| found.paths().map(ToOwned::to_owned)).collect();
    for recovered in found.into_iter().filter(|found| !is_kept(&found.ending)) {
        recovered.forget().map_err(|error| error.to_string())?;
    }
    Ok(Found { trees, endings, kept })
}

fn report(what: &str, backend: Backend, tried: &Tried) {
    println!("{what}, {backend}: power-loss states tried: {}, found wrong: {}", tried.states, tried.wrong.len());
    assert!(
        tried.wrong.is_empty(),
        "{what}, {backend}: {} of {} are wrong, the first: {}",
        tried.wrong.len(),
        tried.states,
        tried.wrong[0]
    );
    assert!(tried.states > 30, "{what}, {backend}: only {}", tried.states);
}

/// A whole life of a stage that is committed, and what the directories are before and after.
fn committed(house: &House, backend: Backend) -> (Recording, (Trees, Trees), (Trees, Trees)) {
    let old = both(house);
    let recorder = Recorder::start(&house.path());
    let stage = open(&house.path(), backend, &recorder.disk()).unwrap();
    hook(&stage);
    let mut prepared = stage.prepare().unwrap();
    recorder.mark("decided");
    prepared.apply().unwrap();
    let applied = prepared.applied();
    // By now the outcome is durable in the ledger.
    recorder.mark("recorded");
    applied.forget().unwrap();
    (recorder.end(), old, both(house))
}

/// What is wrong with what the next start finds of it.
fn misfound(before: &Before<'_>, house: &House, old: &(Trees, Trees), new: &(Trees, Trees)) -> Option<String> {
    let found = match next_start(house) {
        Ok(found) => found,
        Err(error) => return Some(error),
    };
    let is_new = found.trees == *new;
    let said = found.endings.iter().any(|ending| matches!(ending, Ending::Committed(_)));
    let (decided, recorded) = (before.marks.contains("decided"), before.marks.contains("recorded"));
    let is_well = (is_new || found.trees == *old && !decided) && (recorded || said == is_new) && house.rubbish() == paths(&[]);
    (!is_well).then(|| format!("{:?}\n{:#?}\n{:?}", found.endings, found.trees, house.rubbish()))
}

fn tried_commit(house: &House, backend: Backend) -> Tried {
    let (recording, old, new) = committed(house, backend);
    lose_power(&recording, house, |before| misfound(before, house, &old, &new))
}

/// A commit with nothing synced: the states then are those that syncs are for.
fn tried_without_syncs(house: &House, backend: Backend) -> Tried {
    let (mut recording, old, new) = committed(house, backend);
    recording.events.retain(|event| matches!(event, Event::Changed(_) | Event::Mark(_)));
    lose_power(&recording, house, |before| misfound(before, house, &old, &new))
}

/// The recovery of a stage whose owner died just after the decision.
fn tried_recovery(house: &House) -> Tried {
    let recorder = Recorder::start(&house.path());
    let disk = recorder.disk();
    for recovered in recover(&[house.app(), house.path().join("other")], &house.scratch(), &disk).unwrap() {
        recorder.mark("recorded");
        recovered.forget().unwrap();
    }
    drop(disk);
    let new = both(house);
    lose_power(&recorder.end(), house, |before| match next_start(house) {
        Ok(found) => {
            let said = before.marks.contains("recorded") || found.endings.iter().any(|ending| matches!(ending, Ending::Committed(_)));
            let is_well = found.trees == new && said && house.rubbish() == paths(&[]);
            (!is_well).then(|| format!("{:?} {:#?} {:?}", found.endings, found.trees, house.rubbish()))
        }
        Err(error) => Some(error),
    })
}

#[test]
fn whenever_the_power_goes_a_commit_is_whole_or_nothing() {
    for backend in backends() {
        report("commit", backend, &tried_commit(&house(), backend));
    }
}

#[test]
fn a_commit_that_synced_nothing_would_be_found_out() {
    for backend in backends() {
        let tried = tried_without_syncs(&house(), backend);
        assert!(tried.wrong.len() > 3, "{backend}: only {} of {}", tried.wrong.len(), tried.states);
    }
}

#[test]
fn whenever_the_power_goes_in_a_recovery_it_is_finished_by_the_next() {
    for backend in backends() {
        report("recovery", backend, &tried_recovery(&decided(house(), backend)));
    }
}

#[test]
fn whenever_the_power_goes_what_is_dropped_was_never_there() {
    for backend in backends() {
        let house = house();
        let old = both(&house);
        let recorder = Recorder::start(&house.path());
        let stage = open(&house.path(), backend, &recorder.disk()).unwrap();
        hook(&stage);
        stage.discard().unwrap();
        let tried = lose_power(&recorder.end(), &house, |_| match next_start(&house) {
            Ok(found) if found.trees == old && house.rubbish() == paths(&[]) => None,
            Ok(found) => Some(format!("{:#?} {:?}", found.trees, house.rubbish())),
            Err(error) => Some(error),
        });
        report("discard", backend, &tried);
    }
}

#[test]
fn whenever_the_power_goes_what_was_kept_can_still_be_looked_at() {
    for backend in backends() {
        let house = house();
        let old = both(&house);
        let recorder = Recorder::start(&house.path());
        let stage = open(&house.path(), backend, &recorder.disk()).unwrap();
        hook(&stage);
        drop(stage.keep("somebody else was there").unwrap());
        recorder.mark("kept");
        let tried = lose_power(&recorder.end(), &house, |before| {
            let found = match next_start(&house) {
                Ok(found) => found,
                Err(error) => return Some(error),
            };
            let staged = |file: &str| {
                let mut below = found.kept.iter().flat_map(|stage| ["upper", "tree"].map(|tree| stage.join(tree).join(file)));
                below.find_map(|path| fs::read_to_string(path).ok())
            };
            let is_kept = ["a", "dir/b", "swap/now/dir", "o"].map(staged) == ["new", "new", "d", "new"].map(|text| Some(text.to_owned()));
            let is_well = found.trees == old && (is_kept || !before.marks.contains("kept"));
            (!is_well).then(|| format!("{:?} {:?}", found.endings, house.rubbish()))
        });
        report("keep", backend, &tried);
    }
}
