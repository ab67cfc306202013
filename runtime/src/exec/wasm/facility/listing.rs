//! Listings of directories. For each one that a guest opens, the whole directory is read into the host's memory, where the guest's own limit doesn't
//! count: what all of them hold is bounded here.

use super::super::classify;
use super::super::state::State;
use super::reading::{Number, Readings};
use super::{PREVIEW1, called};
use rustix::fs::{Dir, Mode, OFlags, openat};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{Caller, Result, StoreContextMut};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as preview1;
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor as _};
use wiggle::{GuestMemory, GuestPtr};

/// The interface under the version that wasmtime-wasi gives it; imports of older ones find it, too.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// The most that open listings of one execution may hold, in bytes: a directory of a million files. (Unit tests do with fewer files.)
const MOST: u64 = if cfg!(test) { 1 << 20 } else { 128 << 20 };

/// What an entry takes besides its name, in bytes.
const ENTRY: u64 = 100;

/// The preview1 number of `ENOMEM`: what a module hears where a component hears `insufficient-memory`.
const NOMEM: i32 = 48;

/// What preview1 says of a file, as a guest gets it: it has to lie where its numbers may.
#[repr(align(8))]
struct Filestat([u8; 64]);

impl Filestat {
    /// Where the number of the file stands.
    const INO: Range<usize> = 8..16;
}

/// The open listings of one execution.
#[derive(Default)]
pub(in super::super) struct Listings {
    /// A component's, and what each holds, in bytes.
    open: Vec<(u32, u64)>,
    /// A module's.
    readings: Readings,
}

impl Listings {
    /// What another listing of a component may take.
    fn room(&mut self, table: &ResourceTable) -> u64 {
        self.open.retain(|(listing, _)| table.get(&Resource::<ReaddirIterator>::new_borrow(*listing)).is_ok());
        MOST.saturating_sub(self.open.iter().map(|(_, size)| size).sum())
    }

    fn opened(&mut self, listing: u32, size: u64) {
        // A number is given again once its listing was dropped.
        self.open.retain(|(other, _)| *other != listing);
        self.open.push((listing, size));
    }
}

/// Puts a function in the place of wasmtime-wasi's that looks how much there is to read, and then calls it.
pub(super) fn link_components(linker: &mut wasmtime::component::Linker<State>) -> Result<()> {
    linker.instance(TYPES)?.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, State>, (dir,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let state = store.data_mut();
                let view = state.wasi.ctx();
                let room = state.listings.room(view.table);
                let size = match view.table.get(&dir)? {
                    Descriptor::Dir(dir) => size_of(&dir.dir, room),
                    // That it is none is for the call itself to say.
                    Descriptor::File(_) => Some(0),
                };
                let Some(size) = size else { return Ok((Err(ErrorCode::InsufficientMemory),)) };
                match state.filesystem().read_directory(dir).await {
                    Ok(listing) => {
                        state.listings.opened(listing.rep(), size);
                        Ok((Ok(listing),))
                    }
                    Err(error) => Ok((Err(classify::said_to_guest(error)?),)),
                }
            })
        },
    )
}

/// The same for modules, whose directories are read in one listing from the begin of a reading to its end.
pub(super) fn link_modules(linker: &mut wasmtime::Linker<State>) -> Result<()> {
    linker.func_wrap_async(PREVIEW1, "fd_readdir", |mut caller: Caller<'_, State>, args: (i32, i32, i32, i64, i32)| {
        Box::new(async move {
            let (fd, buffer, len, cookie, used) = args;
            let (mut memory, state) = called(&mut caller)?;
            if let Some((number, dir)) = dir_of(state, fd).await? {
                // Who begins in the middle, or was forgotten, has it listed, too: nothing is read that wasn't counted first.
                if cookie == 0 || !state.listings.readings.has(fd, number) {
                    state.listings.readings.forget(fd);
                    let Some(size) = size_of(&dir, MOST) else { return Ok(NOMEM) };
                    state.listings.readings.shrink(MOST - size);
                    if let Some(reading) = super::reading::begin(&mut state.wasi, fd, number, size).await? {
                        state.listings.readings.keep(reading);
                    }
                }
                if let Some(piece) = state.listings.readings.piece(fd, number, cookie, len) {
                    memory.copy_from_slice(piece, GuestPtr::<u8>::new(buffer.cast_unsigned()).as_array(u32::try_from(piece.len())?))?;
                    memory.write(GuestPtr::<u32>::new(used.cast_unsigned()), u32::try_from(piece.len())?)?;
                    return Ok(0);
                }
            }
            preview1::fd_readdir(&mut state.wasi, &mut memory, fd, buffer, len, cookie, used).await
        })
    })?;
    Ok(())
}

/// The directory of a module's descriptor, and its file's number; `None` if it is of none. Which handle a descriptor stands for wasmtime-wasi keeps
/// to itself: it's the one whose file has the same number.
async fn dir_of(state: &mut State, fd: i32) -> Result<Option<(Number, Arc<File>)>> {
    let mut stat = Filestat([0; 64]);
    let errno = preview1::fd_filestat_get(&mut state.wasi, &mut GuestMemory::Unshared(&mut stat.0), fd, 0).await?;
    if errno != 0 {
        return Ok(None);
    }
    let number: Number = stat.0[Filestat::INO].try_into()?;
    for handle in handles(state.wasi.ctx().table) {
        let handle = || Resource::<Descriptor>::new_borrow(handle);
        let Ok(Descriptor::Dir(dir)) = state.wasi.ctx().table.get(&handle()) else { continue };
        let dir = Arc::clone(&dir.dir);
        if state.filesystem().metadata_hash(handle()).await.is_ok_and(|hash| hash.lower.to_le_bytes() == number) {
            return Ok(Some((number, dir)));
        }
    }
    Ok(None)
}

/// The numbers of all handles.
fn handles(table: &mut ResourceTable) -> Vec<u32> {
    let count = table.iter_mut().count();
    (0..).filter(|handle| table.get_any_mut(*handle).is_ok()).take(count).collect()
}

/// What a listing would hold, in bytes; `None` if that is more than `room`. What can't be read is for the call itself to say.
fn size_of(dir: &File, room: u64) -> Option<u64> {
    // What was granted is open as a mere path, from which nothing can be read.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(entries) = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new) else { return Some(0) };
    let mut size = 0;
    for entry in entries.map_while(std::result::Result::ok) {
        size += ENTRY + entry.file_name().to_bytes().len() as u64;
        if size > room {
            return None;
        }
    }
    Some(size)
}
