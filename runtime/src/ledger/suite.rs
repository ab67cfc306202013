//! What every ledger must do: one list of expectations, run against each implementation.

use super::sample::{begin, commit, event, finished, header, key, run_finished, run_id, run_started, started, target, warning};
use super::{Durability, Key, Ledger, LedgerError, Memory, Refusal};
use crate::model::event::{Event, Place, Resolution, Role, RunHeader, Status, What};
use crate::model::id::{Digest, InstanceName, StepName, Tag};
use crate::model::outcome::{Cause, Outcome, SkipReason};

fn skipped() -> Outcome {
    Outcome::Skipped { reason: SkipReason::NotSelected }
}

fn failed(cause: Cause) -> Outcome {
    Outcome::Failed { cause }
}

/// Writes a run's events one after the other.
struct Journal<'a> {
    ledger: &'a mut dyn Ledger,
    run: String,
    next: u64,
}

impl<'a> Journal<'a> {
    fn begin(ledger: &'a mut dyn Ledger, run: &str) -> Self {
        begin(ledger, &target("shop"), run);
        Self { ledger, run: run.to_owned(), next: 1 }
    }

    fn add(&mut self, key: &Key, what: What) -> &mut Self {
        let digest = Digest::of(self.run.as_bytes());
        let event = event(&self.run, self.next, what);
        self.ledger.append(&event, Some((key, &digest)), Durability::Later).unwrap();
        self.next += 1;
        self
    }

    fn end(&mut self, status: Status) {
        let event = event(&self.run, self.next, run_finished(status));
        self.ledger.append(&event, None, Durability::Later).unwrap();
    }
}

fn remembered(ledger: &dyn Ledger, key: &Key) -> Option<Memory> {
    let all = ledger.memories(&target("shop"), &key.release).unwrap();
    all.into_iter().find(|(known, _)| known == key).map(|(_, memory)| memory)
}

fn memory(outcome: Option<Outcome>, run: &str, attempts: u32) -> Memory {
    Memory { outcome, digest: Digest::of(run.as_bytes()), run: run_id(run), attempts }
}

pub(super) fn an_attempt_is_open_until_its_outcome_is_known(ledger: &mut dyn Ledger) {
    let key = key("a");
    Journal::begin(ledger, "r1").add(&key, started(&key));
    assert_eq!(remembered(ledger, &key), Some(memory(None, "r1", 1)));

    let mut second = Journal::begin(ledger, "r2");
    second.add(&key, started(&key)).add(&key, finished(&key, failed(Cause::Exit { code: 3 })));
    assert_eq!(remembered(ledger, &key), Some(memory(Some(failed(Cause::Exit { code: 3 })), "r2", 2)));

    let mut third = Journal::begin(ledger, "r3");
    third.add(&key, started(&key)).add(&key, started(&key)).add(&key, finished(&key, Outcome::Succeeded));
    assert_eq!(remembered(ledger, &key), Some(memory(Some(Outcome::Succeeded), "r3", 4)));
}

pub(super) fn walking_past_changes_no_memory(ledger: &mut dyn Ledger) {
    let (done, unknown, new) = (key("done"), key("unknown"), key("new"));
    let preflight = failed(Cause::Preflight { findings: vec!["no such file".to_owned()] });
    let mut first = Journal::begin(ledger, "r1");
    first.add(&done, started(&done)).add(&done, finished(&done, Outcome::Succeeded)).add(&unknown, started(&unknown));

    for (run, outcome) in [("r2", skipped()), ("r3", preflight), ("r4", Outcome::Cancelled), ("r5", failed(Cause::Unresolved))] {
        let mut later = Journal::begin(ledger, run);
        for key in [&done, &unknown, &new] {
            later.add(key, finished(key, outcome.clone()));
        }
    }
    assert_eq!(remembered(ledger, &done), Some(memory(Some(Outcome::Succeeded), "r1", 1)));
    assert_eq!(remembered(ledger, &unknown), Some(memory(None, "r1", 1)));
    assert_eq!(remembered(ledger, &new), None);
}

pub(super) fn a_hook_that_ran_and_skipped_itself_is_remembered(ledger: &mut dyn Ledger) {
    let key = key("a");
    let outcome = Outcome::Skipped { reason: SkipReason::SaidByHook { message: "nothing to do".to_owned() } };
    Journal::begin(ledger, "r1").add(&key, started(&key)).add(&key, finished(&key, outcome.clone()));
    assert_eq!(remembered(ledger, &key), Some(memory(Some(outcome), "r1", 1)));
}

pub(super) fn a_later_run_may_say_what_became_of_an_execution(ledger: &mut dyn Ledger) {
    let (dead, declared) = (key("dead"), key("declared"));
    Journal::begin(ledger, "r1").add(&dead, started(&dead));
    let mut second = Journal::begin(ledger, "r2");
    second.add(&dead, finished(&dead, Outcome::Unknown)).add(&declared, finished(&declared, Outcome::Succeeded));
    assert_eq!(remembered(ledger, &dead), Some(memory(Some(Outcome::Unknown), "r1", 1)));
    assert_eq!(remembered(ledger, &declared), Some(memory(Some(Outcome::Succeeded), "r2", 0)));
}

pub(super) fn what_a_crash_left_open_is_unresolved_until_it_runs_again(ledger: &mut dyn Ledger) {
    let in_run = |run: &str| Key { release: format!("run {run}"), ..key("a") };
    let unresolved =
        |ledger: &dyn Ledger| ledger.unresolved(&target("shop")).unwrap().into_iter().map(|(key, _)| key.release).collect::<Vec<_>>();
    let first = in_run("r1");
    Journal::begin(ledger, "r1").add(&first, started(&first));
    assert_eq!(unresolved(ledger), ["run r1"]);
    assert_eq!(ledger.unresolved(&target("other")).unwrap(), []);

    let second = in_run("r2");
    let mut again = Journal::begin(ledger, "r2");
    again.add(&second, started(&second)).add(&second, finished(&second, Outcome::Unknown));
    assert_eq!(unresolved(ledger), ["run r2"], "of one place the newest counts, and unknown is not resolved");

    let third = in_run("r3");
    Journal::begin(ledger, "r3").add(&third, started(&third)).add(&third, finished(&third, Outcome::Succeeded));
    assert_eq!(unresolved(ledger), [""; 0]);
}

fn resolved(key: &Key, resolution: Resolution) -> What {
    What::Resolved { place: key.place.clone(), release: key.release.clone(), resolution, by: Some("ops@web-1".to_owned()) }
}

pub(super) fn what_a_person_says_holds_also_after_the_run(ledger: &mut dyn Ledger) {
    let (open, done, new) = (key("open"), key("done"), key("new"));
    let mut first = Journal::begin(ledger, "r1");
    first.add(&open, started(&open)).add(&done, started(&done)).add(&done, finished(&done, Outcome::Succeeded));
    first.add(&open, resolved(&open, Resolution::MarkDone));
    assert_eq!(remembered(ledger, &open), Some(memory(Some(Outcome::Succeeded), "r1", 1)), "of a run that died");
    let mut first = Journal { ledger, run: "r1".to_owned(), next: 5 };
    first.end(Status::Interrupted);
    first.next += 1;
    first.add(&done, resolved(&done, Resolution::MarkNotRun)).add(&new, resolved(&new, Resolution::MarkDone));
    assert_eq!(remembered(ledger, &done), Some(memory(Some(Resolution::MarkNotRun.outcome()), "r1", 1)));
    assert_eq!(remembered(ledger, &new), Some(memory(Some(Outcome::Succeeded), "r1", 0)), "never attempted");
    assert_eq!(ledger.unresolved(&target("shop")).unwrap(), []);
    assert_eq!(ledger.runs(&target("shop"), 1).unwrap()[0].status, Some(Status::Interrupted), "the run stays as it ended");
}

pub(super) fn s2_19_a_deployment_that_failed_later_is_no_success_and_may_be_taken_back(ledger: &mut dyn Ledger) {
    let main = key("a");
    let revert = Key { place: Place { role: Role::Revert, ..main.place.clone() }, ..main.clone() };
    let failed = || What::DeployFailed { by: "ops@web-1".to_owned(), detail: "effects kept".to_owned() };
    let mut first = Journal::begin(ledger, "r1");
    first.add(&main, started(&main)).add(&main, finished(&main, Outcome::Succeeded)).end(Status::Success);
    let late = event("r1", 4, started(&revert));
    assert!(matches!(ledger.append(&late, None, Durability::Later), Err(LedgerError::Refused { refusal: Refusal::Over, .. })));
    let mut first = Journal { ledger, run: "r1".to_owned(), next: 4 };
    first.add(&main, failed()).add(&revert, started(&revert)).add(&revert, finished(&revert, Outcome::Succeeded));
    assert_eq!(ledger.runs(&target("shop"), 1).unwrap()[0].status, Some(Status::SucceededButDeployFailed));
    assert_eq!(ledger.last_success(&target("shop")).unwrap(), None);
    assert_eq!(remembered(ledger, &revert).map(|memory| memory.outcome), Some(Some(Outcome::Succeeded)));
    let taken_back = Outcome::Skipped { reason: SkipReason::Reverted };
    assert_eq!(remembered(ledger, &main), Some(memory(Some(taken_back), "r1", 1)), "what was reverted is not done any more");
    let more = event("r1", 7, started(&main));
    assert!(matches!(ledger.append(&more, None, Durability::Later), Err(LedgerError::Refused { refusal: Refusal::Over, .. })));
}

pub(super) fn every_part_of_the_key_tells_executions_apart(ledger: &mut dyn Ledger) {
    let main = key("a");
    let mut keys = vec![main.clone(); 5];
    keys[1].place.role = Role::Revert;
    keys[2].place.instance = Some(InstanceName::new("web-1").unwrap());
    keys[3].place.hook = None;
    keys[4].place.step = StepName::new("start").unwrap();
    let mut journal = Journal::begin(ledger, "r1");
    for key in &keys {
        journal.add(key, started(key));
    }
    let mut other_release = main.clone();
    other_release.release = "v2".to_owned();
    journal.add(&other_release, started(&other_release)).add(&main, finished(&main, Outcome::Succeeded));

    keys.sort();
    let found = ledger.memories(&target("shop"), "v1").unwrap();
    assert_eq!(found.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>(), "sorted, none missing");
    assert_eq!(found.iter().filter(|(_, memory)| memory.outcome.is_some()).count(), 1);
    assert_eq!(ledger.memories(&target("shop"), "v2").unwrap().len(), 1);
    assert!(ledger.memories(&target("other"), "v1").unwrap().is_empty());
}

pub(super) fn runs_are_listed_newest_first(ledger: &mut dyn Ledger) {
    Journal::begin(ledger, "r1").end(Status::Success);
    Journal::begin(ledger, "r2").end(Status::Failed);
    Journal::begin(ledger, "r3");
    begin(ledger, &target("other"), "r4");
    let runs = ledger.runs(&target("shop"), 2).unwrap();
    assert_eq!(runs.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["r3", "r2"]);
    assert_eq!((runs[0].status, runs[1].status), (None, Some(Status::Failed)));
    assert_eq!((runs[0].release.as_str(), runs[0].commit.as_ref()), ("v1", Some(&commit('a'))));
    assert_eq!(ledger.unfinished(&target("shop")).unwrap().map(|run| run.run), Some(run_id("r3")));
    assert_eq!(ledger.last_success(&target("shop")).unwrap().map(|run| run.run), Some(run_id("r1")));
    assert_eq!(ledger.last_success(&target("other")).unwrap(), None);
    assert_eq!(ledger.targets().unwrap(), [target("other"), target("shop")]);
}

pub(super) fn a_dry_run_leaves_only_its_journal(ledger: &mut dyn Ledger) {
    let (shop, key) = (target("shop"), key("a"));
    ledger.begin(&shop, "v1", "{}", &run_started("r1", RunHeader { dry_run: true, ..header(&shop) })).unwrap();
    Journal { ledger, run: "r1".to_owned(), next: 1 }.add(&key, started(&key));
    assert_eq!(ledger.unfinished(&shop).unwrap(), None);
    Journal { ledger, run: "r1".to_owned(), next: 2 }.add(&key, finished(&key, Outcome::Succeeded)).end(Status::Success);
    assert_eq!(remembered(ledger, &key), None);
    assert_eq!(ledger.last_success(&shop).unwrap(), None);
    assert_eq!(ledger.commit_of_tag(&shop, &Tag::new("v1").unwrap()).unwrap(), None);
    assert!(ledger.runs(&shop, 9).unwrap()[0].dry_run);
    assert_eq!(ledger.events(&run_id("r1")).unwrap().len(), 4);
}

pub(super) fn a_run_of_a_selection_stands_for_nothing_but_itself(ledger: &mut dyn Ledger) {
    let (shop, key) = (target("shop"), key("a"));
    ledger.begin(&shop, "v1", "{}", &run_started("r1", RunHeader { partial: true, ..header(&shop) })).unwrap();
    Journal { ledger, run: "r1".to_owned(), next: 1 }
        .add(&key, started(&key))
        .add(&key, finished(&key, Outcome::Succeeded))
        .end(Status::Success);
    assert_eq!(ledger.last_success(&shop).unwrap(), None, "what wasn't selected is still to be done");
    assert!(ledger.runs(&shop, 9).unwrap()[0].partial);
    assert_eq!(remembered(ledger, &key).and_then(|memory| memory.outcome), Some(Outcome::Succeeded), "what ran is done");
}

pub(super) fn a_tag_points_where_it_was_last_deployed(ledger: &mut dyn Ledger) {
    let (shop, tag) = (target("shop"), Tag::new("v1").unwrap());
    assert_eq!(ledger.commit_of_tag(&shop, &tag).unwrap(), None);
    begin(ledger, &shop, "r1");
    assert_eq!(ledger.commit_of_tag(&shop, &tag).unwrap(), Some(commit('a')));
    ledger.begin(&shop, "v1", "{}", &run_started("r2", RunHeader { commit: Some(commit('b')), ..header(&shop) })).unwrap();
    assert_eq!(ledger.commit_of_tag(&shop, &tag).unwrap(), Some(commit('b')));
    assert_eq!(ledger.commit_of_tag(&target("other"), &tag).unwrap(), None);
}

pub(super) fn the_journal_has_an_order(ledger: &mut dyn Ledger) {
    let refusal = |result: Result<(), LedgerError>| match result {
        Err(LedgerError::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    };
    let shop = target("shop");
    let start = run_started("r1", header(&shop));
    let mut append = |event: &Event| ledger.append(event, None, Durability::Now);
    assert!(matches!(append(&event("r1", 1, warning("early"))), Err(LedgerError::NoSuchRun { .. })));
    assert_eq!(refusal(ledger.begin(&shop, "v1", "{}", &event("r1", 0, warning("no start")))), Refusal::NotAStart);
    assert_eq!(refusal(ledger.begin(&target("other"), "v1", "{}", &start)), Refusal::OtherTarget);
    assert!(ledger.targets().unwrap().is_empty(), "nothing of a refused run is recorded");
    ledger.begin(&shop, "v1", "{}", &start).unwrap();
    assert_eq!(refusal(ledger.begin(&shop, "v1", "{}", &start)), Refusal::Known);

    let mut append = |event: &Event| ledger.append(event, None, Durability::Later);
    assert_eq!(refusal(append(&event("r1", 2, warning("gap")))), Refusal::Gap { expected: 1, found: 2 });
    append(&event("r1", 1, warning("fits"))).unwrap();
    assert_eq!(refusal(append(&event("r1", 1, warning("twice")))), Refusal::Gap { expected: 2, found: 1 });
    append(&event("r1", 2, run_finished(Status::Success))).unwrap();
    assert_eq!(refusal(append(&event("r1", 3, warning("late")))), Refusal::Over);
    let seen: Vec<u64> = ledger.events(&run_id("r1")).unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seen, [0, 1, 2]);
    assert!(matches!(ledger.events(&run_id("r9")), Err(LedgerError::NoSuchRun { .. })));
}

pub(super) fn a_run_keeps_its_plan_and_its_last_event(ledger: &mut dyn Ledger) {
    let (key, mut shop) = (key("a"), Journal::begin(ledger, "r1"));
    shop.add(&key, started(&key));
    shop.ledger.write().unwrap();
    assert_eq!(shop.ledger.last_event(&run_id("r1")).unwrap(), event("r1", 1, started(&key)));
    shop.add(&key, finished(&key, Outcome::Succeeded)).add(&key, warning("one\nmore"));
    begin(shop.ledger, &target("other"), "r2");
    assert_eq!(shop.ledger.last_event(&run_id("r1")).unwrap(), event("r1", 3, warning("one\nmore")), "also before it is written");
    assert_eq!(shop.ledger.events(&run_id("r1")).unwrap().len(), 4);
    assert_eq!(shop.ledger.plan(&run_id("r1")).unwrap(), "{}");
    assert!(matches!(shop.ledger.plan(&run_id("r9")), Err(LedgerError::NoSuchRun { .. })));
    assert!(matches!(shop.ledger.last_event(&run_id("r9")), Err(LedgerError::NoSuchRun { .. })));
}

/// One test for each expectation; `$make` hands it a new ledger.
macro_rules! expectations {
    ($make:path) => {
        $crate::ledger::suite::expectations! { $make;
            an_attempt_is_open_until_its_outcome_is_known
            walking_past_changes_no_memory
            a_hook_that_ran_and_skipped_itself_is_remembered
            a_later_run_may_say_what_became_of_an_execution
            what_a_person_says_holds_also_after_the_run
            s2_19_a_deployment_that_failed_later_is_no_success_and_may_be_taken_back
            what_a_crash_left_open_is_unresolved_until_it_runs_again
            every_part_of_the_key_tells_executions_apart
            runs_are_listed_newest_first
            a_dry_run_leaves_only_its_journal
            a_run_of_a_selection_stands_for_nothing_but_itself
            a_tag_points_where_it_was_last_deployed
            the_journal_has_an_order
            a_run_keeps_its_plan_and_its_last_event
        }
    };
    ($make:path; $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $make($crate::ledger::suite::$name);
            }
        )*
    };
}
pub(super) use expectations;
