//! Paths as written: what leaves its directory, and which grants lie in which. Links and `$DATA_DIR`'s place are the plan's to look at.

use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{error_at, quote};
use crate::manifest::DirAsk;
use crate::model::grant::DirMode;

/// Reports a path that is not below the directory that it is relative to.
pub(super) fn below(path: &Located<String>, root: &str, help: &str, found: &mut Vec<Diagnostic>) {
    if path.value.starts_with('/') || parts(&path.value).is_none() {
        let message = format!("{} does not lie below {root}", quote(&path.value));
        found.push(error_at(path, codes::ESCAPES_ROOT, message).help(help));
    }
}

/// The components of a path without `.`, with each `..` taken back; `None` if it climbs above where it began.
fn parts(path: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts)
}

/// Which directory a granted path begins at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    App,
    Data,
    FileSystem,
}

/// A grant, by components.
struct Granted<'a> {
    dir: &'a DirAsk,
    mode: DirMode,
    base: Base,
    parts: Vec<&'a str>,
}

impl<'a> Granted<'a> {
    /// `None` for `scratch`, which has no place on the host, and for what leaves its base, which is reported.
    fn of(dir: &'a DirAsk, default: DirMode, found: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = dir.path.value.as_str();
        let mode = dir.mode.as_ref().map_or(default, |mode| mode.value);
        if mode == DirMode::Scratch {
            return None;
        }
        let (base, rest) = match text {
            _ if text.starts_with('/') => (Base::FileSystem, text),
            _ if text.starts_with("$APP_DIR") => (Base::App, &text["$APP_DIR".len()..]),
            _ if text.starts_with("$DATA_DIR") => (Base::Data, &text["$DATA_DIR".len()..]),
            _ => (Base::App, text),
        };
        let Some(parts) = parts(rest) else {
            let message = format!("{} leaves the directory that it is relative to", quote(text));
            found.push(error_at(&dir.path, codes::ESCAPES_ROOT, message).help("a directory elsewhere is written as an absolute path"));
            return None;
        };
        Some(Self { dir, mode, base, parts })
    }

    fn contains(&self, other: &Self) -> bool {
        self.base == other.base && other.parts.starts_with(&self.parts)
    }
}

/// Reports grants that leave their base, grants that share a guest path, and grants that lie in a wider one: a hook would reach their files through that one all the same.
pub(super) fn grants(dirs: &[DirAsk], default: DirMode, found: &mut Vec<Diagnostic>) {
    let granted: Vec<_> = dirs.iter().filter_map(|dir| Granted::of(dir, default, found)).collect();
    for inner in &granted {
        let wider = |outer: &&Granted| outer.contains(inner) && outer.mode != DirMode::Scratch && inner.mode.width() < outer.mode.width();
        if let Some(outer) = granted.iter().find(wider) {
            let (inner_path, outer_path) = (quote(&inner.dir.path.value), quote(&outer.dir.path.value));
            let message = format!(
                "{inner_path} is granted `{}` and lies in {outer_path}, which is granted `{}`: nothing would enforce it",
                inner.mode, outer.mode
            );
            let help = "grant the folders beside it instead of the one around it, or grant `write` for both";
            found.push(error_at(&inner.dir.path, codes::IMPOSSIBLE_GRANT, message).help(help));
        }
    }
    let mut guests: Vec<&str> = Vec::new();
    for dir in dirs {
        let guest = dir.guest.as_deref().unwrap_or(&dir.path.value);
        if guests.contains(&guest) {
            let message = format!("two directories are granted as {}", quote(guest));
            found.push(error_at(&dir.path, codes::DUPLICATE_NAME, message).help("give one of them another `guest` path"));
        }
        guests.push(guest);
    }
}
