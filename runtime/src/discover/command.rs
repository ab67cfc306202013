//! Runs one git command: no prompt, no hooks, a bounded answer, a deadline after which its whole process group is stopped.

use super::error::GitError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// Variables that would make git look at another repository than the one it was pointed to: they are set when a git hook runs us.
const REDIRECTING: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
];

/// What the repository's configuration may not decide, as far as the command line can say so.
const SETTINGS: &[&str] = &["core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.ext.allow=never"];

/// Time between TERM, on which git removes its lock files, and KILL.
const GRACE: Duration = Duration::from_secs(1);

/// The most that is kept of standard error, in bytes.
const MAX_STDERR: usize = 16 * 1024;

/// One git command.
pub(super) struct Call<'a> {
    /// The program.
    pub program: &'a PathBuf,
    /// The directory it works in.
    pub dir: &'a PathBuf,
    /// Whether that directory is the repository itself, without a work tree. Nothing is searched for then.
    pub bare: bool,
    /// Its arguments; the first is the git command.
    pub args: &'a [&'a str],
    /// What it reads from standard input.
    pub input: &'a [u8],
    /// How long it may take.
    pub deadline: Duration,
    /// The longest answer, in bytes.
    pub max_answer: u64,
}

/// What a git command wrote, and how it ended.
pub(super) struct Answer {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// What standard error says, in one line.
    pub message: String,
}

impl Call<'_> {
    /// Runs it to its end, whatever exit code that has.
    pub(super) async fn answer(&self) -> Result<Answer, GitError> {
        let mut child = self.spawn()?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let ended = tokio::time::timeout(self.deadline, self.read(&mut child)).await;
        let result = ended.unwrap_or_else(|_| Err(GitError::Deadline { command: self.command(), deadline: self.deadline }));
        match result {
            Ok(answer) => {
                group.disarm();
                Ok(answer)
            }
            Err(error) => {
                group.stop(&mut child).await;
                Err(error)
            }
        }
    }

    fn spawn(&self) -> Result<Child, GitError> {
        let mut command = Command::new(self.program);
        command.arg("-C").arg(self.dir);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if self.bare {
            command.arg("--git-dir=.");
        }
        let stdin = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.args(self.args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        for name in REDIRECTING {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        command.spawn().map_err(|source| GitError::NotStarted { program: self.program.clone(), source })
    }

    /// Writes its input and reads both pipes to their ends, then waits: so the process keeps its id for as long as anything may still have to be
    /// stopped.
    async fn read(&self, child: &mut Child) -> Result<Answer, GitError> {
        let broken = |source| GitError::Broken { command: self.command(), source };
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let written = async { write_all(stdin, self.input).await.map_err(broken) };
        let read = async { first_bytes(stderr).await.map_err(broken) };
        let ((), stdout, stderr) = tokio::try_join!(written, self.bounded(stdout), read)?;
        let status = child.wait().await.map_err(broken)?;
        Ok(Answer { code: status.code(), stdout, message: message(&stderr) })
    }

    /// All of the answer, unless it is longer than expected: then nobody waits for the rest.
    async fn bounded(&self, stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, GitError> {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let read = stream.take(self.max_answer.saturating_add(1)).read_to_end(&mut bytes).await;
            read.map_err(|source| GitError::Broken { command: self.command(), source })?;
        }
        if bytes.len() as u64 > self.max_answer {
            return Err(GitError::TooMuch { command: self.command(), max: self.max_answer });
        }
        Ok(bytes)
    }

    /// The git command, for messages.
    fn command(&self) -> String {
        self.args.first().map(|word| (*word).to_owned()).unwrap_or_default()
    }
}

impl Answer {
    /// The answer, if the command succeeded.
    pub(super) fn success(self, command: &str) -> Result<Vec<u8>, GitError> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => Err(GitError::Failed { command: command.to_owned(), code, message: self.message }),
        }
    }

    /// The answer, or `None` for the exit code 1 with which git's queries say "there is none".
    pub(super) fn success_or_none(self, command: &str) -> Result<Option<Vec<u8>>, GitError> {
        if self.code == Some(1) { Ok(None) } else { self.success(command).map(Some) }
    }
}

/// The process group of a running git: whoever stops waiting for it, stops it.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone already: then there is nothing to stop.
            let _ = kill_process_group(pid, signal);
        }
    }

    async fn stop(mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = child.wait().await;
        }
        self.0 = None;
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

/// Writes everything and closes the stream. A git that ends before it has read all of it says why itself.
async fn write_all(stream: Option<impl AsyncWrite + Unpin>, bytes: &[u8]) -> std::io::Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    match stream.write_all(bytes).await {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The beginning of the stream, which is read to its end all the same: git must not wait for room in the pipe.
async fn first_bytes(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return Ok(kept) };
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(kept);
        }
        let room = MAX_STDERR - kept.len();
        kept.extend_from_slice(&chunk[..read.min(room)]);
    }
}

/// The first three lines in one: git names the cause first and gives advice later. Printable, and without credentials.
fn message(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    let printable: String = lines.join("; ").chars().filter(|c| !c.is_control()).take(500).collect();
    if printable.is_empty() { "no message".to_owned() } else { without_credentials(&printable) }
}

/// `https://user:token@host/x` → `https://***@host/x`.
fn without_credentials(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(['/', ' ', '\'', '"']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(sign) => {
                shown.push_str("***");
                &after[sign..]
            }
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_credentials() {
        let line = "fatal: unable to access 'https://u:ghp_s3cr3t@host/a.git/' after http://x@y and ssh://host/b";
        assert_eq!(without_credentials(line), "fatal: unable to access 'https://***@host/a.git/' after http://***@y and ssh://host/b");
    }

    #[test]
    fn the_message_is_one_printable_line() {
        assert_eq!(
            message(b"ssh: no such host\nfatal: bad\x1b[31m thing\n\nPlease\nmake sure\n"),
            "ssh: no such host; fatal: bad[31m thing; Please"
        );
        assert_eq!(message(b""), "no message");
    }
}
