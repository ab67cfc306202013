//! A run that is killed while a hook writes to a stage has changed nothing, and the next one does it all.

use super::{assert_nothing_left, project};
use rustix::process::Signal;
use wasmhook_tests::Place;
use wasmhook_tests::project::hook;

#[test]
fn a_killed_run_leaves_the_old_state_and_the_next_one_clears_up() {
    let work = "run = \"sh -c 'rm data/old.txt; echo new > data/new.txt; echo written; test -e data/go || sleep 600'\"\ndirs = [{ path = \"data\" }]\nidempotent = true";
    let project = project(&hook("h", "pre-deploy", work));
    let place = Place::new();
    let call = || place.args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path());
    let mut running = call().spawn();
    running.wait_for("│ written");
    running.signal(Signal::KILL);
    let _ = running.wait();
    assert_eq!(project.read("app/data/old.txt"), "old\n");
    assert!(!project.has("app/data/new.txt"));
    project.write("app/data/go", "");
    let _ = call().run().exits(0);
    assert_eq!(project.read("app/data/new.txt"), "new\n");
    assert!(!project.has("app/data/old.txt"));
    assert_nothing_left(&project);
}
