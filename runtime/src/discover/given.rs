//! Files that a person named on the command line: wherever they lie, behind links, or as the pipe that a shell makes of `<(…)`. Nobody is waited for
//! who may never come.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// At most `max` bytes of the file at `path`. A pipe is read until its writers close it.
///
/// # Errors
/// What the system says; a pipe that nobody writes to, a socket, a device other than `/dev/null`, and a directory are refused by name.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let kind = file.metadata()?.file_type();
    let mut bytes = Vec::new();
    if kind.is_fifo() {
        bytes.extend(begin(&file, path)?);
        rustix::fs::fcntl_setfl(&file, rustix::fs::fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    } else if kind.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    } else if !kind.is_file() && path != Path::new("/dev/null") {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a socket or a device, not a regular file"));
    }
    let rest = max.saturating_sub(bytes.len() as u64);
    file.take(rest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first byte of a pipe, if it is there already.
fn begin(mut pipe: &File, path: &Path) -> io::Result<Option<u8>> {
    let mut first = [0];
    match pipe.read(&mut first) {
        Ok(0) if has_name(path) => Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe that nobody writes to")),
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(first[0])),
        // Somebody holds its other end.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether somebody may yet open its other end: the pipe of `<(…)` has no name, and whoever wrote to it may be done with nothing written.
fn has_name(path: &Path) -> bool {
    path.canonicalize().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(read(&pipe, 9).unwrap_err().to_string(), "it is a pipe that nobody writes to");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("pipe", &link).unwrap();
        assert_eq!(read(&link, 9).unwrap_err().to_string(), "it is a pipe that nobody writes to");
    }

    #[test]
    fn a_pipe_that_somebody_writes_to_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Both ends: its writer is there before it is read.
        let mut writer = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        writer.write_all(b"A=1\n").unwrap();
        assert_eq!(read(&pipe, 2).unwrap(), b"A=", "no more than asked");
        // This end stays open: what was written would go with the last one, if nobody had begun to read.
        let mut other = writer.try_clone().unwrap();
        let late = std::thread::spawn(move || other.write_all(b"B=2\n"));
        assert_eq!(read(&pipe, 6).unwrap().len(), 6, "what isn't there yet is waited for, where somebody may write it");
        late.join().unwrap().unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_pipe_of_a_process_substitution_is_read_also_if_its_writer_is_gone() {
        for written in ["A=1\n", ""] {
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(written.as_bytes()).unwrap();
            drop(writer);
            let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
            assert_eq!(read(Path::new(&path), 99).unwrap(), written.as_bytes());
        }
    }

    #[test]
    fn files_through_links_are_read_and_what_has_no_end_is_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        assert_eq!(read(&dir.path().join("link"), 99).unwrap(), b"text");
        assert_eq!(read(Path::new("/dev/null"), 99).unwrap(), b"");
        assert_eq!(read(Path::new("/dev/zero"), 99).unwrap_err().to_string(), "it is a socket or a device, not a regular file");
        assert_eq!(read(dir.path(), 99).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
