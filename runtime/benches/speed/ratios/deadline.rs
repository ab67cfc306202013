//! How long after its deadline a hostile guest is gone and the caller goes on.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Samples, time};
use crate::sandbox::{Sandbox, job, with_dir, within};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::time::Duration;
use tempfile::TempDir;
use wasmhook::model::job::Job;
use wasmhook::model::outcome::{Outcome, TimeLimit};

const DEADLINE: Duration = Duration::from_millis(50);
const TIMES: usize = 20;

pub fn rows() -> Vec<Row> {
    let sandbox = Sandbox::pooled();
    let dir = TempDir::new().unwrap();
    mknodat(CWD, dir.path().join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let blocks = |args: &[&str]| with_dir(job(&guests::wasm("block"), args), dir.path(), "/d");
    vec![
        row(&sandbox, "a loop", &job(&guests::with_sdk("spin"), &[])),
        row(&sandbox, "a blocked open", &blocks(&["/d/fifo"])),
        row(&sandbox, "a blocked open, retried when interrupted", &blocks(&["/d/fifo", "again"])),
    ]
}

fn row(sandbox: &Sandbox, what: &str, job: &Job) -> Row {
    let job = within(job.clone(), DEADLINE);
    let over: Samples = (0..TIMES)
        .map(|_| {
            let (execution, took) = time(|| sandbox.run(&job));
            assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
            took.saturating_sub(DEADLINE)
        })
        .collect();
    let detail = format!("median {:.2} ms, most {:.2} ms", millis(over.median()), millis(over.quantile(100)));
    Row::time(format!("over a deadline of 50 ms, {what}, p90"), over.quantile(90), detail, Goal::Time(Duration::from_millis(5)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
