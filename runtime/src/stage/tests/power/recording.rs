//! What happens to a directory while a stage works beside it: every change, and every sync, in their order.
//!
//! Changes are found by looking, not by asking who made them: what a hook writes through an overlay counts like what the stage does itself.

use crate::stage::Kind;
use crate::stage::disk::{Disk, Seen};
use crate::stage::tree::{self, Identity, Node};
use rustix::fs::{CWD, Mode, OFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// An inode: its device and its number. All are held open, so that no number is used twice.
pub(super) type Id = Identity;
/// A name in a directory.
pub(super) type Slot = (Id, OsString);

/// What a name meant, and what it means.
pub(super) type Meaning = (Option<Id>, Option<Id>);

/// What an inode holds besides names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub kind: Kind,
    pub mode: u32,
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
    /// Of a link, where it leads.
    pub content: Vec<u8>,
}

/// One thing that is on the disk wholly or not at all.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Names that come, go, or mean something else, with what each meant and means: several, if something was renamed.
    Names(BTreeMap<Slot, Meaning>),
    /// An inode's attributes, and its content.
    Body(Id, Body),
}

#[derive(Debug, Clone)]
pub(super) enum Event {
    Changed(Change),
    /// This file or directory was synced.
    Synced(Id),
    /// Everything on this device was.
    SyncedAll(u64),
    /// Said by the test.
    Mark(&'static str),
}

/// A directory at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    pub root: Id,
    pub names: BTreeMap<Slot, Id>,
    pub bodies: BTreeMap<Id, Body>,
}

#[derive(Debug)]
pub(super) struct Recording {
    pub begun: Picture,
    pub events: Vec<Event>,
    last: Picture,
    held: BTreeMap<Id, OwnedFd>,
}

impl Recording {
    fn look(&mut self, root: &Path) {
        let now = Picture::of(root, &mut self.held);
        let changes = self.last.until(&now);
        self.events.extend(changes.into_iter().map(Event::Changed));
        self.last = now;
    }
}

/// Records what happens in a directory.
pub(super) struct Recorder {
    recording: Arc<Mutex<Recording>>,
    root: PathBuf,
}

impl Recorder {
    pub(super) fn start(root: &Path) -> Self {
        let mut held = BTreeMap::new();
        let begun = Picture::of(root, &mut held);
        let recording = Recording { last: begun.clone(), begun, events: Vec::new(), held };
        Self { recording: Arc::new(Mutex::new(recording)), root: root.to_owned() }
    }

    /// A disk that this sees.
    pub(super) fn disk(&self) -> Disk {
        let (recording, root) = (Arc::clone(&self.recording), self.root.clone());
        let look = move |seen: Seen<'_>| {
            let mut recording = recording.lock().unwrap();
            recording.look(&root);
            match seen {
                Seen::Point => {}
                Seen::Synced(file) => recording.events.push(Event::Synced(Node::open(file).unwrap().identity())),
                Seen::SyncedAll(dir) => recording.events.push(Event::SyncedAll(Node::open(dir).unwrap().dev)),
            }
        };
        Disk::seen_by(look)
    }

    pub(super) fn mark(&self, what: &'static str) {
        let mut recording = self.recording.lock().unwrap();
        recording.look(&self.root);
        recording.events.push(Event::Mark(what));
    }

    /// All of it. Nobody may use the disk any more.
    pub(super) fn end(self) -> Recording {
        self.mark("end");
        Arc::into_inner(self.recording).expect("the disk is gone").into_inner().unwrap()
    }
}

impl Picture {
    fn of(root: &Path, held: &mut BTreeMap<Id, OwnedFd>) -> Self {
        let mut picture = Self { root: picture_of(root, held).0, ..Self::default() };
        let mut dirs = vec![root.to_owned()];
        while let Some(dir) = dirs.pop() {
            let (id, body) = picture_of(&dir, held);
            picture.bodies.insert(id, body);
            // Overlayfs keeps its work directory to itself.
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                let (child, body) = picture_of(&path, held);
                if body.kind == Kind::Dir {
                    dirs.push(path.clone());
                }
                picture.names.insert((id, path.file_name().unwrap().to_owned()), child);
                picture.bodies.insert(child, body);
            }
        }
        picture
    }

    /// What leads from here to a later one.
    fn until(&self, now: &Self) -> Vec<Change> {
        let all: BTreeSet<&Slot> = self.names.keys().chain(now.names.keys()).collect();
        let meanings = all.into_iter().map(|slot| (slot.clone(), (self.names.get(slot).copied(), now.names.get(slot).copied())));
        let mut slots: BTreeMap<Slot, Meaning> = meanings.filter(|(_, (was, is))| was != is).collect();
        let mut renames = Vec::new();
        let moved: BTreeSet<Id> = slots.values().filter_map(|(was, _)| *was).collect();
        for id in moved {
            // What lost a name and has another was renamed: both change in one moment.
            let concerns = |meaning: &Meaning| meaning.0 == Some(id) || meaning.1 == Some(id);
            let group: BTreeMap<Slot, Meaning> =
                slots.iter().filter(|(_, it)| concerns(it)).map(|(slot, it)| (slot.clone(), *it)).collect();
            if group.values().any(|(_, is)| *is == Some(id)) {
                slots.retain(|slot, _| !group.contains_key(slot));
                renames.push(Change::Names(group));
            }
        }
        // Directories are made from the root down, and emptied before they go.
        let mut come: Vec<(usize, Slot, Meaning)> = Vec::new();
        let mut go = Vec::new();
        for (slot, meaning) in slots {
            match meaning.1 {
                Some(_) => come.push((now.depth(slot.0), slot, meaning)),
                None => go.push((usize::MAX - self.depth(slot.0), slot, meaning)),
            }
        }
        come.sort();
        go.sort();
        let single = |(_, slot, meaning): (usize, Slot, Meaning)| Change::Names(BTreeMap::from([(slot, meaning)]));
        let bodies = now.bodies.iter().filter(|(id, body)| self.bodies.get(id) != Some(*body));
        let bodies = bodies.map(|(id, body)| Change::Body(*id, body.clone()));
        come.into_iter().map(single).chain(renames).chain(go.into_iter().map(single)).chain(bodies).collect()
    }

    fn depth(&self, dir: Id) -> usize {
        let above = self.names.iter().find(|(_, child)| **child == dir);
        above.map_or(0, |((parent, _), _)| self.depth(*parent) + 1)
    }
}

fn picture_of(path: &Path, held: &mut BTreeMap<Id, OwnedFd>) -> (Id, Body) {
    let handle = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let node = Node::open(&handle).unwrap();
    let xattrs = tree::xattr_names(&handle).unwrap_or_default();
    let xattrs = xattrs.into_iter().filter_map(|name| Some((name.clone(), tree::xattr(&handle, &name).ok()??))).collect();
    let content = match node.kind {
        Kind::File => fs::read(path).unwrap_or_default(),
        Kind::Link => fs::read_link(path).unwrap().into_os_string().into_vec(),
        _ => Vec::new(),
    };
    held.entry(node.identity()).or_insert(handle);
    (node.identity(), Body { kind: node.kind, mode: node.mode, xattrs, content })
}
