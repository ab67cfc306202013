//! Where a directory really is, and which of two lies in the other: by its path without links, by what the mount table says it is on its file
//! system, or, where the table doesn't say, by the identities of everything above it.

use super::mounts::{Mounts, Source, lies_in};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Device and inode.
type Identity = (u64, u64);

/// Where a directory really is.
#[derive(Debug)]
pub(super) struct Place {
    /// Its path without links.
    path: PathBuf,
    /// What it is on its own file system.
    source: Option<Source>,
    /// Those of it and of everything above it; nothing where the source says as much.
    identities: Vec<Identity>,
    /// Its own; `None` if it isn't there yet.
    identity: Option<Identity>,
}

impl Place {
    /// The place of a directory whose path without links is `path`, on the mount `mount`.
    pub(super) fn known(path: PathBuf, identity: Identity, mount: Option<u64>, mounts: &Mounts) -> io::Result<Self> {
        let source = mounts.source_of(&path, mount);
        let identities = if source.is_some() { Vec::new() } else { identities(&path)? };
        Ok(Self { path, source, identities, identity: Some(identity) })
    }

    /// The place of the directory at `path`, or where it will be: whoever may write above it could make it first.
    ///
    /// # Errors
    /// What the system says of the part that is there.
    pub(super) fn planned(path: &Path, mounts: &Mounts) -> io::Result<Self> {
        let (mut there, mut rest) = (path, PathBuf::new());
        let found = loop {
            match fs::canonicalize(there) {
                Ok(found) => break found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let (Some(above), Some(name)) = (there.parent(), there.file_name()) else { return Err(error) };
                    rest = if rest.as_os_str().is_empty() { PathBuf::from(name) } else { Path::new(name).join(rest) };
                    there = above;
                }
                Err(error) => return Err(error),
            }
        };
        let identities = identities(&found)?;
        let is_there = rest.as_os_str().is_empty();
        let path = if is_there { found } else { found.join(rest) };
        Ok(Self {
            source: mounts.source_of(&path, None),
            path,
            identity: if is_there { identities.first().copied() } else { None },
            identities,
        })
    }

    /// Whether the directory is there.
    pub(super) fn is_there(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether whoever walks below this directory comes to `inner`.
    pub(super) fn contains(&self, inner: &Self, mounts: &Mounts) -> bool {
        self.encloses(inner) || inner.source.as_ref().is_some_and(|inner| self.sources(mounts).any(|seen| inner.lies_in(seen)))
    }

    /// Whether anything can be reached from both directories, the same files under other paths included.
    pub(super) fn touches(&self, other: &Self, mounts: &Mounts) -> bool {
        self.encloses(other)
            || other.encloses(self)
            || self.sources(mounts).any(|ours| other.sources(mounts).any(|theirs| ours.touches(theirs)))
    }

    fn encloses(&self, inner: &Self) -> bool {
        lies_in(&inner.path, &self.path) || self.identity.is_some_and(|ours| inner.identities.contains(&ours))
    }

    /// The directory itself, and what is mounted below it.
    fn sources<'a>(&'a self, mounts: &'a Mounts) -> impl Iterator<Item = &'a Source> {
        self.source.iter().chain(mounts.below(&self.path))
    }
}

fn identities(path: &Path) -> io::Result<Vec<Identity>> {
    path.ancestors().map(|above| fs::metadata(above).map(|meta| (meta.dev(), meta.ino()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:1 /srv/app/data /mnt/data rw - ext4 a rw\n3 1 8:2 / /var rw - ext4 b rw\n";

    fn place(path: &str, mounts: &Mounts) -> Place {
        Place { path: path.into(), source: mounts.source_of(Path::new(path), None), identities: Vec::new(), identity: None }
    }

    #[test]
    fn a_bind_mount_is_seen_through() {
        let mounts = Mounts::parse(TABLE);
        let contains = |outer: &str, inner: &str| place(outer, &mounts).contains(&place(inner, &mounts), &mounts);
        assert!(contains("/srv/app", "/mnt/data/x"), "the alias lies outside by its path only");
        assert!(contains("/mnt", "/srv/app/data"), "what is mounted below a grant is reached through it");
        assert!(!contains("/srv/app", "/srv/other"));
        assert!(!contains("/mnt", "/srv/app"), "only a part of it is mounted there");
    }

    #[test]
    fn what_is_mounted_in_both_is_reached_from_both() {
        let mounts = Mounts::parse(TABLE);
        let touches = |one: &str, other: &str| {
            let (one, other) = (place(one, &mounts), place(other, &mounts));
            assert_eq!(one.touches(&other, &mounts), other.touches(&one, &mounts), "it has no direction");
            one.touches(&other, &mounts)
        };
        assert!(touches("/mnt", "/srv/app"), "a part of it is mounted there");
        assert!(touches("/mnt/data/cache", "/srv/app/data"));
        assert!(touches("/mnt", "/srv/app/data/cache/x"));
        assert!(!touches("/var/app/data", "/mnt/data"), "another file system");
        assert!(!touches("/srv/other", "/mnt"));
    }

    #[test]
    fn without_a_mount_table_identities_say_it() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("in")).unwrap();
        let mounts = Mounts::default();
        let of = |path: &Path| Place::planned(path, &mounts).unwrap();
        let alias = |place: Place| Place { path: "/elsewhere".into(), ..place };
        assert!(of(tree.path()).contains(&alias(of(&tree.path().join("in"))), &mounts));
        assert!(!of(&tree.path().join("in")).contains(&alias(of(tree.path())), &mounts));
    }
}
