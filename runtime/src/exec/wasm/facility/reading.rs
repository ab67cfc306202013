//! Directories that a module reads, piece by piece. wasmtime-wasi lists a directory anew for each piece, and skips as many entries as were given out
//! before: a module that removes what it reads never hears of a part of the rest, and a large directory takes the square of its size. Here
//! wasmtime-wasi lists it once, when a reading begins, and the pieces are of that listing, as a kernel's are.

use wasmtime::Result;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as preview1;
use wiggle::GuestMemory;

/// What tells a file from others.
pub(super) type Number = [u8; 8];

/// How many directories are read at a time: of one more, the oldest is listed anew when it is read on.
const AT_ONCE: usize = 64;

/// Room for what is added to a directory between the look at its size and its listing, in bytes.
const SLACK: u64 = 64 << 10;

/// The head of an entry as a guest gets it: the number of the next one, the file's own, the name's length and the file's type.
const HEAD: usize = 24;

/// A directory that is being read.
pub(super) struct Reading {
    fd: i32,
    number: Number,
    /// The whole listing, as a guest gets it.
    bytes: Vec<u8>,
    /// Where each entry begins, and where they end.
    starts: Vec<usize>,
}

impl Reading {
    fn size(&self) -> u64 {
        (self.bytes.len() + self.starts.len() * size_of::<usize>()) as u64
    }
}

/// Lists the directory of `fd`, of about `size` bytes. `None` if wasmtime-wasi refuses, or if it grew too much meanwhile: its own call tells then.
pub(super) async fn begin(wasi: &mut WasiP1Ctx, fd: i32, number: Number, size: u64) -> Result<Option<Reading>> {
    let capacity = usize::try_from(size + SLACK)?;
    // First how much there is, where such a number may lie, then the entries.
    let mut host = vec![0; 2 * size_of::<u64>() + capacity];
    let used_at = host.as_ptr().align_offset(align_of::<u64>());
    let begin = used_at + size_of::<u64>();
    let memory = &mut GuestMemory::Unshared(&mut host);
    let errno = preview1::fd_readdir(wasi, memory, fd, i32::try_from(begin)?, i32::try_from(capacity)?, 0, i32::try_from(used_at)?).await?;
    let used = u32::from_le_bytes(host[used_at..used_at + size_of::<u32>()].try_into()?) as usize;
    if errno != 0 || used >= capacity {
        return Ok(None);
    }
    host.truncate(begin + used);
    host.drain(..begin);
    host.shrink_to_fit();
    Ok(starts(&host).map(|starts| Reading { fd, number, bytes: host, starts }))
}

/// Where each entry begins, and where they end; `None` if they aren't numbered one after the other.
fn starts(bytes: &[u8]) -> Option<Vec<usize>> {
    let mut starts = vec![0];
    let mut at = 0;
    while at < bytes.len() {
        let head = bytes.get(at..at + HEAD)?;
        let next = u64::from_le_bytes(head[..8].try_into().ok()?);
        at += HEAD + u32::from_le_bytes(head[16..20].try_into().ok()?) as usize;
        if next != starts.len() as u64 {
            return None;
        }
        starts.push(at);
    }
    Some(starts)
}

/// The directories that are being read, the oldest first. What was read to its end stays until its descriptor is read again from the begin, or its
/// room is wanted.
#[derive(Default)]
pub(super) struct Readings(Vec<Reading>);

impl Readings {
    pub(super) fn forget(&mut self, fd: i32) {
        self.0.retain(|reading| reading.fd != fd);
    }

    /// Lets all of them take no more than `most` bytes: the oldest make place.
    pub(super) fn shrink(&mut self, most: u64) {
        while self.0.iter().map(Reading::size).sum::<u64>() > most {
            self.0.remove(0);
        }
    }

    pub(super) fn keep(&mut self, reading: Reading) {
        if self.0.len() == AT_ONCE {
            self.0.remove(0);
        }
        self.0.push(reading);
    }

    pub(super) fn has(&self, fd: i32, number: Number) -> bool {
        self.of(fd, number).is_some()
    }

    fn of(&self, fd: i32, number: Number) -> Option<&Reading> {
        self.0.iter().find(|reading| (reading.fd, reading.number) == (fd, number))
    }

    /// At most `len` bytes from the entry `cookie` on; nothing behind the last. `None` if this directory isn't being read.
    pub(super) fn piece(&self, fd: i32, number: Number, cookie: i64, len: i32) -> Option<&[u8]> {
        let reading = self.of(fd, number)?;
        let end = reading.bytes.len();
        let begin = usize::try_from(cookie).ok().and_then(|cookie| reading.starts.get(cookie)).map_or(end, |begin| *begin);
        Some(&reading.bytes[begin..end.min(begin.saturating_add(len.cast_unsigned() as usize))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(next: u64, name: &str) -> Vec<u8> {
        let mut entry = vec![0; HEAD];
        entry[..8].copy_from_slice(&next.to_le_bytes());
        entry[16] = u8::try_from(name.len()).unwrap();
        [entry, name.as_bytes().to_vec()].concat()
    }

    fn reading(fd: i32, names: &[&str]) -> Reading {
        let bytes: Vec<u8> = (1..).zip(names).flat_map(|(next, name)| entry(next, name)).collect();
        Reading { fd, number: [1; 8], starts: starts(&bytes).unwrap(), bytes }
    }

    #[test]
    fn pieces_begin_with_an_entry_and_end_where_the_buffer_does() {
        let mut readings = Readings::default();
        readings.keep(reading(4, &[".", "..", "abc"]));
        let piece = |cookie, len| readings.piece(4, [1; 8], cookie, len).unwrap();
        assert_eq!(piece(0, i32::MAX).len(), 3 * HEAD + 6);
        assert_eq!(piece(1, 30), [entry(2, ".."), entry(3, "abc")[..4].to_vec()].concat());
        assert_eq!(piece(2, 100), entry(3, "abc"));
        assert_eq!((piece(3, 100), piece(4, 100), piece(-1, 100), piece(0, 0)), (&[][..], &[][..], &[][..], &[][..]));
        assert_eq!(readings.piece(5, [1; 8], 1, 100), None, "nobody reads it");
        assert_eq!(readings.piece(4, [2; 8], 1, 100), None, "the number of the descriptor was given again");
    }

    #[test]
    fn what_is_not_numbered_one_by_one_is_not_kept() {
        assert_eq!(starts(&[]), Some(vec![0]));
        for bytes in [entry(2, "a"), [entry(1, "a"), entry(1, "b")].concat(), vec![1; 10]] {
            assert_eq!(starts(&bytes), None);
        }
    }

    #[test]
    fn the_oldest_make_place() {
        let mut readings = Readings::default();
        for fd in 0..70 {
            readings.keep(reading(fd, &["a"]));
        }
        assert_eq!(readings.0.iter().map(|reading| reading.fd).collect::<Vec<_>>(), (6..70).collect::<Vec<_>>());
        let one = readings.0[0].size();
        readings.shrink(62 * one);
        assert_eq!((readings.0.len(), readings.0[0].fd), (62, 8));
        readings.shrink(0);
        assert!(readings.0.is_empty());
    }
}
