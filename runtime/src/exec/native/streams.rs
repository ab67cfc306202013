//! A command's standard streams: nothing to read, and two pipes whose lines go to the capture.

use super::launch::{Streams, above_streams};
use crate::exec::output::Capture;
use crate::model::job::Stream;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::pipe::PipeFlags;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// How much is read at once: what a pipe holds, in bytes.
const CHUNK: usize = 64 * 1024;

/// The read ends of a command's output.
pub(super) struct Pipes {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Makes the streams of a command and the ends that its output is read from. All are closed when another program is executed.
///
/// # Errors
/// What the system says.
pub(super) fn open() -> io::Result<(Streams, Pipes)> {
    let stdin = rustix::fs::openat(CWD, "/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (stdout_read, stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr_read, stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let streams = Streams { stdin: above_streams(stdin)?, stdout: above_streams(stdout)?, stderr: above_streams(stderr)? };
    Ok((streams, Pipes { stdout: stdout_read, stderr: stderr_read }))
}

/// The output of a command while it runs.
pub(super) struct Output {
    stdout: Source,
    stderr: Source,
    capture: Capture,
}

/// One pipe; `None` once it has ended.
struct Source {
    pipe: Option<Receiver>,
    buffer: Box<[u8]>,
}

impl Output {
    /// # Errors
    /// What the system says.
    pub(super) fn new(pipes: Pipes, capture: Capture) -> io::Result<Self> {
        Ok(Self { stdout: Source::new(pipes.stdout)?, stderr: Source::new(pipes.stderr)?, capture })
    }

    /// Whether there may be more.
    pub(super) fn is_open(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }

    /// Takes what comes next, from either stream. Cancel safe.
    pub(super) async fn read(&mut self) {
        tokio::select! {
            bytes = self.stdout.next() => self.capture.write(Stream::Stdout, bytes),
            bytes = self.stderr.next() => self.capture.write(Stream::Stderr, bytes),
        }
    }

    /// Takes what the pipes hold already, and reads no more, whoever may still write.
    pub(super) fn close(mut self) -> Capture {
        self.stdout.drain(|bytes| self.capture.write(Stream::Stdout, bytes));
        self.stderr.drain(|bytes| self.capture.write(Stream::Stderr, bytes));
        self.capture.finish();
        self.capture
    }
}

impl Source {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Some(Receiver::from_owned_fd(pipe)?), buffer: vec![0; CHUNK].into_boxed_slice() })
    }

    /// The next bytes; never ready again after the end.
    async fn next(&mut self) -> &[u8] {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        match pipe.read(&mut self.buffer).await {
            Ok(read) if read > 0 => self.buffer.get(..read).unwrap_or_default(),
            _ => {
                self.pipe = None;
                &[]
            }
        }
    }

    fn drain(&mut self, mut take: impl FnMut(&[u8])) {
        let Some(pipe) = self.pipe.take() else { return };
        let mut room = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap_or(CHUNK);
        while room > 0 {
            match rustix::io::read(&pipe, &mut *self.buffer) {
                Ok(read) if read > 0 => {
                    take(self.buffer.get(..read).unwrap_or_default());
                    room = room.saturating_sub(read);
                }
                Err(rustix::io::Errno::INTR) => {}
                _ => return,
            }
        }
    }
}
