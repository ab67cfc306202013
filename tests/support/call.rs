//! Drives the program as a user would, with a state directory, a cache and an environment of its own.
//!
//! `Place::new().args(["run", "--tag", "v1"]).current_dir(&app).run()` gives exit code and streams; further calls on the same [`Place`]
//! share its state.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// A place to run the program in: nothing of it is shared with any other.
#[derive(Debug)]
pub struct Place {
    place: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A fresh state directory and cache.
    ///
    /// # Panics
    /// If there is no room for them.
    #[must_use]
    pub fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap_or_else(|error| panic!("no directory for a test: {error}")) }
    }

    /// The state directory; it isn't there before a run.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.place.path().join("state/wasmhook")
    }

    /// The compile cache.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.place.path().join("cache/wasmhook")
    }

    /// The ledger's file.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state().join("ledger.sqlite3")
    }

    /// A call with these arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Call {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.place.path());
        command.env("XDG_STATE_HOME", self.place.path().join("state")).env("XDG_CACHE_HOME", self.place.path().join("cache"));
        // Signs as on a terminal of today.
        command.env("LANG", "C.UTF-8").args(args).stdin(Stdio::null()).current_dir(self.place.path());
        Call { command }
    }
}

/// One call of the program.
#[derive(Debug)]
pub struct Call {
    command: Command,
}

impl Call {
    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it can't be started, or if a signal ended it.
    #[must_use]
    pub fn run(mut self) -> Ran {
        let ran = self.command.output().unwrap_or_else(|error| panic!("{} can't be started: {error}", program().display()));
        let code = ran.status.code().unwrap_or_else(|| panic!("it was killed: {:?}\n{}", ran.status, String::from_utf8_lossy(&ran.stderr)));
        Ran::new(code, ran.stdout, &ran.stderr)
    }

    /// Runs it to its end in a mount namespace of its own, in which `mount` is a file system of its own. `None` where this machine has none for us.
    ///
    /// # Panics
    /// As [`run`](Self::run), or if there is no `unshare`.
    #[must_use]
    pub fn run_with_a_mount(self, mount: &Path) -> Option<Ran> {
        const NO_MOUNT: i32 = 111;
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "--propagation", "private", "sh", "-c"]);
        unshare.arg(format!("mount -t tmpfs none \"$1\" || exit {NO_MOUNT}; shift; exec \"$@\"")).arg("sh").arg(mount);
        unshare.arg(self.command.get_program()).args(self.command.get_args());
        unshare.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        unshare.current_dir(self.command.get_current_dir().unwrap_or(Path::new(".")));
        let ran = Self { command: unshare }.run();
        let refused = ran.stderr.contains("unshare failed") || ran.code == NO_MOUNT;
        if refused { None } else { Some(ran) }
    }

    /// Starts it; its standard error can be watched meanwhile.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{} can't be started: {error}", program().display()));
        let stderr = child.stderr.take().map(BufReader::new);
        Running { child, stderr, seen: String::new() }
    }

    /// The command itself, for what this doesn't offer.
    #[must_use]
    pub fn command(self) -> Command {
        self.command
    }
}

/// A call that runs. Dropped before its end, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    seen: String,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads its standard error until a line holds `text`.
    ///
    /// # Panics
    /// If the stream ends before.
    pub fn wait_for(&mut self, text: &str) {
        let Some(stderr) = &mut self.stderr else { panic!("its standard error is read already") };
        loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap_or(0);
            assert!(read > 0, "it ended without saying {text:?}:\n{}", self.seen);
            self.seen += &line;
            if line.contains(text) {
                return;
            }
        }
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone already.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let sent = pid.map(|pid| rustix::process::kill_process(pid, signal));
        assert!(matches!(sent, Some(Ok(()))), "{signal:?} can't be sent: {sent:?}");
    }

    /// Waits for its end. Its code is 128 + the signal if one ended it.
    ///
    /// # Panics
    /// If it can't be waited for.
    #[must_use]
    pub fn wait(mut self) -> Ran {
        use std::os::unix::process::ExitStatusExt as _;
        let (mut stdout, mut rest) = (Vec::new(), Vec::new());
        if let Some(stderr) = &mut self.stderr {
            let _ = stderr.read_to_end(&mut rest);
        }
        if let Some(out) = &mut self.child.stdout {
            let _ = out.read_to_end(&mut stdout);
        }
        let status = self.child.wait().unwrap_or_else(|error| panic!("it can't be waited for: {error}"));
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Ran::new(code, stdout, &[self.seen.as_bytes(), &rest].concat())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard error, as text.
    pub stderr: String,
    /// Standard output, byte for byte.
    pub stdout_bytes: Vec<u8>,
}

impl Ran {
    fn new(code: i32, stdout: Vec<u8>, stderr: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code, stdout: text(&stdout), stderr: text(stderr), stdout_bytes: stdout }
    }

    /// Its exit code, and what it wrote if it is another than was expected.
    ///
    /// # Panics
    /// If it is another.
    #[must_use]
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code {}, not {code}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// If it isn't.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Standard output as JSON of ours, whose first key is its schema.
    ///
    /// # Panics
    /// If it isn't.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> serde_json::Value {
        assert!(self.stdout.starts_with("{\n  \"schema\": 1,\n"), "{}\n{}", self.stdout, self.stderr);
        self.json()
    }

    /// Both streams, with folded lines made whole: for looking for words.
    #[must_use]
    pub fn said(&self) -> String {
        let words: Vec<&str> = self.stdout.split_whitespace().chain(self.stderr.split_whitespace()).collect();
        words.join(" ")
    }
}

/// `target/…/wasmhook`, next to the test binary's directory.
///
/// # Panics
/// If it isn't there: it is built with the whole workspace.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("where is this test? {error}"));
    let program = test.ancestors().skip(2).map(|dir| dir.join("wasmhook")).find(|program| program.is_file());
    program
        .unwrap_or_else(|| panic!("there is no wasmhook beside {}: build it with `cargo build --workspace --all-targets`", test.display()))
}
