//! Two runs of one release that begin at the same moment.

use super::checks::{self, States};
use super::world::World;
use std::process::Stdio;

/// How many times; more or fewer with `WASMHOOK_TEST_ROUNDS`.
fn rounds() -> u32 {
    std::env::var("WASMHOOK_TEST_ROUNDS").map_or(1_000, |rounds| rounds.parse().unwrap())
}

#[test]
fn two_runs_at_once_do_everything_once() {
    let cache = tempfile::tempdir().unwrap();
    let mut states: Option<States> = None;
    for round in 0..rounds() {
        let world = World::new(cache.path());
        let old = checks::trees(&world);
        let start = || {
            let mut command = world.command(&["run", "--tag", "v1", "--format", "json"], "copy");
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
        for ran in &both {
            let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
            assert!(ran.status.success(), "round {round}: {}\n{out}{err}", ran.status);
        }
        let states = states.get_or_insert_with(|| States { old, new: checks::trees(&world) });
        let wrong = checks::ended(&world, states);
        assert!(wrong.is_empty(), "round {round}: {wrong:#?}");
        assert_eq!(world.log().iter().filter(|line| *line == "stop").count(), 2, "the second run is a whole one, too");
    }
}
