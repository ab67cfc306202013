//! What may be on the disk after the power is gone.
//!
//! The rules are those that ext4 and xfs keep, and not one more: a change of names is whole or isn't there, both names of a rename together; it
//! is there for certain once a directory that it concerns was synced; what it builds on is there with it. A file's content and attributes are
//! there for certain once that file was synced; those of a link, a pipe or a device, which can't be opened for that, once its directory was.
//! All else may be there or not, in any combination (a journal keeps more order than that), and content may be there in part.

use super::recording::{Body, Change, Event, Id, Picture, Recording, Slot};
use crate::stage::Kind;
use proptest::prelude::Rng;
use proptest::test_runner::TestRng;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A number below `most`.
pub(super) fn below(dice: &mut TestRng, most: u32) -> u32 {
    dice.next_u32() % most
}

/// Which changes are on the disk, by their number among all.
pub(super) type Kept = BTreeSet<usize>;

/// All changes before one moment, and which of them must be there.
pub(super) struct Before<'a> {
    recording: &'a Recording,
    changes: Vec<&'a Change>,
    builds_on: Vec<Kept>,
    synced: Kept,
    pub marks: BTreeSet<&'static str>,
}

impl<'a> Before<'a> {
    /// What had happened when the power went, just before the event of this number.
    pub(super) fn new(recording: &'a Recording, event: usize) -> Self {
        let mut before = Self { recording, changes: Vec::new(), builds_on: Vec::new(), synced: Kept::new(), marks: BTreeSet::new() };
        for event in &recording.events[..event] {
            match event {
                Event::Changed(change) => before.add(change),
                Event::Synced(id) => before.sync(*id),
                Event::SyncedAll(device) => before.sync_all(*device),
                Event::Mark(mark) => drop(before.marks.insert(mark)),
            }
        }
        before
    }

    fn add(&mut self, change: &'a Change) {
        let earlier = self.changes.iter().enumerate().filter(|(_, earlier)| builds_on(change, earlier));
        let mut on: Kept = earlier.map(|(number, _)| number).collect();
        for number in on.clone() {
            on.extend(&self.builds_on[number]);
        }
        self.builds_on.push(on);
        self.changes.push(change);
    }

    fn sync(&mut self, id: Id) {
        let names = self.names(&(0..self.changes.len()).collect());
        let lies_in = |of: &Id| names.iter().any(|((dir, _), child)| *dir == id && child == of);
        let concerned = self.changes.iter().enumerate().filter(|(_, change)| match change {
            Change::Names(names) => names.keys().any(|(dir, _)| *dir == id),
            Change::Body(of, body) => *of == id || (!matches!(body.kind, Kind::File | Kind::Dir) && lies_in(of)),
        });
        let concerned: Vec<usize> = concerned.map(|(number, _)| number).collect();
        for number in concerned {
            self.keep(number);
        }
    }

    fn sync_all(&mut self, device: u64) {
        let concerned = self.changes.iter().enumerate().filter(|(_, change)| match change {
            Change::Names(names) => names.keys().any(|(dir, _)| dir.0 == device),
            Change::Body(of, _) => of.0 == device,
        });
        let concerned: Vec<usize> = concerned.map(|(number, _)| number).collect();
        for number in concerned {
            self.keep(number);
        }
    }

    fn keep(&mut self, number: usize) {
        self.synced.insert(number);
        self.synced.extend(&self.builds_on[number]);
    }

    /// Nothing but what must be there.
    pub(super) fn least(&self) -> Kept {
        self.synced.clone()
    }

    /// Everything: as if only the processes had died.
    pub(super) fn most(&self) -> Kept {
        (0..self.changes.len()).collect()
    }

    /// A journal that was cut: what must be there, and all names up to one change.
    pub(super) fn up_to(&self, change: usize) -> Kept {
        let names = (0..change).filter(|number| matches!(self.changes[*number], Change::Names(_)));
        names.chain(self.synced.iter().copied()).collect()
    }

    /// The changes that need not be there.
    pub(super) fn unsynced(&self) -> Vec<usize> {
        (0..self.changes.len()).filter(|number| !self.synced.contains(number)).collect()
    }

    /// What must be there and some of the others, with what they build on.
    pub(super) fn with(&self, others: impl Iterator<Item = usize>) -> Kept {
        let mut kept = self.synced.clone();
        for number in others {
            kept.insert(number);
            kept.extend(&self.builds_on[number]);
        }
        kept
    }

    fn names(&self, kept: &Kept) -> BTreeMap<Slot, Id> {
        let mut names = self.recording.begun.names.clone();
        for number in kept {
            let Change::Names(changed) = self.changes[*number] else { continue };
            for (slot, (_, is)) in changed {
                match is {
                    Some(id) => names.insert(slot.clone(), *id),
                    None => names.remove(slot),
                };
            }
        }
        names
    }

    /// The directory as it is found then.
    pub(super) fn picture(&self, kept: &Kept, dice: &mut TestRng) -> Picture {
        let names = self.names(kept);
        let mut bodies = self.recording.begun.bodies.clone();
        for (number, change) in self.changes.iter().enumerate() {
            let Change::Body(id, body) = change else { continue };
            if kept.contains(&number) {
                bodies.insert(*id, body.clone());
            } else if body.kind == Kind::File {
                let torn = match below(dice, 3) {
                    0 => bodies.get(id).map(|old| old.content.clone()).unwrap_or_default(),
                    1 => body.content[..body.content.len() / 2].to_vec(),
                    _ => vec![0; body.content.len()],
                };
                bodies.insert(*id, Body { content: torn, xattrs: BTreeMap::new(), ..body.clone() });
            } else {
                // It came to be with its name.
                bodies.entry(*id).or_insert_with(|| Body { xattrs: BTreeMap::new(), ..body.clone() });
            }
        }
        Picture { root: self.recording.begun.root, names, bodies }
    }
}

/// Whether a change can't be there without an earlier one.
fn builds_on(change: &Change, earlier: &Change) -> bool {
    let makes = |id: Id| matches!(earlier, Change::Names(names) if names.values().any(|(_, is)| *is == Some(id)));
    match (change, earlier) {
        (Change::Names(names), Change::Names(before)) => {
            // A directory goes when it is empty.
            let goes = |id: Id| !names.values().any(|(_, is)| *is == Some(id));
            let empties = |id: Id| goes(id) && before.keys().any(|(dir, _)| *dir == id);
            names.keys().any(|slot| before.contains_key(slot))
                || names.keys().any(|(dir, _)| makes(*dir))
                || names.values().filter_map(|(was, _)| *was).any(empties)
        }
        (Change::Names(_), Change::Body(..)) => false,
        (Change::Body(id, _), Change::Body(of, _)) => id == of,
        (Change::Body(id, _), Change::Names(_)) => makes(*id),
    }
}

/// Puts a directory into the state of a picture. Says which inodes took the places of which.
pub(super) fn restore(picture: &Picture, root: &Path) -> BTreeMap<Id, Id> {
    empty(root);
    let mut made: BTreeMap<Id, PathBuf> = BTreeMap::new();
    let mut dirs = vec![(picture.root, root.to_owned())];
    let mut next = 0;
    while let Some((dir, path)) = dirs.get(next).cloned() {
        next += 1;
        for ((_, name), id) in picture.names.range((dir, OsString::new())..).take_while(|((of, _), _)| *of == dir) {
            let (path, body) = (path.join(name), &picture.bodies[id]);
            if let Some(first) = made.get(id) {
                fs::hard_link(first, path).unwrap();
                continue;
            }
            make(&path, body);
            if body.kind == Kind::Dir {
                dirs.push((*id, path.clone()));
            }
            made.insert(*id, path);
        }
    }
    // From the leaves up: a directory may forbid to look into it.
    let number = |path: &PathBuf| path.symlink_metadata().map(|meta| (meta.dev(), meta.ino())).unwrap();
    let numbers = made.iter().map(|(id, path)| (*id, number(path))).collect();
    for (id, path) in dirs.iter().skip(1).rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(picture.bodies[id].mode)).unwrap();
    }
    numbers
}

/// Removes everything in a directory, also from directories that forbid it; what is mounted there stays, and is emptied.
fn empty(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            empty(&path);
            if !is_mounted(&path) {
                fs::remove_dir(path).unwrap();
            }
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

fn is_mounted(dir: &Path) -> bool {
    let device = |path: &Path| path.symlink_metadata().unwrap().dev();
    device(dir) != device(dir.parent().unwrap())
}

fn make(path: &Path, body: &Body) {
    let mode = Mode::from_raw_mode(body.mode);
    let node = |kind| rustix::fs::mknodat(CWD, path, kind, Mode::RWXU, 0).unwrap();
    match body.kind {
        Kind::File => fs::write(path, &body.content).unwrap(),
        Kind::Dir if path.is_dir() => {}
        Kind::Dir => fs::create_dir(path).unwrap(),
        Kind::Link => symlink(OsStr::from_bytes(&body.content), path).unwrap(),
        Kind::Pipe => node(FileType::Fifo),
        Kind::Socket => node(FileType::Socket),
        Kind::Device => node(FileType::CharacterDevice),
    }
    for (name, value) in &body.xattrs {
        rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
    }
    if !matches!(body.kind, Kind::Link | Kind::Dir) {
        rustix::fs::chmodat(CWD, path, mode, rustix::fs::AtFlags::empty()).unwrap();
    }
}
