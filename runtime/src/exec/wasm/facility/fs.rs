//! Directories: each grant becomes one preopened handle, and there is no other way to a file. Refusals at a handle are seen and recorded.

use super::super::state::State;
use super::{PREVIEW1, called};
use crate::exec::dirs::{self, Handle};
use crate::exec::lease::Leased;
use crate::exec::{Staged, Surroundings};
use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as preview1;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wiggle::{GuestMemory, GuestPtr};

/// The preview1 number of `EPERM`: what wasmtime-wasi answers where its own rules refuse, and not the host's file permissions (`EACCES`).
const PERM: i32 = 63;

/// The first preopened directory's descriptor, after the three streams.
const FIRST_PREOPEN: usize = 3;

/// Most refusals that are kept of one execution, and most bytes of a path in one.
const MAX_DENIALS: usize = 64;
const MAX_PATH: u32 = 1_024;

/// Why a job's directories could not be prepared.
pub(in super::super) enum Unprepared {
    /// A grant can't be given.
    Denied(Denial),
    /// The host could not make a private directory.
    Host(io::Error),
}

/// Gives the guest its granted directories, from the handles that were decided about, in the order of the grants; one whose writes are staged is
/// its view, and never the directory itself. Returns what must be removed after the run.
pub(in super::super) fn prepare(
    context: &mut WasiCtxBuilder,
    grants: &[DirGrant],
    handles: &[Option<Handle>],
    around: &Surroundings,
    scratch_root: &Path,
) -> std::result::Result<Vec<Leased>, Unprepared> {
    // Hooks run on threads of their own, so they may block them: several times faster than handing each call to another thread.
    context.allow_blocking_current_thread(true);
    let mut scratch = Vec::new();
    for (grant, handle) in grants.iter().zip(handles) {
        match (grant.mode, handle) {
            (DirMode::Read, Some(handle)) => match around.view(&grant.guest) {
                Some(view) => open_view(context, view, FsPerms::ReadOnly)?,
                None => open(context, handle, &grant.guest, FsPerms::ReadOnly)?,
            },
            (DirMode::Write, Some(_)) if around.dry => return Err(Unprepared::Denied(dirs::live_in_a_dry_run(grant))),
            (DirMode::Write, Some(handle)) => open(context, handle, &grant.guest, FsPerms::ReadWrite)?,
            (DirMode::Scratch, _) => scratch.push(private(context, &grant.guest, scratch_root)?),
            (DirMode::Txn | DirMode::Discard, Some(_)) => match around.view(&grant.guest) {
                Some(view) => open_view(context, view, FsPerms::ReadWrite)?,
                None => return Err(Unprepared::Denied(dirs::not_staged(grant))),
            },
            (_, None) => return Err(Unprepared::Denied(no_host(grant))),
        }
    }
    Ok(scratch)
}

/// Makes a new, empty directory that only this user may enter, and opens it for the guest at `guest`.
pub(in super::super) fn private(context: &mut WasiCtxBuilder, guest: &str, root: &Path) -> std::result::Result<Leased, Unprepared> {
    let dir = Leased::create(root).map_err(Unprepared::Host)?;
    context.preopened_dir(dir.path(), guest, FsPerms::ReadWrite).map_err(|error| Unprepared::Host(io::Error::other(error.to_string())))?;
    Ok(dir)
}

fn open(context: &mut WasiCtxBuilder, handle: &Handle, guest: &str, perms: FsPerms) -> std::result::Result<(), Unprepared> {
    let opened = context.preopened_dir(handle.reopen_path(), guest, perms);
    opened
        .map(drop)
        .map_err(|error| Unprepared::Host(io::Error::other(format!("opening the handle of {guest} (is /proc mounted?): {error}"))))
}

/// The view may be a mount that has no path: it is opened through its descriptor, which nothing needs afterwards.
fn open_view(context: &mut WasiCtxBuilder, view: &Staged, perms: FsPerms) -> std::result::Result<(), Unprepared> {
    let handle = format!("/proc/self/fd/{}", view.dir.as_raw_fd());
    match context.preopened_dir(handle, &view.guest, perms) {
        Ok(_) => Ok(()),
        Err(error) => Err(Unprepared::Host(io::Error::other(format!("the stage of {}: {error}", view.guest)))),
    }
}

fn no_host(grant: &DirGrant) -> Denial {
    Denial {
        capability: Capability::Dir,
        what: format!("grant {} has the mode {} but no directory on the host", grant.guest, grant.mode),
        allow: "name the directory, or use the mode scratch".to_owned(),
    }
}

/// What a guest was granted by path, and what it was seen to be refused.
pub(in super::super) struct Sight {
    preopens: Vec<(String, DirMode)>,
    denials: Vec<Denial>,
}

impl Sight {
    /// Sees refusals below `grants`.
    pub(in super::super) fn new(grants: &[DirGrant]) -> Self {
        Self { preopens: grants.iter().map(|grant| (grant.guest.clone(), grant.mode)).collect(), denials: Vec::new() }
    }

    /// What was refused so far.
    pub(in super::super) fn denials(&mut self) -> Vec<Denial> {
        std::mem::take(&mut self.denials)
    }

    fn preopen(&self, fd: i32) -> Option<&(String, DirMode)> {
        usize::try_from(fd).ok().and_then(|fd| self.preopens.get(fd.checked_sub(FIRST_PREOPEN)?))
    }

    fn refused(&mut self, fd: i32, path: &str) {
        let (what, allow) = match self.preopen(fd) {
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
        let denial = Denial { capability: Capability::Dir, what, allow };
        if self.denials.len() < MAX_DENIALS && !self.denials.contains(&denial) {
            self.denials.push(denial);
        }
    }
}

fn join(guest: &str, path: &str) -> String {
    format!("{}/{}", guest.trim_end_matches('/'), path.trim_start_matches('/'))
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

/// A path as a guest names it: descriptor, address, length.
type Named = (i32, i32, i32);

/// Records that one of the `paths` of a call was refused: the one in a directory granted for reading, or else the first.
fn note(state: &mut State, memory: &GuestMemory<'_>, errno: i32, paths: &[Named]) {
    if errno != PERM {
        return;
    }
    let is_read = |named: &&Named| state.sight.preopen(named.0).is_some_and(|(_, mode)| *mode == DirMode::Read);
    let Some((fd, path, len)) = paths.iter().find(is_read).or(paths.first()) else { return };
    let text = GuestPtr::<str>::new((path.cast_unsigned(), len.cast_unsigned().min(MAX_PATH)));
    // The call itself has read the path already; the rest of a character that was cut is shown as such.
    let text = memory.as_cow(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    state.sight.refused(*fd, &text);
}

/// Puts a function in the place of wasmtime-wasi's of the same name that calls it and looks at what it answers.
macro_rules! observe {
    ($linker:ident, $name:ident($($arg:ident: $ty:ty),+) at $($place:expr),+) => {
        $linker.func_wrap_async(PREVIEW1, stringify!($name), |mut caller: Caller<'_, State>, ($($arg,)+): ($($ty,)+)| {
            Box::new(async move {
                let (mut memory, state) = called(&mut caller)?;
                let errno = preview1::$name(&mut state.wasi, &mut memory, $($arg),+).await?;
                note(state, &memory, errno, &[$($place),+]);
                Ok(errno)
            })
        })?;
    };
}

/// Watches the functions by which a path can be refused.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    observe!(linker, path_open(fd: i32, follow: i32, path: i32, len: i32, how: i32, rights: i64, passed_on: i64, flags: i32, opened: i32) at (fd, path, len));
    observe!(linker, path_create_directory(fd: i32, path: i32, len: i32) at (fd, path, len));
    observe!(linker, path_remove_directory(fd: i32, path: i32, len: i32) at (fd, path, len));
    observe!(linker, path_unlink_file(fd: i32, path: i32, len: i32) at (fd, path, len));
    observe!(linker, path_filestat_get(fd: i32, follow: i32, path: i32, len: i32, found: i32) at (fd, path, len));
    observe!(linker, path_filestat_set_times(fd: i32, follow: i32, path: i32, len: i32, atime: i64, mtime: i64, flags: i32) at (fd, path, len));
    observe!(linker, path_readlink(fd: i32, path: i32, len: i32, buffer: i32, room: i32, used: i32) at (fd, path, len));
    observe!(linker, path_symlink(target: i32, target_len: i32, fd: i32, path: i32, len: i32) at (fd, path, len));
    observe!(linker, path_rename(from: i32, old: i32, old_len: i32, fd: i32, path: i32, len: i32) at (fd, path, len), (from, old, old_len));
    observe!(linker, path_link(from: i32, follow: i32, old: i32, old_len: i32, fd: i32, path: i32, len: i32) at (fd, path, len), (from, old, old_len));
    Ok(())
}
