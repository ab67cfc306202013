//! What preview1 answers to calls on paths, seen: functions in the place of wasmtime-wasi's of the same names, which call those.

use super::super::super::state::State;
use super::super::{PREVIEW1, called};
use crate::model::grant::DirMode;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as preview1;
use wiggle::{GuestMemory, GuestPtr};

/// The preview1 number of `EPERM`: what wasmtime-wasi answers where its own rules refuse, and not the host's file permissions (`EACCES`).
const PERM: i32 = 63;
/// The preview1 number of `ENOENT`: what wasi-libc says of a path that lies in no opened directory.
const NOENT: i32 = 44;

/// The first preopened directory's descriptor, after the three streams.
const FIRST_PREOPEN: usize = 3;

/// Most bytes of a path that are looked at.
const MAX_PATH: u32 = 1_024;

/// A path as a guest names it: descriptor, address, length.
type Named = (i32, i32, i32);

/// The place of a descriptor among what was opened.
fn place(fd: i32) -> Option<usize> {
    usize::try_from(fd).ok()?.checked_sub(FIRST_PREOPEN)
}

/// The text of a path; nothing where the guest doesn't point to one. The rest of a character that was cut is shown as such.
fn text(memory: &GuestMemory<'_>, (_, path, len): Named) -> Option<String> {
    let text = GuestPtr::<str>::new((path.cast_unsigned(), len.cast_unsigned().min(MAX_PATH)));
    memory.as_cow(text.as_bytes()).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Records that one of the `paths` of a call lies outside every grant, if one does: the call needs no other answer then than that nothing is there.
fn is_outside(state: &mut State, memory: &GuestMemory<'_>, mode: DirMode, paths: &[Named]) -> bool {
    let Some(named) = paths.iter().find(|named| state.sight.is_outside(place(named.0))) else { return false };
    let Some(path) = text(memory, *named) else { return false };
    state.sight.looked_outside(&path, mode);
    true
}

/// Records that one of the `paths` of a call was refused: the one in a directory granted for reading, or else the first.
fn note(state: &mut State, memory: &GuestMemory<'_>, errno: i32, paths: &[Named]) {
    if errno != PERM {
        return;
    }
    let is_read = |named: &&Named| state.sight.is_read(place(named.0));
    let Some(named) = paths.iter().find(is_read).or(paths.first()) else { return };
    let path = text(memory, *named).unwrap_or_default();
    state.sight.refused(place(named.0), &path);
}

/// What is wanted of what is opened with these flags and rights.
fn opening(how: i32, rights: i64) -> DirMode {
    const CREATE_OR_TRUNCATE: i32 = 1 | 8;
    const FD_WRITE: i64 = 1 << 6;
    if how & CREATE_OR_TRUNCATE != 0 || rights & FD_WRITE != 0 { DirMode::Write } else { DirMode::Read }
}

/// Puts a function in the place of wasmtime-wasi's of the same name that calls it and looks at what it answers.
macro_rules! observe {
    ($linker:ident, $name:ident($($arg:ident: $ty:ty),+), $mode:expr, at $($place:expr),+) => {
        $linker.func_wrap_async(PREVIEW1, stringify!($name), |mut caller: Caller<'_, State>, ($($arg,)+): ($($ty,)+)| {
            Box::new(async move {
                let (mut memory, state) = called(&mut caller)?;
                if state.sight.sees_outside() && is_outside(state, &memory, $mode, &[$($place),+]) {
                    return Ok(NOENT);
                }
                let errno = preview1::$name(&mut state.wasi, &mut memory, $($arg),+).await?;
                note(state, &memory, errno, &[$($place),+]);
                Ok(errno)
            })
        })?;
    };
}

/// Watches the functions by which a path can be refused.
pub(in super::super) fn link(linker: &mut Linker<State>) -> Result<()> {
    use DirMode::{Read, Write};
    observe!(linker, path_open(fd: i32, follow: i32, path: i32, len: i32, how: i32, rights: i64, passed_on: i64, flags: i32, opened: i32), opening(how, rights), at (fd, path, len));
    observe!(linker, path_create_directory(fd: i32, path: i32, len: i32), Write, at (fd, path, len));
    observe!(linker, path_remove_directory(fd: i32, path: i32, len: i32), Write, at (fd, path, len));
    observe!(linker, path_unlink_file(fd: i32, path: i32, len: i32), Write, at (fd, path, len));
    observe!(linker, path_filestat_get(fd: i32, follow: i32, path: i32, len: i32, found: i32), Read, at (fd, path, len));
    observe!(linker, path_filestat_set_times(fd: i32, follow: i32, path: i32, len: i32, atime: i64, mtime: i64, flags: i32), Write, at (fd, path, len));
    observe!(linker, path_readlink(fd: i32, path: i32, len: i32, buffer: i32, room: i32, used: i32), Read, at (fd, path, len));
    observe!(linker, path_symlink(target: i32, target_len: i32, fd: i32, path: i32, len: i32), Write, at (fd, path, len));
    observe!(linker, path_rename(from: i32, old: i32, old_len: i32, fd: i32, path: i32, len: i32), Write, at (fd, path, len), (from, old, old_len));
    observe!(linker, path_link(from: i32, follow: i32, old: i32, old_len: i32, fd: i32, path: i32, len: i32), Write, at (fd, path, len), (from, old, old_len));
    Ok(())
}
