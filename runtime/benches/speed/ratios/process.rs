//! The whole program, started for one hook.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const TIMES: Rounds = Rounds { rounds: 100, ours: 1 };

pub fn rows() -> Vec<Row> {
    let dir = TempDir::new().unwrap();
    let noop = guests::wasm("noop");
    let ours = || exec(&noop, dir.path());
    let script = dir.path().join("noop.sh");
    std::fs::write(&script, "").unwrap();
    let bash = in_turn(TIMES, || time(ours).1, || time(|| super::hooks::bash(&script, &[])).1);
    let mut rows = vec![Row::pair("`wasmhook exec noop.wasm`, whole process", "bash noop.sh", &bash, Goal::None)];
    let Some(wasmtime) = wasmtime() else {
        println!("<!-- no wasmtime: set WASMTIME, or run runtime/benches/peers.sh -->");
        return rows;
    };
    let artefact = dir.path().join("noop.cwasm");
    succeed(Command::new(&wasmtime).arg("compile").arg(&noop).arg("-o").arg(&artefact));
    let theirs = || succeed(Command::new(&wasmtime).args(["run", "--allow-precompiled"]).arg(&artefact));
    let pair = in_turn(TIMES, || time(ours).1, || time(theirs).1);
    rows.push(Row::pair("the same", "wasmtime run --allow-precompiled noop.cwasm", &pair, Goal::Ratio(0.8)));
    rows
}

fn exec(noop: &Path, dir: &Path) {
    let places = [Path::new("--state"), &dir.join("state"), Path::new("--cache"), &dir.join("cache")].map(Path::to_owned);
    succeed(Command::new(env!("CARGO_BIN_EXE_wasmhook")).arg("exec").args(places).arg(noop));
}

fn succeed(command: &mut Command) {
    assert!(command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success(), "{command:?}");
}

/// The one that `WASMTIME` names, or the one that `benches/peers.sh` installed.
fn wasmtime() -> Option<PathBuf> {
    let installed = guests::root().join("target/peers/wasmtime");
    std::env::var_os("WASMTIME").map(PathBuf::from).or_else(|| installed.is_file().then_some(installed))
}
