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
use rustix::thread::{Timespec, UnshareFlags};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// The stack of the hook's process until its own image is in place, in bytes.
const STACK: usize = 128 * 1024;

/// How often, and after which pause, an executable file is tried again that is still open for writing in a process which is about to close it:
/// another fork of this program, made while the file was written.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Everything the two new processes need, laid out before the fork: nothing is allocated after it.
pub(super) struct Image<'a> {
    launch: &'a Launch,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    /// The descriptors that they need, in order.
    kept: Vec<u32>,
    stack: Vec<u8>,
    /// Room for the mounts of the launch. They are open in the hook's process alone, and never dropped here.
    trees: Vec<OwnedFd>,
    failure: Option<Failure>,
}

impl Image<'_> {
    /// What is to be started.
    pub(super) fn launch(&self) -> &Launch {
        self.launch
    }

    /// Closes what the supervisor has by chance, as a fork of a program with threads: a file that one of them was just writing, which may be the very
    /// program to be executed.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn close_others(&self) -> io::Result<()> {
        close_all_but(&self.kept)
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
    let mut image = Image {
        launch,
        argv: pointers(&launch.command.argv),
        env: pointers(&launch.command.env),
        kept: launch.descriptors(),
        stack: vec![0; STACK],
        trees: Vec::with_capacity(launch.mounts.as_ref().map_or(0, |mounts| mounts.len())),
        failure: None,
    };
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
    // grows down begins, and nobody else uses it. The child shares this memory but touches only its stack, `trees` and `failure`, while the caller sleeps.
    let pid = unsafe {
        let stack = (*image).stack.as_mut_ptr_range().end;
        let top = stack.sub(stack as usize % 16);
        libc::clone(enter, top.cast(), libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, image.cast())
    };
    if pid < 0 {
        return Err(Failure::at(Stage::Clone, &io::Error::last_os_error()));
    }
    // SAFETY: the child has its own memory by now, or is gone: the image is the caller's alone again.
    match unsafe { std::ptr::read_volatile(&raw const (*image).failure) } {
        Some(failure) => Err(failure),
        None => Pid::from_raw(pid).ok_or(Failure::at(Stage::Clone, &io::Error::from_raw_os_error(libc::EINVAL))),
    }
}

fn become_hook(image: &mut Image<'_>) -> Failure {
    if let Err(failure) = launch::prepare(image.launch, &mut image.trees) {
        return failure;
    }
    reset_signals();
    for _ in 1..BUSY_TRIES {
        let error = execute(image);
        if error.raw_os_error() != Some(libc::ETXTBSY) {
            return Failure::at(Stage::Exec, &error);
        }
        // Not in another process: its mounts are in place here, and before Linux 6.15 a view can be given a place only once.
        let _ = rustix::thread::nanosleep(&BUSY_PAUSE);
    }
    Failure::at(Stage::Exec, &execute(image))
}

/// Comes back only if it failed.
fn execute(image: &Image<'_>) -> io::Error {
    // SAFETY: both arrays hold pointers into strings of the borrowed launch, and end with null.
    unsafe { libc::execve(image.launch.command.program.as_ptr(), image.argv.as_ptr(), image.env.as_ptr()) };
    io::Error::last_os_error()
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
    close_range(first, u32::MAX, flags)
}

/// Closes every descriptor but the standard streams and those that are kept, in order.
///
/// # Errors
/// What the system says: `ENOSYS` before Linux 5.9.
pub(super) fn close_all_but(kept: &[u32]) -> io::Result<()> {
    let mut first = 3;
    for kept in kept.iter().filter(|kept| **kept >= 3) {
        if *kept > first {
            close_range(first, *kept - 1, 0)?;
        }
        first = *kept + 1;
    }
    close_range(first, u32::MAX, 0)
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the new processes own their copies of the descriptor table, and leave them by `_exit` or `execve`: no destructor closes one twice.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
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

/// What a process is to have for itself.
#[derive(Clone, Copy)]
pub(super) enum Isolation {
    /// Its mounts.
    Mounts,
    /// Its mounts, its network, its IPC objects and its host name.
    Everything,
}

impl Isolation {
    const fn flags(self) -> UnshareFlags {
        match self {
            Self::Mounts => UnshareFlags::NEWNS,
            Self::Everything => UnshareFlags::NEWNS.union(UnshareFlags::NEWNET).union(UnshareFlags::NEWIPC).union(UnshareFlags::NEWUTS),
        }
    }
}

/// Gives the calling process namespaces of its own.
///
/// # Errors
/// What the system says: `EPERM` without the right to mount.
pub(super) fn unshare(isolation: Isolation) -> io::Result<()> {
    unshare_flags(isolation.flags())
}

/// Gives the calling process namespaces of its own, and a user namespace that owns them.
///
/// # Errors
/// What the system says: `EPERM` or `ENOSPC` where user namespaces aren't allowed.
pub(super) fn unshare_with_user(isolation: Isolation) -> io::Result<()> {
    unshare_flags(isolation.flags() | UnshareFlags::NEWUSER)
}

fn unshare_flags(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: descriptors stay shared with nobody: `UnshareFlags::FILES` isn't among the flags.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Makes a mount, and all mounts below it, read only.
///
/// # Errors
/// What the system says: `ENOSYS` before Linux 5.12.
pub(super) fn make_read_only(dir: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    /// The kernel's `struct mount_attr`.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    const READ_ONLY: u64 = 1;
    let attributes = Attributes { set: READ_ONLY, clear: 0, propagation: 0, user_namespace: 0 };
    let flags = libc::AT_RECURSIVE | libc::AT_EMPTY_PATH;
    // SAFETY: the path ends with a zero, and the kernel reads as many bytes of the live value as it is told.
    let answer = unsafe {
        libc::syscall(libc::SYS_mount_setattr, dir.as_raw_fd(), path.as_ptr(), flags, &raw const attributes, size_of::<Attributes>())
    };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How the kernel names this machine's system calls, where it is known here.
pub(super) const CALLS: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else {
    None
};

/// Refuses the calling process, for ever, every socket that leads out of an empty network namespace: a Unix socket with a path does, and so does
/// one of a virtual machine. Internet and netlink sockets, and pairs, stay within it. Only with no-new-privileges.
///
/// # Errors
/// What the system says.
#[expect(clippy::cast_possible_truncation, reason = "small numbers of the kernel's, which C's headers give as larger types")]
pub(super) fn refuse_sockets_that_lead_out() -> io::Result<()> {
    /// Offsets in the kernel's `struct seccomp_data`: the call's number, its table, the lower half of its first argument.
    const NUMBER: u32 = 0;
    const TABLE: u32 = 4;
    const FIRST: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };
    /// The first number of x86-64's second table.
    const X32: u32 = 0x4000_0000;
    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EACCES as u32;
    const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    const fn load(offset: u32) -> libc::sock_filter {
        libc::sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
    }
    const fn jump(how: u32, value: u32, then: u8, otherwise: u8) -> libc::sock_filter {
        libc::sock_filter { code: (libc::BPF_JMP | how | libc::BPF_K) as u16, jt: then, jf: otherwise, k: value }
    }
    const fn answer(value: u32) -> libc::sock_filter {
        libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: value }
    }
    let table = CALLS.ok_or(io::ErrorKind::Unsupported)?;
    // Each jump says how many lines it passes over if it is true, and if it isn't. Calls of another table, and those that io_uring would make,
    // can't be looked at: they don't exist.
    let filter = [
        load(TABLE),
        jump(libc::BPF_JEQ, table, 0, 9),
        load(NUMBER),
        jump(libc::BPF_JGE, X32, 7, 0),
        jump(libc::BPF_JEQ, libc::SYS_io_uring_setup as u32, 6, 0),
        jump(libc::BPF_JEQ, libc::SYS_socket as u32, 0, 6),
        load(FIRST),
        jump(libc::BPF_JEQ, libc::AF_INET as u32, 4, 0),
        jump(libc::BPF_JEQ, libc::AF_INET6 as u32, 3, 0),
        jump(libc::BPF_JEQ, libc::AF_NETLINK as u32, 2, 0),
        answer(REFUSE),
        answer(ABSENT),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program points to a live array of the length it states, which the kernel copies.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
