//! One run at a time for each application and environment, across processes.

use rustix::process::Signal;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project, Running};

/// A hook that says `waiting` and goes on once there is a file `go`.
fn project() -> Project {
    let lines = "run = \"./wait.sh\"\nonce = false\nidempotent = true\ndirs = [{ path = \".\", mode = \"write\" }]";
    Project::new(&hook("wait", "pre-deploy", lines))
        .file("wait.sh", "#!/bin/sh\necho waiting >> log; echo waiting\nwhile [ ! -e go ]; do sleep 0.02; done\n")
}

fn start(place: &Place, project: &Project, args: &[&str]) -> Running {
    let mut run = place.args([&["run", "--tag", "v1"], args].concat()).current_dir(project.path()).spawn();
    run.wait_for("│ waiting");
    run
}

#[test]
fn the_second_run_says_for_whom_it_waits_and_then_runs() {
    let (place, project) = (Place::new(), project());
    let first = start(&place, &project, &[]);
    let mut second = place.args(["run", "--tag", "v2"]).current_dir(project.path()).spawn();
    second.wait_for("waiting for the lock: ");
    assert!(second.is_running());
    assert_eq!(project.read("log"), "waiting\n", "nothing of the second ran");
    project.write("go", "");
    let pid = first.pid();
    assert_eq!(first.wait().code, 0);
    let second = second.wait().exits(0);
    assert!(second.said().contains(&format!("process {pid}")), "{}", second.stderr);
    assert_eq!(project.read("log"), "waiting\nwaiting\n");
}

#[test]
fn status_shows_the_run_and_the_owner_of_its_lock() {
    let (place, project) = (Place::new(), project());
    let running = start(&place, &project, &[]);
    let status = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let status = status.report();
    assert_eq!((status["locked"].as_bool(), status["runs"][0]["state"].as_str()), (Some(true), Some("running")), "{status}");
    assert_eq!(status["locked_by"]["pid"].as_u64(), Some(u64::from(running.pid())), "{status}");
    assert!(status["last_sign"].is_string(), "{status}");
    let human = place.args(["status"]).current_dir(project.path()).run().exits(0);
    assert!(human.said().contains(&running.pid().to_string()) && human.said().contains("run --tag v1"), "{}", human.stdout);
    project.write("go", "");
    assert_eq!(running.wait().code, 0);
    let after = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert_eq!((after["locked"].as_bool(), after["runs"][0]["state"].as_str()), (Some(false), Some("ended")));
}

#[test]
fn what_a_running_run_is_doing_is_nothing_that_died() {
    let lines = "run = \"./wait.sh\"\nonce = true\ndirs = [{ path = \".\", mode = \"write\" }]";
    let script = "#!/bin/sh\necho waiting\nwhile [ ! -e go ]; do sleep 0.02; done\n";
    let (place, project) = (Place::new(), Project::new(&hook("wait", "pre-deploy", lines)).file("wait.sh", script));
    let running = start(&place, &project, &[]);
    let call = |args: &[&str]| place.args([args, &["--tag", "v1"]].concat()).current_dir(project.path()).run().exits(0);
    let plan = call(&["plan"]);
    assert!(plan.stdout.contains("pre-deploy/wait: run") && plan.said().contains("[run-is-on]"), "{}{}", plan.stdout, plan.stderr);
    let planned = call(&["plan", "--format", "json"]).json();
    assert_eq!(planned["decisions"][0]["decision"], "run", "{planned:#}");
    project.write("go", "");
    let tried = call(&["run", "--dry-run"]);
    assert!(!tried.said().contains("wasmhook resolve"), "{}", tried.stderr);
    assert_eq!(running.wait().code, 0);
    assert!(call(&["plan"]).stdout.contains("pre-deploy/wait: skip: already done"));
}

#[test]
fn a8_stale_lock_a_killed_owner_blocks_nobody() {
    let (place, project) = (Place::new(), project());
    let first = start(&place, &project, &[]);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().code, 137);
    let died = place.args(["status", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert_eq!((died["locked"].as_bool(), died["runs"][0]["state"].as_str()), (Some(false), Some("died")), "{died}");
    project.write("go", "");
    let second = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(!second.said().contains("waiting for the lock"), "{}", second.stderr);
}

#[test]
fn two_environments_run_at_the_same_time() {
    let (place, project) = (Place::new(), project());
    let one = start(&place, &project, &["--env-name", "one"]);
    let two = start(&place, &project, &["--env-name", "two"]);
    project.write("go", "");
    assert_eq!((one.wait().code, two.wait().code), (0, 0));
}

#[test]
fn a_profile_that_fails_when_locked_ends_with_4_and_one_that_skips_with_0() {
    for (on_locked, code, status) in [("fail", 4, "locked"), ("skip", 0, "skipped")] {
        let (place, project) = (Place::new(), project());
        let text = std::fs::read_to_string(wasmhook_tests::programs::root().join("runtime/profiles/default.toml")).unwrap();
        let profile =
            text.replace("on_locked = \"wait\"", &format!("on_locked = \"{on_locked}\"")).replace("name = \"default\"", "name = \"own\"");
        project.write("own.toml", profile);
        let first = start(&place, &project, &["--profile", "./own.toml"]);
        let second = place.args(["run", "--profile", "./own.toml", "--format", "json"]).current_dir(project.path()).run().exits(code);
        assert_eq!(second.report()["status"], status);
        assert!(second.said().contains(&format!("process {}", first.pid())), "{}", second.stderr);
        project.write("go", "");
        assert_eq!(first.wait().code, 0);
    }
}

#[test]
fn waiting_has_an_end_where_one_is_given() {
    let (place, project) = (Place::new(), project());
    let first = start(&place, &project, &[]);
    let second = place.args(["run", "--lock-timeout", "100ms", "--format", "json"]).current_dir(project.path()).run().exits(4);
    assert_eq!(second.report()["status"], "locked");
    let who = format!("process {}, alive", first.pid());
    assert!(second.said().contains(&who) && second.said().contains("run --tag v1"), "{}", second.stderr);
    let wrong = place.args(["run", "--lock-timeout", "soon"]).current_dir(project.path()).run().exits(2);
    assert!(wrong.said().contains("--lock-timeout: `soon` is not a duration"), "{}", wrong.stderr);
    project.write("go", "");
    assert_eq!(first.wait().code, 0);
}

#[test]
fn unlock_names_the_owner_and_takes_the_lock_away_only_by_force() {
    let (place, project) = (Place::new(), project());
    let unlock = |args: &[&str]| place.args([&["unlock"], args].concat()).current_dir(project.path()).run();
    assert!(unlock(&[]).exits(0).said().contains("shop/default is not locked"));
    let first = start(&place, &project, &[]);
    let explained = unlock(&[]).exits(4);
    assert!(explained.said().contains(&format!("process {}, alive", first.pid())), "{}", explained.stderr);
    assert!(explained.said().contains("unlock --force"), "{}", explained.stderr);
    let broken = unlock(&["--force"]).exits(0);
    assert!(broken.said().contains("the lock was taken away from"), "{}", broken.stdout);
    assert!(unlock(&["--force"]).exits(0).said().contains("not locked"));

    project.write("go", "");
    let cut_off = first.wait();
    assert_eq!(cut_off.code, 70, "it can record nothing any more: {}", cut_off.stderr);
    assert!(cut_off.stderr.contains("error[unlocked]") && cut_off.stderr.contains("its lock was taken away"), "{}", cut_off.stderr);
    let shown = place.args(["show", "--format", "json"]).current_dir(project.path()).run().exits(0).report();
    assert!(shown["notices"].to_string().contains("\"unlocked\""), "{shown}");
    let next = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(next.said().contains("run-died"), "{}", next.stderr);
}

/// A lifecycle in which a run that is older than this is ended, and has twice this grace for it, and replaced.
fn impatient(project: &Project, stale_after: &str, grace: &str) {
    let text = std::fs::read_to_string(wasmhook_tests::programs::root().join("runtime/profiles/default.toml")).unwrap();
    let lock = format!("on_locked = \"fail\"\nstale_after = \"{stale_after}\"");
    let text = text.replace("on_locked = \"wait\"", &lock).replace("name = \"default\"", "name = \"own\"");
    project.write("own.toml", text.replace("timeout = \"300s\"", &format!("timeout = \"300s\"\ngrace = \"{grace}\"")));
}

/// A hook that hangs when it runs for the first time; `trap` is how it takes TERM.
fn hanging(trap: &str) -> Project {
    let lines = "run = \"./hang.sh\"\nidempotent = true\ngrace = \"5m\"\ndirs = [{ path = \".\", mode = \"write\" }]";
    let script = format!("#!/bin/sh\n{trap}\nmkdir first 2> /dev/null || exit 0\necho waiting\nwhile :; do sleep 0.02; done\n");
    Project::new(&hook("wait", "pre-deploy", lines)).file("hang.sh", script)
}

#[test]
fn a29_a_run_that_is_too_old_is_told_to_stop_and_replaced() {
    let (place, project) = (Place::new(), hanging(""));
    impatient(&project, "1ms", "1m");
    let first = start(&place, &project, &["--profile", "./own.toml"]);
    let second =
        place.args(["run", "--tag", "v1", "--profile", "./own.toml", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let report = second.report();
    let notices = report["notices"].to_string();
    assert!(notices.contains("stale-run") && notices.contains("it was told to stop, and did"), "{notices}");
    assert!(notices.contains(&format!("process {}", first.pid())), "{notices}");
    assert!(first.wait().exits(143).said().contains("interrupted"), "it ended in order");
}

#[test]
fn a29_a_run_that_does_not_stop_is_killed_and_treated_as_a_crash() {
    let (place, project) = (Place::new(), hanging("trap '' TERM"));
    impatient(&project, "1ms", "250ms");
    let first = start(&place, &project, &["--profile", "./own.toml"]);
    let second =
        place.args(["run", "--tag", "v1", "--profile", "./own.toml", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let report = second.report();
    assert!(report["notices"].to_string().contains("didn't, and was killed"), "{report}");
    assert_eq!(first.wait().code, 137);
    assert_eq!(report["hooks"][0]["attempt"], 2, "{report}");
    assert!(second.said().contains("run-died"), "{}", second.stderr);
}

#[test]
fn a29_a_run_that_is_young_enough_is_left_alone() {
    let (place, project) = (Place::new(), hanging(""));
    impatient(&project, "1h", "1m");
    let mut first = start(&place, &project, &["--profile", "./own.toml"]);
    let second =
        place.args(["run", "--tag", "v1", "--profile", "./own.toml", "--format", "json"]).current_dir(project.path()).run().exits(4);
    assert!(second.said().contains(&format!("process {}", first.pid())), "{}", second.stderr);
    assert!(first.is_running());
}

#[test]
fn a29_a_process_that_watches_is_not_ended_because_of_one_run() {
    let (place, project) = (Place::new(), hanging(""));
    impatient(&project, "1ms", "1m");
    let mut watch = place.args(["watch", "--profile", "./own.toml"]).current_dir(project.path()).spawn();
    watch.wait_for("│ waiting");
    let second = place.args(["run", "--tag", "v1", "--profile", "./own.toml"]).current_dir(project.path()).run().exits(4);
    assert!(second.said().contains("its process is not there for this run alone"), "{}", second.stderr);
    assert!(watch.is_running());
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().code, 143);
}
