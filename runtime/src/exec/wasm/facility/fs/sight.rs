//! What a guest was opened by path, and what it was seen to be refused, or to look for where nothing is.

use crate::model::grant::{Capability, Denial, DirGrant, DirMode};

/// Most refusals that are kept of one execution.
const MAX_DENIALS: usize = 64;

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// What the guest was opened, each by its place among what was opened, and what it was refused there.
pub(in super::super::super) struct Sight {
    grants: Vec<(String, DirMode)>,
    /// The place of the empty directory to which paths outside every grant come, where there is one.
    outside: Option<usize>,
    /// Which directory is which, as a component asked.
    dirs: Vec<(Identity, usize)>,
    denials: Vec<Denial>,
    /// Attempts that were refused when no more were kept.
    more: u64,
}

impl Sight {
    /// Sees refusals below `grants`, which were opened first.
    pub(in super::super::super) fn new(grants: &[DirGrant]) -> Self {
        let grants = grants.iter().map(|grant| (grant.guest.clone(), grant.mode)).collect();
        Self { grants, outside: None, dirs: Vec::new(), denials: Vec::new(), more: 0 }
    }

    /// The same, and what is looked for outside: what was opened at `outside` is the empty directory for that, if any is.
    pub(in super::super::super) fn outside(self, outside: Option<usize>) -> Self {
        Self { outside, ..self }
    }

    /// What was refused so far, and how many more attempts that isn't kept of.
    pub(in super::super::super) fn denials(&mut self) -> (Vec<Denial>, u64) {
        (std::mem::take(&mut self.denials), std::mem::take(&mut self.more))
    }

    /// Whether paths outside every grant are looked at.
    pub(super) fn sees_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// Whether `place` is where paths outside every grant come.
    pub(super) fn is_outside(&self, place: Option<usize>) -> bool {
        place.is_some() && place == self.outside
    }

    /// Whether what was opened at `place` was granted for reading.
    pub(super) fn is_read(&self, place: Option<usize>) -> bool {
        self.grant(place).is_some_and(|(_, mode)| *mode == DirMode::Read)
    }

    /// Remembers that the directory at `place` is this one.
    pub(super) fn is_at(&mut self, identity: Identity, place: usize) {
        if !self.dirs.contains(&(identity, place)) {
            self.dirs.push((identity, place));
        }
    }

    /// Where this directory was opened.
    pub(super) fn place_of(&self, identity: Identity) -> Option<usize> {
        self.dirs.iter().find(|(known, _)| *known == identity).map(|(_, place)| *place)
    }

    /// A path below what was opened at `place` was refused.
    pub(super) fn refused(&mut self, place: Option<usize>, path: &str) {
        let (what, allow) = match self.grant(place) {
            Some((guest, DirMode::Read)) if stays_inside(path) => (
                format!("write to {}", join(guest, path)),
                format!("grant {guest} in the mode write, if it isn't a link that leads outside"),
            ),
            Some((guest, _)) => {
                (format!("path {} leads out of the grant {guest}", join(guest, path)), "grant the directory that it leads to".to_owned())
            }
            None => {
                (format!("path {path} below an opened directory"), "grant the directory that it leads to, in the mode it needs".to_owned())
            }
        };
        self.denied(what, allow);
    }

    /// A path outside every grant was looked for, to be used as `mode` says.
    pub(super) fn looked_outside(&mut self, path: &str, mode: DirMode) {
        let path = join("/", path);
        let allow = match directory_of(&path) {
            Some(dir) => format!("add {{ path = {dir:?}, mode = \"{mode}\" }} to the hook's dirs"),
            None => format!("add the directory that it needs to the hook's dirs, in the mode {mode}"),
        };
        self.denied(format!("path {path}, which lies outside every grant"), allow);
    }

    fn grant(&self, place: Option<usize>) -> Option<&(String, DirMode)> {
        self.grants.get(place?)
    }

    fn denied(&mut self, what: String, allow: String) {
        let denial = Denial { capability: Capability::Dir, what, allow };
        if self.denials.contains(&denial) {
            return;
        }
        if self.denials.len() < MAX_DENIALS {
            self.denials.push(denial);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

fn join(guest: &str, path: &str) -> String {
    format!("{}/{}", guest.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// The directory whose grant would hold `path`; none where that would be the root, or where the text doesn't say it.
fn directory_of(path: &str) -> Option<&str> {
    let (dir, _) = path.trim_end_matches('/').rsplit_once('/')?;
    let is_plain = path.split('/').all(|part| !matches!(part, "." | ".."));
    (is_plain && !dir.is_empty()).then_some(dir)
}

/// Whether the text of the path, links aside, never climbs above its start.
fn stays_inside(path: &str) -> bool {
    let mut depth = 0i32;
    !path.starts_with('/')
        && path.split('/').all(|part| {
            depth += match part {
                "" | "." => 0,
                ".." => -1,
                _ => 1,
            };
            depth >= 0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(paths: &[(&str, DirMode)]) -> (Vec<Denial>, u64) {
        let mut sight = Sight::new(&[]).outside(Some(0));
        for (path, mode) in paths {
            sight.looked_outside(path, *mode);
        }
        sight.denials()
    }

    #[test]
    fn what_is_looked_for_outside_is_named_with_the_line_that_would_allow_it() {
        let cases = [
            ("etc/hostname", DirMode::Read, "path /etc/hostname,", "add { path = \"/etc\", mode = \"read\" } to the hook's dirs"),
            (
                "var/lib/app/x/",
                DirMode::Write,
                "path /var/lib/app/x/,",
                "add { path = \"/var/lib/app\", mode = \"write\" } to the hook's dirs",
            ),
            ("a\"b/c", DirMode::Read, "path /a\"b/c,", "add { path = \"/a\\\"b\", mode = \"read\" } to the hook's dirs"),
            ("file", DirMode::Read, "path /file,", "add the directory that it needs to the hook's dirs, in the mode read"),
            (".", DirMode::Read, "path /.,", "add the directory that it needs to the hook's dirs, in the mode read"),
            ("a/../../b", DirMode::Read, "path /a/../../b,", "add the directory that it needs to the hook's dirs, in the mode read"),
        ];
        for (path, mode, what, allow) in cases {
            let [denial] = &seen(&[(path, mode)]).0[..] else { panic!("{path}") };
            assert!(denial.what.starts_with(what), "{denial:?}");
            assert_eq!(denial.allow, allow, "{path}");
        }
    }

    #[test]
    fn each_is_kept_once_and_what_is_not_kept_is_counted() {
        let twice = [("a/b", DirMode::Read), ("a/b", DirMode::Read)];
        let (kept, more) = seen(&twice);
        assert_eq!((kept.len(), more), (1, 0));
        let many: Vec<String> = (0..1_000).map(|n| format!("a/{n}")).collect();
        let many: Vec<_> = many.iter().map(|path| (path.as_str(), DirMode::Read)).collect();
        let (kept, more) = seen(&many);
        assert_eq!((kept.len(), more), (MAX_DENIALS, 1_000 - MAX_DENIALS as u64));
    }
}
