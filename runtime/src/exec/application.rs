//! The application itself, as a child of this process: not a hook, so with all rights of whoever starts it, and with its streams. It ends, if
//! nobody waits for it any more.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

/// How the application is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Where it starts.
    pub dir: PathBuf,
    /// All of its variables.
    pub env: BTreeMap<String, String>,
}

/// Why it could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the application `{program}` can't be started: {source}")]
pub struct NotStarted {
    /// The program.
    pub program: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl NotStarted {
    /// The exit code by which shells tell of it: 127 if there is no such program, 126 if it can't be run.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.source.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }
}

/// A running application.
#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
}

impl Application {
    /// Starts it, in a process group of its own: what a terminal sends to this process reaches it once, by [`Child::forward`].
    ///
    /// Should this process be killed, the application is told to end (TERM), so that the next one can start it again. The kernel takes the
    /// thread that starts it for its parent: that one has to live as long as the process.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start(&self) -> Result<Child, NotStarted> {
        let Some((program, args)) = self.argv.split_first() else {
            return Err(NotStarted { program: String::new(), source: io::Error::from(io::ErrorKind::NotFound) });
        };
        let mut command = tokio::process::Command::new(program);
        command.args(args).current_dir(&self.dir).env_clear().envs(&self.env).process_group(0).kill_on_drop(true);
        // A group in the background that reads from the terminal would be stopped.
        if rustix::termios::isatty(std::io::stdin()) {
            command.stdin(Stdio::null());
        }
        #[cfg(target_os = "linux")]
        sys::end_with_parent(&mut command);
        let child = command.spawn().map_err(|source| NotStarted { program: program.display().to_string(), source })?;
        Ok(Child { child })
    }
}

impl Child {
    /// Its process id; `None` once it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Passes a signal on to it, and to it alone: what it started is its own.
    pub fn forward(&self, signal: i32) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, rustix::process::Signal::from_named_raw(signal)) {
            // It may be gone already: then its end is the next thing that is heard of it.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Waits for its end: its exit code, or 128 + the signal that ended it. Cancel safe.
    ///
    /// # Errors
    /// What the system says.
    pub async fn wait(&mut self) -> io::Result<i32> {
        self.child.wait().await.map(code)
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

#[cfg(target_os = "linux")]
mod sys {
    #![expect(unsafe_code, reason = "what a child does before its program is loaded has no safe form")]

    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    use std::io;

    /// Has the kernel tell the child to end when this process does.
    pub(super) fn end_with_parent(command: &mut tokio::process::Command) {
        let parent = rustix::process::getpid();
        let before = move || {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            // The parent may have been killed before the kernel was told.
            if getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::Interrupted)) }
        };
        // SAFETY: two system calls, which allocate nothing and take no lock.
        unsafe { command.pre_exec(before) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(line: &str) -> Application {
        Application {
            argv: ["/bin/sh", "-c", line].map(OsString::from).to_vec(),
            dir: PathBuf::from("/"),
            env: BTreeMap::from([("CODE".to_owned(), "7".to_owned())]),
        }
    }

    #[tokio::test]
    async fn its_exit_code_is_passed_on_and_a_signal_is_128_and_more() {
        for (line, code) in [("exit $CODE", 7), ("kill -KILL $$", 137), ("test \"$(pwd)\" = / && exit 0", 0)] {
            assert_eq!(application(line).start().unwrap().wait().await.unwrap(), code, "{line}");
        }
    }

    #[tokio::test]
    async fn a_signal_reaches_it() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready");
        let line = format!("trap 'exit 9' USR1; : > {}; while :; do sleep 0.02; done", ready.display());
        let mut child = application(&line).start().unwrap();
        while !ready.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(child.id().is_some());
        child.forward(libc::SIGUSR1);
        assert_eq!(child.wait().await.unwrap(), 9);
        child.forward(libc::SIGUSR1);
    }

    #[test]
    fn what_can_not_be_started_has_the_exit_code_of_a_shell() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        for (program, code) in [("/no/such/program", 127), ("/etc", 126)] {
            let error = Application { argv: vec![program.into()], ..application("") }.start().unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.to_string().contains(program), "{error}");
        }
    }
}
