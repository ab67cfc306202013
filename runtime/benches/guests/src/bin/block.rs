//! `block FIFO [again]`: opens a FIFO that nobody writes to; with `again`, once more whenever a signal interrupts that.

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::process::ExitCode;

unsafe extern "C" {
    // The standard library's `File::open` retries by itself; this is the bare call.
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
}

/// `O_RDONLY`.
const READ: c_int = if cfg!(target_os = "wasi") { 0x0400_0000 } else { 0 };

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next().and_then(|path| CString::new(path).ok()) else { return ExitCode::from(2) };
    let again = args.next().is_some();
    loop {
        // SAFETY: the path is a string that lives until the call returns; without O_CREAT there is no third argument.
        if unsafe { open(path.as_ptr(), READ) } >= 0 {
            return ExitCode::SUCCESS;
        }
        if !again || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return ExitCode::from(3);
        }
    }
}
