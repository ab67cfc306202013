//! Every `unsafe` line of the native executor: the calls that make processes, and those that only they need. It decides nothing.
//!
//! Two processes come from here. The *supervisor* is a fork: it goes on with a copy of this memory, in which other threads may have
//! held locks, so all that it runs ([`supervisor::run`]) keeps to system calls and to its own stack. The *hook* is made by the supervisor
//! with `CLONE_VM | CLONE_VFORK`, as `posix_spawn` does it: no memory is copied, and the supervisor sleeps until the program's image is in place.
#![expect(unsafe_code, reason = "fork, clone, execve, signals and wait4 have no safe form; each call states why it is sound")]

use super::launch::{self, Launch};
use super::supervisor;
use super::wire::{Ended, Ending, Failure, Stage};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Pid;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// The stack of the hook's process until its own image is in place, in bytes.
const STACK: usize = 128 * 1024;

/// Everything the two new processes need, laid out before the fork: nothing is allocated after it.
pub(super) struct Image<'a> {
    launch: &'a Launch,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    stack: Vec<u8>,
    failure: Option<Failure>,
}

impl Image<'_> {
    /// What is to be started.
    pub(super) fn launch(&self) -> &Launch {
        self.launch
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Starts the supervisor of `launch`.
///
/// # Errors
/// What `fork` says.
pub(super) fn fork_supervisor(launch: &Launch) -> io::Result<Pid> {
    let mut image =
        Image { launch, argv: pointers(&launch.command.argv), env: pointers(&launch.command.env), stack: vec![0; STACK], failure: None };
    let before = block_signals()?;
    // SAFETY: the child calls only `supervise`, which never returns and makes no call that isn't async-signal-safe. All signals are
    // blocked, so that no handler of this program runs in the child.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        supervise(&mut image);
    }
    let error = io::Error::last_os_error();
    set_signals(&before);
    if pid < 0 { Err(error) } else { Pid::from_raw(pid).ok_or(error) }
}

/// The supervisor's whole life. A panic can't leave it: unwinding out of an `extern "C"` function aborts, so the copy of the caller's
/// frames below is never entered.
extern "C" fn supervise(image: &mut Image<'_>) -> ! {
    let code = supervisor::run(image);
    // SAFETY: ends this process without running the destructors and exit handlers that belong to the one it was copied from.
    unsafe { libc::_exit(code) }
}

/// Starts the hook's process; called by the supervisor alone. Returns when the program's image is in place, or can't be.
///
/// # Errors
/// The point at which it failed.
pub(super) fn clone_hook(image: &mut Image<'_>) -> Result<Pid, Failure> {
    extern "C" fn enter(image: *mut c_void) -> c_int {
        // SAFETY: `clone_hook` passes its exclusively borrowed image, and sleeps (CLONE_VFORK) for as long as this function runs.
        let image = unsafe { &mut *image.cast::<Image<'_>>() };
        image.failure = Some(become_hook(image));
        127
    }
    let image: *mut Image<'_> = image;
    // SAFETY: `image` was made from a reference just now. One past the end of the stack, rounded down to 16 bytes, is where a stack that
    // grows down begins, and nobody else uses it. The child shares this memory but touches only its stack and `failure`, while the caller sleeps.
    let pid = unsafe {
        let stack = (*image).stack.as_mut_ptr_range().end;
        let top = stack.sub(stack as usize % 16);
        libc::clone(enter, top.cast(), libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, image.cast())
    };
    if pid < 0 {
        return Err(Failure { stage: Stage::Clone, errno: last_errno() });
    }
    // SAFETY: the child has its own memory by now, or is gone: the image is the caller's alone again.
    match unsafe { std::ptr::read_volatile(&raw const (*image).failure) } {
        Some(failure) => Err(failure),
        None => Pid::from_raw(pid).ok_or(Failure { stage: Stage::Clone, errno: libc::EINVAL }),
    }
}

fn become_hook(image: &Image<'_>) -> Failure {
    if let Err(failure) = launch::prepare(image.launch) {
        return failure;
    }
    reset_signals();
    // SAFETY: both arrays hold pointers into strings of the borrowed launch, and end with null.
    unsafe { libc::execve(image.launch.command.program.as_ptr(), image.argv.as_ptr(), image.env.as_ptr()) };
    Failure { stage: Stage::Exec, errno: last_errno() }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A child that ended, or why there is none.
pub(super) enum Reaped {
    /// This one ended, in this way.
    Child(Pid, Ended),
    /// There are children, and all of them run.
    Running,
    /// There is no child, and so (to a subreaper) no descendant.
    None,
}

/// Takes the next child that ended, without waiting.
pub(super) fn reap() -> Reaped {
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG | libc::__WALL, &raw mut usage) };
    match Pid::from_raw(pid.max(0)) {
        Some(pid) => Reaped::Child(pid, Ended { ending: ending(status), cpu: spent(usage.ru_utime) + spent(usage.ru_stime) }),
        None if pid == 0 => Reaped::Running,
        None => Reaped::None,
    }
}

fn ending(status: c_int) -> Ending {
    if libc::WIFSIGNALED(status) { Ending::Killed(libc::WTERMSIG(status)) } else { Ending::Exited(libc::WEXITSTATUS(status)) }
}

fn spent(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.try_into().unwrap_or(0)) + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0))
}

/// A descriptor that is readable when a child has ended; for a process that blocks all signals.
///
/// # Errors
/// What the system says.
pub(super) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: an all-zero `sigaction` is SIG_DFL without flags; the set is initialised by `sigemptyset`; the descriptor is new and owned by no one else.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGCHLD, &raw const default, std::ptr::null_mut());
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            fd if fd < 0 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

fn block_signals() -> io::Result<libc::sigset_t> {
    // SAFETY: both sets are live, and an all-zero set is valid.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) {
            0 => Ok(before),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn set_signals(mask: &libc::sigset_t) {
    // SAFETY: the mask is a valid set; it can't fail with SIG_SETMASK.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// Every signal as a fresh program expects it: none ignored, none handled, none blocked.
fn reset_signals() {
    // The kernel's own `sigaction`, which is shorter, with all zero: SIG_DFL, no flags, an empty mask. The C library's refuses two signals
    // that it keeps for itself, and those too may have been inherited as ignored.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // SAFETY: reads the live array; KILL and STOP are refused without effect.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), size_of::<u64>()) };
    }
    // SAFETY: the set is live, and initialised by `sigemptyset`.
    let none = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        none
    };
    set_signals(&none);
}

/// Gives up the controlling terminal, if there is one. A process that doesn't lead a session can't get it back.
///
/// # Errors
/// What the system says.
pub(super) fn leave_terminal() -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(terminal) = rustix::fs::openat(CWD, c"/dev/tty", flags, Mode::empty()) else { return Ok(()) };
    // SAFETY: the descriptor is open, and the call takes no argument.
    match unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What becomes of the descriptors from a number on.
#[derive(Clone, Copy)]
pub(super) enum Descriptors {
    /// They are closed now. Only for a process that never touches them again.
    Close,
    /// They are closed when another program's image takes this one's place.
    CloseOnExec,
}

/// Closes every descriptor from `first` on.
///
/// # Errors
/// What the system says: `ENOSYS` before Linux 5.9 (5.11 for [`Descriptors::CloseOnExec`]: `EINVAL`).
pub(super) fn close_from(first: u32, how: Descriptors) -> io::Result<()> {
    let flags = match how {
        Descriptors::Close => 0,
        Descriptors::CloseOnExec => libc::CLOSE_RANGE_CLOEXEC,
    };
    // SAFETY: the new processes own their copies of the descriptor table, and leave them by `_exit` or `execve`: no destructor closes one twice.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts the calling process under a Landlock ruleset, for ever.
///
/// # Errors
/// What the system says.
pub(super) fn restrict_self(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes a descriptor and flags, and touches no memory.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
