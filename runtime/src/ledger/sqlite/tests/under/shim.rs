//! SQLite's own way to the disk, with a note of everything that it writes, cuts off, syncs and deletes on it.
#![expect(unsafe_code, reason = "SQLite calls its VFS through C; each function says why what it does is sound")]

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done, to which file.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        len: usize,
    },
    Sync {
        file: String,
    },
    Delete {
        file: String,
        durably: bool,
    },
    /// So many appends were begun,
    Begun(usize),
    /// and so many are durable.
    Durable(usize),
}

/// Everything so far, and the names of the open files by where SQLite keeps them.
static NOTES: Mutex<(Vec<Op>, BTreeMap<usize, String>)> = Mutex::new((Vec::new(), BTreeMap::new()));

fn notes() -> MutexGuard<'static, (Vec<Op>, BTreeMap<usize, String>)> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The VFS that does the work.
static SYSTEMS: Mutex<Option<Vfs>> = Mutex::new(None);

#[derive(Clone, Copy)]
struct Vfs(*mut sqlite3_vfs);
// SAFETY: SQLite's own VFS is there for good, and every thread may use it.
unsafe impl Send for Vfs {}

fn systems() -> *mut sqlite3_vfs {
    SYSTEMS.lock().unwrap_or_else(PoisonError::into_inner).expect("it watches").0
}

/// The methods of an open file, some of them ours, and those they were made of.
#[repr(C)]
struct Methods {
    ours: sqlite3_io_methods,
    systems: *const sqlite3_io_methods,
}

/// From now on, for good, SQLite's files in this process are watched.
pub(super) fn watch() {
    // SAFETY: a null name asks for the default VFS, which is there for good. A copy of it works as itself does, since the system's VFS keeps
    // nothing of its own in it; it is never freed.
    unsafe {
        let systems = ffi::sqlite3_vfs_find(std::ptr::null());
        *SYSTEMS.lock().unwrap() = Some(Vfs(systems));
        let ours =
            sqlite3_vfs { xOpen: Some(open), xDelete: Some(delete), zName: c"watched".as_ptr(), pNext: std::ptr::null_mut(), ..*systems };
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1), ffi::SQLITE_OK);
    }
}

pub(super) fn note(op: Op) {
    notes().0.push(op);
}

pub(super) fn noted() -> Vec<Op> {
    std::mem::take(&mut notes().0)
}

/// The last part of a path: whose file it is.
///
/// # Safety
/// `name` is a C string that lives as long as the call.
unsafe fn file_name(name: *const c_char) -> String {
    // SAFETY: as the caller says.
    let path = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are those of the system's `xOpen`, and go there as they came. After it succeeded, `file` points to its methods, which
    // are there for good; so are the ones that take their place.
    unsafe {
        let systems = systems();
        let opened = ((*systems).xOpen.expect("a VFS opens"))(systems, name, file, flags, out);
        if opened == ffi::SQLITE_OK && !name.is_null() {
            notes().1.insert(file as usize, file_name(name));
            let ours = sqlite3_io_methods {
                xWrite: Some(write),
                xTruncate: Some(cut),
                xSync: Some(sync),
                xClose: Some(close),
                ..*(*file).pMethods
            };
            (*file).pMethods = Box::into_raw(Box::new(Methods { ours, systems: (*file).pMethods })).cast();
        }
        opened
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, durably: c_int) -> c_int {
    // SAFETY: the arguments are those of the system's `xDelete`, and go there as they came.
    let deleted = unsafe {
        let systems = systems();
        ((*systems).xDelete.expect("a VFS deletes"))(systems, name, durably)
    };
    if deleted == ffi::SQLITE_OK {
        // SAFETY: SQLite gives a name.
        note(Op::Delete { file: unsafe { file_name(name) }, durably: durably != 0 });
    }
    deleted
}

/// The system's methods of a file that [`open`] opened, and its name.
///
/// # Safety
/// `file` is one.
unsafe fn of(file: *mut sqlite3_file) -> (&'static sqlite3_io_methods, String) {
    let name = notes().1[&(file as usize)].clone();
    // SAFETY: `open` made its methods the first part of a `Methods`, which is never freed, as those of the system never are.
    (unsafe { &*(*(*file).pMethods.cast::<Methods>()).systems }, name)
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, len: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: called as a method of a file that `open` opened; `from` has `len` bytes.
    let (written, name, bytes) = unsafe {
        let (systems, name) = of(file);
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(len).unwrap_or(0)).to_vec();
        ((systems.xWrite.expect("files are written"))(file, from, len, at), name, bytes)
    };
    note(Op::Write { file: name, at: usize::try_from(at).unwrap_or(0), bytes });
    written
}

unsafe extern "C" fn cut(file: *mut sqlite3_file, len: sqlite3_int64) -> c_int {
    // SAFETY: called as a method of a file that `open` opened.
    let (done, name) = unsafe {
        let (systems, name) = of(file);
        ((systems.xTruncate.expect("files are cut"))(file, len), name)
    };
    note(Op::Cut { file: name, len: usize::try_from(len).unwrap_or(0) });
    done
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: called as a method of a file that `open` opened.
    let (synced, name) = unsafe {
        let (systems, name) = of(file);
        ((systems.xSync.expect("files are synced"))(file, flags), name)
    };
    note(Op::Sync { file: name });
    synced
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: called as a method of a file that `open` opened, for the last time.
    unsafe {
        let (systems, _) = of(file);
        notes().1.remove(&(file as usize));
        (systems.xClose.expect("files are closed"))(file)
    }
}
