//! Every point at which a run changes something that must survive, with every fault, by the program itself and with each way of staging.
//!
//! A case lets a fresh release meet one fault at one point. Then a run of one harmless hook brings what is left to an end, so that it can be
//! looked at before anything runs again; then a whole run finishes the release. How many points there are is found out by going on until a run
//! ends before its fault: a new point can't be forgotten.

use super::checks::{self, States};
use super::world::World;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const RUN: &[&str] = &["run", "--tag", "v1"];
const HARMLESS: &[&str] = &["run", "--tag", "v1", "--only", "last"];

/// The ways of staging that work on this machine, each with the state of the release before and after.
fn backends(cache: &Path) -> Vec<(&'static str, States)> {
    // Root mounts overlays itself; others do it in a user namespace.
    let overlay = ["overlay", "user-overlay"].into_iter().find_map(|stage| Some((stage, states(cache, stage).ok()?)));
    overlay.into_iter().chain([("copy", states(cache, "copy").unwrap())]).collect()
}

/// What a run without faults makes of a release.
fn states(cache: &Path, stage: &str) -> Result<States, String> {
    let world = World::new(cache);
    let old = checks::trees(&world);
    let ran = world.command(RUN, stage).output().unwrap();
    if !ran.status.success() {
        return Err(said(&ran));
    }
    let states = States { old, new: checks::trees(&world) };
    let wrong = checks::ended(&world, &states);
    assert!(wrong.is_empty(), "{stage}: without any fault: {wrong:#?}");
    Ok(states)
}

fn said(ran: &Output) -> String {
    format!("{}\n{}{}", ran.status, String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
}

/// One way of staging with one kind of fault, point after point.
struct Series {
    stage: &'static str,
    states: States,
    fault: &'static str,
    next: AtomicU64,
    over: AtomicBool,
}

impl Series {
    /// Tries its next point; `None` if it has no more.
    fn try_next(&self, cache: &Path) -> Option<Vec<String>> {
        if self.over.load(Ordering::SeqCst) {
            return None;
        }
        let fault = format!("{}:{}", self.next.fetch_add(1, Ordering::SeqCst), self.fault);
        let tried = self.case(cache, &fault);
        if tried.is_none() {
            self.over.store(true, Ordering::SeqCst);
        }
        let named = |wrong: String| format!("{}, {fault}: {wrong}", self.stage);
        tried.map(|wrong| wrong.into_iter().map(named).collect())
    }

    /// What is wrong after that fault; `None` if the run ended before it.
    fn case(&self, cache: &Path, fault: &str) -> Option<Vec<String>> {
        let world = World::new(cache);
        let count = world.path().join("count");
        let first = world.command(RUN, self.stage).env("WASMHOOK_FAULT", fault).env("WASMHOOK_FAULT_COUNT", &count).output().unwrap();
        let point: u64 = fault.split(':').next().unwrap().parse().unwrap();
        let passed = std::fs::read_to_string(&count).ok().map(|count| count.parse::<u64>().unwrap());
        if passed.is_some_and(|passed| passed <= point) {
            return None;
        }
        let mut wrong = Vec::new();
        match (first.status.code(), self.fault) {
            (None, "kill") | (Some(0 | 1 | 3 | 70), "eio" | "enospc") => {}
            _ => wrong.push(format!("the run ended oddly: {}", said(&first))),
        }
        wrong.extend(self.afterwards(&world).into_iter().map(|wrong| format!("{wrong}\nafter {}", said(&first))));
        Some(wrong)
    }

    fn afterwards(&self, world: &World) -> Vec<String> {
        // Refused or not: what the first run left comes to an end before anything else.
        let next = world.command(HARMLESS, self.stage).output().unwrap();
        let wrong = checks::recovered(world, &self.states);
        if !wrong.is_empty() {
            return wrong.into_iter().map(|wrong| format!("{wrong}\nthen {}", said(&next))).collect();
        }
        let mut last = world.command(RUN, self.stage).output().unwrap();
        if !last.status.success() {
            // Only a hook with live effects may wait for somebody who looks what it did.
            let resolution = if world.logged("live") == 0 { "--retry" } else { "--mark-done" };
            let resolved = world.command(&["resolve", "release/live", resolution], self.stage).output().unwrap();
            if !resolved.status.success() {
                return vec![format!("it can't be gone on with: {}\n{}", said(&last), said(&resolved))];
            }
            last = world.command(RUN, self.stage).output().unwrap();
        }
        let mut wrong = checks::ended(world, &self.states);
        if !last.status.success() {
            wrong.push("the last run failed".to_owned());
        }
        wrong.into_iter().map(|wrong| format!("{wrong}\nat last {}", said(&last))).collect()
    }
}

#[test]
fn a_hook_that_was_not_selected_is_not_done_because_its_phase_was_committed() {
    let cache = tempfile::tempdir().unwrap();
    let states = states(cache.path(), "copy").unwrap();
    for point in 0.. {
        let world = World::new(cache.path());
        let mut first = world.command(&["run", "--tag", "v1", "--only", "one"], "copy");
        let first = first.env("WASMHOOK_FAULT", format!("{point}:kill")).output().unwrap();
        let last = world.command(RUN, "copy").output().unwrap();
        let wrong = checks::ended(&world, &states);
        assert!(last.status.success() && wrong.is_empty(), "{point}: {wrong:#?}\n{}\nafter {}", said(&last), said(&first));
        if first.status.success() {
            assert!(point > 20, "a run of one hook passes more than {point} points");
            return;
        }
    }
}

#[test]
fn after_a_fault_at_any_point_everything_is_old_or_new_and_the_ledger_knows_which() {
    let cache = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for fault in ["kill", "eio", "enospc"] {
        for (stage, states) in backends(cache.path()) {
            all.push(Series { stage, states, fault, next: AtomicU64::new(0), over: AtomicBool::new(false) });
        }
    }
    let stages: BTreeSet<&str> = all.iter().map(|series| series.stage).collect();
    let (tried, wrong) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let worker = || {
        for series in &all {
            while let Some(found) = series.try_next(cache.path()) {
                tried.fetch_add(1, Ordering::SeqCst);
                for wrong in &found {
                    println!("WRONG {wrong}\n");
                }
                wrong.lock().unwrap().extend(found);
            }
        }
    };
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(worker);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let tried = tried.load(Ordering::SeqCst);
    // Not by `println!`: what a test that passes prints is kept from people.
    let figures = format!("crash points tried: {tried}, states found wrong: {} ({:.0?}, {stages:?})", wrong.len(), begun.elapsed());
    writeln!(std::io::stdout(), "{figures}").unwrap();
    assert!(wrong.is_empty(), "{} wrong, the first of them:\n{}", wrong.len(), wrong[..wrong.len().min(3)].join("\n\n"));
    let least = 50 * all.len() as u64;
    assert!(tried > least, "a release passes more than {least} points");
    if stages.len() == 2 {
        let said = of_the_readme();
        assert!(tried.abs_diff(said) * 20 <= said, "README.md says {said} crash points, and {tried} were tried");
    }
}

/// The figure that stands in the README.
fn of_the_readme() -> u64 {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, figure) = readme.split_once("crash points tried: ").unwrap();
    figure.split(", ").next().unwrap().replace(',', "").parse().unwrap()
}
