//! What happens between the runs of a watch.

use super::settle;
use crate::render::line::Line;
use crate::render::look::{Look, Symbol};
use std::time::Duration;
use wasmhook::Told;
use wasmhook::diagnostic::codes;
use wasmhook::model::event::Status;
use wasmhook::model::units::show_duration;
use wasmhook::report::{Notice, Report};

/// A watch, as far as its next lines depend on what it told before.
#[derive(Debug, Default)]
pub struct Watched {
    /// Whether something of the cycle failed that the next one tries again.
    failed: bool,
}

impl Watched {
    /// The lines that tell of it; none where nothing changed. A pause is worth a line where something is tried again after it.
    pub fn lines(&mut self, look: Look, told: &Told) -> Vec<Line> {
        let Told::Waiting { seconds } = told else {
            self.failed |= fails(told);
            return lines(look, told);
        };
        let pause = show_duration(Duration::from_secs(*seconds));
        let again = std::mem::take(&mut self.failed).then(|| format!("trying again in {pause}"));
        again.iter().flat_map(|words| line(look, Symbol::Arrow, words)).collect()
    }
}

/// What people are told with a code, and no report says by itself.
pub fn notice(told: &Told) -> Option<Notice> {
    let (code, message) = match told {
        Told::Warning { code, message } => (*code, message),
        Told::ApplicationNotStarted { message } => (codes::APPLICATION, message),
        _ => return None,
    };
    Some(Notice { code: code.to_owned(), message: message.clone() })
}

fn fails(told: &Told) -> bool {
    match told {
        Told::Ran { report } => matches!(report.status, Status::Failed | Status::Refused | Status::Interrupted),
        Told::Warning { code, .. } => *code != codes::SUBMODULES,
        Told::Broken { .. } => true,
        _ => false,
    }
}

fn line(look: Look, symbol: Symbol, words: &str) -> Vec<Line> {
    settle(look, Line::new(look).symbol(symbol).space(1).plain(words), 2)
}

fn lines(look: Look, told: &Told) -> Vec<Line> {
    let line = |symbol, words: &str| line(look, symbol, words);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::line::text;
    use crate::render::testing::UNICODE;

    fn ran(status: Status) -> Told {
        Told::Ran { report: Box::new(Report::not_started(status)) }
    }

    fn told(told: &[Told]) -> String {
        let mut watched = Watched::default();
        told.iter().map(|told| text(&watched.lines(UNICODE, told))).collect()
    }

    #[test]
    fn s4_29_after_what_failed_a_watch_says_when_it_tries_again_and_else_it_is_silent() {
        let waiting = || Told::Waiting { seconds: 90 };
        for failed in [Status::Failed, Status::Refused, Status::Interrupted] {
            assert_eq!(told(&[ran(failed), waiting(), ran(Status::Skipped), waiting()]), "→ trying again in 1m30s\n", "{failed:?}");
        }
        for fine in [Status::Success, Status::Skipped, Status::Locked] {
            assert_eq!(told(&[ran(fine), waiting()]), "", "{fine:?}");
        }
        let behind = Told::Warning { code: codes::SUBMODULES, message: "lib stays behind".to_owned() };
        assert_eq!(told(&[behind, ran(Status::Success), waiting()]), "⚠ lib stays behind [submodules]\n");
        let unasked = Told::Warning { code: codes::FETCH_FAILED, message: "nobody answers".to_owned() };
        assert_eq!(told(&[unasked, ran(Status::Success), waiting()]), "⚠ nobody answers [fetch-failed]\n→ trying again in 1m30s\n");
    }
}
