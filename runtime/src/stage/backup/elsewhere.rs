//! In the place of [`backup`](super::backup) where the kernel isn't Linux: what copies a directory safely from somebody else's hands isn't there,
//! so a backup is refused by name, before the hook that asks for it.

mod error;
mod values;

pub use error::BackupError;
pub use values::{Request, Taken};

use super::Disk;
use error::Doing as _;
use std::io;

/// Refuses.
///
/// # Errors
/// [`BackupError::Io`], always.
pub fn take(request: &Request, _stop: &dyn Fn() -> bool) -> Result<Taken, BackupError> {
    let path = request.dirs.first().cloned().unwrap_or_default();
    let why = "backups are taken on Linux alone; take one before, and leave `backup` out";
    Err(io::Error::new(io::ErrorKind::Unsupported, why)).doing("back up", path)
}
