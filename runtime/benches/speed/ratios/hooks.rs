//! A warm hook in this process, and the script that it takes the place of.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use crate::sandbox::{Sandbox, job, with_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use wasmhook::model::job::Job;

const TIMES: Rounds = Rounds { rounds: 200, ours: 10 };
const TIMES_FRESH: Rounds = Rounds { rounds: 100, ours: 1 };

pub fn rows() -> Vec<Row> {
    let sandbox = Sandbox::pooled();
    let site = Site::new();
    vec![noop(&sandbox), marker_done(&sandbox, &site), marker_fresh(&sandbox, &site)]
}

fn noop(sandbox: &Sandbox) -> Row {
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("noop.sh");
    fs::write(&script, "#!/bin/bash\n").unwrap();
    let job = job(&guests::wasm("noop"), &[]);
    let pair = in_turn(TIMES, || time(|| sandbox.succeed(&job)).1, || time(|| bash(&script, &[])).1);
    Row::pair("no-op hook", "bash noop.sh", &pair, Goal::Ratio(1.0 / 150.0))
}

/// The release was done before: both look at the marker and go.
fn marker_done(sandbox: &Sandbox, site: &Site) -> Row {
    fs::write(site.marker(), "").unwrap();
    let job = site.job();
    assert_eq!(sandbox.succeed(&job)[1], "Already applied, skipping");
    let pair = in_turn(TIMES, || time(|| sandbox.succeed(&job)).1, || time(|| site.script()).1);
    Row::pair("S3 hook, marker there", "v0.4.0.sh", &pair, Goal::Ratio(1.0 / 60.0))
}

/// The release is new: both copy a file, clear a directory and leave the marker.
fn marker_fresh(sandbox: &Sandbox, site: &Site) -> Row {
    let job = site.job();
    let fresh = || {
        let _ = fs::remove_file(site.marker());
        let _ = fs::remove_file(site.other.path().join("new-file.json"));
    };
    let ours = || {
        fresh();
        let took = time(|| sandbox.succeed(&job)).1;
        assert!(site.marker().exists() && site.other.path().join("new-file.json").exists());
        took
    };
    let theirs = || {
        fresh();
        let took = time(|| site.script()).1;
        assert!(site.marker().exists());
        took
    };
    let pair = in_turn(TIMES_FRESH, ours, theirs);
    Row::pair("S3 hook, first run (copies, clears, marks)", "v0.4.0.sh", &pair, Goal::None)
}

/// Where S3's release hook runs.
pub struct Site {
    app: TempDir,
    other: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let site = Self { app: TempDir::new().unwrap(), other: TempDir::new().unwrap() };
        let data = site.app.path().join("src/app/static/data");
        fs::create_dir_all(&data).unwrap();
        fs::create_dir(site.app.path().join("cache")).unwrap();
        fs::write(data.join("new-file.json"), "{}").unwrap();
        site
    }

    pub fn marker(&self) -> PathBuf {
        self.app.path().join(".release-v0.4.0-done")
    }

    fn env(&self) -> [(&'static str, String); 4] {
        let app = self.app.path().display().to_string();
        [("DEPLOY_TAG", "v0.4.0".to_owned()), ("DEPLOY_ENV", "testsite".to_owned()), ("DATA_DIR", format!("{app}/db")), ("APP_DIR", app)]
    }

    pub fn job(&self) -> Job {
        let app = self.app.path().display().to_string();
        let mut job = with_dir(job(&guests::with_sdk("marker_hook"), &[]), self.app.path(), &app);
        job = with_dir(job, self.other.path(), "/other/deployment/static/data");
        job.env = self.env().map(|(name, value)| (name.to_owned(), value)).to_vec();
        let engine =
            [("WASMHOOK_RUN_ID", "run-1"), ("WASMHOOK_PHASE", "post-pull"), ("WASMHOOK_HOOK", "v0.4.0"), ("WASMHOOK_ATTEMPT", "1")];
        job.env.extend(engine.map(|(name, value)| (name.to_owned(), value.to_owned())));
        job
    }

    pub fn script(&self) {
        bash(&guests::root().join("tests/fixtures/s3/v0.4.0.sh"), &self.env());
    }
}

/// By its absolute path, and without touching PATH: the fastest way to start it, which a process with much address space needs.
pub fn bash(script: &Path, env: &[(&str, String)]) {
    let mut bash = Command::new("/bin/bash");
    bash.arg(script).envs(env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(bash.status().unwrap().success());
}
