//! A private copy of a tree. Links come last: nothing is ever written through one, whatever the tree holds.

use crate::exec::ExecError;
use crate::model::job::{Tree, TreeEntry};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Writes `tree` into the new and empty directory `root`.
///
/// # Errors
/// What the system says, with the path in the tree; also for a path that leaves it.
pub(super) fn write(tree: &Tree, root: &Path) -> Result<(), ExecError> {
    let (links, others): (Vec<_>, Vec<_>) = tree.entries.iter().partition(|(_, entry)| matches!(entry, TreeEntry::Link { .. }));
    for (path, entry) in others.into_iter().chain(links) {
        place(path, entry, root).map_err(|error| ExecError::new(format!("copying {path}"), error))?;
    }
    Ok(())
}

fn place(path: &str, entry: &TreeEntry, root: &Path) -> io::Result<()> {
    let at = below(path, root)?;
    folder(at.parent().unwrap_or(root))?;
    match entry {
        TreeEntry::File { bytes, executable } => {
            let mode = if *executable { 0o500 } else { 0o400 };
            OpenOptions::new().write(true).create_new(true).mode(mode).open(at)?.write_all(bytes)
        }
        TreeEntry::Link { target } => std::os::unix::fs::symlink(target, at),
        TreeEntry::Folder => folder(&at),
    }
}

fn below(path: &str, root: &Path) -> io::Result<PathBuf> {
    let is_below = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if is_below { Ok(root.join(path)) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no path below the tree's root")) }
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(text: &str, executable: bool) -> TreeEntry {
        TreeEntry::File { bytes: text.as_bytes().into(), executable }
    }

    fn tree<const N: usize>(entries: [(&str, TreeEntry); N]) -> Tree {
        Tree { entries: entries.into_iter().map(|(path, entry)| (path.to_owned(), entry)).collect() }
    }

    #[test]
    fn a_copy_holds_what_the_tree_does() {
        let root = tempfile::tempdir().unwrap();
        let link = TreeEntry::Link { target: "../lib/x".to_owned() };
        let made = write(
            &tree([("a/link", link), ("a/run.sh", file("run", true)), ("lib/x", file("x", false)), ("sub", TreeEntry::Folder)]),
            root.path(),
        );
        assert!(made.is_ok(), "{:?}", made.err());
        assert_eq!(fs::read_to_string(root.path().join("a/link")).unwrap(), "x");
        let bits = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits("a/run.sh"), bits("lib/x"), bits("sub")), (0o500, 0o400, 0o700));
    }

    #[test]
    fn nothing_is_written_outside_of_it() {
        let outside = tempfile::tempdir().unwrap();
        let out = || TreeEntry::Link { target: outside.path().display().to_string() };
        for bad in [
            tree([("../x", file("x", false))]),
            tree([("/x", file("x", false))]),
            tree([("", file("x", false))]),
            tree([("a", out()), ("a/x", file("x", false))]),
            tree([("a/x", file("x", false)), ("a", out())]),
        ] {
            let root = tempfile::tempdir().unwrap();
            assert!(write(&bad, root.path()).is_err(), "{bad:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
