//! The runs of a target and who holds its lock.

use super::line::{Line, text};
use super::look::{Look, Style, Symbol};
use super::table::Table;
use super::typed::Typed;
use wasmhook::model::event::Status;

/// One run.
pub struct RunRow<'a> {
    /// Its id.
    pub run: &'a str,
    /// The tag, or the commit.
    pub version: Option<&'a str>,
    /// When it started.
    pub started: jiff::Timestamp,
    /// How it stands.
    pub state: RunState,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is over.
    Ended(Status),
    /// It holds the lock.
    Running,
    /// Its engine died.
    Died,
}

/// Who holds a lock.
pub struct Owner<'a> {
    /// The user.
    pub who: &'a str,
    /// The machine.
    pub host: &'a str,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: jiff::Timestamp,
    /// What it does: `run 01J…`.
    pub what: &'a str,
}

/// What the next run goes by: the commit of the last success, what has to be done by somebody, what it will do first.
#[derive(Debug, Default)]
pub struct Pending {
    /// The commit of the last success, and where it is kept.
    pub last_commit: Option<(String, String)>,
    /// Why the newest run ran.
    pub trigger: Option<String>,
    /// What nobody knows the end of.
    pub unresolved: Vec<Open>,
    /// What a dead run decided to commit, with the run.
    pub decided: Vec<(String, String)>,
    /// What is still to be taken back of a run whose deployment failed.
    pub taking_back: Option<(String, Typed)>,
    /// `always` steps that a dead run owes.
    pub owed: Vec<String>,
    /// The run that `run --resume` would go on with.
    pub resumable: Option<Typed>,
    /// What a hook wrote in a run, could not be committed, and still lies somewhere.
    pub kept: Vec<(String, String, String)>,
}

/// Something that was cut off.
#[derive(Debug)]
pub struct Open {
    /// Its name, what it was in, and what it may have touched (`deploy/a was running when run 01J… died: it may have changed files in /srv/db`).
    pub was: String,
    /// What becomes of it.
    pub then: Then,
}

/// What becomes of something that nobody knows the end of.
#[derive(Debug)]
pub enum Then {
    /// Somebody has to say what became of it, with one of these commands.
    Waits(Vec<Typed>),
    /// The next run asks its verify.
    AsksVerify,
    /// The next run runs it again.
    RunsAgain,
}

/// The status of `target` (`shop/prod`), as text: the lock, then the runs, newest first as given, then what is pending.
pub fn render(look: Look, target: &str, owner: Option<&Owner<'_>>, runs: &[RunRow<'_>], pending: &Pending) -> String {
    let held = match owner {
        Some(owner) => {
            format!(": locked by {} on {} (process {}) since {}: {}", owner.who, owner.host, owner.pid, second(owner.since), owner.what)
        }
        None => ": not locked".to_owned(),
    };
    let mut lines = Line::new(look).add(Style::Strong, target).plain(&held).fold(look.width, 2);
    if runs.is_empty() {
        lines.push(Line::new(look).plain("No run yet."));
    }
    let mut table = Table::new(look, &["RUN", "STATUS", "VERSION", "STARTED"]).whole_in_files();
    for row in runs {
        let (symbol, word) = state(row.state);
        table.row(vec![
            Line::new(look).add(Style::Name, row.run),
            Line::new(look).symbol(symbol).space(1).plain(word),
            Line::new(look).plain(row.version.unwrap_or_default()),
            Line::new(look).add(Style::Dim, &second(row.started)),
        ]);
    }
    lines.extend(table.lines());
    lines.extend(pending_lines(look, pending));
    text(&lines)
}

fn pending_lines(look: Look, pending: &Pending) -> Vec<Line> {
    let say = |symbol, words: &str| Line::new(look).symbol(symbol).space(1).plain(words).fold(look.width, 2);
    let mut lines = Vec::new();
    if let Some((commit, kept)) = &pending.last_commit {
        let line = Line::new(look).plain("Last success: commit ").add(Style::Name, commit);
        lines.extend(line.plain(&format!(", kept in {kept}.")).fold(look.width, 2));
    }
    if let Some(trigger) = &pending.trigger {
        lines.extend(Line::new(look).plain(&format!("The newest run ran because {trigger}.")).fold(look.width, 2));
    }
    if !pending.owed.is_empty() {
        lines.extend(say(Symbol::Warning, &format!("The next run first runs what the dead one owes: {}.", pending.owed.join(", "))));
    }
    for (name, run) in &pending.decided {
        let words = format!("The commit of {name} was decided when run {run} died: the next run finishes it first.");
        lines.extend(say(Symbol::Warning, &words));
    }
    for Open { was, then } in &pending.unresolved {
        match then {
            Then::AsksVerify => lines.extend(say(Symbol::Warning, &format!("{was}; the next run asks its verify whether it took."))),
            Then::RunsAgain => lines.extend(say(Symbol::Warning, &format!("{was}; it runs again by itself."))),
            Then::Waits(commands) => {
                lines.extend(say(Symbol::Failed, &format!("{was}. Nothing runs until you say what became of it, with one of:")));
                lines.extend(commands.iter().flat_map(|command| command.lines(look, 4)));
            }
        }
    }
    for (name, run, path) in &pending.kept {
        let words = format!("What {name} wrote in run {run} could not be committed, and lies in {path}: look at it, then remove it.");
        lines.extend(say(Symbol::Warning, &words));
    }
    if let Some((words, command)) = &pending.taking_back {
        lines.extend(say(Symbol::Failed, words));
        lines.extend(command.lines(look, 4));
    }
    if let Some(command) = &pending.resumable {
        lines.push(Line::new(look).plain("What is missing can still be run:"));
        lines.extend(command.lines(look, 4));
    }
    lines
}

fn state(state: RunState) -> (Symbol, &'static str) {
    match state {
        RunState::Ended(Status::Success) => (Symbol::Done, "success"),
        RunState::Ended(Status::SucceededButDeployFailed) => (Symbol::Failed, "succeeded-but-deploy-failed"),
        RunState::Ended(Status::Failed) => (Symbol::Failed, "failed"),
        RunState::Ended(Status::Refused) => (Symbol::Failed, "refused"),
        RunState::Ended(Status::Interrupted) => (Symbol::Failed, "interrupted"),
        RunState::Ended(Status::Skipped) => (Symbol::Skipped, "skipped"),
        RunState::Ended(Status::Locked) => (Symbol::Failed, "locked"),
        RunState::Running => (Symbol::Arrow, "running"),
        RunState::Died => (Symbol::Failed, "died"),
    }
}

/// A time without fractions of seconds.
fn second(at: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_second()).map_or_else(|_| at.to_string(), |whole| whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{ASCII, UNICODE, assert_fits, wide};
    use crate::render::typed::RESOLUTIONS;

    fn shown(look: Look) -> String {
        let started = jiff::Timestamp::new(1_765_900_000, 5).unwrap();
        let row = |run, state| RunRow { run, version: Some("v0.3.28"), started, state };
        let runs = [
            row("01JB", RunState::Running),
            row("01JA", RunState::Ended(Status::Failed)),
            RunRow { version: None, ..row("01J9", RunState::Died) },
        ];
        let owner = Owner { who: "deploy", host: "web-1", pid: 4711, since: started, what: "run 01JB" };
        let typed = |words: &str, purpose: &str| Typed::new(words.split(' ').map(str::to_owned).collect(), purpose);
        let resolve = |name: &str| RESOLUTIONS.map(|(word, means)| typed(&format!("wasmhook resolve {name} {word}"), means)).to_vec();
        let open = |was: &str, then| Open { was: was.into(), then };
        let pending = Pending {
            last_commit: Some(("0123456789abcdef".into(), "the ledger".into())),
            trigger: Some("the commit changed from 0123456789ab".into()),
            unresolved: vec![
                open(
                    "post-pull/a was running when run 01J9 died: it may have changed files in /srv/db",
                    Then::Waits(resolve("post-pull/a")),
                ),
                open("post-pull/b was running when run 01J9 died", Then::RunsAgain),
                open("post-pull/c ended with success, and its verify was under way when run 01J9 died", Then::AsksVerify),
            ],
            decided: vec![("post-pull/e".into(), "01J9".into())],
            taking_back: Some((
                "Of run 01J8, whose deployment failed, still to be taken back: post-pull/d.".into(),
                typed("wasmhook resolve --deploy-failed 01J8", "what is left is taken back"),
            )),
            owed: vec!["start-services".into()],
            resumable: Some(typed("wasmhook run --resume", "goes on with run 01J9")),
            kept: vec![("post-pull/f".into(), "01JA".into(), "/srv/.wasmhook-stage-1".into())],
        };
        render(look, "shop/prod", Some(&owner), &runs, &pending)
    }

    #[test]
    fn the_lock_and_the_runs() {
        insta::assert_snapshot!(shown(UNICODE), @r#"
        shop/prod: locked by deploy on web-1 (process 4711) since 2025-12-16T15:46:40Z:
          run 01JB
        RUN   STATUS     VERSION  STARTED
        01JB  → running  v0.3.28  2025-12-16T15:46:40Z
        01JA  ✗ failed   v0.3.28  2025-12-16T15:46:40Z
        01J9  ✗ died              2025-12-16T15:46:40Z
        Last success: commit 0123456789abcdef, kept in the ledger.
        The newest run ran because the commit changed from 0123456789ab.
        ⚠ The next run first runs what the dead one owes: start-services.
        ⚠ The commit of post-pull/e was decided when run 01J9 died: the next run
          finishes it first.
        ✗ post-pull/a was running when run 01J9 died: it may have changed files in
          /srv/db. Nothing runs until you say what became of it, with one of:
            wasmhook resolve post-pull/a --retry  # it may run again
            wasmhook resolve post-pull/a --mark-done  # it is done
            wasmhook resolve post-pull/a --mark-not-run  # it did nothing
        ⚠ post-pull/b was running when run 01J9 died; it runs again by itself.
        ⚠ post-pull/c ended with success, and its verify was under way when run 01J9
          died; the next run asks its verify whether it took.
        ⚠ What post-pull/f wrote in run 01JA could not be committed, and lies in
          /srv/.wasmhook-stage-1: look at it, then remove it.
        ✗ Of run 01J8, whose deployment failed, still to be taken back: post-pull/d.
            wasmhook resolve --deploy-failed 01J8  # what is left is taken back
        What is missing can still be run:
            wasmhook run --resume  # goes on with run 01J9
        "#);
        insta::assert_snapshot!(shown(wide(ASCII, 40)), @r#"
        shop/prod: locked by deploy on web-1
          (process 4711) since
          2025-12-16T15:46:40Z: run 01JB
        RUN   STATUS      VERSION  STARTED
        01JB  -> running  v0.3.28  2025-12-16T15:46:40Z
        01JA  x failed    v0.3.28  2025-12-16T15:46:40Z
        01J9  x died               2025-12-16T15:46:40Z
        Last success: commit 0123456789abcdef,
          kept in the ledger.
        The newest run ran because the commit
          changed from 0123456789ab.
        ! The next run first runs what the dead
          one owes: start-services.
        ! The commit of post-pull/e was decided
          when run 01J9 died: the next run
          finishes it first.
        x post-pull/a was running when run 01J9
          died: it may have changed files in
          /srv/db. Nothing runs until you say
          what became of it, with one of:
            # it may run again
            wasmhook resolve post-pull/a \
              --retry
            # it is done
            wasmhook resolve post-pull/a \
              --mark-done
            # it did nothing
            wasmhook resolve post-pull/a \
              --mark-not-run
        ! post-pull/b was running when run 01J9
          died; it runs again by itself.
        ! post-pull/c ended with success, and
          its verify was under way when run 01J9
          died; the next run asks its verify
          whether it took.
        ! What post-pull/f wrote in run 01JA
          could not be committed, and lies in
          /srv/.wasmhook-stage-1: look at it,
          then remove it.
        x Of run 01J8, whose deployment failed,
          still to be taken back: post-pull/d.
            # what is left is taken back
            wasmhook resolve --deploy-failed \
              01J8
        What is missing can still be run:
            # goes on with run 01J9
            wasmhook run --resume
        "#);
        assert_fits(&shown(wide(UNICODE, 40)), 40);
        assert_eq!(render(UNICODE, "shop/prod", None, &[], &Pending::default()), "shop/prod: not locked\nNo run yet.\n");
    }
}
