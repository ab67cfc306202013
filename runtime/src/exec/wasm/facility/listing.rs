//! Listings of directories. For each one that a component opens, wasmtime-wasi reads the whole directory into the host's memory, where the
//! guest's own limit doesn't count: what all open ones hold is bounded here. A preview1 module has one at a time.

use super::super::classify;
use super::super::state::State;
use std::fs::File;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor as _};

/// The interface under the version that wasmtime-wasi gives it; imports of older ones find it, too.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// The most that open listings of one execution may hold, in bytes: a directory of a million files.
const MOST: u64 = 128 << 20;

/// What an entry takes besides its name, in bytes.
const ENTRY: u64 = 100;

/// The open listings of one execution, and what each holds, in bytes.
#[derive(Default)]
pub(in super::super) struct Listings(Vec<(u32, u64)>);

impl Listings {
    /// What another listing may take.
    fn room(&mut self, table: &ResourceTable) -> u64 {
        self.0.retain(|(listing, _)| table.get(&Resource::<ReaddirIterator>::new_borrow(*listing)).is_ok());
        MOST.saturating_sub(self.0.iter().map(|(_, size)| size).sum())
    }

    fn opened(&mut self, listing: u32, size: u64) {
        // A number is given again once its listing was dropped.
        self.0.retain(|(other, _)| *other != listing);
        self.0.push((listing, size));
    }
}

/// Puts a function in the place of wasmtime-wasi's that looks how much there is to read, and then calls it.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
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

/// What a listing would hold, in bytes; `None` if that is more than `room`. What can't be read is for the call itself to say.
fn size_of(dir: &File, room: u64) -> Option<u64> {
    let Ok(entries) = rustix::fs::Dir::read_from(dir) else { return Some(0) };
    let mut size = 0;
    for entry in entries.map_while(std::result::Result::ok) {
        size += ENTRY + entry.file_name().to_bytes().len() as u64;
        if size > room {
            return None;
        }
    }
    Some(size)
}
