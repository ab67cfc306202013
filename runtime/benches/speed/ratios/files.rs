//! Files, with a deadline set: the same program in the sandbox and natively. Both say themselves how long they took.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn};
use crate::sandbox::{Sandbox, job, with_dir};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const TIMES: Rounds = Rounds { rounds: 21, ours: 1 };
const MIB: &str = "256";
const FILES: u64 = 10_000;

pub fn rows() -> Vec<Row> {
    let sandbox = Sandbox::pooled();
    let dir = TempDir::new_in(guests::kept("tmp")).unwrap();
    let file = dir.path().join("bulk").display().to_string();
    let many = dir.path().join("many");
    std::fs::create_dir(&many).unwrap();
    (0..FILES).for_each(|n| std::fs::write(many.join(n.to_string()), "four").unwrap());
    let (many, count) = (many.display().to_string(), FILES.to_string());
    let compare = |what: &str, args: &[&str], goal| row(&sandbox, dir.path(), what, args, goal);
    vec![
        compare("write 256 MiB", &["write", &file, MIB], Goal::Ratio(1.2)),
        compare("read 256 MiB", &["read", &file], Goal::Ratio(1.2)),
        compare("stat 10,000 files", &["stat", &many, &count], Goal::Ratio(4.0)),
    ]
}

fn row(sandbox: &Sandbox, dir: &Path, what: &str, args: &[&str], goal: Goal) -> Row {
    let job = with_dir(job(&guests::wasm("disk"), args), dir, &dir.display().to_string());
    let program = guests::native("disk");
    let natively = || {
        let output = Command::new(&program).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = natively()[0].clone();
    let took = |lines: &[String]| {
        assert_eq!(lines[0], expected);
        Duration::from_micros(lines[1].parse().unwrap())
    };
    let pair = in_turn(TIMES, || took(&sandbox.succeed(&job)), || took(&natively()));
    Row::pair(what, "natively", &pair, goal)
}
