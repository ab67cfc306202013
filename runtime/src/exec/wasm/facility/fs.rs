//! Directories: each grant becomes one preopened handle, and there is no other way to a file. Refusals at a handle are seen and recorded; where
//! it is asked for, so are attempts at paths that lie outside every grant.

mod components;
mod modules;
mod sight;

pub(super) use components::link as link_components;
pub(super) use modules::link;
pub(in super::super) use sight::Sight;

use crate::exec::dirs::{self, Handle};
use crate::exec::lease::Leased;
use crate::exec::{Staged, Surroundings};
use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What every path that lies in no other directory lies in.
const ROOT: &str = "/";

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
    open_private(context, &dir, guest, FsPerms::ReadWrite)?;
    Ok(dir)
}

/// Opens an empty directory at `/`, behind everything else that is opened: a path that lies in no other directory comes to it, and is seen. (Without
/// it the guest's own library refuses such a path, and asks nobody.) `None` where a grant is at `/`: nothing lies outside it.
pub(in super::super) fn record_outside(
    context: &mut WasiCtxBuilder,
    grants: &[DirGrant],
    root: &Path,
) -> std::result::Result<Option<Leased>, Unprepared> {
    if grants.iter().any(|grant| grant.guest == ROOT) {
        return Ok(None);
    }
    let dir = Leased::create(root).map_err(Unprepared::Host)?;
    open_private(context, &dir, ROOT, FsPerms::ReadOnly)?;
    Ok(Some(dir))
}

fn open_private(context: &mut WasiCtxBuilder, dir: &Leased, guest: &str, perms: FsPerms) -> std::result::Result<(), Unprepared> {
    let opened = context.preopened_dir(dir.path(), guest, perms);
    opened.map(drop).map_err(|error| Unprepared::Host(io::Error::other(error.to_string())))
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
