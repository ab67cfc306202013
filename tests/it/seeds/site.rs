//! One of the examples with everything beside it that it needs: a copy of its own.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wasmhook_tests::{Output, Wasmhook, example};

/// A copy of an example, with stand-ins and modules beside its application, and a state of its own.
pub struct Site {
    dir: TempDir,
    wasmhook: Wasmhook,
}

impl Site {
    pub fn of(name: &str) -> Self {
        let dir = TempDir::new().unwrap();
        for from in [example::all().join(name).join("."), example::all().join("stand-ins"), example::ported()] {
            ok(Command::new("cp").arg("-R").arg(&from).arg(dir.path()));
        }
        fs::rename(dir.path().join("ported"), dir.path().join("hooks")).unwrap();
        Self { dir, wasmhook: Wasmhook::new() }
    }

    /// An example with what a folder of its `more` holds over it: another of the document's configurations.
    pub fn also(name: &str, more: &str) -> Self {
        let site = Self::of(name);
        ok(Command::new("cp").arg("-R").arg(site.path(&format!("more/{more}/."))).arg(site.dir.path()));
        site
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// `wasmhook run` on its application, under its policy and with its platform's variables.
    pub fn deploy(&self, args: &[&str]) -> Deployed {
        self.deploy_with(args, &["--env-file", "platform.env"], &[])
    }

    /// As [`deploy`](Self::deploy), with the variables given in another way.
    pub fn deploy_with(&self, args: &[&str], variables: &[&str], own: &[(&str, &str)]) -> Deployed {
        let always = ["run", "-C", "app", "--policy", "policy.toml", "--env-name", "production", "--format", "json"];
        let mut command = self.wasmhook.command();
        command.args(always).args(variables).args(args).envs(own.iter().copied()).current_dir(self.dir.path());
        Output::from(command.output().unwrap()).into()
    }

    /// Any other command, in the site's directory.
    pub fn call(&self, args: &[&str]) -> Output {
        let mut command = self.wasmhook.command();
        command.args(args).current_dir(self.dir.path()).output().unwrap().into()
    }

    /// Commits the application as it is.
    pub fn commit(&self) {
        self.commit_in("app");
    }

    /// Commits what a folder holds.
    pub fn commit_in(&self, folder: &str) {
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").arg("-C").arg(self.path(folder));
            for who in ["AUTHOR", "COMMITTER"] {
                git.env(format!("GIT_{who}_DATE"), "2026-02-09T12:00:00Z");
            }
            ok(git.args(["-c", "user.name=a", "-c", "user.email=a@b.c"]).args(args));
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        git(&["add", "--all", "."]);
        git(&["commit", "--quiet", "--allow-empty", "-m", "a change"]);
    }

    /// Every file below a folder, by its path; what git keeps aside.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.path(folder), Path::new(""), &mut found);
        found
    }
}

fn collect(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(root.join(below)).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".git") {
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.clone(), fs::read(root.join(&path)).unwrap());
        }
    }
}

fn ok(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// How a deployment ended.
#[derive(Debug)]
pub struct Deployed {
    code: Option<i32>,
    pub stderr: String,
    pub report: Value,
}

impl From<Output> for Deployed {
    fn from(output: Output) -> Self {
        let report = serde_json::from_str(&output.stdout).unwrap_or(Value::Null);
        Self { code: output.code, stderr: output.stderr, report }
    }
}

/// Of one hook: phase, hook and instance, outcome, verdict.
type Row = [String; 4];

impl Deployed {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stderr, self.report);
        self
    }

    /// What ran, in order.
    pub fn sequence(&self) -> Vec<Row> {
        let hooks = self.report["hooks"].as_array().unwrap_or_else(|| panic!("no report: {}", self.stderr));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = |hook: &Value| {
            hook["instance"].as_str().map_or_else(|| text(&hook["id"]), |instance| format!("{}@{instance}", text(&hook["id"])))
        };
        hooks.iter().map(|hook| [text(&hook["phase"]), name(hook), text(&hook["outcome"]), text(&hook["verdict"])]).collect()
    }

    /// What kind of guest each hook was.
    pub fn guests(&self) -> Vec<&str> {
        self.report["hooks"].as_array().unwrap().iter().map(|hook| hook["guest"].as_str().unwrap()).collect()
    }

    /// The lines that a hook wrote.
    pub fn lines(&self, place: &str) -> Vec<&str> {
        let prefix = format!("{place} │");
        let lines = self.stderr.lines().filter_map(|line| line.trim_start().strip_prefix(&prefix));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
    }

    /// What stand-ins were called with: `python <manage.py> <migrate>`.
    pub fn calls(&self) -> Vec<&str> {
        let calls = self.stderr.lines().filter_map(|line| line.split_once("│ stand-in: "));
        calls.map(|(_, call)| call.split(';').next().unwrap()).collect()
    }
}
