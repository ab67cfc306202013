//! Deadlines, cancellation, and what a hook leaves behind.

use super::*;
use crate::model::outcome::TimeLimit;

const DEADLINE: Outcome = Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false };

/// Far above what any of these may take, far below the 60 seconds that their sleeps last.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn at_the_deadline_a_hook_may_clean_up() {
    let world = World::new();
    let mut job = sh("trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done").timeout(500);
    job.limits.grace_ms = 30_000;
    let start = Instant::now();
    let execution = world.run(&job).await;
    assert_eq!((execution.outcome, execution.exit_code), (DEADLINE, Some(0)));
    let lines = world.lines();
    assert!(lines[0] == "ready" && lines.contains(&"cleaned".to_owned()), "{lines:?}");
    assert!(start.elapsed() < SOON, "the grace period isn't waited out for nothing");
}

#[tokio::test]
async fn after_the_grace_period_it_is_killed_with_its_whole_group() {
    let world = World::new();
    let out = world.folder("out");
    let line = format!("trap '' TERM; sh -c 'echo $$ > {out}/child; exec sleep 60' & echo $$ > {out}/main; while :; do sleep 60; done");
    let start = Instant::now();
    let execution = world.run(&sh(&line).grant(&out, DirMode::Write).timeout(500)).await;
    assert_eq!((execution.outcome, execution.exit_code), (DEADLINE, None));
    assert!(start.elapsed() < SOON);
    for name in ["main", "child"] {
        assert!(!alive(pid_in(&format!("{out}/{name}")).await), "{name}");
    }
}

#[tokio::test]
async fn a_stopped_hook_ends_too() {
    let world = World::new();
    let mut job = sh("trap 'echo cleaned; exit 0' TERM; kill -STOP $$; sleep 60").timeout(300);
    job.limits.grace_ms = 30_000;
    let execution = world.run(&job).await;
    assert_eq!((execution.outcome, execution.exit_code), (DEADLINE, Some(0)));
    assert_eq!(world.stdout(), ["cleaned"]);
}

#[tokio::test]
async fn descendants_that_left_the_group_are_found() {
    let world = World::new();
    let out = world.folder("out");
    // A daemon as they are made: fork, new session, fork again, the parents gone.
    let daemon =
        format!("setsid sh -c \"sh -c 'trap \\\"\\\" TERM HUP; echo \\$\\$ > {out}/daemon; while :; do sleep 60; done' & exit\" &");
    for (line, outcome) in [("while :; do sleep 60; done", DEADLINE), ("exit 0", Outcome::Succeeded)] {
        let _ = std::fs::remove_file(format!("{out}/daemon"));
        let line = format!("{daemon} while ! [ -s {out}/daemon ]; do sleep 0.01; done; {line}");
        let start = Instant::now();
        let execution = world.run(&sh(&line).grant(&out, DirMode::Write).timeout(3_000)).await;
        assert_eq!(execution.outcome, outcome);
        assert!(start.elapsed() < SOON);
        assert!(!alive(pid_in(&format!("{out}/daemon")).await));
        assert_eq!(world.leftovers(), 0);
    }
}

#[tokio::test]
async fn a_tree_of_sessions_is_ended_to_its_last_leaf() {
    let world = World::new();
    let out = world.folder("out");
    let script = format!("{out}/tree");
    std::fs::write(&script, format!("echo $$ > {out}/$1; [ $1 = 6 ] || setsid sh {script} $(($1 + 1)) & sleep 60\n")).unwrap();
    let line = format!("sh {script} 1 & while ! [ -s {out}/6 ]; do sleep 0.01; done; exit 3");
    let execution = world.run(&sh(&line).grant(&out, DirMode::Write)).await;
    assert_eq!(execution.outcome, exit(3));
    for depth in 1..=6 {
        assert!(!alive(pid_in(&format!("{out}/{depth}")).await), "{depth}");
    }
}

#[tokio::test]
async fn a_process_that_flees_by_forking_is_caught() {
    let world = World::new();
    let out = world.folder("out");
    // Each lives only until it has started the next, in a session of its own.
    let runner = "use POSIX; POSIX::setsid(); while (1) { my $pid = fork; exit if $pid; POSIX::setsid(); utime undef, undef, $ARGV[0]; }";
    let line = format!(
        "touch {out}/alive; perl -e '{runner}' {out}/alive & sleep 0.3; was=$(stat -c %y {out}/alive); sleep 0.2; [ \"$was\" != \"$(stat -c %y {out}/alive)\" ] && exit 6"
    );
    let start = Instant::now();
    let execution = world.run(&sh(&line).grant(&out, DirMode::Write)).await;
    assert_eq!(execution.outcome, exit(6));
    assert!(start.elapsed() < SOON);
    // Whoever was left for the supervisor's later rounds is gone soon, too.
    for _ in 0..100 {
        let touched = || std::fs::metadata(format!("{out}/alive")).unwrap().modified().unwrap();
        let before = touched();
        tokio::time::sleep(Duration::from_millis(200)).await;
        if before == touched() {
            return;
        }
    }
    panic!("it still runs");
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipes_holds_up_nobody() {
    let world = World::new();
    let start = Instant::now();
    let execution = world.run(&sh("echo first; sleep 60 & echo last")).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert_eq!(world.lines(), ["first", "last"]);
    assert!(start.elapsed() < SOON);
    let execution = world.run(&sh("trap '' TERM; yes & wait").timeout(300)).await;
    assert_eq!(execution.outcome, DEADLINE);
    assert!(start.elapsed() < SOON);
}

#[tokio::test]
async fn what_a_descendant_still_has_to_say_is_heard() {
    let world = World::new();
    let execution = world.run(&command(&["bash", "-c", "exec > >(sleep 0.05; cat); echo through a pipe"])).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert_eq!(world.lines(), ["through a pipe"]);
}

#[tokio::test]
async fn a_detached_process_is_let_go_after_success_only() {
    let world = World::new();
    let out = world.folder("out");
    let line = format!("sh -c 'echo $$ > {out}/worker; exec sleep 60' & while ! [ -s {out}/worker ]; do sleep 0.01; done");
    let start = Instant::now();
    let execution = world.run(&sh(&line).grant(&out, DirMode::Write).detached()).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert!(start.elapsed() < SOON, "nobody waits for it");
    let worker = pid_in(&format!("{out}/worker")).await;
    assert!(alive(worker));
    end(worker);

    std::fs::remove_file(format!("{out}/worker")).unwrap();
    let execution = world.run(&sh(&format!("{line}; sleep 60")).grant(&out, DirMode::Write).detached().timeout(1_000)).await;
    assert_eq!(execution.outcome, DEADLINE);
    assert!(gone(pid_in(&format!("{out}/worker")).await).await, "its group ends at the deadline");
}

#[tokio::test]
async fn a_cancelled_hook_ends_as_at_its_deadline() {
    let world = World::new();
    let out = world.folder("out");
    let job =
        sh(&format!("trap 'echo cleaned; exit 5' TERM; echo $$ > {out}/pid; while :; do sleep 0.05; done")).grant(&out, DirMode::Write);
    let cancel = async {
        pid_in(&format!("{out}/pid")).await;
        world.cancel.cancel();
    };
    let (execution, ()) = tokio::join!(world.run(&job), cancel);
    assert_eq!((execution.outcome, execution.exit_code), (Outcome::Cancelled, Some(5)));
    assert!(world.lines().contains(&"cleaned".to_owned()), "{:?}", world.lines());
    assert_eq!(world.leftovers(), 0);
    std::fs::remove_file(format!("{out}/pid")).unwrap();
    assert_eq!(world.run(&job).await.outcome, Outcome::Cancelled);
    assert!(!Path::new(&out).join("pid").exists(), "nothing starts any more");
}

#[tokio::test]
async fn dropping_the_future_ends_everything_and_removes_what_was_private() {
    let world = World::new();
    let out = world.folder("out");
    let line =
        format!("trap '' TERM; setsid sh -c 'echo $$ > {out}/far; exec sleep 60' & echo $$ > {out}/near; while :; do sleep 60; done");
    let job = sh(&line).grant(&out, DirMode::Write);
    {
        let run = world.run(&job);
        let started = async { (pid_in(&format!("{out}/near")).await, pid_in(&format!("{out}/far")).await) };
        tokio::select! {
            _ = run => panic!("it doesn't end by itself"),
            _ = started => {}
        }
    }
    for name in ["near", "far"] {
        assert!(gone(pid_in(&format!("{out}/{name}")).await).await, "{name}");
    }
    for _ in 0..500 {
        if world.leftovers() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the private directory is still there");
}

#[tokio::test]
async fn a_hook_cannot_end_its_supervisor() {
    let world = World::new();
    let execution = world.run(&sh("kill -KILL $PPID && echo killed; exit 4")).await;
    assert_eq!(execution.outcome, exit(4));
    assert!(!world.lines().contains(&"killed".to_owned()));
}

#[tokio::test]
async fn if_the_supervisor_is_killed_so_is_the_hook() {
    let world = World::new();
    let out = world.folder("out");
    let line = format!("echo $$ > {out}/main; kill -KILL $PPID; exec sleep 60");
    let job = sh(&line).grant(&out, DirMode::Write).sandbox(Some(Sandbox::None));
    let error = world.executor.execute(&job, world.around()).await.unwrap_err();
    assert!(error.to_string().contains("supervisor"), "{error}");
    assert!(gone(pid_in(&format!("{out}/main")).await).await);
}

/// The other half of `if_wasmhook_is_killed_so_is_the_hook`: not a test by itself.
#[tokio::test]
#[ignore = "run by another test, to be killed"]
async fn runs_a_hook_until_it_is_killed() {
    let Ok(out) = std::env::var("WASMHOOK_TEST_OUT") else { return };
    let world = World::new();
    let line =
        format!("trap '' TERM; setsid sh -c 'echo $$ > {out}/far; exec sleep 60' & echo $$ > {out}/near; while :; do sleep 60; done");
    world.run(&sh(&line).grant(&out, DirMode::Write)).await;
}

#[tokio::test]
async fn if_wasmhook_is_killed_so_is_the_hook() {
    let world = World::new();
    let out = world.folder("out");
    let mut wasmhook = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exec::native::tests::descendants::runs_a_hook_until_it_is_killed", "--ignored"])
        .env("WASMHOOK_TEST_OUT", &out)
        .env("TMPDIR", world.folder("tmp"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pids = (pid_in(&format!("{out}/near")).await, pid_in(&format!("{out}/far")).await);
    assert!(alive(pids.0) && alive(pids.1));
    wasmhook.kill().unwrap();
    wasmhook.wait().unwrap();
    assert!(gone(pids.0).await && gone(pids.1).await);
}

#[tokio::test]
async fn no_supervisor_is_left_behind() {
    let world = World::new();
    for _ in 0..5 {
        world.run(&sh(":")).await;
    }
    // Other tests of this process have supervisors of their own: those of this one are gone when their number stays small.
    for _ in 0..500 {
        let mut zombies = 0;
        super::super::children::each(rustix::process::getpid(), |pid| zombies += u32::from(!alive(pid.as_raw_nonzero().get())));
        if zombies == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("zombies");
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_the_hooks_group_along() {
    let world = World::new();
    let out = world.folder("out");
    // The second flees by forking, within the group.
    let hopper = "while (1) { my $pid = fork; exit if $pid; utime undef, undef, $ARGV[0]; }";
    let line =
        format!("touch {out}/alive; sleep 60 & echo $! > {out}/child; perl -e '{hopper}' {out}/alive & echo $$ > {out}/main; sleep 60");
    let (job, around) = (sh(&line).grant(&out, DirMode::Write), world.around());
    let kill = async {
        let (main, child) = (pid_in(&format!("{out}/main")).await, pid_in(&format!("{out}/child")).await);
        let stat = std::fs::read_to_string(format!("/proc/{main}/stat")).unwrap();
        let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
        end(parent);
        child
    };
    let (ended, child) = tokio::join!(world.executor.execute(&job, around), kill);
    assert!(ended.unwrap_err().to_string().contains("supervisor was killed"));
    assert!(gone(child).await);
    let touched = || std::fs::metadata(format!("{out}/alive")).unwrap().modified().unwrap();
    let mut last = touched();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if std::mem::replace(&mut last, touched()) == touched() {
            return;
        }
    }
    panic!("it still forks");
}
