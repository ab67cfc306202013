//! Starting, environment, streams, results.

use super::*;
use crate::model::job::Script;
use crate::model::outcome::TimeLimit;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn arguments_reach_the_program_without_a_shell() {
    let world = World::new();
    let execution = world.run(&command(&["printf", "%s\\n", "$HOME", "a b", "*", "; exit 3"])).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert_eq!(world.lines(), ["$HOME", "a b", "*", "; exit 3"]);
    assert_eq!((execution.exit_code, execution.denials, execution.unenforced), (Some(0), None, Vec::<String>::new()));
    assert_eq!((execution.usage.fuel, execution.usage.memory_peak_bytes), (None, None));
    assert_eq!(execution.usage.output_bytes, Some(21));
    assert!(execution.usage.wall_ms.is_some());
    assert_eq!(execution.tail.len(), 4);
}

#[tokio::test]
async fn a_hook_finds_exactly_its_own_environment() {
    let world = World::with(|builder| builder.operator_env(vec![("OPERATOR".to_owned(), "1".to_owned())]));
    world.run(&command(&["env"]).var("DEPLOY_TAG", "v1").var("HOME", "/root")).await;
    let mut lines = world.lines();
    lines.sort();
    let names: Vec<_> = lines.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, ["DEPLOY_TAG", "HOME", "LANG", "PATH", "TMPDIR"]);
    assert!(lines.contains(&format!("PATH={}", super::super::DEFAULT_PATH)));
    assert!(lines.contains(&"LANG=C.UTF-8".to_owned()));
    assert!(!lines.contains(&"HOME=/root".to_owned()), "HOME is always private");
}

#[tokio::test]
async fn a_hooks_own_path_and_lang_hold() {
    let world = World::new();
    world.run(&command(&["env"]).var("PATH", "/usr/bin").var("LANG", "de_DE.UTF-8")).await;
    assert!(world.lines().contains(&"PATH=/usr/bin".to_owned()) && world.lines().contains(&"LANG=de_DE.UTF-8".to_owned()));
}

#[tokio::test]
async fn a_host_step_finds_the_operators_variables_below_its_own() {
    let operator = [("PATH", "/usr/bin:/bin"), ("HOME", "/home/operator"), ("LANG", "C")];
    let operator = operator.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let world = World::with(|builder| builder.operator_env(operator));
    let execution = world.run(&command(&["env"]).sandbox(None).var("LANG", "de")).await;
    let mut lines = world.lines();
    lines.sort();
    assert_eq!(lines, ["HOME=/home/operator", "LANG=de", "PATH=/usr/bin:/bin"]);
    assert_eq!(execution.unenforced, ["unconfined"]);
}

#[tokio::test]
async fn home_and_tmpdir_are_private_and_removed_whatever_happens() {
    let world = World::new();
    let line =
        r#"stat -c %a "$HOME" "$TMPDIR"; ls -A "$HOME"; echo x > "$HOME/f" && mkdir -p "$TMPDIR/a/b" && chmod 0 "$TMPDIR/a/b" "$TMPDIR/a""#;
    for (ending, outcome) in [("exit 0", Outcome::Succeeded), ("exit 7", exit(7))] {
        let execution = world.run(&sh(&format!("{line} && {ending}"))).await;
        assert_eq!(execution.outcome, outcome);
        assert_eq!(world.leftovers(), 0);
    }
    assert_eq!(world.lines(), ["700"; 4]);
    let execution = world.run(&sh(&format!("{line}; exec sleep 60")).timeout(300)).await;
    assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
    assert_eq!(world.leftovers(), 0);
    spawn_message(world.run(&command(&["no-such-program"])).await);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn there_is_nothing_to_read_and_no_terminal() {
    let world = World::new();
    let line = r"read x && echo input; tty; (: < /dev/tty) 2>/dev/null && echo terminal; readlink /proc/self/fd/0; true";
    world.run(&sh(line)).await;
    assert_eq!(world.lines(), ["not a tty", "/dev/null"]);
}

#[tokio::test]
async fn a_hook_leads_its_own_group() {
    let world = World::new();
    world.run(&sh("echo $$; cut -d' ' -f5 /proc/$$/stat").sandbox(Some(Sandbox::None))).await;
    let lines = world.lines();
    assert_eq!(lines[0], lines[1]);
}

/// The other half of `a_hook_has_no_terminal_where_wasmhook_has_one`: fails without a terminal.
#[tokio::test]
#[ignore = "run by another test, in a terminal"]
async fn gives_a_hook_no_terminal() {
    std::fs::File::open("/dev/tty").expect("this process has a terminal");
    let world = World::new();
    let execution = world.run(&sh("(: < /dev/tty) 2> /dev/null && exit 7; exit 0").sandbox(Some(Sandbox::None))).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
}

#[test]
fn a_hook_has_no_terminal_where_wasmhook_has_one() {
    let this = std::env::current_exe().unwrap();
    let line = format!("{} --exact exec::native::tests::running::gives_a_hook_no_terminal --ignored", this.display());
    let script =
        std::process::Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&script.stdout);
    assert!(script.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn no_other_descriptor_leaks_into_a_hook() {
    let world = World::new();
    // One that this process forgot to close on exec.
    let leaky = std::fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).unwrap();
    world.run(&command(&["ls", "-1", "/proc/self/fd"]).sandbox(Some(Sandbox::None))).await;
    assert_eq!(world.lines(), ["0", "1", "2", "3"], "3 is `ls` reading the directory");
}

#[tokio::test]
async fn signals_are_as_a_fresh_program_expects_them() {
    let world = World::new();
    world.run(&command(&["cat", "/proc/self/status"]).sandbox(Some(Sandbox::None))).await;
    let lines: Vec<_> =
        world.lines().into_iter().filter(|line| ["SigB", "SigI", "SigC"].iter().any(|name| line.starts_with(name))).collect();
    assert_eq!(lines, ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000"]);
}

#[tokio::test]
async fn streams_are_kept_apart_and_cut_at_the_limit() {
    let world = World::new();
    let mut job = sh("echo out; echo err >&2; echo again > /dev/stderr");
    world.run(&job).await;
    let mut lines = world.lines.0.lock().unwrap().clone();
    lines.sort_by_key(|(stream, _)| matches!(stream, Stream::Stderr));
    assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["out", "err", "again"]);
    job = sh("head -c 1000000 /dev/zero | tr '\\0' x");
    job.limits.output_bytes = 1_000;
    let execution = world.run(&job).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "a hook doesn't notice the limit");
    assert_eq!(execution.usage.output_bytes, Some(1_000_000));
    assert!(execution.tail.iter().any(|line| line.contains("truncated")), "{:?}", execution.tail);
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let world = World::new();
    let execution = world.run(&sh("exit 42")).await;
    assert_eq!((execution.outcome, execution.exit_code), (exit(42), Some(42)));
    let execution = world.run(&sh("kill -SEGV $$")).await;
    assert_eq!((execution.outcome, execution.exit_code), (Outcome::Failed { cause: Cause::Signal { signal: 11 } }, None));
}

#[tokio::test]
async fn what_cannot_start_names_the_file_the_rule_and_the_way_out() {
    let world = World::new();
    let bin = world.folder("bin");
    let file = |name: &str, text: &str, mode| {
        let path = format!("{bin}/{name}");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755);
    let textual = file("textual", "echo hello\n", 0o755);
    let cases = [
        (command(&["no-such-program"]), ["`no-such-program`", "in no directory of PATH", "absolute path"]),
        (command(&["/no/such/file"]), ["`/no/such/file`", "must exist", "correct its path"]),
        (command(&[&plain]), [plain.as_str(), "not executable", "chmod +x"]),
        (command(&["plain"]).var("PATH", &bin), [plain.as_str(), "not executable", "chmod +x"]),
        (command(&[&bin]), [bin.as_str(), "not a file", "correct its path"]),
        (command(&[&orphan]), [orphan.as_str(), "`/no/such/interpreter`", "correct its first line"]),
        (command(&[&textual]), [textual.as_str(), "interpreter", "#!/bin/sh"]),
        (command(&[]), ["empty", "`run`", "program"]),
        (sh(":").cwd("/no/such/dir"), ["`/no/such/dir`", "must exist", "create it"]),
        (sh(":").cwd("relative"), ["`relative`", "not an absolute path", "give one"]),
        (sh(":").var("A=B", "c"), ["`A=B`", "no `=`", "rename it"]),
        (sh(":").var("A", "b\0c"), ["`A`", "NUL", "remove it"]),
    ];
    for (job, words) in cases {
        let execution = world.run(&job).await;
        assert_eq!(execution.usage.wall_ms, None);
        let message = spawn_message(execution);
        assert!(words.iter().all(|word| message.contains(word)), "{message}\n{words:?}");
    }
}

#[tokio::test]
async fn a_program_is_found_relative_to_the_working_directory() {
    let world = World::new();
    let dir = world.folder("app");
    let path = format!("{dir}/hook");
    std::fs::write(&path, "#!/bin/sh\npwd\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.run(&command(&["./hook"]).cwd(&dir)).await;
    assert_eq!(world.lines(), [dir]);
}

fn script(index: usize, bytes: &[u8]) -> Script {
    Script { index, file_name: "v1.sh".to_owned(), bytes: bytes.into() }
}

#[tokio::test]
async fn a_script_runs_from_its_planned_bytes() {
    let world = World::new();
    let bytes = b"#!/bin/sh\necho \"${0##*/} $1\"; dirname \"$0\"; stat -c %a \"$0\"; echo x >> \"$0\" && echo changed\n";
    let mut job = command(&["/not/checked/out/v1.sh", "first"]);
    job.native().script = Some(script(0, bytes));
    assert_eq!(world.run(&job).await.exit_code, Some(2), "it can't be changed");
    let lines = world.stdout();
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("v1.sh first", "500"));
    assert!(lines[1].starts_with(&world.path("scratch")), "{lines:?}");
    assert_eq!(world.leftovers(), 0);

    let mut job = command(&["sh", "v1.sh"]).sandbox(None);
    job.native().script = Some(script(1, b"echo step"));
    assert_eq!(world.run(&job).await.outcome, Outcome::Succeeded);
    assert!(world.lines().contains(&"step".to_owned()));
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn a_program_that_is_still_open_for_writing_is_waited_for() {
    // As a script is when another thread forks while it is written: the fork holds the descriptor until it executes its own program.
    let world = World::new();
    let file = world.path("hook");
    std::fs::write(&file, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let open = || std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    let writer = open();
    let job = command(&[&file]);
    let close = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(writer);
    };
    let (execution, ()) = tokio::join!(world.run(&job), close);
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let _writer = open();
    let message = spawn_message(world.run(&job).await);
    assert!(message.contains(&file) && message.contains("being written"), "{message}");
}

#[tokio::test]
async fn a_script_has_a_plain_name_and_a_place() {
    let world = World::new();
    for (index, name) in [(0, "../escape"), (0, ""), (5, "v1.sh")] {
        let mut job = command(&["v1.sh"]);
        job.native().script = Some(Script { index, file_name: name.to_owned(), bytes: (*b"").into() });
        let error = world.executor.execute(&job, world.around()).await.unwrap_err();
        assert!(error.to_string().contains("placing the script"), "{error}");
    }
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn outputs_come_back_after_success_only() {
    let world = World::new();
    let line = r#"printf 'backup_path=/b\nnot a line\nmigration=1\n' > "$WASMHOOK_OUTPUT""#;
    let execution = world.run(&sh(line).outputs()).await;
    let expected = [("backup_path", "/b"), ("migration", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(execution.outputs, expected);
    assert_eq!(execution.warnings().collect::<Vec<_>>(), ["line 2 of WASMHOOK_OUTPUT, `not a line`, was dropped: it is not KEY=value"]);
    assert_eq!(world.run(&sh(line).outputs().sandbox(None)).await.outputs, expected);
    assert_eq!(world.run(&sh(&format!("{line}; exit 1")).outputs()).await.outputs, []);
    assert_eq!(world.run(&sh("test -z \"$WASMHOOK_OUTPUT\"")).await.outcome, Outcome::Succeeded);
    assert_eq!(world.run(&sh(":").outputs()).await.outputs, []);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn outputs_are_bounded_and_no_link_is_followed() {
    let world = World::new();
    let secret = world.path("secret");
    std::fs::write(&secret, "token=hunter2\n").unwrap();
    for planted in [format!("ln -s {secret} \"$WASMHOOK_OUTPUT\""), "mkfifo \"$WASMHOOK_OUTPUT\"".to_owned()] {
        let execution = world.run(&sh(&planted).outputs()).await;
        let warnings: Vec<&str> = execution.warnings().collect();
        assert!(warnings.len() == 1 && warnings[0].starts_with("WASMHOOK_OUTPUT was not read: "), "{warnings:?}");
        assert_eq!((execution.outcome, execution.outputs), (Outcome::Succeeded, Vec::new()));
    }

    let execution = world.run(&sh("yes key=value | head -n 20000 > \"$WASMHOOK_OUTPUT\"").outputs()).await;
    assert_eq!(execution.outputs.len(), 64 * 1024 / "key=value\n".len());
    assert!(execution.warnings().any(|warning| warning.starts_with("WASMHOOK_OUTPUT holds more than 64 KiB: `key=value`")));
}

#[tokio::test]
async fn limits_hold_for_hooks_and_leave_host_steps_alone() {
    let world = World::new();
    let mut job = sh("ulimit -v; ulimit -n; ulimit -c; ulimit -t");
    job.limits = Limits { memory_bytes: 256 << 20, handles: 64, cpu_time_ms: Some(1_500), ..job.limits };
    world.run(&job).await;
    assert_eq!(world.lines(), [(256 << 10).to_string(), "64".to_owned(), "0".to_owned(), "2".to_owned()]);
    let step = World::new();
    step.run(&job.sandbox(None)).await;
    assert!(step.lines()[0] == "unlimited" && step.lines()[1] != "64", "{:?}", step.lines());
    assert_eq!(step.lines()[3], "2");
}

#[tokio::test]
async fn a_hook_that_computes_past_its_cpu_time_is_timed_out() {
    let world = World::new();
    for line in ["while :; do :; done", "sh -c 'while :; do :; done'; exit $?", "trap '' XCPU; while :; do :; done"] {
        let mut job = sh(line);
        job.limits.cpu_time_ms = Some(1);
        let execution = world.run(&job).await;
        assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::CpuTime, abandoned: false }, "{line}");
    }
    let mut job = sh("kill -KILL $$");
    job.limits.cpu_time_ms = Some(60_000);
    assert_eq!(world.run(&job).await.outcome, Outcome::Failed { cause: Cause::Signal { signal: 9 } });
}

#[tokio::test]
async fn many_run_at_once_and_keep_their_output_apart() {
    let worlds: Vec<_> = (0..8).map(|_| World::new()).collect();
    let jobs: Vec<_> = (0..8).map(|n| sh(&format!("for i in 1 2 3; do echo {n}; done"))).collect();
    let mut tasks = Vec::new();
    for (world, job) in worlds.into_iter().zip(jobs) {
        tasks.push(tokio::spawn(async move {
            let execution = world.run(&job).await;
            (execution.outcome, world.lines())
        }));
    }
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), (Outcome::Succeeded, vec![n.to_string(); 3]));
    }
}

#[tokio::test]
async fn a_wasm_guest_is_not_ours() {
    let world = World::new();
    let digest = crate::model::id::Digest::of_json(&"x");
    let guest = crate::model::job::WasmGuest { file: "a.wasm".to_owned(), bytes: (*b"").into(), digest, args: Vec::new() };
    let job = Job { guest: Guest::Wasm(guest), ..sh(":") };
    assert!(world.executor.execute(&job, world.around()).await.is_err());
}
