//! What a crash left: found beside the directories, and brought to one of two states.
//!
//! A stage directory is believed only as far as it could reach by itself: what is done in a directory must be vouched for by a stage directory
//! beside or in it, since whoever can write there can change the directory anyway.

use super::Ending;
use super::commit;
use super::decided::{self, Standing};
use super::disk::Disk;
use super::error::{At, StageError};
use super::left::{self, Told};
use super::log::{Log, Part};
use super::place::{self, Owner, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A stage whose owner died.
#[derive(Debug)]
pub struct Recovered {
    /// Whose it was: the label of its request.
    pub label: String,
    /// How it ended.
    pub ending: Ending,
    left: Option<Told>,
    disk: Disk,
    places: Vec<Place>,
}

impl Recovered {
    /// Its directories, the home first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|place| place.path.as_path())
    }

    /// Of a commit: what was left as it was, since somebody else was there after the decision. A sentence for a person, who finds the hook's
    /// version in the stage. None: nothing was.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        self.left.as_ref().map(|left| left.text.as_str())
    }

    /// Removes its directories, but for what was left. Only after its ending was recorded: until then each [`recover`] tells of it again.
    ///
    /// # Errors
    /// What the system says; the next [`recover`] removes what is left.
    pub fn forget(self) -> Result<(), StageError> {
        let home = self.paths().next().map(Path::to_owned).unwrap_or_default();
        commit::forget(&self.disk, self.places, self.left.as_ref()).map_err(of_stage(&home))
    }
}

/// Finishes what dead owners decided to commit in these directories, and finds what else they left. A stage whose owner lives isn't touched.
///
/// # Errors
/// What the system says: then nothing may work on the directories yet. It can be called again.
pub fn recover(bases: &[PathBuf], scratch: &Path, disk: &Disk) -> Result<Vec<Recovered>, StageError> {
    let bases = decided::resolved(bases);
    let mut stages = claim_all(&bases, scratch, disk)?;
    let homes: Vec<PathBuf> = stages.keys().cloned().collect();
    let mut recovered = Vec::new();
    for home in homes {
        let places = stages.remove(&home).unwrap_or_default();
        recovered.extend(settle(&home, places, &bases, disk).map_err(of_stage(&home))?);
    }
    Ok(recovered)
}

/// Every stage directory without a living owner, by the home of its stage; each home first.
fn claim_all(bases: &BTreeSet<PathBuf>, scratch: &Path, disk: &Disk) -> Result<BTreeMap<PathBuf, Vec<Place>>, StageError> {
    let mut stages: BTreeMap<PathBuf, Vec<Place>> = BTreeMap::new();
    for dir in decided::homes(bases, scratch) {
        let found = place::find(dir).at("look for stages in", dir)?;
        for gone in found.gone {
            place::sweep(disk, &gone).at("remove", &gone).map_err(of_stage(&gone))?;
        }
        for path in found.stages {
            let Some((place, owner)) = claim(disk, &path).map_err(of_stage(&path))? else { continue };
            let places = stages.entry(owner.home.clone()).or_default();
            let at = if place.path == owner.home { 0 } else { places.len() };
            places.insert(at, place);
        }
    }
    Ok(stages)
}

/// Takes over a stage directory without a living owner, if it says whose it was; otherwise it is rubbish.
fn claim(disk: &Disk, path: &Path) -> Result<Option<(Place, Owner)>, StageError> {
    let Some(place) = Place::claim(disk, path.to_owned()).at("recover", path)? else { return Ok(None) };
    match place.record().at("read", path)? {
        Some(owner) => Ok(Some((place, owner))),
        None => place.vanish(disk).map(|()| None),
    }
}

/// Names the stage, and the way out, where an error doesn't.
fn of_stage(stage: &Path) -> impl Fn(StageError) -> StageError {
    move |error| error.of_stage(stage, rustix::process::geteuid().as_raw())
}

fn settle(home: &Path, mut places: Vec<Place>, bases: &BTreeSet<PathBuf>, disk: &Disk) -> Result<Option<Recovered>, StageError> {
    if places.first().is_none_or(|place| place.path != home) {
        // Beside a directory that this run doesn't name.
        let Some(place) = Place::claim(disk, home.to_owned()).at("recover", home)? else {
            // Removed before the others: nothing in them counts. Or alive after all, and then it removes them itself.
            let is_gone = !home.exists();
            places.into_iter().filter(|_| is_gone).try_for_each(|place| place.vanish(disk))?;
            return Ok(None);
        };
        places.insert(0, place);
    }
    let Some(place) = places.first() else { return Ok(None) };
    let owner = place.record().at("read", home)?;
    let Some(owner) = owner.filter(|owner| owner.home == home) else { return Ok(None) };
    let (ending, left) = end(place, &places, bases, disk)?;
    Ok(Some(Recovered { label: owner.label, ending, left, disk: disk.clone(), places }))
}

/// How a stage of a dead owner ends, after its commit was finished; and what of that was left to others.
fn end(home: &Place, places: &[Place], bases: &BTreeSet<PathBuf>, disk: &Disk) -> Result<(Ending, Option<Told>), StageError> {
    let committed = |log: &Log| (Ending::Committed(log.parts.iter().map(Part::changes).collect()), left::told(&log.left));
    match decided::standing(&home.path, &home.dir)? {
        Standing::Decided(mut log) => {
            log.parts.iter().try_for_each(|part| vouched(part, places, bases, &home.path))?;
            commit::apply(disk, &mut log, Some(home))?;
            Ok(committed(&log))
        }
        Standing::Nowhere(why) => {
            commit::keep_done(disk, home, &why).at("keep", &home.path)?;
            Ok((Ending::Kept(why), None))
        }
        Standing::Done(log) => Ok(committed(&log)),
        Standing::Undecided => {
            let kept = decided::read(&home.path, &home.dir, "kept")?;
            Ok((kept.map_or(Ending::Dropped, |why| Ending::Kept(String::from_utf8_lossy(&why).into_owned())), None))
        }
    }
}

/// A stage reaches a directory only through a stage directory beside it or in it, and only a directory that the caller names.
fn vouched(part: &Part, places: &[Place], bases: &BTreeSet<PathBuf>, home: &Path) -> Result<(), StageError> {
    let lies_well = part.place.parent() == part.base.parent() || part.place.parent() == Some(&part.base);
    let is_claimed = places.iter().any(|place| place.path == part.place);
    // Where nothing stands, nothing is changed.
    let is_granted = bases.contains(&part.base) || !part.base.exists();
    if part.steps.is_empty() || (is_granted && lies_well && is_claimed) {
        return Ok(());
    }
    Err(StageError::Stranger { path: home.to_owned(), base: part.base.clone() })
}
