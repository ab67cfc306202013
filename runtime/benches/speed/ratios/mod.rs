//! The table: one row a goal.

mod commit;
mod deadline;
mod files;
mod hooks;
mod journal;
mod kernels;
pub mod memory;
mod plan;
mod process;
mod staging;

pub use hooks::Site;
pub use journal::Journaled;
pub use plan::ManyHooks;

use crate::measure::Pair;
use std::time::Duration;

/// What a row is held against.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At most this many times the peer.
    Ratio(f64),
    /// At most so much.
    Time(Duration),
    /// At most so many bytes.
    Bytes(u64),
    /// Nothing was promised.
    None,
}

/// One line of the table.
pub struct Row {
    what: String,
    ours: String,
    peer: String,
    measured: String,
    goal: String,
    held: Option<bool>,
}

impl Row {
    /// Ours and a peer, in times.
    fn pair(what: impl Into<String>, peer: &str, pair: &Pair, goal: Goal) -> Self {
        let (ours, theirs) = (pair.ours.median(), format!("{} {}", peer, show(pair.peer.median())));
        Self::ratio(what, show(ours), theirs, pair.ratio(), goal)
    }

    fn ratio(what: impl Into<String>, ours: String, peer: String, ratio: f64, goal: Goal) -> Self {
        let (goal, held) = match goal {
            Goal::Ratio(most) => (show_ratio(most), Some(ratio <= most)),
            _ => ("–".to_owned(), None),
        };
        Self { what: what.into(), ours, peer, measured: show_ratio(ratio), goal, held }
    }

    /// A time that has a limit of its own.
    fn time(what: impl Into<String>, ours: Duration, detail: String, goal: Goal) -> Self {
        let (goal, held) = match goal {
            Goal::Time(most) => (show(most), Some(ours <= most)),
            _ => ("–".to_owned(), None),
        };
        Self { what: what.into(), ours: show(ours), peer: detail, measured: show(ours), goal, held }
    }

    /// A size that has a limit of its own.
    fn bytes(what: impl Into<String>, ours: u64, peer: String, goal: Goal) -> Self {
        let (goal, held) = match goal {
            Goal::Bytes(most) => (mebibytes(most), Some(ours <= most)),
            _ => ("–".to_owned(), None),
        };
        Self { what: what.into(), ours: mebibytes(ours), peer, measured: mebibytes(ours), goal, held }
    }
}

/// A group of rows.
type Group = (&'static str, fn() -> Vec<Row>);

const GROUPS: [Group; 10] = [
    ("hooks", hooks::rows),
    ("process", process::rows),
    ("kernels", kernels::rows),
    ("files", files::rows),
    ("deadline", deadline::rows),
    ("memory", memory::rows),
    ("staging", staging::rows),
    ("commit", commit::rows),
    ("journal", journal::rows),
    ("plan", plan::rows),
];

/// Measures the groups in `wanted`, or all.
pub fn run(wanted: &[&str]) {
    let unknown: Vec<&&str> = wanted.iter().filter(|name| !GROUPS.iter().any(|(known, _)| known == *name)).collect();
    let names = GROUPS.map(|(name, _)| name).join(", ");
    assert!(unknown.is_empty(), "no group {unknown:?}: there are {names}, and criterion");
    println!("| what | ours | peer | measured | goal | |\n|---|---|---|---|---|---|");
    for (_, rows) in GROUPS.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        for Row { what, ours, peer, measured, goal, held } in rows() {
            let held = held.map_or("", |held| if held { "held" } else { "missed" });
            println!("| {what} | {ours} | {peer} | {measured} | {goal} | {held} |");
        }
    }
}

/// `1/277`, or `1.38 ×`.
fn show_ratio(ratio: f64) -> String {
    if ratio < 0.1 { format!("1/{:.0}", 1.0 / ratio) } else { format!("{ratio:.2} ×") }
}

fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..100.0 => format!("{micros:.1} µs"),
        ..10_000.0 => format!("{:.2} ms", micros / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
