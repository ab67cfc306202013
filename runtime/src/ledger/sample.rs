//! Sample values for the tests of the ledger.

use super::{Key, Ledger, Target};
use crate::model::event::{Earlier, Event, Finished, Place, Role, RunHeader, SCHEMA, Status, What};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, RunId, StepName, Tag};
use crate::model::outcome::{Outcome, Verdict};

pub(super) fn target(app: &str) -> Target {
    Target { app: AppName::new(app).unwrap(), environment: EnvironmentName::new("prod").unwrap() }
}

pub(super) fn run_id(run: &str) -> RunId {
    RunId::new(run).unwrap()
}

pub(super) fn event(run: &str, seq: u64, what: What) -> Event {
    let at = jiff::Timestamp::from_second(1_760_000_000).unwrap();
    Event { schema: SCHEMA, seq, at, run: run_id(run), what }
}

pub(super) fn commit(digit: char) -> Commit {
    Commit::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn header(target: &Target) -> RunHeader {
    RunHeader {
        app: target.app.clone(),
        environment: target.environment.clone(),
        profile: "default".to_owned(),
        tag: Some(Tag::new("v1").unwrap()),
        commit: Some(commit('a')),
        previous_version: None,
        plan_digest: Digest::of(b"plan"),
        dry_run: false,
        partial: false,
        audit: false,
        resumes: None,
        earlier: Earlier::default(),
        trigger: None,
    }
}

pub(super) fn run_started(run: &str, header: RunHeader) -> Event {
    event(run, 0, What::RunStarted { header: Box::new(header), steps: Vec::new() })
}

pub(super) fn begin(ledger: &mut dyn Ledger, target: &Target, run: &str) {
    ledger.begin(target, "v1", "{}", &run_started(run, header(target))).unwrap();
}

pub(super) fn place(hook: &str) -> Place {
    Place {
        step: StepName::new("post-pull").unwrap(),
        hook: Some(HookId::new(hook).unwrap()),
        service: None,
        instance: None,
        role: Role::Main,
    }
}

pub(super) fn key(hook: &str) -> Key {
    Key { release: "v1".to_owned(), place: place(hook) }
}

pub(super) fn started(key: &Key) -> What {
    What::Started { place: key.place.clone(), attempt: 1 }
}

pub(super) fn finished(key: &Key, outcome: Outcome) -> What {
    let result = Finished { exit_code: Some(0), ..Finished::of(outcome, Verdict::Proceed) };
    What::Finished { place: key.place.clone(), result: Box::new(result) }
}

pub(super) fn run_finished(status: Status) -> What {
    What::RunFinished { status, detail: None, live_version: None }
}

pub(super) fn warning(message: &str) -> What {
    What::Warning { code: "target".to_owned(), message: message.to_owned() }
}
