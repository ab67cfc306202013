//! The release commands: one container for the whole list.

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

#[test]
fn s2_5_later_commands_see_what_earlier_ones_wrote_and_the_deployment_does_not() {
    let commands = [hook("collect", "release", "run = \"sh -c 'echo 7 > found'\""), hook("use", "release", "run = 'cat found'")];
    let project = Project::new(&format!("profile = 'divio'\n{}", commands.concat()));
    let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("release/use │ 7"), "{}", ran.stderr);
    assert!(!project.has("found"));
}
