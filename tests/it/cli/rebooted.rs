//! The machine was started anew: whoever held the lock is gone, whatever process has its number now.

use rustix::process::Signal;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Where the owner of a lock is recorded: the one file below the state directory that names its boot.
fn record(place: &Place) -> std::path::PathBuf {
    let mut dirs = vec![place.state()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"boot_id\"")) {
                return path;
            }
        }
    }
    panic!("no record of an owner");
}

#[test]
fn a8_stale_lock_an_owner_of_an_earlier_boot_blocks_nobody_and_nobody_is_ended_in_its_place() {
    let lines = "run = \"./wait.sh\"\nidempotent = true\ndirs = [{ path = \".\", mode = \"write\" }]";
    let (place, project) = (Place::new(), Project::new(&hook("wait", "pre-deploy", lines)));
    project.write("wait.sh", "#!/bin/sh\necho waiting >> log; echo waiting\nwhile [ ! -e go ]; do sleep 0.02; done\n");
    // The most impatient of profiles: a live owner would be ended at once.
    let text = std::fs::read_to_string(wasmhook_tests::programs::root().join("runtime/profiles/default.toml")).unwrap();
    let lock = "on_locked = \"fail\"\nstale_after = \"1ms\"";
    project.write("own.toml", text.replace("on_locked = \"wait\"", lock).replace("name = \"default\"", "name = \"own\""));
    let run = ["run", "--tag", "v1", "--profile", "./own.toml"];
    let mut first = place.args(run).current_dir(project.path()).spawn();
    first.wait_for("│ waiting");
    first.signal(Signal::KILL);
    assert_eq!(first.wait().code, 137);

    // As the file lies there after a crash of the machine, with the number of a process that is there now: this one.
    let mut owner: serde_json::Value = serde_json::from_slice(&std::fs::read(record(&place)).unwrap()).unwrap();
    owner["boot_id"] = "00000000-1111-2222-3333-444444444444".into();
    owner["pid"] = std::process::id().into();
    owner["alone"] = true.into();
    std::fs::write(record(&place), owner.to_string()).unwrap();

    let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert_eq!((status["locked"].as_bool(), status["runs"][0]["state"].as_str()), (Some(false), Some("died")), "{status}");
    let unlock = place.args(["unlock"]).current_dir(project.path()).run().exits(0);
    assert!(unlock.said().contains("not locked"), "{}", unlock.stdout);
    project.write("go", "");
    let second = place.args(run).current_dir(project.path()).run().exits(0);
    assert!(second.said().contains("run-died") && !second.said().contains("waiting for the lock"), "{}", second.stderr);
    assert!(!second.said().contains("stale-run"), "{}", second.stderr);
    assert_eq!(project.read("log"), "waiting\nwaiting\n");
}
