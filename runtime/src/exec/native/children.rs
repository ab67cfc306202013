//! Who a process's children are, read from `/proc` without allocation: the supervisor asks in a forked copy of a program with threads.
//! `/proc/PID/task/*/children` would be shorter, but not every kernel has it.

use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::process::Pid;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

/// Calls `act` with each child of `parent`, as it is found: a process that forks as fast as it can has little time to be gone by then.
pub(super) fn each(parent: Pid, mut act: impl FnMut(Pid)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(&proc, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
        if parent_of(proc.as_fd(), entry.file_name()) == Some(parent.as_raw_nonzero().get()) {
            Pid::from_raw(pid).into_iter().for_each(&mut act);
        }
    }
}

fn parent_of(proc: BorrowedFd<'_>, pid: &CStr) -> Option<i32> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(proc, pid, flags | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let stat = rustix::fs::openat(dir, c"stat", flags, Mode::empty()).ok()?;
    let mut buffer = [0; 256];
    let read = rustix::io::read(stat, &mut buffer).ok()?;
    parent_in(buffer.get(..read)?)
}

/// The parent in `PID (name) STATE PARENT …`; the name may hold anything, so it ends at the last parenthesis.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = stat.get(end + 1..)?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.nth(1).and_then(number)
}

fn number(digits: &[u8]) -> Option<i32> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in(b"12 (sh) S 7 12 12 0 -1 4194560"), Some(7));
        assert_eq!(parent_in(b"12 (a) R 1 (b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in(b"12 (sh"), None);
        assert_eq!(parent_in(b""), None);
    }

    #[test]
    fn a_child_of_this_process_is_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut found = Vec::new();
        each(rustix::process::getpid(), |pid| found.push(pid.as_raw_nonzero().get()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&i32::try_from(child.id()).unwrap()), "{found:?}");
    }
}
