//! Host steps have the operator's rights, and an end all the same: a deadline for their whole process group, and a limit of what is kept of
//! their output.

use std::path::Path;
use std::time::{Duration, Instant};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// The step `deploy` is a script of this text, with these keys.
fn stepping(script: &str, keys: &str) -> Project {
    let lines = format!(
        "{}[host_step.deploy]\nrun = \"./deploy.sh\"\n{keys}\n",
        hook("late", "post-deploy", "run = \"touch ran\"\ndirs = [{ path = \".\", mode = \"write\" }]")
    );
    Project::new(&lines).file("deploy.sh", format!("#!/bin/sh\n{script}\n"))
}

fn step(report: &serde_json::Value, name: &str) -> serde_json::Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("{name} in {report}")).clone()
}

/// Whether the process whose id a script wrote down is there, and no zombie.
fn lives(project: &Project, file: &str) -> bool {
    let stat = Path::new("/proc").join(project.read(file).trim()).join("stat");
    std::fs::read_to_string(stat).is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, state)| state.trim().starts_with('Z')))
}

#[test]
fn at_its_deadline_a_step_is_ended_with_all_that_it_started() {
    // Both take no TERM, and the child holds the pipes; they would last for ten minutes.
    let script =
        "trap '' TERM\necho $$ > main\nsh -c 'echo $$ > child; exec sleep 600' &\nwhile ! [ -s child ]; do sleep 0.01; done\nsleep 600";
    let project = stepping(script, "timeout = \"1s\"\ngrace = \"100ms\"");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1);
    let report = ran.report();
    let deploy = step(&report, "deploy");
    assert_eq!((&deploy["outcome"], &deploy["cause"]["limit"]), (&"timed-out".into(), &"deadline".into()), "{deploy}");
    assert_eq!(report["first_error"]["step"], "deploy");
    assert!(!project.has("ran"), "what follows doesn't run");
    let begun = Instant::now();
    while lives(&project, "main") || lives(&project, "child") {
        assert!(begun.elapsed() < Duration::from_mins(1), "something of it still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_output_of_a_step_is_cut_and_it_goes_on() {
    let project = stepping("seq 100000; echo $? > wrote", "output = \"1KiB\"");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stderr.contains("[output truncated at 1 KiB]"), "{}", &ran.stderr[ran.stderr.len().saturating_sub(500)..]);
    let kept: usize = ran.stderr.lines().filter_map(|line| line.split_once("deploy │ ")).map(|(_, line)| line.len()).sum();
    assert!(kept < 2 << 10, "{kept} bytes are kept");
    assert_eq!(project.read("wrote"), "0\n", "it saw no broken pipe");
    assert_eq!(step(&ran.report(), "deploy")["outcome"], "succeeded");
}
