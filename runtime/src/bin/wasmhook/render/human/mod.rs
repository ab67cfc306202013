//! What people read of a run: lines while it goes on ([`live`]), and a summary when it is over ([`summary`]).

pub mod dry;
pub mod failure;
pub mod hint;
pub mod live;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod watch;

use super::line::Line;
use super::look::{LongLines, Look, Symbol};

/// `v0.3.27 → v0.3.28 (abc123)`, or what is known of it; empty if nothing is.
pub fn versions(look: Look, previous: Option<&str>, new: Option<&str>, commit: Option<&str>) -> Line {
    let mut line = Line::new(look);
    if let Some(previous) = previous.filter(|previous| Some(*previous) != new) {
        line = line.plain(previous).space(1).symbol(Symbol::Arrow).space(1);
    }
    match (new, commit) {
        (Some(new), Some(commit)) if new != commit => line.plain(&format!("{new} ({})", short(commit))),
        (_, Some(commit)) => line.plain(short(commit)),
        (Some(new), None) => line.plain(new),
        (None, None) if previous.is_some() => line.plain("?"),
        (None, None) => line,
    }
}

/// As much of a commit as people compare.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// The line as it goes to a terminal (folded) or to a file (whole).
fn settle(look: Look, line: Line, indent: usize) -> Vec<Line> {
    match look.long_lines {
        LongLines::Fold => line.fold(look.width, indent),
        LongLines::Keep => vec![line],
    }
}
