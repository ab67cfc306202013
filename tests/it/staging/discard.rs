//! Mode `discard` of a single grant.

use super::{assert_nothing_left, project};
use wasmhook_tests::Place;
use wasmhook_tests::project::hook;

#[test]
fn what_is_written_is_seen_by_the_hook_and_by_nobody_else() {
    let lines = [
        hook("one", "pre-deploy", "run = \"sh -c 'echo x > data/x; cat data/x'\"\ndirs = [{ path = \"data\", mode = \"discard\" }]"),
        hook("two", "pre-deploy", "run = \"sh -c 'ls data'\"\ndirs = [{ path = \"data\", mode = \"read\" }]"),
    ];
    let project = project(&lines.concat());
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("pre-deploy/one │ x\n") && ran.stderr.contains("pre-deploy/two │ old.txt\n"), "{}", ran.stderr);
    assert!(!project.has("app/data/x"));
    assert_nothing_left(&project);
}
