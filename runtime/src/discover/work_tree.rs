//! The files that lie below the application's root, read through handles: each folder on the way is opened from the one above it, and none
//! of them may be a symbolic link. A hook that may write there can't make the host read or trust a file elsewhere.

use super::error::{Refusal, SourceError};
use super::source::{Entry, EntryKind, MAX_ENTRIES, parts};
use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use std::io::{self, Read as _};
use std::path::Path;

/// The application's root, held open.
#[derive(Debug)]
pub struct WorkTree {
    root: Dir,
}

impl WorkTree {
    /// Opens the application's root. The path to it is the operator's: links on it are followed.
    ///
    /// # Errors
    /// [`SourceError::Io`] if it can't be opened.
    pub fn open(app_dir: &Path) -> Result<Self, SourceError> {
        let root = Dir::open_ambient_dir(app_dir, cap_std::ambient_authority());
        root.map(|root| Self { root }).map_err(|source| SourceError::io(&app_dir.display().to_string(), source))
    }

    /// The bytes of the file at `path`; `None` if there is nothing.
    ///
    /// # Errors
    /// [`SourceError`], as for [`super::source::Source::read`].
    pub fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(file) = self.open_file(path)? else { return Ok(None) };
        let too_large = |size| SourceError::refused(path, Refusal::TooLarge { size, max });
        let size = file.metadata().map_err(|source| SourceError::io(path, source))?.len();
        if size > max {
            return Err(too_large(size));
        }
        let mut bytes = Vec::new();
        // It may grow meanwhile: what is read is bounded, whatever the size said.
        file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| SourceError::io(path, source))?;
        if bytes.len() as u64 > max { Err(too_large(bytes.len() as u64)) } else { Ok(Some(bytes)) }
    }

    /// The entries of a folder (`.` is the root), sorted by name; `None` if there is nothing.
    ///
    /// # Errors
    /// [`SourceError`], as for [`super::source::Source::list`].
    pub fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>, SourceError> {
        let Some(dir) = self.folder(folder, &parts(folder)?)? else { return Ok(None) };
        let failed = |source| SourceError::io(folder, source);
        let mut entries = Vec::new();
        for entry in dir.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entries.len() == MAX_ENTRIES {
                return Err(SourceError::refused(folder, Refusal::TooManyEntries(MAX_ENTRIES)));
            }
            let metadata = dir.symlink_metadata(entry.file_name()).map_err(failed)?;
            let kind = kind(&metadata);
            let size = matches!(kind, EntryKind::File { .. }).then(|| metadata.len());
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind, size });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    /// Whether a regular file lies at `path`: a marker.
    ///
    /// # Errors
    /// [`SourceError`] for anything else there: a marker that somebody planted as a link decides nothing.
    pub fn has_file(&self, path: &str) -> Result<bool, SourceError> {
        Ok(self.open_file(path)?.is_some())
    }

    fn open_file(&self, path: &str) -> Result<Option<File>, SourceError> {
        let parts = parts(path)?;
        let Some((name, folders)) = parts.split_last() else {
            return Err(SourceError::refused(path, Refusal::NotAFile(EntryKind::Folder.words())));
        };
        let Some(dir) = self.folder(path, folders)? else { return Ok(None) };
        let Some(kind) = kind_of(&dir, name, path)? else { return Ok(None) };
        kind.expect_file(path)?;
        let file = open(&dir, name, OFlags::empty()).map_err(|source| SourceError::io(path, source))?;
        // Asked again of what is open now: it may have been exchanged.
        let metadata = file.metadata().map_err(|source| SourceError::io(path, source))?;
        self::kind(&metadata).expect_file(path)?;
        Ok(Some(file))
    }

    /// The folder at the end of `folders`; `None` if it, or something on the way, is absent.
    fn folder(&self, path: &str, folders: &[&str]) -> Result<Option<Dir>, SourceError> {
        let mut dir = self.root.try_clone().map_err(|source| SourceError::io(path, source))?;
        for (depth, name) in folders.iter().enumerate() {
            let Some(kind) = kind_of(&dir, name, path)? else { return Ok(None) };
            // A file on the way to something else means that the something else is absent, as git would say.
            if depth + 1 < folders.len() && matches!(kind, EntryKind::File { .. }) {
                return Ok(None);
            }
            kind.expect_folder(path)?;
            let opened = open(&dir, name, OFlags::DIRECTORY).map_err(|source| SourceError::io(path, source))?;
            dir = Dir::from_std_file(opened.into_std());
        }
        Ok(Some(dir))
    }
}

/// Opens one entry without following it, and without waiting for the other end of a pipe.
fn open(dir: &Dir, name: &str, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    dir.open_with(name, &options)
}

fn kind_of(dir: &Dir, name: &str, path: &str) -> Result<Option<EntryKind>, SourceError> {
    match dir.symlink_metadata(name) {
        Ok(metadata) => Ok(Some(kind(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SourceError::io(path, error)),
    }
}

fn kind(metadata: &Metadata) -> EntryKind {
    let file_type = metadata.file_type();
    if file_type.is_file() {
        EntryKind::File { executable: metadata.mode() & 0o111 != 0 }
    } else if file_type.is_dir() {
        EntryKind::Folder
    } else if file_type.is_symlink() {
        EntryKind::Link
    } else {
        EntryKind::Special
    }
}
