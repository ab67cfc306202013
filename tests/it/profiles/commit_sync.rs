//! Jobs of a followed branch, as their platform's document has them. `watch` has tests of its own.

use std::time::{Duration, Instant};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project, Ran};

const PATIENCE: Duration = Duration::from_mins(1);

fn run(project: &Project, more: &[&str]) -> Ran {
    Place::new().args([&["run", "--format", "json"], more].concat()).current_dir(project.path()).run()
}

fn job(phase: &str, lines: &str) -> String {
    format!("profile = 'commit-sync'\n{}", hook("job", phase, lines))
}

/// A run of one job says nothing of the others: the commit isn't done.
#[test]
fn a_run_of_a_selection_is_no_success_of_its_commit() {
    let project = Project::new(&format!(
        "profile = 'commit-sync'\n{}{}",
        hook("migrate", "pre-deploy", "run = ['touch', 'migrated']"),
        hook("notify", "post-deploy", "run = ['true']")
    ));
    for args in [&["init", "-q"][..], &["add", "."], &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]] {
        assert!(std::process::Command::new("git").args(args).current_dir(project.path()).status().unwrap().success());
    }
    let place = Place::new();
    let run = |more: &[&str]| place.args([&["run"], more].concat()).current_dir(project.path()).run().exits(0);
    let _ = run(&["--only", "notify"]);
    let _ = run(&[]);
    assert!(project.has("migrated"), "what wasn't selected is still to be done");
    assert!(run(&[]).said().contains("commit unchanged"));
}

fn alive(pid: &str) -> bool {
    // A dead child that nobody has reaped yet does nothing any more.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait(come: impl Fn() -> bool) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn s4_14_s4_18_a_job_runs_in_its_folder_and_without_one_in_the_repository() {
    let project = Project::empty().file("jobs/pre/name", "pre").file("name", "root");
    let place = Place::new();
    let call = place.args(["run", "--from-env", "--app", "shop"]).current_dir(project.path());
    let call = call.env("PRE_DEPLOY_COMMAND", "cat name > ../../pre.txt").env("PRE_DEPLOY_FOLDER", "jobs/pre");
    let ran = call.env("POST_DEPLOY_COMMAND", "cat name > post.txt").run().exits(0);
    assert_eq!((project.read("pre.txt"), project.read("post.txt")), ("pre".to_owned(), "root".to_owned()), "{}", ran.stderr);
}

#[test]
fn s4_40_a_job_beyond_its_limit_is_killed_with_everything_that_it_started() {
    let script = "#!/bin/bash
trap '' TERM
(trap '' TERM; echo $BASHPID > child; sleep 600) &
setsid bash -c 'trap \"\" TERM; echo $$ > session; sleep 600' &
while ! [ -s child -a -s session ]; do sleep 0.02; done
sleep 600
";
    let project = Project::new(&job("pre-deploy", "run = './job.sh'\ntimeout = '3s'\ngrace = '100ms'")).file("job.sh", script);
    let report = run(&project, &[]).exits(1).report();
    let entry = &report["hooks"][0];
    assert_eq!((&entry["outcome"], &entry["verdict"]), (&"timed-out".into(), &"abort".into()), "S4.41: {report}");
    for name in ["child", "session"] {
        let pid = project.read(name);
        wait(|| !alive(pid.trim()));
    }
}

/// A job that starts a worker, which runs until it is killed.
const STARTS_A_WORKER: &str = "#!/bin/sh
(echo $$ > /dev/null; sh -c 'echo $$ > worker; exec sleep 600' > /dev/null 2>&1) &
while ! [ -s worker ]; do sleep 0.02; done
";

#[test]
fn s4_64_a_worker_outlives_its_job_only_where_the_hook_is_detached() {
    for (detach, outlives) in [("", false), ("detach = true", true)] {
        let project = Project::new(&job("post-deploy", &format!("run = './job.sh'\n{detach}"))).file("job.sh", STARTS_A_WORKER);
        let report = run(&project, &[]).exits(0).report();
        assert_eq!(report["hooks"][0]["outcome"], "succeeded", "{report}");
        let pid = project.read("worker");
        if outlives {
            assert!(alive(pid.trim()), "it was let go");
            let worker = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
        }
        wait(|| !alive(pid.trim()));
    }
}

#[test]
fn s4_64_a_worker_is_granted_by_the_operator_and_writes_to_nothing_that_ends_with_the_job() {
    let detached = |lines: &str| {
        let lines = format!("run = './job.sh'\ndetach = true\n{lines}");
        Project::new(&job("post-deploy", &lines))
            .file("job.sh", STARTS_A_WORKER)
            .file("policy.toml", "schema = 1\n[policy]\n")
            .file("data/x", "")
    };
    let refused = run(&detached(""), &["--policy", "policy.toml"]).exits(3);
    assert!(refused.said().contains("[policy] detach = true"), "the line that would allow it: {}", refused.stderr);
    let staged = run(&detached("dirs = [{ path = 'data', mode = 'txn' }]"), &[]).exits(2);
    assert!(staged.said().contains("outlives its directory"), "{}", staged.stderr);
    let module = Project::new(&job("post-deploy", "wasm = 'ok.wat'\ndetach = true")).file("ok.wat", wasmhook_tests::project::OK);
    assert!(run(&module, &[]).exits(2).said().contains("`detach` has no effect on a wasm hook"));
    let plan = Place::new().args(["plan"]).current_dir(detached("").path()).run().exits(0);
    assert!(plan.said().contains("detached: what it leaves behind goes on after the run"), "{}", plan.stdout);
}

/// `npx` that writes its arguments down, and fails where a file says so.
const NPX: &str = "#!/bin/sh\necho \"$*\" >> \"$APP_DIR/calls\"\ntest \"$2\" != \"$(cat \"$APP_DIR/fails\")\"\n";

#[test]
fn s4_74_a_job_of_several_steps_verifies_what_it_did() {
    let script = "#!/usr/bin/env bash\nset -euo pipefail\nnpx prisma migrate deploy\nnpx prisma validate\nnpx prisma generate\n";
    let calls = |fails: &str, lines: &str, code: i32| {
        let hook = job("pre-deploy", &format!("run = 'bash migrate.sh'\n{lines}"));
        let project = Project::new(&hook).file("migrate.sh", script).file("bin/npx.sh", NPX).file("fails", fails);
        std::fs::rename(project.path().join("bin/npx.sh"), project.path().join("bin/npx")).unwrap();
        // The application's environment says where its programs are.
        let path = format!("PATH={}:{}\n", project.path().join("bin").display(), std::env::var("PATH").unwrap());
        project.write("app.env", path);
        let report = run(&project, &["--env-file", "app.env"]).exits(code).report();
        (project.read("calls").lines().map(str::to_owned).collect::<Vec<_>>(), report)
    };
    let all = ["prisma migrate deploy", "prisma validate", "prisma generate"];
    assert_eq!(calls("", "", 0).0, all, "a program of this name that records its arguments stands for the real one");
    let (ran, report) = calls("validate", "", 1);
    assert_eq!((&ran[..], &report["status"]), (&all.map(str::to_owned)[..2], &"failed".into()), "the step after it doesn't run");
    // The same as a declaration: what says whether the job took runs after it, and can change nothing.
    let (_, report) = calls("status", "verify = { run = 'npx prisma status' }", 1);
    assert_eq!(report["hooks"][0]["cause"]["kind"], "not-verified", "{report}");
}
