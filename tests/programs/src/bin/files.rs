//! Does to files what its arguments say, in order, and ends with code 1 at the first that fails:
//! `write PATH TEXT` · `append PATH TEXT` · `read PATH` · `rename FROM TO` · `remove PATH` · `mkdir PATH` · `rmdir PATH` · `list PATH` ·
//! `stat PATH` · `link TARGET PATH` (a symbolic one) · `touch PATH COUNT` (that many empty files `PATH0`, `PATH1`, …) · `hold PATH COUNT` (that many open
//! listings at once).

use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut rest = args.iter().map(String::as_str);
    while let Some(verb) = rest.next() {
        match step(verb, &mut rest) {
            Ok(said) => println!("{verb} ok{}{said}", if said.is_empty() { "" } else { " " }),
            Err(error) => {
                println!("{verb} {:?}", error.kind());
                eprintln!("{verb}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn step<'a>(verb: &str, rest: &mut impl Iterator<Item = &'a str>) -> io::Result<String> {
    let mut next = || rest.next().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an argument is missing"));
    let path = next()?;
    match verb {
        "write" => fs::write(path, next()?)?,
        "append" => fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(next()?.as_bytes())?,
        "read" => return fs::read_to_string(path),
        "rename" => fs::rename(path, next()?)?,
        "remove" => fs::remove_file(path)?,
        "mkdir" => fs::create_dir_all(path)?,
        "rmdir" => fs::remove_dir(path)?,
        "list" => return list(path),
        "stat" => return fs::metadata(path).map(|meta| format!("{} bytes, dir {}", meta.len(), meta.is_dir())),
        "hold" => return hold(path, next()?),
        "link" => link(path, next()?)?,
        "touch" => touch(path, next()?)?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such verb")),
    }
    Ok(String::new())
}

fn list(path: &str) -> io::Result<String> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names.join(" "))
}

/// Opens that many listings of one directory and keeps them all open.
fn hold(path: &str, count: &str) -> io::Result<String> {
    let count: u32 = count.parse().map_err(io::Error::other)?;
    let mut held = Vec::new();
    for n in 0..count {
        let opened = fs::read_dir(path).and_then(|mut listing| listing.next().transpose().map(|_| listing));
        held.push(opened.map_err(|error| io::Error::new(error.kind(), format!("listing {n}: {error}")))?);
    }
    Ok(held.len().to_string())
}

fn touch(path: &str, count: &str) -> io::Result<()> {
    let count: u32 = count.parse().map_err(io::Error::other)?;
    (0..count).try_for_each(|n| fs::write(format!("{path}{n}"), ""))
}

/// The standard library has symbolic links on WASI only behind an unstable feature; wasi-libc has them.
fn link(target: &str, path: &str) -> io::Result<()> {
    unsafe extern "C" {
        fn symlink(target: *const std::ffi::c_char, path: *const std::ffi::c_char) -> std::ffi::c_int;
    }
    let (target, path) = (std::ffi::CString::new(target)?, std::ffi::CString::new(path)?);
    // SAFETY: both are NUL-terminated strings that live until the call returns.
    if unsafe { symlink(target.as_ptr(), path.as_ptr()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
