//! What staging a directory costs a hook: a stage is opened, a view taken, nothing found changed, and it is dropped; over small and large trees.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Pair, Rounds, in_turn, time};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use wasmhook::stage::{Backend, Base, Disk, Ends, Limits, Request, Stage};

const SMALL: usize = 100;
const LARGE: usize = 100_000;
const TIMES: Rounds = Rounds { rounds: 51, ours: 1 };
const GOAL: Goal = Goal::Time(Duration::from_millis(3));

pub fn rows() -> Vec<Row> {
    let (small, large) = (Site::new(SMALL), Site::new(LARGE));
    let beside = |backend| in_turn(TIMES, || large.stage_once(backend), || small.stage_once(backend));
    let overlay = beside(Backend::Overlay);
    let mut rows = Vec::from(row("overlay", &overlay, GOAL));
    rows.push(Row::pair("the same, 100,000 files beside 100", "100 files", &overlay, Goal::Ratio(2.0)));
    rows.extend(row("user-overlay", &beside(Backend::UserOverlay), GOAL));
    let copies = in_turn(Rounds { rounds: 5, ours: 1 }, || small.stage_once(Backend::Copy), Duration::default);
    rows.push(Row::time("staging 100 files, copy", copies.ours.median(), detail(&copies.ours), Goal::None));
    rows
}

fn row(how: &str, pair: &Pair, goal: Goal) -> [Row; 2] {
    let one = |files, samples: &crate::measure::Samples| {
        Row::time(format!("staging {files} files, {how}"), samples.median(), detail(samples), goal)
    };
    [one("100", &pair.peer), one("100,000", &pair.ours)]
}

fn detail(samples: &crate::measure::Samples) -> String {
    format!("p90 {}", super::show(samples.quantile(90)))
}

/// A directory of many files, and what a stage of it is made with.
pub struct Site {
    dir: TempDir,
}

impl Site {
    pub fn new(files: usize) -> Self {
        let dir = TempDir::new_in(guests::kept("tmp")).unwrap();
        for at in ["app", "scratch"] {
            std::fs::create_dir(dir.path().join(at)).unwrap();
        }
        for file in 0..files {
            let sub = dir.path().join(format!("app/d{}", file / 200));
            if file % 200 == 0 {
                std::fs::create_dir(&sub).unwrap();
            }
            std::fs::write(sub.join(format!("f{file}")), "four").unwrap();
        }
        Self { dir }
    }

    pub fn app(&self) -> PathBuf {
        self.dir.path().join("app").canonicalize().unwrap()
    }

    pub fn open(&self, backend: Backend) -> Stage {
        let (scratch, bases) = (self.dir.path().join("scratch"), [Base { host: self.app(), ends: Ends::Txn, live: Vec::new() }]);
        let limits = Limits { bytes: 1 << 30, files: 200_000 };
        let request =
            Request { id: "bench", label: "bench", bases: &bases, backends: &[backend], limits, scratch: &scratch, disk: Disk::default() };
        Stage::open(&request).unwrap()
    }

    fn stage_once(&self, backend: Backend) -> Duration {
        let staged = || {
            let stage = self.open(backend);
            drop(stage.view(0, Path::new("")).unwrap());
            assert!(stage.changes().unwrap()[0].is_empty());
            stage.discard().unwrap();
        };
        time(staged).1
    }
}

/// A path by which a view can be worked in.
pub fn through(view: &wasmhook::stage::View) -> PathBuf {
    Path::new("/proc/self/fd").join(std::os::fd::AsRawFd::as_raw_fd(&view.dir).to_string())
}
