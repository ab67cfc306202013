//! The application as a child: its code, its signals, its end.

use super::bed::{Bed, Jobs, wait};
use rustix::process::Signal;

/// A shell line of the application: it says what it hears, and ends by TERM with code 5.
const LISTENS: &str = "for s in HUP USR1 USR2 WINCH; do trap \"echo $s >> ../log/log\" $s; done; \
    trap 'echo TERM >> ../log/log; exit 5' TERM; trap 'echo INT >> ../log/log; exit 6' INT; \
    echo app >> ../log/log; while :; do sleep 0.02; done";

#[test]
fn s4_24_signals_reach_the_application_and_its_code_is_passed_on() {
    for (signal, name, code) in [(Signal::TERM, "TERM", 5), (Signal::INT, "INT", 6)] {
        let bed = Bed::plain();
        let watch = bed.follow(&["--", "sh", "-c", LISTENS]);
        wait(|| bed.log().len() == 3, || format!("{:?}", bed.log()));
        bed.wait_runs(1);
        for (signal, name) in
            [(Signal::HUP, "HUP"), (Signal::USR1, "USR1"), (Signal::USR2, "USR2"), (Signal::WINCH, "WINCH"), (signal, name)]
        {
            watch.signal(signal);
            wait(|| bed.log().last().is_some_and(|line| line == name), || format!("{name}: {:?}", bed.log()));
        }
        assert_eq!(watch.wait().exits(code).code, code);
        assert_eq!(bed.log()[3..], ["HUP", "USR1", "USR2", "WINCH", name], "each once");
    }
}

#[test]
fn an_application_that_a_signal_ended_is_128_and_more() {
    let bed = Bed::plain();
    let ran = bed.watch(&["--", "sh", "-c", "kill -KILL $$"]).run();
    assert_eq!(ran.exits(137).code, 137);
}

#[test]
fn an_application_that_can_not_be_started_fails_the_start() {
    let bed = Bed::plain();
    let ran = bed.watch(&["--", "./no-such-program"]).run().exits(127);
    assert!(ran.said().contains("the application `./no-such-program` can't be started"), "{}", ran.stderr);
    assert_eq!(bed.status()["runs"][0]["status"], "failed", "the commit isn't done");
}

#[test]
fn the_application_gets_its_environment_and_starts_in_its_root() {
    let bed = Bed::plain();
    let manifest =
        std::fs::read_to_string(bed.path("origin/wasmhook.toml")).unwrap().replacen("[[hook]]", "[env]\nCOLOR = 'blue'\n[[hook]]", 1);
    bed.write("origin/wasmhook.toml", &manifest);
    bed.push("2");
    let line = "echo \"$COLOR $OWN $(pwd)\" >> ../log/log; tr '\\0' '\\n' < /proc/self/environ | grep -c DEPLOY_ >> ../log/log; exit 0";
    let _ = bed.watch(&["--once", "--", "sh", "-c", line]).env("OWN", "mine").run().exits(0);
    let root = bed.path("app").canonicalize().unwrap();
    let log = bed.log();
    assert!(log.contains(&format!("blue mine {}", root.display())) && log.contains(&"0".to_owned()), "{log:?}");
}

#[test]
fn s4_79_an_application_whose_watch_is_killed_is_told_to_end() {
    let bed = Bed::plain();
    let watch = bed.follow(&["--", "sh", "-c", LISTENS]);
    wait(|| bed.log().len() == 3, || format!("{:?}", bed.log()));
    watch.signal(Signal::KILL);
    assert_eq!(watch.wait().code, 137);
    wait(|| bed.log().last().is_some_and(|line| line == "TERM"), || format!("{:?}", bed.log()));
}

#[test]
fn an_application_that_ends_while_a_job_runs_ends_the_job() {
    let bed = Bed::plain();
    let watch = bed.follow(&["--", "sh", "-c", "while [ ! -e ../log/waiting ]; do sleep 0.02; done; exit 8"]);
    bed.wait_runs(1);
    bed.jobs(&Jobs { pre: ": > ../../log/waiting; sleep 600", post: "" });
    bed.push("2");
    assert_eq!(watch.wait().exits(8).code, 8);
    assert_eq!(bed.status()["runs"][0]["status"], "interrupted");
}

#[test]
fn two_ways_to_start_the_application_are_one_too_many() {
    let bed = Bed::plain();
    bed.write("app/policy.toml", "schema = 1\n[host_step.start]\nrun = 'true'\n");
    let ran = bed.watch(&["--policy", "policy.toml", "--", "true"]).run().exits(2);
    assert!(ran.said().contains("would both start the application"), "{}", ran.stderr);
    assert_eq!(bed.log(), [""; 0]);
    // Alone it is the lifecycle's own step, at the start and at each change.
    bed.write("app/policy.toml", "schema = 1\n[host_step.start]\nrun = \"sh -c 'echo start >> ../log/log'\"\n");
    let _ = bed.watch(&["--policy", "policy.toml", "--once"]).run().exits(0);
    assert_eq!(bed.log(), ["pre 1", "post 1", "start"]);
}

/// An orphan that ends is reaped by the first process of its container, and the exit code is still the application's.
#[test]
fn s4_7_s4_25_as_the_first_process_of_a_container_it_reaps_orphans_and_exits_with_the_code() {
    let bed = Bed::plain();
    // What it leaves behind ends after its parent, and so is nobody's; the shell then looks for the dead.
    let line = "(sh -c 'sleep 0.05' &) ; sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status > ../log/zombies; exit 7";
    let program = wasmhook_tests::call::program();
    let command = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let call = |more: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(command).arg(&program).arg("watch").args(more).current_dir(bed.path("app"));
        unshare.env("XDG_STATE_HOME", bed.path("state")).env("XDG_CACHE_HOME", bed.path("cache"));
        unshare.output().unwrap()
    };
    let ran = call(&["--", "sh", "-c", line]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    if said.contains("unshare failed") || said.contains("Operation not permitted") {
        return eprintln!("not shown here: {said}");
    }
    assert_eq!(ran.status.code(), Some(7), "{said}");
    assert_eq!(std::fs::read_to_string(bed.path("log/zombies")).unwrap(), "", "nobody dead is left");
    bed.jobs(&Jobs { pre: "exit 1", post: "" });
    bed.push("2");
    assert_eq!(call(&["--", "true"]).status.code(), Some(1), "S4.25");
}
