//! The tree of a case: an empty directory that stands for the root of the file system, with the given files in it.

use crate::testcase::tree::{FileState, snapshot};
use crate::testcase::{Case, GivenFile};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A tree on the host, removed when it is dropped.
pub(super) struct Tree {
    /// Keeps the directory.
    _holder: TempDir,
    root: PathBuf,
    dir: Dir,
}

impl Tree {
    /// Lays the given files out below a new directory in `scratch`; `from` is the case's own directory.
    pub(super) fn lay(case: &Case, from: &Path, scratch: &Path) -> io::Result<Self> {
        let holder = TempDir::with_prefix_in("wasmhook-test-", scratch)?;
        // Links in the path are resolved once: what a hook is told, and what is taken out of its messages again, is one text.
        let root = holder.path().canonicalize()?;
        let dir = Dir::open_ambient_dir(&root, ambient_authority())?;
        let from = Dir::open_ambient_dir(from, ambient_authority())?;
        for path in [&case.app_dir, &case.data_dir] {
            dir.create_dir_all(path.trim_start_matches('/'))?;
        }
        for (path, file) in &case.files {
            given(&dir, path, file, &from).map_err(|error| io::Error::new(error.kind(), format!("/{path}: {error}")))?;
        }
        Ok(Self { _holder: holder, root, dir })
    }

    /// Where an absolute path of the case lies on the host.
    pub(super) fn host(&self, path: &str) -> String {
        self.root.join(path.trim_start_matches('/')).to_string_lossy().into_owned()
    }

    /// A text in which paths on the host read as the case writes them.
    pub(super) fn as_written(&self, text: &str) -> String {
        let root = self.root.to_string_lossy();
        text.replace(&format!("{root}/"), "/").replace(&*root, "/")
    }

    /// Everything that lies in it.
    pub(super) fn snapshot(&self) -> io::Result<BTreeMap<String, FileState>> {
        snapshot(&self.dir)
    }
}

fn given(dir: &Dir, path: &str, file: &GivenFile, from: &Dir) -> io::Result<()> {
    if let Some((parent, _)) = path.rsplit_once('/') {
        dir.create_dir_all(parent)?;
    }
    match file {
        GivenFile::Text(text) => dir.write(path, text),
        GivenFile::From(source) => from.copy(&source.value, dir, path).map(drop),
        GivenFile::Dir => dir.create_dir_all(path),
    }
}
