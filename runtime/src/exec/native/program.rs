//! Which file a command is, and why it could not be started: every message names the file, the rule and the way out.

use super::wire::{Failure, Stage};
use rustix::fs::{Access, AtFlags, CWD};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Finds the program `name` as `execvp` would, with `path` as PATH and `cwd` as working directory. `seen` says where this process finds what the
/// command will find at a path.
///
/// # Errors
/// The message of a `failed(spawn)`.
pub(super) fn find(name: &str, path: &OsStr, cwd: &Path, seen: impl Fn(&Path) -> PathBuf) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("the command is empty: `run` needs a program".to_owned());
    }
    if name.contains('/') {
        let file = cwd.join(name);
        return usable(&file, &seen(&file)).map(|()| file);
    }
    let mut first_problem = None;
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let file = dir.join(name);
        let here = seen(&file);
        match usable(&file, &here) {
            Ok(()) => return Ok(file),
            Err(problem) if here.is_file() => first_problem = first_problem.or(Some(problem)),
            Err(_) => {}
        }
    }
    let path = path.to_string_lossy();
    Err(first_problem.unwrap_or_else(|| format!("`{name}` is in no directory of PATH ({path}): install it, or give its absolute path")))
}

/// The rule: it exists, it is a file, and it may be executed.
fn usable(file: &Path, here: &Path) -> Result<(), String> {
    let shown = file.display();
    let metadata = here.metadata().map_err(|error| format!("`{shown}`: {error}; the program must exist: correct its path"))?;
    if !metadata.is_file() {
        return Err(format!("`{shown}` is not a file; a program is a file that may be executed: correct its path"));
    }
    rustix::fs::accessat(CWD, here, Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|_| format!("`{shown}` is not executable: chmod +x {shown}, or name its interpreter first (`bash {shown}`)"))
}

/// What a failed start means for the hook: a message, or `None` if the machinery is at fault.
pub(super) fn explain(failure: Failure, program: &Path, cwd: &Path) -> Option<String> {
    let error = io::Error::from_raw_os_error(failure.errno);
    let shown = program.display();
    match failure.stage {
        Stage::Directory => Some(format!(
            "working directory `{}`: {error}; it must exist and be open to the operator: create it, or set `cwd`",
            cwd.display()
        )),
        Stage::Exec => Some(match failure.errno {
            libc::ENOENT | libc::ENOTDIR | libc::ELOOP => no_interpreter(program, &error),
            libc::EACCES | libc::EPERM => not_permitted(program, &error),
            libc::ENOEXEC => {
                format!(
                    "`{shown}` is neither a program for this machine nor a script with an interpreter: begin it with a line like `#!/bin/sh`"
                )
            }
            libc::ETXTBSY => format!("`{shown}` is being written by another process; a program must be complete: end the writer first"),
            libc::E2BIG => {
                format!("`{shown}`: {error}; arguments and environment together must fit the kernel's limit: pass a file instead")
            }
            libc::ENOMEM => format!("`{shown}`: {error}; the program doesn't fit its limit: raise `memory`"),
            _ => format!("`{shown}`: {error}; the program must exist and be executable: correct it"),
        }),
        _ => None,
    }
}

fn no_interpreter(program: &Path, error: &io::Error) -> String {
    let shown = program.display();
    match interpreter(program) {
        Some(interpreter) => {
            format!("`{shown}`: its interpreter `{interpreter}` is not there ({error}): correct its first line, or install `{interpreter}`")
        }
        None => format!("`{shown}`: {error}; the program and its dynamic loader must exist: install them, or rebuild it for this machine"),
    }
}

fn not_permitted(program: &Path, error: &io::Error) -> String {
    let shown = program.display();
    let what = match interpreter(program) {
        Some(interpreter) => format!("`{shown}` or its interpreter `{interpreter}`"),
        None => format!("`{shown}`"),
    };
    format!(
        "{what}: {error}; both must be executable, and lie in a system or granted directory: chmod +x, or add the directory to `dirs` with mode \"read\""
    )
}

/// What the first line of a script names after `#!`.
fn interpreter(program: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(std::fs::File::open(program).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).trim().to_owned();
    line.split_whitespace().next().map(str::to_owned)
}
