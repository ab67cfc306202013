//! INT and TERM: the current hook is cancelled, the report is written, and the exit code says which it was.

use rustix::process::Signal;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn project(guest: &str) -> Project {
    let lines = [hook("slow", "pre-deploy", &format!("{guest}\ntimeout = \"5m\"")), hook("never", "pre-deploy", "wasm = \"ok.wat\"")];
    Project::new(&lines.concat()).file("ok.wat", OK).guest("sleeps.wasm", programs::wasm("sleeps", Target::P1))
}

#[test]
fn a7_int_and_term_cancel_the_hook_and_the_report_says_interrupted() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for guest in ["wasm = \"sleeps.wasm\"\nargs = [\"240000\"]", "run = \"sh -c 'echo sleeping; sleep 240'\""] {
            let (place, project) = (Place::new(), project(guest));
            let mut run = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).spawn();
            run.wait_for("│ sleeping");
            run.signal(signal);
            let ran = run.wait().exits(code);
            let report = ran.report();
            assert_eq!(
                (report["status"].as_str(), report["hooks"][0]["outcome"].as_str()),
                (Some("interrupted"), Some("cancelled")),
                "{report}"
            );
            assert_ne!(report["hooks"][1]["outcome"], "succeeded", "{guest}");
            assert!(ran.said().contains("wasmhook run --resume --tag v1"), "{}", ran.stderr);
            let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
            assert_eq!((status["locked"].as_bool(), status["runs"][0]["status"].as_str()), (Some(false), Some("interrupted")));
        }
    }
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one_request() {
    let (place, project) = (Place::new(), project("run = \"./slow.sh\"\nidempotent = true"));
    project.write("slow.sh", "#!/bin/sh\ntrap 'sleep 0.3; echo stopped; exit 1' TERM\necho sleeping\nwhile :; do sleep 0.05; done\n");
    let mut run = place.args(["run", "--tag", "v1"]).current_dir(project.path()).spawn();
    run.wait_for("│ sleeping");
    // As `timeout` and a terminal's Ctrl-C under it do.
    run.signal(Signal::TERM);
    std::thread::sleep(std::time::Duration::from_millis(10));
    run.signal(Signal::TERM);
    let ran = run.wait();
    assert_eq!(ran.code, 143, "{}", ran.stderr);
    assert!(ran.stderr.contains("│ stopped"), "{}", ran.stderr);
}

#[test]
fn a_second_signal_ends_the_process_at_once_and_the_next_run_knows() {
    // This hook takes no hint: it ends only when it is killed, long after the first signal.
    let guest = "run = \"./stubborn.sh\"\nidempotent = true";
    let (place, project) = (Place::new(), project(guest));
    project.write("stubborn.sh", "#!/bin/sh\ntrap '' TERM INT\necho sleeping\nwhile :; do sleep 0.1; done\n");
    let mut run = place.args(["run", "--tag", "v1"]).current_dir(project.path()).spawn();
    run.wait_for("│ sleeping");
    run.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    run.signal(Signal::INT);
    let ran = run.wait();
    assert_eq!(ran.code, 137, "as if it had been killed");
    assert!(ran.stderr.contains("\nstopped at once: "), "{}", ran.stderr);
    let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!((status["locked"].as_bool(), status["runs"][0]["state"].as_str()), (Some(false), Some("died")), "{status}");
}
