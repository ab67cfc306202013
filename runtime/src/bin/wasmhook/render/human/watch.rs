//! What happens between the runs of a watch.

use super::settle;
use crate::render::line::Line;
use crate::render::look::{Look, Symbol};
use wasmhook::Told;
use wasmhook::diagnostic::codes;
use wasmhook::model::event::Status;
use wasmhook::report::Report;

/// The lines that tell of it; none where nothing changed.
pub fn lines(look: Look, told: &Told) -> Vec<Line> {
    let line = |symbol, words: &str| settle(look, Line::new(look).symbol(symbol).space(1).plain(words), 2);
    match told {
        Told::CheckedOut { commit, from: Some(from) } => line(Symbol::Arrow, &format!("checked out {commit:.12} (was {from:.12})")),
        Told::Warning { code, message } => line(Symbol::Warning, &format!("{message} [{code}]")),
        Told::ApplicationStarted { pid } => {
            let pid = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
            line(Symbol::Arrow, &format!("the application runs{pid}"))
        }
        Told::ApplicationNotStarted { message } => line(Symbol::Failed, &format!("{message} [{}]", codes::APPLICATION)),
        Told::ApplicationEnded { code } => line(Symbol::Arrow, &format!("the application ended with exit code {code}")),
        Told::Ran { report } if report.notices.iter().any(|notice| notice.code == codes::UNKNOWN_REVISION) && is_idle(report) => {
            report.notices.iter().flat_map(|notice| line(Symbol::Warning, &format!("{} [{}]", notice.message, notice.code))).collect()
        }
        // A run has a summary, what is broken its findings; and that nothing changed is nothing to tell a person twice a minute.
        _ => Vec::new(),
    }
}

/// Whether nothing ran, since only a change of the commit was a reason.
pub fn is_idle(report: &Report) -> bool {
    let of = |code: &str| [codes::COMMIT_UNCHANGED, codes::UNKNOWN_REVISION].contains(&code);
    report.status == Status::Skipped && report.notices.iter().any(|notice| of(&notice.code))
}
