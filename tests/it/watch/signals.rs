//! INT and TERM in each state, without an application.

use super::bed::{Bed, Jobs, UNTIL_GO};
use rustix::process::Signal;
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn s4_26_a_sleeping_watch_stops_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let bed = Bed::plain();
        let watch = bed.watch(&["--interval", "1h"]).spawn();
        bed.wait_runs(1);
        watch.signal(signal);
        assert_eq!(watch.wait().exits(code).code, code);
        assert_eq!(bed.status()["runs"][0]["status"], "success");
    }
}

#[test]
fn a_watch_whose_job_runs_cancels_it_and_the_next_one_runs_it_again() {
    let bed = Bed::new(&Jobs { pre: ": > ../../log/waiting; sleep 600", post: "" });
    let watch = bed.follow(&[]);
    bed.wait_file("log/waiting");
    watch.signal(Signal::TERM);
    let ran = watch.wait().exits(143);
    assert!(ran.said().contains("interrupted"), "{}", ran.stderr);
    assert_eq!(bed.status()["runs"][0]["status"], "interrupted");
    bed.jobs(&Jobs { pre: "", post: "" });
    bed.push("2");
    let _ = bed.once().exits(0);
    assert_eq!(bed.log(), ["pre 1", "pre 2", "post 2"]);
}

#[test]
fn a_watch_that_asks_a_remote_that_hangs_stops_at_once() {
    let bed = Bed::plain();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bed.git("app", &["remote", "set-url", "origin", &format!("git://{}/app.git", listener.local_addr().unwrap())]);
    let watch = bed.follow(&["--fetch-timeout", "1h"]);
    let (_held, _) = listener.accept().unwrap();
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().exits(143).code, 143);
    assert_eq!(bed.log(), [""; 0]);
}

#[test]
fn a_watch_that_waits_for_the_lock_stops_at_once() {
    let bed = Bed::new(&Jobs { pre: UNTIL_GO, post: "" });
    let first = bed.place.args(["run"]).current_dir(bed.path("app")).spawn();
    bed.wait_file("log/waiting");
    let mut watch = bed.follow(&["--", "sh", "-c", "echo app >> ../log/log"]);
    watch.wait_for("waiting for the lock");
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().exits(143).code, 143);
    bed.write("log/go", "");
    assert_eq!(first.wait().code, 0);
    assert_eq!(bed.log(), ["pre 1", "post 1"], "no application, and no jobs of its");
}

#[test]
fn whoever_asks_twice_does_not_wait_and_the_next_start_knows() {
    // This job takes no hint: it ends only when it is killed, long after the first signal.
    let stubborn = "trap '' TERM INT; : > ../../log/waiting; while [ ! -e ../../log/go ]; do sleep 0.05; done";
    let bed = Bed::new(&Jobs { pre: stubborn, post: "" });
    let mut watch = bed.follow(&[]);
    bed.wait_file("log/waiting");
    watch.signal(Signal::TERM);
    watch.wait_for("interrupted by signal");
    std::thread::sleep(Duration::from_millis(300));
    watch.signal(Signal::TERM);
    let ran = watch.wait().exits(137);
    assert!(ran.stderr.contains("\nstopped at once: "), "as of `run`: {}", ran.stderr);
    assert_eq!(bed.status()["runs"][0]["state"], "died");
    bed.write("log/go", "");
    let again = bed.once().exits(0);
    assert!(again.said().contains("[run-died]"), "{}", again.stderr);
}

#[test]
fn a_watch_that_is_stopped_twice_at_once_ends_in_order() {
    let bed = Bed::new(&Jobs {
        pre: "trap 'sleep 0.3; echo stopped; exit 1' TERM\n: > ../../log/waiting; while :; do sleep 0.05; done",
        post: "",
    });
    let watch = bed.follow(&[]);
    bed.wait_file("log/waiting");
    // As `timeout` does.
    watch.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(10));
    watch.signal(Signal::TERM);
    let ran = watch.wait().exits(143);
    assert!(ran.stderr.contains("│ stopped"), "{}", ran.stderr);
    assert_eq!(bed.status()["runs"][0]["status"], "interrupted");
}
