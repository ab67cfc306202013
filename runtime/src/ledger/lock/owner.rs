//! Who holds a lock, as its file says.

use super::Holder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Longest record that is read, in bytes.
const MAX_RECORD: usize = 16 * 1024;
/// Longest command that is recorded, in bytes.
const MAX_COMMAND: usize = 4 * 1024;

/// Who holds a lock, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's name, or its number where it has no name.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Which boot of the machine the process id belongs to; null where the system doesn't say.
    pub boot_id: Option<String>,
    /// Since when, in UTC.
    pub since: jiff::Timestamp,
    /// What it runs: the command line, or what an embedder calls it.
    pub command: String,
    /// When the process started, in clock ticks since boot: a process id is used again, the two together are not. Null where the system doesn't
    /// say.
    #[serde(default)]
    pub process_started: Option<u64>,
    /// Whether the process is there for this run alone: only then may it be ended because of it.
    #[serde(default)]
    pub alone: bool,
}

/// What can be told of an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its process is there.
    Alive,
    /// Its process is gone: ended, of an earlier boot, or its number is another's by now.
    Dead,
    /// It is on another machine, or this system doesn't say.
    Unknown,
}

impl Owner {
    /// This process, on this machine. The only function of the ledger that asks the machine who we are; whoever knows better fills in the fields.
    #[must_use]
    pub fn of_this_process(command: &str, now: jiff::Timestamp) -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let command = &command[..command.floor_char_boundary(MAX_COMMAND)];
        Self {
            user: user_name(rustix::process::geteuid().as_raw()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            boot_id: boot_id.map(|id| id.trim().to_owned()),
            since: now,
            command: command.to_owned(),
            process_started: process_started("self"),
            alone: false,
        }
    }

    /// Whether its process is still there, as far as this machine can tell.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life_seen_from(&Self::of_this_process("", self.since))
    }

    fn life_seen_from(&self, us: &Self) -> Life {
        match (&self.boot_id, &us.boot_id) {
            _ if self.host != us.host => Life::Unknown,
            (Some(theirs), Some(ours)) if theirs != ours => Life::Dead,
            (Some(_), Some(_)) => match (process_started(&self.pid.to_string()), self.process_started) {
                (None, _) => Life::Dead,
                (Some(now), Some(then)) if now != then => Life::Dead,
                _ => Life::Alive,
            },
            _ => Life::Unknown,
        }
    }
}

/// When a process started; `None` if it isn't there.
pub(super) fn process_started(pid: &str) -> Option<u64> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name, in parentheses, and may hold anything; the start is the 22nd.
    line.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The name of a user of this machine, or its number: `/etc/passwd` is enough for a message, and asks no server.
fn user_name(uid: u32) -> String {
    let number = uid.to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// Replaces the record. The stale one goes first: between the two, the owner is unknown, never wrong.
pub(super) fn write(file: &File, owner: &Owner) -> io::Result<()> {
    let mut record = serde_json::to_vec(owner)?;
    record.push(b'\n');
    file.set_len(0)?;
    file.write_all_at(&record, 0)
}

/// The record of a lock that somebody holds.
pub(super) fn read(file: &File) -> Holder {
    let mut record = vec![0; MAX_RECORD];
    let owner = file.read_at(&mut record, 0).ok().and_then(|length| serde_json::from_slice(&record[..length]).ok());
    owner.map_or(Holder::Unknown, Holder::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_dead_after_a_reboot_or_when_its_number_is_anothers() {
        let us = Owner::of_this_process("run", jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(us.life(), Life::Alive);
        let rebooted = Owner { boot_id: Some("another".to_owned()), ..us.clone() };
        let reused = Owner { process_started: us.process_started.map(|started| started + 1), ..us.clone() };
        let ended = Owner { pid: u32::MAX, ..us.clone() };
        let elsewhere = Owner { host: "another".to_owned(), ..us.clone() };
        let lives = [rebooted, reused, ended, elsewhere].map(|owner| owner.life_seen_from(&us));
        assert_eq!(lives, [Life::Dead, Life::Dead, Life::Dead, Life::Unknown]);
    }
}
