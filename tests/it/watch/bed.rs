//! An origin, a clone of it with two jobs, and a place to run the program in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wasmhook_tests::call::{Call, Ran, Running};
use wasmhook_tests::{Place, Project};

/// What a test waits for at most; nothing takes as long.
const PATIENCE: Duration = Duration::from_mins(2);

/// The jobs of the bed, by their phases: what each appends to `log` beside the clone, and what it does then.
pub struct Jobs<'a> {
    pub pre: &'a str,
    pub post: &'a str,
}

pub struct Bed {
    dir: Project,
    pub place: Place,
}

impl Bed {
    /// An origin whose `main` has both jobs, cloned to `app`.
    pub fn new(jobs: &Jobs<'_>) -> Self {
        let bed = Self { dir: Project::empty(), place: Place::new() };
        std::fs::create_dir(bed.path("origin")).unwrap();
        bed.git("origin", &["init", "-q", "-b", "main"]);
        bed.git("origin", &["config", "receive.denyCurrentBranch", "updateInstead"]);
        bed.jobs(jobs);
        bed.write("origin/wasmhook.toml", &manifest(&bed.path("log")));
        bed.push("1");
        bed.git("origin", &["clone", "-q", ".", "../app"]);
        bed
    }

    /// Both jobs say that they ran, and nothing else.
    pub fn plain() -> Self {
        Self::new(&Jobs { pre: "", post: "" })
    }

    pub fn jobs(&self, jobs: &Jobs<'_>) {
        for (name, lines) in [("pre", jobs.pre), ("post", jobs.post)] {
            self.write(
                &format!("origin/scripts/{name}.sh"),
                &format!("#!/bin/sh\necho \"{name} $(cat ../VERSION)\" >> ../../log/log\n{lines}\n"),
            );
        }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn write(&self, name: &str, text: &str) {
        self.dir.write(name, text);
    }

    /// Commits everything in the origin, as version `version`.
    pub fn push(&self, version: &str) -> String {
        self.write("origin/VERSION", &format!("{version}\n"));
        self.git("origin", &["add", "-A"]);
        self.git("origin", &["commit", "-q", "--allow-empty", "-m", version]);
        self.git("origin", &["rev-parse", "HEAD"])
    }

    pub fn git(&self, repository: &str, args: &[&str]) -> String {
        let identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgSign=false"];
        let output = Command::new("git").arg("-C").arg(self.path(repository)).args(identity).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn head(&self) -> String {
        self.git("app", &["rev-parse", "HEAD"])
    }

    /// `wasmhook watch` in the clone.
    pub fn watch(&self, args: &[&str]) -> Call {
        self.place.args([&["watch"], args].concat()).current_dir(self.path("app"))
    }

    /// One cycle.
    pub fn once(&self) -> Ran {
        self.watch(&["--once"]).run()
    }

    /// A watch whose cycles follow one another quickly.
    pub fn follow(&self, args: &[&str]) -> Running {
        self.watch(&[&["--interval", "50ms"], args].concat()).spawn()
    }

    /// What a watch says in its platform's words until `enough` is said; then it is stopped.
    #[track_caller]
    pub fn dialect(&self, args: &[&str], variables: &[(&str, &str)], enough: impl Fn(&str) -> bool) -> String {
        // To a file: nobody reads a pipe meanwhile.
        let file = self.path("said");
        let said = || std::fs::read_to_string(&file).unwrap_or_default();
        let mut watch = self.watch(&[&["--dialect", "commit-sync"], args].concat()).command();
        watch.envs(variables.iter().copied()).stdout(std::fs::File::create(&file).unwrap()).stderr(Stdio::null());
        let mut watch = watch.spawn().unwrap();
        wait(|| enough(&said()), said);
        rustix::process::kill_process(rustix::process::Pid::from_child(&watch), rustix::process::Signal::TERM).unwrap();
        assert_eq!(watch.wait().unwrap().code(), Some(143));
        said()
    }

    pub fn status(&self) -> serde_json::Value {
        self.place.args(["status", "--format", "json"]).current_dir(self.path("app")).run().exits(0).json()
    }

    /// What ran, in order: `pre 1`, `post 1`, …
    pub fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log/log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until `log` holds these lines.
    #[track_caller]
    pub fn wait_log(&self, lines: &[&str]) {
        wait(|| self.log() == lines, || format!("{:?}, not {lines:?}", self.log()));
    }

    #[track_caller]
    pub fn wait_file(&self, name: &str) {
        wait(|| self.path(name).exists(), || format!("{name} isn't there; the log is {:?}", self.log()));
    }

    /// Waits until this many runs are over, and none is on.
    #[track_caller]
    pub fn wait_runs(&self, count: usize) {
        let ended = || {
            let status = self.status();
            let runs = status["runs"].as_array().unwrap();
            runs.len() >= count && runs.iter().all(|run| run["state"] != "running") && status["locked"] == false
        };
        wait(ended, || self.status().to_string());
    }
}

/// Waits for something that will come.
#[track_caller]
pub fn wait(come: impl Fn() -> bool, what: impl Fn() -> String) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < PATIENCE, "{}", what());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A manifest with both jobs, which may write to `log`.
fn manifest(log: &Path) -> String {
    std::fs::create_dir(log).unwrap();
    let job = |id: &str, phase: &str| {
        let dirs = format!("dirs = [{{ path = \"$APP_DIR\" }}, {{ path = \"{}\" }}]", log.display());
        format!("[[hook]]\nid = '{id}'\nphase = '{phase}'\nrun = './{id}.sh'\ncwd = 'scripts'\n{dirs}\n")
    };
    format!("schema = 1\napp = 'shop'\nprofile = 'commit-sync'\n{}{}", job("pre", "pre-deploy"), job("post", "post-deploy"))
}

/// A shell line that ends when the file `go` beside the clone is there.
pub const UNTIL_GO: &str = ": > ../../log/waiting; while [ ! -e ../../log/go ]; do sleep 0.02; done";
