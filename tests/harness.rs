//! The program under test, with a state and a cache of its own.
#![expect(clippy::expect_used, reason = "a helper of tests: what goes wrong here fails the test")]

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// One way of calling `wasmhook`: a UTF-8 locale, nothing of the caller's environment but PATH, nobody else's state, cache or home.
#[derive(Debug)]
pub struct Wasmhook {
    home: TempDir,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
}

/// How a call ended.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Default for Wasmhook {
    fn default() -> Self {
        Self::new()
    }
}

impl Wasmhook {
    /// With an empty state and an empty cache, removed with this value.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    #[must_use]
    pub fn new() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        Self { home, args: Vec::new(), env: Vec::new(), dir: None }
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Where it is called.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// The state directory that it is given by `XDG_STATE_HOME`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state/wasmhook")
    }

    /// The call, to be started by whoever wants more than its end.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("TMPDIR", self.home.path()).env("LC_ALL", "C.UTF-8");
        command.env("XDG_STATE_HOME", self.home.path().join("state")).env("XDG_CACHE_HOME", self.home.path().join("cache"));
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.dir.as_deref().unwrap_or_else(|| self.home.path()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Calls it and waits for its end.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    pub fn run(&self) -> Output {
        self.command().output().expect("wasmhook can be started").into()
    }
}

/// `wasmhook`, as cargo built it beside the test.
///
/// # Panics
/// If it isn't there.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let program = test.ancestors().skip(1).take(2).map(|dir| dir.join("wasmhook")).find(|path| path.is_file());
    program.unwrap_or_else(|| panic!("no wasmhook beside {}: run `cargo build --workspace` first", test.display()))
}
