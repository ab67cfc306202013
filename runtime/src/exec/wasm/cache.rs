//! The compile cache: native code that this user compiled, found again by what it was compiled from and for. It knows files, not wasmtime.
//!
//! An entry is `<key>.hook`: the artefact, then a footer with a digest over key, artefact and hook. Writers make a new file and rename it, so
//! ten of them may fill the cache at once and a reader sees an entry whole or not at all. A cache that can't be read or written costs time,
//! never a failure. A loaded entry stays mapped: whoever truncates a file here in place (only this user can) takes the ground from under
//! running hooks; removing or replacing one is safe at any time.

use crate::model::id::Digest;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const ENDING: &str = ".hook";
const UNFINISHED: &str = ".tmp";

/// Ends every entry; another number is another layout.
const MAGIC: &[u8; 8] = b"whcache1";

/// The footer: digest of the entry, digest of the hook, magic.
const FOOTER: usize = 32 + 32 + MAGIC.len();

/// A directory of compiled hooks.
pub struct Cache {
    dir: Dir,
    path: PathBuf,
    written: AtomicU64,
}

/// One compiled hook in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// The digest of the hook's bytes. One hook has an entry for each engine configuration and processor.
    pub digest: Digest,
    /// Its size on disk, in bytes.
    pub bytes: u64,
    /// When it was last loaded or written.
    pub used: SystemTime,
}

/// A cache directory that can't be trusted or used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system refused.
    #[error("cache {path}: {source}")]
    Io {
        /// The directory.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else could put native code there.
    #[error("cache {path}: {rule}; make it yours and private (chmod 700), or use another directory")]
    Untrusted {
        /// The directory.
        path: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

/// Which entry: hook, engine and form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    name: String,
    hook: [u8; 32],
}

impl Key {
    /// The key of the hook with the digest `hook` for the engine that `engine` stands for.
    pub(super) fn new(hook: &Digest, engine: u64, form: char) -> Option<Self> {
        let hook: [u8; 32] = hex::decode(hook.hex()).ok()?.try_into().ok()?;
        let parts = Sha256::new().chain_update(hook).chain_update(engine.to_le_bytes()).chain_update([form as u8]);
        Some(Self { name: hex::encode(parts.finalize()), hook })
    }

    fn seal(&self) -> Sha256 {
        Sha256::new().chain_update(MAGIC).chain_update(self.name.as_bytes()).chain_update(self.hook)
    }
}

impl Cache {
    /// Opens the cache in `path`; makes the directory, private, if there is none.
    ///
    /// # Errors
    /// [`CacheError`] if it can't be made or opened, isn't owned by this user, or lets anybody else in.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let shown = || path.display().to_string();
        let opened = open_dir(path).map_err(|source| CacheError::Io { path: shown(), source })?;
        let meta = opened.metadata().map_err(|source| CacheError::Io { path: shown(), source })?;
        let untrusted = |rule| Err(CacheError::Untrusted { path: shown(), rule });
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return untrusted("another user owns it, and could put native code there");
        }
        if meta.mode() & 0o077 != 0 {
            return untrusted("other users may enter it");
        }
        Ok(Self { dir: Dir::from_std_file(opened), path: path.to_owned(), written: AtomicU64::new(0) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds, the longest unused first. Files that are no entries of this layout are left out.
    ///
    /// # Errors
    /// [`CacheError::Io`] if the directory can't be read.
    pub fn entries(&self) -> Result<Vec<CacheEntry>, CacheError> {
        let mut entries: Vec<CacheEntry> = self.files(&[ENDING])?.iter().filter_map(|name| self.entry(name).ok()).collect();
        entries.sort_by_key(|entry| entry.used);
        Ok(entries)
    }

    /// Removes every entry, and what writers that were killed left behind. Hooks that are loaded stay loaded.
    ///
    /// # Errors
    /// [`CacheError::Io`] if the directory can't be read or a file can't be removed.
    pub fn clear(&self) -> Result<(), CacheError> {
        for name in self.files(&[ENDING, UNFINISHED])? {
            match self.dir.remove_file(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.io(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The entry of `key`, if there is one and it is what was written: its file, still open, at its beginning.
    pub(super) fn get(&self, key: &Key) -> Option<File> {
        let name = format!("{}{ENDING}", key.name);
        let mut file = match self.open_entry(&name) {
            Ok(file) => file,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(cache = %self.path.display(), %error, "a cache entry can't be read: compiling instead");
                }
                return None;
            }
        };
        match verify(&mut file, key) {
            Ok(true) => {
                // Only `entries` asks; a file system that doesn't keep it makes nothing wrong.
                let _ = file.set_modified(SystemTime::now());
                Some(file)
            }
            outcome => {
                tracing::warn!(cache = %self.path.display(), entry = name, ?outcome, "a cache entry isn't what was written: compiling again");
                None
            }
        }
    }

    /// Keeps `artefact` under `key`. A failure is a warning: the next run compiles again.
    pub(super) fn put(&self, key: &Key, artefact: &[u8]) {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{}.{}.{number}{UNFINISHED}", key.name, std::process::id());
        let written =
            self.write(&unfinished, key, artefact).and_then(|()| self.dir.rename(&unfinished, &self.dir, format!("{}{ENDING}", key.name)));
        if let Err(error) = written {
            let _ = self.dir.remove_file(&unfinished);
            tracing::warn!(cache = %self.path.display(), %error, "a compiled hook was not kept: the next run compiles it again");
        }
    }

    fn write(&self, name: &str, key: &Key, artefact: &[u8]) -> io::Result<()> {
        let mut file = self.dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(0o600))?.into_std();
        let seal = key.seal().chain_update(artefact).finalize();
        file.write_all(artefact)?;
        file.write_all(&[&seal[..], &key.hook, MAGIC].concat())
    }

    fn open_entry(&self, name: &str) -> io::Result<File> {
        let file = self.dir.open_with(name, OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK))?.into_std();
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
    }

    fn entry(&self, name: &str) -> io::Result<CacheEntry> {
        let mut file = self.open_entry(name)?;
        let meta = file.metadata()?;
        let footer = footer(&mut file, meta.len())?.ok_or_else(|| io::Error::other("another layout"))?;
        Ok(CacheEntry { digest: Digest::of_hash(&footer.hook), bytes: meta.len(), used: meta.modified()? })
    }

    fn files(&self, endings: &[&str]) -> Result<Vec<String>, CacheError> {
        let mut names = Vec::new();
        for entry in self.dir.entries().map_err(|error| self.io(error))? {
            let name = entry.map_err(|error| self.io(error))?.file_name();
            names.extend(name.to_str().filter(|name| endings.iter().any(|ending| name.ends_with(ending))).map(str::to_owned));
        }
        Ok(names)
    }

    fn io(&self, source: io::Error) -> CacheError {
        CacheError::Io { path: self.path.display().to_string(), source }
    }
}

/// Makes the directory if need be, and opens it without following a link at its end.
fn open_dir(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

struct Footer {
    seal: [u8; 32],
    hook: [u8; 32],
}

/// Reads the footer; `None` if the file has none of this layout.
fn footer(file: &mut File, len: u64) -> io::Result<Option<Footer>> {
    let Some(start) = len.checked_sub(FOOTER as u64) else { return Ok(None) };
    let mut bytes = [0u8; FOOTER];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    file.rewind()?;
    let (Some(seal), Some(hook)) = (bytes.first_chunk(), bytes[32..].first_chunk()) else { return Ok(None) };
    Ok(bytes.ends_with(MAGIC).then_some(Footer { seal: *seal, hook: *hook }))
}

/// Whether the entry is whole, unchanged, and the one of `key`. It is read, not mapped: what is hashed needn't stay in memory.
fn verify(file: &mut File, key: &Key) -> io::Result<bool> {
    let len = file.metadata()?.len();
    let Some(footer) = footer(file, len)? else { return Ok(false) };
    let mut seal = key.seal();
    let mut artefact = file.take(len - FOOTER as u64);
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        match artefact.read(&mut buffer)? {
            0 => break,
            read => seal.update(&buffer[..read]),
        }
    }
    file.rewind()?;
    Ok(footer.hook == key.hook && footer.seal == *seal.finalize())
}
