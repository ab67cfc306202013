//! How long after its deadline a native hook's run goes on. Machines are busy, so that the best of several tries counts; who overruns does so
//! each time.

use super::*;
use crate::model::outcome::TimeLimit;

const TIMEOUT: u64 = 500;
const GRACE: u64 = 200;
const PROMISED: Duration = Duration::from_millis(TIMEOUT + GRACE + 1_000);
const TRIES: usize = 10;

#[tokio::test]
async fn a_second_after_the_grace_period_the_run_goes_on_and_no_descendant_is_left() {
    // Nobody takes TERM; one holds the pipes, one left the group and the session.
    let deaf = |name: &str| format!("sh -c 'trap \"\" TERM HUP; echo $$ > OUT/{name}; while :; do sleep 60; done' &");
    let line = format!("trap '' TERM; {} setsid {} while :; do sleep 60; done", deaf("near"), deaf("far"));
    let mut all: Vec<Duration> = Vec::new();
    while all.last().is_none_or(|took| *took >= PROMISED) {
        assert!(all.len() < TRIES, "{all:?}");
        let world = World::new();
        let out = world.folder("out");
        let mut job = sh(&line.replace("OUT", &out)).grant(&out, DirMode::Write).timeout(TIMEOUT);
        job.limits.grace_ms = GRACE;
        let start = Instant::now();
        let execution = world.run(&job).await;
        all.push(start.elapsed());
        assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
        for name in ["near", "far"] {
            assert!(!alive(pid_in(&format!("{out}/{name}")).await), "{name}");
        }
    }
}
