//! A tenant that runs v0.3.27, its repository, and what can be asked of both.

use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wasmhook_tests::{Output, Wasmhook, example};

/// The manifest of releases that bring none.
const MANIFEST: &str = "schema = 1\napp = \"cbapp\"\nprofile = \"tenant-upgrade\"\ndata_dir = \"db\"\n";

/// How long a test waits for something that happens within a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Tenant {
    dir: TempDir,
    wasmhook: Wasmhook,
    environment: String,
}

/// How an upgrade ended.
#[derive(Debug)]
pub struct Upgrade {
    pub code: Option<i32>,
    pub stderr: String,
    /// What `--format json` printed; null if that is nothing.
    pub report: Value,
}

impl From<Output> for Upgrade {
    fn from(output: Output) -> Self {
        let report = serde_json::from_str(&output.stdout).unwrap_or(Value::Null);
        Self { code: output.code, stderr: output.stderr, report }
    }
}

impl Upgrade {
    /// The strings of a list of the report.
    pub fn strings(&self, field: &str) -> Vec<&str> {
        let list = self.report[field].as_array().unwrap_or_else(|| panic!("{field} is no list: {self:#?}"));
        list.iter().map(|item| item.as_str().unwrap()).collect()
    }

    /// The report of a hook.
    pub fn hook(&self, id: &str) -> &Value {
        let hooks = self.report["hooks"].as_array().unwrap_or_else(|| panic!("no report: {self:#?}"));
        hooks.iter().find(|hook| hook["id"] == id).unwrap_or_else(|| panic!("no hook {id}: {self:#?}"))
    }

    /// The report of a host step.
    pub fn step(&self, name: &str) -> &Value {
        let steps = self.report["steps"].as_array().unwrap_or_else(|| panic!("no report: {self:#?}"));
        steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {self:#?}"))
    }

    /// The codes of its warnings.
    pub fn notices(&self) -> Vec<&str> {
        let notices = self.report["notices"].as_array().unwrap_or_else(|| panic!("no report: {self:#?}"));
        notices.iter().map(|notice| notice["code"].as_str().unwrap()).collect()
    }
}

impl Tenant {
    pub fn new() -> Self {
        Self::made("testsite", Wasmhook::new())
    }

    /// A tenant for which wasmhook is called with one more variable in its environment.
    pub fn with_env(name: &str, value: &str) -> Self {
        Self::made("testsite", Wasmhook::new().env(name, value))
    }

    /// Another tenant, remembered in the same ledger as `neighbour`.
    pub fn beside(neighbour: &Self, environment: &str) -> Self {
        let state = neighbour.wasmhook.state();
        Self::made(environment, Wasmhook::new().env("XDG_STATE_HOME", state.parent().unwrap()))
    }

    fn made(environment: &str, wasmhook: Wasmhook) -> Self {
        let dir = TempDir::new().unwrap();
        ok(Command::new(example::dir().join("setup.sh")).arg(dir.path().join("tenant")).arg(example::hooks()));
        Self { dir, wasmhook, environment: environment.to_owned() }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("tenant")
    }

    pub fn app(&self) -> PathBuf {
        self.root().join("testsite")
    }

    pub fn data(&self) -> PathBuf {
        self.app().join("db")
    }

    /// The directory beside the tenant that static files are synced to.
    pub fn other(&self) -> PathBuf {
        self.root().join("other/static/data")
    }

    pub fn policy(&self) -> PathBuf {
        self.root().join("policy.toml")
    }

    pub fn marker(&self, tag: &str) -> PathBuf {
        self.app().join(format!(".release-{tag}-done"))
    }

    /// The version record, which the step `update-version` writes.
    pub fn version(&self) -> String {
        fs::read_to_string(self.root().join("run/version")).unwrap().trim().to_owned()
    }

    /// Adds the release `tag` to the repository: its version, `files`, and a manifest without hooks unless `files` holds one.
    pub fn release(&self, tag: &str, files: &[(&str, &str)]) {
        let origin = self.root().join("origin");
        for (path, content) in [("VERSION", tag), ("wasmhook.toml", MANIFEST)].iter().chain(files) {
            let path = origin.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
        }
        self.tag(tag);
    }

    /// Adds a file of any bytes to the repository; [`Self::release`] commits it.
    pub fn add(&self, path: &str, from: &Path) {
        let path = self.root().join("origin").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(from, path).unwrap();
    }

    fn tag(&self, tag: &str) {
        self.git("origin", &["add", "-A"]);
        self.git("origin", &["commit", "--quiet", "--allow-empty", "-m", tag]);
        self.git("origin", &["tag", "-a", "-m", tag, tag]);
    }

    /// Runs git in `origin` or `testsite`.
    pub fn git(&self, repository: &str, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "App Team").env(format!("GIT_{who}_EMAIL"), "app@example.org");
        }
        ok(git.arg("-C").arg(self.root().join(repository)).args(args)).trim().to_owned()
    }

    /// Replaces a piece of the operator's file.
    pub fn edit_policy(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.policy()).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(self.policy(), text.replace(from, to)).unwrap();
    }

    /// Replaces a piece of a script of the operator's.
    pub fn edit_step(&self, step: &str, from: &str, to: &str) {
        let path = self.root().join("steps").join(step).with_extension("sh");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// `wasmhook run` for this tenant, with `more` arguments.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = self.wasmhook.command();
        command.args(["run", "--format", "json", "--env-name", &self.environment]);
        command.arg("-C").arg(self.app()).arg("--policy").arg(self.policy()).args(more);
        command
    }

    pub fn upgrade(&self) -> Upgrade {
        self.upgrade_with(&[])
    }

    pub fn upgrade_with(&self, more: &[&str]) -> Upgrade {
        Output::from(self.command(more).output().unwrap()).into()
    }

    pub fn start(&self) -> Running {
        Running(Some(self.command(&[]).spawn().unwrap()))
    }

    /// Another command on this tenant's history.
    pub fn ask(&self, args: &[&str]) -> Output {
        self.wasmhook.command().args(args).output().unwrap().into()
    }

    /// The `always` steps that `status` says a dead run owes.
    pub fn owed(&self) -> Vec<String> {
        let status = self.ask(&["status", "--app", "cbapp", "--env-name", &self.environment, "--format", "json"]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status:?}"));
        serde_json::from_value(status["owed"].clone()).unwrap_or_else(|error| panic!("{error}: {status}"))
    }

    /// What the service says of itself; `None` if it doesn't answer.
    pub fn service(&self) -> Option<Value> {
        let port = fs::read_to_string(self.root().join("run/port")).unwrap().trim().parse().unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// The version that the service says it is; empty if it doesn't answer.
    pub fn live(&self) -> String {
        self.service().map(|answer| answer["version"].as_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The rows of a query's one column.
    pub fn sql(&self, query: &str) -> Vec<String> {
        let database = rusqlite::Connection::open(self.data().join("pocket.db")).unwrap();
        let mut statement = database.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Whether a file exists in the data directory: hooks write there to say how far they came.
    pub fn has(&self, name: &str) -> bool {
        self.data().join(name).exists()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.data().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Waits until a hook wrote `name` into the data directory.
    pub fn wait_for(&self, name: &str) {
        until(&format!("{name} is written"), || self.has(name));
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let stopped = Command::new(example::dir().join("teardown.sh")).arg(self.root()).output();
        if !std::thread::panicking() {
            assert!(stopped.unwrap().status.success(), "the service is stopped");
        }
    }
}

/// An upgrade under way. It doesn't outlive its test.
pub struct Running(Option<Child>);

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.0.as_ref().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    pub fn end(mut self) -> Upgrade {
        Output::from(self.0.take().unwrap().wait_with_output().unwrap()).into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits, for much longer than it should take.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The output of a command that has to succeed.
fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}
