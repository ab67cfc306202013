//! What `wasi:filesystem` answers to a component's calls on paths, seen: functions in the place of wasmtime-wasi's of the same names, which call
//! those. A component may get and drop handles as it likes, so a directory is known by what it is, and not by the number of its handle.

use super::super::super::state::State;
use super::sight::Identity;
use crate::model::grant::DirMode;
use std::os::unix::fs::MetadataExt as _;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, ErrorCode, Host as _, HostDescriptor as _, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};

const TYPES: &str = "wasi:filesystem/types@0.2.12";
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";

/// A path as a component names it: the number of a handle, and the text.
type Named = (u32, String);

/// Which directory a handle is of; nothing if it is of none.
fn identity(state: &mut State, handle: u32) -> Option<Identity> {
    match state.filesystem().table.get(&Resource::new_borrow(handle)).ok()? {
        Descriptor::Dir(dir) => dir.dir.metadata().ok().map(|meta| (meta.dev(), meta.ino())),
        Descriptor::File(_) => None,
    }
}

/// The place of a handle's directory among what was opened.
fn place(state: &mut State, handle: u32) -> Option<usize> {
    let identity = identity(state, handle)?;
    state.sight.place_of(identity)
}

/// Records that one of the `paths` of a call lies outside every grant, if one does: the call needs no other answer then than that nothing is there.
fn is_outside(state: &mut State, mode: DirMode, paths: &[Named]) -> bool {
    for (handle, path) in paths {
        let place = place(state, *handle);
        if state.sight.is_outside(place) {
            state.sight.looked_outside(path, mode);
            return true;
        }
    }
    false
}

/// Records that one of the `paths` of a call was refused: the one in a directory granted for reading, or else the first.
fn note(state: &mut State, paths: &[Named]) {
    let places: Vec<_> = paths.iter().map(|(handle, path)| (place(state, *handle), path)).collect();
    let is_read = |named: &&(Option<usize>, &String)| state.sight.is_read(named.0);
    let Some((place, path)) = places.iter().find(is_read).or(places.first()) else { return };
    state.sight.refused(*place, path);
}

/// What is wanted of what is opened with these flags.
fn opening(how: OpenFlags, flags: DescriptorFlags) -> DirMode {
    let changes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
        || flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY);
    if changes { DirMode::Write } else { DirMode::Read }
}

/// Puts a function in the place of wasmtime-wasi's of the same name that calls it and looks at what it answers.
macro_rules! observe {
    ($linker:ident, $wit:literal, $name:ident($fd:ident, $($arg:ident: $ty:ty),+) -> $answer:ty, $mode:expr, at $(($dir:ident, $path:ident)),+) => {
        $linker.func_wrap_async(
            concat!("[method]descriptor.", $wit),
            |mut store: StoreContextMut<'_, State>, ($fd, $($arg),+): (Resource<Descriptor>, $($ty),+)| {
                Box::new(async move {
                    let state = store.data_mut();
                    let paths: [Named; _] = [$(($dir.rep(), $path.clone())),+];
                    if state.sight.sees_outside() && is_outside(state, $mode, &paths) {
                        return Ok((Err(ErrorCode::NoEntry),));
                    }
                    let mut files = state.filesystem();
                    let answer: std::result::Result<$answer, ErrorCode> = match files.$name($fd, $($arg),+).await {
                        Ok(answer) => Ok(answer),
                        Err(error) => Err(files.convert_error_code(error)?),
                    };
                    if matches!(answer, Err(ErrorCode::NotPermitted)) {
                        note(state, &paths);
                    }
                    Ok((answer,))
                })
            },
        )?;
    };
}

/// Watches the functions by which a path can be refused, and which directories a component is told of.
pub(in super::super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.instance(PREOPENS)?.func_wrap("get-directories", |mut store: StoreContextMut<'_, State>, (): ()| {
        let state = store.data_mut();
        let dirs = state.filesystem().get_directories()?;
        for (place, (dir, _)) in dirs.iter().enumerate() {
            if let Some(identity) = identity(state, dir.rep()) {
                state.sight.is_at(identity, place);
            }
        }
        Ok((dirs,))
    })?;
    link_paths(&mut linker.instance(TYPES)?)
}

fn link_paths(linker: &mut wasmtime::component::LinkerInstance<'_, State>) -> Result<()> {
    use DirMode::{Read, Write};
    observe!(linker, "open-at", open_at(fd, follow: PathFlags, path: String, how: OpenFlags, flags: DescriptorFlags) -> Resource<Descriptor>, opening(how, flags), at (fd, path));
    observe!(linker, "create-directory-at", create_directory_at(fd, path: String) -> (), Write, at (fd, path));
    observe!(linker, "remove-directory-at", remove_directory_at(fd, path: String) -> (), Write, at (fd, path));
    observe!(linker, "unlink-file-at", unlink_file_at(fd, path: String) -> (), Write, at (fd, path));
    observe!(linker, "stat-at", stat_at(fd, follow: PathFlags, path: String) -> DescriptorStat, Read, at (fd, path));
    observe!(linker, "metadata-hash-at", metadata_hash_at(fd, follow: PathFlags, path: String) -> MetadataHashValue, Read, at (fd, path));
    observe!(linker, "set-times-at", set_times_at(fd, follow: PathFlags, path: String, atime: NewTimestamp, mtime: NewTimestamp) -> (), Write, at (fd, path));
    observe!(linker, "readlink-at", readlink_at(fd, path: String) -> String, Read, at (fd, path));
    observe!(linker, "symlink-at", symlink_at(fd, target: String, path: String) -> (), Write, at (fd, path));
    observe!(linker, "rename-at", rename_at(fd, old: String, to: Resource<Descriptor>, path: String) -> (), Write, at (to, path), (fd, old));
    observe!(linker, "link-at", link_at(fd, follow: PathFlags, old: String, to: Resource<Descriptor>, path: String) -> (), Write, at (to, path), (fd, old));
    Ok(())
}
