//! Output of a guest: split into lines, counted, cut at its limit, its last lines kept. Memory stays bounded whatever the guest writes.

use super::OutputSink;
use crate::model::job::Stream;
use crate::model::units::show_size;
use std::collections::VecDeque;
use std::sync::Arc;

/// Longest line handed on, in bytes; a longer one comes in pieces of this size.
pub const MAX_LINE: usize = 16 * 1024;

/// How many of the last lines an execution keeps.
pub const TAIL_LINES: usize = 20;

/// How many lines of an execution are handed on; each costs whoever keeps it far more than its bytes.
pub const MAX_LINES: u64 = 100_000;

/// Longest line kept for the tail, in bytes.
const MAX_TAIL_LINE: usize = 2 * 1024;

/// Takes the raw bytes of both streams and hands lines to a sink.
pub struct Capture {
    sink: Arc<dyn OutputSink>,
    limit: u64,
    written: u64,
    lines: u64,
    truncated: bool,
    /// Whether what was handed on last was no whole line.
    mid_line: bool,
    partial: [Vec<u8>; 2],
    tail: VecDeque<String>,
}

impl Capture {
    /// A capture that hands at most `limit` bytes of output on.
    #[must_use]
    pub fn new(sink: Arc<dyn OutputSink>, limit: u64) -> Self {
        Self {
            sink,
            limit,
            written: 0,
            lines: 0,
            truncated: false,
            mid_line: false,
            partial: [Vec::new(), Vec::new()],
            tail: VecDeque::new(),
        }
    }

    /// Takes `bytes` as they came from the guest. It never learns of a limit: past it they are counted and dropped.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let room = usize::try_from(self.limit.saturating_sub(self.written)).unwrap_or(usize::MAX);
        self.written = self.written.saturating_add(bytes.len() as u64);
        let (kept, dropped) = bytes.split_at(room.min(bytes.len()));
        if let Some(last) = kept.last() {
            self.sink.bytes(stream, kept);
            self.mid_line = *last != b'\n';
        }
        for piece in kept.split_inclusive(|b| *b == b'\n') {
            self.take(stream, piece);
        }
        if !dropped.is_empty() && !self.truncated {
            self.truncate();
        }
    }

    /// Hands on what is left of an unfinished line of either stream.
    pub fn finish(&mut self) {
        self.flush(Stream::Stdout);
        self.flush(Stream::Stderr);
    }

    /// Bytes written so far, kept or not.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The last lines, oldest first.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    /// Says once, on a line of its own, that nothing more is handed on.
    fn truncate(&mut self) {
        self.truncated = true;
        let notice = format!("[output truncated at {}]", show_size(self.limit));
        let start = if self.mid_line { "\n" } else { "" };
        self.sink.bytes(Stream::Stderr, format!("{start}{notice}\n").as_bytes());
        self.flush(Stream::Stdout);
        self.flush(Stream::Stderr);
        self.emit(Stream::Stderr, &notice);
    }

    fn take(&mut self, stream: Stream, mut piece: &[u8]) {
        while !piece.is_empty() {
            let partial = &mut self.partial[index(stream)];
            let room = MAX_LINE - partial.len();
            let (now, rest) = piece.split_at(room.min(piece.len()));
            partial.extend_from_slice(now);
            piece = rest;
            if partial.ends_with(b"\n") || partial.len() == MAX_LINE {
                self.flush(stream);
            }
        }
    }

    fn flush(&mut self, stream: Stream) {
        let bytes = std::mem::take(&mut self.partial[index(stream)]);
        if bytes.is_empty() {
            return;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.emit(stream, &String::from_utf8_lossy(line));
    }

    fn emit(&mut self, stream: Stream, line: &str) {
        self.lines += 1;
        match self.lines {
            0..=MAX_LINES => self.sink.line(stream, line),
            n if n == MAX_LINES + 1 => {
                let notice = format!("[more than {MAX_LINES} lines: only the last {TAIL_LINES} of the rest are kept]");
                self.sink.line(Stream::Stderr, &notice);
            }
            _ => {}
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        let cut = line.floor_char_boundary(MAX_TAIL_LINE.min(line.len()));
        self.tail.push_back(line[..cut].to_owned());
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);
    impl OutputSink for Lines {
        fn line(&self, _: Stream, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
    }

    fn lines(limit: u64, writes: &[(Stream, &[u8])]) -> (Vec<String>, Capture) {
        let sink = Arc::new(Lines::default());
        let mut capture = Capture::new(sink.clone(), limit);
        for (stream, bytes) in writes {
            capture.write(*stream, bytes);
        }
        capture.finish();
        let lines = sink.0.lock().unwrap().clone();
        (lines, capture)
    }

    #[test]
    fn lines_of_two_streams_are_kept_apart() {
        let (lines, _) = lines(100, &[(Stream::Stdout, b"he"), (Stream::Stderr, b"oh\n"), (Stream::Stdout, b"llo\r\nlast")]);
        assert_eq!(lines, ["oh", "hello", "last"]);
    }

    #[test]
    fn past_the_limit_one_line_says_so_and_the_rest_is_counted() {
        let (lines, capture) = lines(4, &[(Stream::Stdout, b"abcdef"), (Stream::Stdout, b"more\n")]);
        assert_eq!(lines, ["abcd", "[output truncated at 4 B]"]);
        assert_eq!(capture.written(), 11);
    }

    #[derive(Default)]
    struct Bytes(Mutex<[Vec<u8>; 2]>);
    impl OutputSink for Bytes {
        fn line(&self, _: Stream, _: &str) {}
        fn bytes(&self, stream: Stream, bytes: &[u8]) {
            self.0.lock().unwrap()[index(stream)].extend_from_slice(bytes);
        }
    }

    #[test]
    fn who_takes_bytes_gets_them_as_they_came() {
        let sink = Arc::new(Bytes::default());
        let mut capture = Capture::new(sink.clone(), 8);
        capture.write(Stream::Stdout, b"a\xff\r\nb");
        capture.write(Stream::Stderr, b"");
        capture.write(Stream::Stdout, b"\0\0\0beyond");
        capture.finish();
        let [out, err] = sink.0.lock().unwrap().clone();
        assert_eq!((out.as_slice(), err.as_slice()), (&b"a\xff\r\nb\0\0\0"[..], &b"\n[output truncated at 8 B]\n"[..]));
    }

    #[test]
    fn a_line_without_an_end_is_never_held_whole() {
        let sink = Arc::new(Lines::default());
        let mut capture = Capture::new(sink.clone(), u64::MAX);
        for _ in 0..100 {
            capture.write(Stream::Stdout, &[b'x'; 10_000]);
            assert!(capture.partial[0].len() < MAX_LINE);
        }
        assert!(sink.0.lock().unwrap().iter().all(|line| line.len() == MAX_LINE));
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_replacement_characters() {
        assert_eq!(lines(100, &[(Stream::Stdout, b"a\xffb\n")]).0, ["a\u{fffd}b"]);
    }

    #[test]
    fn very_many_lines_are_not_handed_on_for_ever() {
        let (lines, capture) = lines(u64::MAX, &[(Stream::Stdout, &vec![b'\n'; 150_000]), (Stream::Stdout, b"last\n")]);
        assert_eq!(lines.len() as u64, MAX_LINES + 1);
        assert!(lines.last().is_some_and(|line| line.starts_with("[more than 100000 lines")), "{:?}", lines.last());
        assert_eq!(capture.tail().last().map(String::as_str), Some("last"), "the end is still known");
    }

    #[test]
    fn the_tail_is_the_last_twenty_lines() {
        let text: String = (0..50).map(|n| format!("{n}\n")).collect();
        let (_, capture) = lines(1_000, &[(Stream::Stdout, text.as_bytes())]);
        assert_eq!(capture.tail().len(), TAIL_LINES);
        assert_eq!(capture.tail().last().map(String::as_str), Some("49"));
    }
}
