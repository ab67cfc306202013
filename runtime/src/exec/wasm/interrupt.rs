//! The signal that gets a hook's thread out of a blocking system call: its handler does nothing, so the call ends with EINTR. Unix signals
//! belong to the whole process, so there is none unless the embedder names one.

use super::super::ExecError;
use std::io;

/// A thread as the kernel knows it.
pub(super) type ThreadId = i32;

/// A signal whose handler does nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interrupt {
    signal: i32,
}

impl Interrupt {
    /// Installs the empty handler, without SA_RESTART.
    ///
    /// # Errors
    /// [`ExecError`] if the signal can't be used for this, or if the process already handles it.
    pub(super) fn install(signal: i32) -> Result<Self, ExecError> {
        let fail = |why: &str| Err(ExecError::new(format!("installing signal {signal} as the interrupting signal"), why));
        if cfg!(not(target_os = "linux")) {
            return fail("only Linux can send a signal to one thread of a process by its id: name none");
        }
        if [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGABRT].contains(&signal) {
            return fail("it reports faults of the program itself: name SIGURG or a real-time signal");
        }
        match install(signal) {
            Ok(()) => Ok(Self { signal }),
            Err(error) => fail(&error.to_string()),
        }
    }

    /// One that frees nobody: the kernel takes the number 0 and sends nothing.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) const fn idle() -> Self {
        Self { signal: 0 }
    }

    /// Sends it to one thread of this process. A thread that has ended is no error: its end is what the signal is for.
    pub(super) fn send(self, thread: ThreadId) {
        send(self.signal, thread);
    }
}

/// The calling thread.
#[cfg(target_os = "linux")]
pub(super) fn this_thread() -> ThreadId {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// Elsewhere no signal is ever sent to it.
#[cfg(not(target_os = "linux"))]
pub(super) const fn this_thread() -> ThreadId {
    0
}

extern "C" fn nothing(_signal: libc::c_int) {}

#[expect(unsafe_code, reason = "no safe wrapper installs a handler; std and rustix leave signals alone")]
fn install(signal: i32) -> io::Result<()> {
    let handler = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: all zeros is a valid `sigaction`; both pointers are to live values of the right type for the time of the calls; the handler
    // does nothing at all, so it is async-signal-safe on every thread and stack.
    unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut current) != 0 {
            return Err(io::Error::last_os_error());
        }
        if ![libc::SIG_DFL, libc::SIG_IGN, handler].contains(&current.sa_sigaction) {
            return Err(io::Error::other("the process already handles it: name another"));
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        // A guest's stack is small: the handler runs on the alternative stack that wasmtime gives its threads.
        action.sa_flags = libc::SA_ONSTACK;
        if libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe wrapper sends a signal to a thread by its id")]
fn send(signal: i32, thread: ThreadId) {
    // SAFETY: tgkill takes three integers and touches no memory of ours. Our own process id keeps it from ever reaching another process,
    // and the signal's handler does nothing, whichever of our threads has the id by now.
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal);
    }
}

#[cfg(not(target_os = "linux"))]
fn send(_signal: i32, _thread: ThreadId) {}
