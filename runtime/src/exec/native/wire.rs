//! What the supervisor tells the executor: messages of one fixed size, so that a write is whole and needs no allocation.

use std::io;
use std::time::Duration;

/// The size of a message on the wire, in bytes.
pub(super) const SIZE: usize = 16;

/// One message of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The program runs, as the first process of this number and of a group of the same.
    Started(i32),
    /// It could not be started.
    Failed(Failure),
    /// The program itself has ended; processes that it left behind may still be there.
    Ended(Ended),
}

/// Why nothing was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// At which point.
    pub stage: Stage,
    /// What the system said.
    pub errno: i32,
    /// Which of the hook's mounts, where it failed at one.
    pub mount: u16,
}

impl Failure {
    /// A failure at `stage`.
    pub(super) fn at(stage: Stage, error: &io::Error) -> Self {
        Self { stage, errno: error.raw_os_error().unwrap_or(0), mount: 0 }
    }

    /// A failure at one of the hook's mounts.
    pub(super) fn mounting(index: usize, error: &io::Error) -> Self {
        Self { mount: u16::try_from(index).unwrap_or(u16::MAX), ..Self::at(Stage::Mount, error) }
    }
}

/// The points at which a start can fail, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The supervisor's own preparation.
    Supervise,
    /// The second process.
    Clone,
    /// Its process group.
    Group,
    /// Its standard streams.
    Streams,
    /// Its private mount namespace.
    Namespace,
    /// A directory in it.
    Mount,
    /// Its working directory.
    Directory,
    /// Its resource limits.
    Limits,
    /// Its confinement.
    Confine,
    /// The program's image.
    Exec,
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::Supervise,
        Self::Clone,
        Self::Group,
        Self::Streams,
        Self::Namespace,
        Self::Mount,
        Self::Directory,
        Self::Limits,
        Self::Confine,
        Self::Exec,
    ];

    /// What was being done, for messages.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Supervise => "preparing its supervisor",
            Self::Clone => "making its process",
            Self::Group => "giving it a process group",
            Self::Streams => "connecting its streams",
            Self::Namespace => "making its mount namespace",
            Self::Mount => "putting a directory in its place",
            Self::Directory => "entering its working directory",
            Self::Limits => "setting its limits",
            Self::Confine => "confining it",
            Self::Exec => "executing it",
        }
    }
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// By its own exit or by a signal.
    pub ending: Ending,
    /// CPU time of the program and of the children it waited for.
    pub cpu: Duration,
}

/// The two ways in which a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
}

const STARTED: u8 = 1;
const FAILED: u8 = 2;
const EXITED: u8 = 3;
const KILLED: u8 = 4;

impl Message {
    /// The message as bytes: kind, stage, two bytes for a mount, a number, and a duration in microseconds.
    pub(super) fn encode(self) -> [u8; SIZE] {
        let (kind, stage, mount, number, micros) = match self {
            Self::Started(main) => (STARTED, 0, 0, main, 0),
            Self::Failed(Failure { stage, errno, mount }) => (FAILED, stage as u8, mount, errno, 0),
            Self::Ended(Ended { ending: Ending::Exited(code), cpu }) => (EXITED, 0, 0, code, micros(cpu)),
            Self::Ended(Ended { ending: Ending::Killed(signal), cpu }) => (KILLED, 0, 0, signal, micros(cpu)),
        };
        let mut bytes = [0; SIZE];
        bytes[0] = kind;
        bytes[1] = stage;
        bytes[2..4].copy_from_slice(&mount.to_le_bytes());
        bytes[4..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..].copy_from_slice(&micros.to_le_bytes());
        bytes
    }

    /// The message that these bytes are, if they are one.
    pub(super) fn decode(bytes: [u8; SIZE]) -> Option<Self> {
        let [kind, stage, mount_low, mount_high, ..] = bytes;
        let (_, numbers) = bytes.split_at(4);
        let (number, cpu) = numbers.split_first_chunk::<4>()?;
        let number = i32::from_le_bytes(*number);
        let cpu = Duration::from_micros(u64::from_le_bytes(*cpu.first_chunk::<8>()?));
        match kind {
            STARTED => Some(Self::Started(number)),
            FAILED => {
                let stage = Stage::ALL.into_iter().find(|known| *known as u8 == stage)?;
                Some(Self::Failed(Failure { stage, errno: number, mount: u16::from_le_bytes([mount_low, mount_high]) }))
            }
            EXITED => Some(Self::Ended(Ended { ending: Ending::Exited(number), cpu })),
            KILLED => Some(Self::Ended(Ended { ending: Ending::Killed(number), cpu })),
            _ => None,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What the executor tells the supervisor: one byte each. The end of the connection means [`KILL`].
pub(super) const TERMINATE: u8 = b'T';
/// Ends everything at once.
pub(super) const KILL: u8 = b'K';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_wire() {
        let cpu = Duration::from_micros(1_234_567);
        let mut messages = vec![Message::Started(4_194_303)];
        messages.extend(Stage::ALL.map(|stage| Message::Failed(Failure { stage, errno: 13, mount: 515 })));
        messages.push(Message::Ended(Ended { ending: Ending::Exited(255), cpu }));
        messages.push(Message::Ended(Ended { ending: Ending::Killed(9), cpu }));
        for message in messages {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([0; SIZE]), None);
        assert_eq!(Message::decode([FAILED, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
