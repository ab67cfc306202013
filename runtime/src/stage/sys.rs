//! The stage's only `unsafe` lines: a child that enters a user namespace for a moment.
//!
//! A namespace of users can't be entered by a thread, so a process has to. It is made as `posix_spawn` makes one: it shares this memory and
//! these descriptors, and the calling thread sleeps until it is gone. What it opens is therefore open here, and what it writes is written
//! here; nothing has to be handed over, and no memory is copied, however large this program is.
#![expect(unsafe_code, reason = "clone, setns and unshare have no safe form; each call states why it is sound")]

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::process::{getegid, geteuid};
use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The child's stack, in bytes.
const STACK: usize = 256 * 1024;

/// What the child works with.
struct Work<'a> {
    /// The user namespace to enter; a new one if there is none.
    existing: Option<BorrowedFd<'a>>,
    maps: [(&'static CStr, String); 3],
    body: &'a mut dyn FnMut() -> Result<()>,
    result: Result<()>,
}

/// Calls `body` as the owner of everything in a user namespace, in a mount namespace of its own; then both are left.
///
/// The caller's user and group are mapped to themselves, and nobody else is mapped. `body` runs while the calling thread sleeps, as if that
/// thread had called it.
///
/// # Errors
/// What the system says: `EPERM` or `ENOSPC` where user namespaces are off. And what `body` says.
pub(super) fn in_user_namespace(existing: Option<BorrowedFd<'_>>, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    extern "C" fn enter(work: *mut c_void) -> c_int {
        // SAFETY: `in_user_namespace` passes its exclusively borrowed work, and sleeps (CLONE_VFORK) for as long as this function runs.
        let work = unsafe { &mut *work.cast::<Work<'_>>() };
        work.result = settle(work).and_then(|()| (work.body)());
        0
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("{uid} {uid} 1")),
        (c"/proc/self/gid_map", format!("{gid} {gid} 1")),
    ];
    // Stays, if the child is killed before it says anything.
    let mut work = Work { existing, maps, body, result: Err(Errno::INTR) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    let flags = if existing.is_none() { flags | libc::CLONE_NEWUSER | libc::CLONE_NEWNS } else { flags };
    let mut stack = vec![0_u8; STACK];
    let before = block_signals();
    // SAFETY: one past the end of the stack, rounded down to 16 bytes, is where a stack that grows down begins, and nobody else uses it. The
    // child shares this memory while the caller sleeps, so `work` has one user at a time. All signals are blocked: no handler runs in it.
    let pid = unsafe {
        let end = stack.as_mut_ptr_range().end;
        let top = end.sub(end as usize % 16);
        libc::clone(enter, top.cast(), flags, (&raw mut work).cast())
    };
    let failed = last_error();
    if pid > 0 {
        // SAFETY: waits for the child of this thread; no status is asked for. It ended already, or was killed.
        while unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } < 0 && last_error() == Errno::INTR {}
    }
    set_signals(&before);
    if pid < 0 { Err(failed) } else { work.result }
}

/// Makes the child what it should be before its body runs.
fn settle(work: &Work<'_>) -> Result<()> {
    if let Some(namespace) = work.existing {
        // SAFETY: both calls change only the namespaces of the calling process, which is the child.
        return unsafe {
            check(libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWUSER))?;
            check(libc::unshare(libc::CLONE_NEWNS))
        };
    }
    for (file, text) in &work.maps {
        let file = rustix::fs::openat(CWD, *file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, text.as_bytes())?;
    }
    Ok(())
}

/// A handle of the user namespace that the caller is in. For the body of [`in_user_namespace`].
///
/// # Errors
/// What the system says.
pub(super) fn this_user_namespace() -> Result<OwnedFd> {
    rustix::fs::openat(CWD, c"/proc/self/ns/user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn check(result: c_int) -> Result<()> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are live, and an all-zero set is valid. With SIG_SETMASK and live sets the call can't fail.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn set_signals(mask: &libc::sigset_t) {
    // SAFETY: the mask is a valid set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}
