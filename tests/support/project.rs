//! A directory with a manifest, for tests that run the program in one.

use std::path::Path;
use tempfile::TempDir;

/// A guest that does nothing.
pub const OK: &str = "(module (func (export \"_start\")))";
/// A guest that exits with code 7.
pub const FAILS: &str = "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) (memory (export \"memory\") 1)
    (func (export \"_start\") (call $exit (i32.const 7))))";

/// A hook of the manifest with more lines.
#[must_use]
pub fn hook(id: &str, phase: &str, lines: &str) -> String {
    format!("[[hook]]\nid = \"{id}\"\nphase = \"{phase}\"\n{lines}\n")
}

/// A directory with a manifest and what its hooks need.
#[derive(Debug)]
pub struct Project {
    dir: TempDir,
}

impl Project {
    /// A directory whose `wasmhook.toml` holds `schema`, `app = "shop"` and these lines.
    ///
    /// # Panics
    /// If it can't be written.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        Self::empty().file("wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{lines}\n"))
    }

    /// An empty directory.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap_or_else(|error| panic!("no directory for a test: {error}")) }
    }

    /// Writes a file; what ends in `.sh` is executable.
    ///
    /// # Panics
    /// If it can't be written.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// As [`file`](Self::file), later.
    ///
    /// # Panics
    /// As [`file`](Self::file).
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        let folder = path.parent().unwrap_or(&path);
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, content));
        assert!(written.is_ok(), "{} can't be written: {written:?}", path.display());
        if path.extension().is_some_and(|ending| ending == "sh") {
            let made = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755));
            assert!(made.is_ok(), "{} can't be made executable: {made:?}", path.display());
        }
    }

    /// Copies a guest to `name`.
    ///
    /// # Panics
    /// If it can't be read or written.
    #[must_use]
    pub fn guest(self, name: &str, from: impl AsRef<Path>) -> Self {
        let bytes = std::fs::read(from.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", from.as_ref().display()));
        self.file(name, bytes)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The text of a file.
    ///
    /// # Panics
    /// If it isn't there.
    #[must_use]
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whether there is something of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.path().join(name).symlink_metadata().is_ok()
    }
}
