//! Contents of files, in which a hole stays a hole: what is copied, counted and compared is the data alone.

use rustix::fs::SeekFrom;
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

/// How much is copied by hand or compared at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// The pieces of a file that hold data, from one position up to another, in order.
///
/// # Errors
/// What the system says.
pub(super) fn data(file: BorrowedFd<'_>) -> Result<Vec<(u64, u64)>> {
    let size = size(file)?;
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(start) = next_data(file, at, size)? {
        let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
            // A file system that knows no holes.
            Err(Errno::INVAL) => size,
            // Somebody cut it short meanwhile.
            Err(Errno::NXIO) => break,
            end => end?.min(size),
        };
        pieces.push((start, end));
        at = end;
    }
    Ok(pieces)
}

/// Where the next data at or after a position begins; none if only a hole follows.
fn next_data(file: BorrowedFd<'_>, at: u64, size: u64) -> Result<Option<u64>> {
    if at >= size {
        return Ok(None);
    }
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL) => Ok(Some(at)),
        start => Ok(Some(start?).filter(|start| *start < size)),
    }
}

/// How many bytes these pieces are.
pub(super) fn amount(pieces: &[(u64, u64)]) -> u64 {
    pieces.iter().map(|(start, end)| end - start).sum()
}

/// Copies these pieces of `from` to the new file `to`, and makes it as long.
///
/// # Errors
/// What the system says.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, pieces: &[(u64, u64)]) -> Result<()> {
    let size = size(from)?;
    if pieces.last().map_or(0, |(_, end)| *end) < size {
        rustix::fs::ftruncate(to, size)?;
    }
    pieces.iter().try_for_each(|(start, end)| copy_piece(from, to, *start, *end))
}

fn copy_piece(from: BorrowedFd<'_>, to: BorrowedFd<'_>, mut at: u64, end: u64) -> Result<()> {
    let mut to_at = at;
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut at), to, Some(&mut to_at), length) {
            // Somebody cut it short meanwhile.
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::NOTSUP | Errno::PERM | Errno::IO) => return by_hand(from, to, at, end),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where the kernel doesn't copy by itself.
fn by_hand(from: BorrowedFd<'_>, to: BorrowedFd<'_>, mut at: u64, end: u64) -> Result<()> {
    let mut chunk = vec![0; CHUNK];
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(from, &mut chunk[..length], at))?;
        if read == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < read {
            let position = at + written as u64;
            written += rustix::io::retry_on_intr(|| rustix::io::pwrite(to, &chunk[written..read], position))?;
        }
        at += read as u64;
    }
    Ok(())
}

/// Whether two files hold the same. What is a hole in both isn't read.
///
/// # Errors
/// What the system says.
pub(super) fn is_same(one: impl AsFd, other: impl AsFd) -> Result<bool> {
    let (one, other) = (file(one.as_fd())?, file(other.as_fd())?);
    let size = size(one.as_fd())?;
    if size != self::size(other.as_fd())? {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        let data = [next_data(one.as_fd(), at, size)?, next_data(other.as_fd(), at, size)?];
        let Some(start) = data.into_iter().flatten().min() else { return Ok(true) };
        let length = usize::try_from(size - start).unwrap_or(CHUNK).min(CHUNK);
        left.resize(length, 0);
        right.resize(length, 0);
        // One that was cut short meanwhile isn't the same.
        if one.read_exact_at(&mut left, start).is_err() || other.read_exact_at(&mut right, start).is_err() || left != right {
            return Ok(false);
        }
        at = start + length as u64;
    }
}

fn file(fd: BorrowedFd<'_>) -> Result<File> {
    Ok(File::from(rustix::io::dup(fd)?))
}

#[expect(clippy::cast_sign_loss, reason = "a size is positive")]
fn size(file: BorrowedFd<'_>) -> Result<u64> {
    Ok(rustix::fs::fstat(file)?.st_size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use tempfile::TempDir;

    const SIZE: u64 = 10 << 30;

    fn new(path: &Path) -> File {
        File::options().read(true).write(true).create_new(true).open(path).unwrap()
    }

    /// A file of 10 GiB with a word at its beginning, in its middle and at its end.
    fn sparse(path: &Path, end: &[u8]) -> File {
        let file = new(path);
        file.set_len(SIZE).unwrap();
        file.write_all_at(b"begin", 0).unwrap();
        file.write_all_at(b"middle", SIZE / 2).unwrap();
        file.write_all_at(end, SIZE - end.len() as u64).unwrap();
        file
    }

    fn places() -> impl Iterator<Item = TempDir> {
        [tempfile::tempdir().ok(), tempfile::tempdir_in("/dev/shm").ok()].into_iter().flatten()
    }

    #[test]
    fn holes_are_neither_copied_nor_counted_nor_compared() {
        for dir in places() {
            for end in [&b"end"[..], b""] {
                let at = |name: &str| dir.path().join(format!("{name}-{}", end.len()));
                let (one, other) = (sparse(&at("one"), end), new(&at("other")));
                let pieces = data(one.as_fd()).unwrap();
                assert!(amount(&pieces) < 1 << 20, "{pieces:?}");
                copy(one.as_fd(), other.as_fd(), &pieces).unwrap();
                let meta = other.metadata().unwrap();
                assert!(meta.len() == SIZE && meta.blocks() * 512 < 1 << 20, "{meta:?}");
                assert!(is_same(&one, &other).unwrap());
                other.write_all_at(b"x", SIZE / 4).unwrap();
                assert!(!is_same(&one, &other).unwrap(), "data over a hole");
                other.write_all_at(&[0], SIZE / 4).unwrap();
                assert!(is_same(&one, &other).unwrap(), "zeros are as a hole");
            }
        }
    }

    #[test]
    fn what_the_kernel_does_not_copy_is_copied_by_hand() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 7).collect();
        std::fs::write(dir.path().join("one"), &bytes).unwrap();
        let (one, other) = (File::open(dir.path().join("one")).unwrap(), new(&dir.path().join("other")));
        by_hand(one.as_fd(), other.as_fd(), 0, bytes.len() as u64).unwrap();
        assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), bytes);
    }

    #[test]
    fn files_of_any_size_are_copied_as_they_are_and_one_byte_tells_them_apart() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5] {
            let at = |name: &str| dir.path().join(format!("{name}-{length}"));
            std::fs::write(at("one"), vec![7; length]).unwrap();
            let (one, other) = (File::open(at("one")).unwrap(), new(&at("other")));
            let pieces = data(one.as_fd()).unwrap();
            assert_eq!(amount(&pieces), length as u64);
            copy(one.as_fd(), other.as_fd(), &pieces).unwrap();
            assert!(is_same(&one, &other).unwrap());
            if length > 0 {
                other.write_all_at(b"x", length as u64 - 1).unwrap();
                assert!(!is_same(&one, &other).unwrap(), "{length}");
            }
        }
    }
}
