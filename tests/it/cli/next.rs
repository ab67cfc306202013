//! What a failed run says to type next works as it stands: pasted into a shell, in the same directory.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use std::process::Command;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// The commands after `Next:`, each as one text.
fn next(stdout: &str) -> Vec<String> {
    let after = stdout.split_once("\nNext:\n").unwrap_or_else(|| panic!("nothing to type: {stdout}")).1;
    let joined = after.replace("\\\n", "");
    joined.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

/// Types `line` into a shell where `wasmhook` is the program.
fn pasted(call: &Command, line: &str) -> (Option<i32>, String) {
    let program = std::path::PathBuf::from(call.get_program());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let path = std::env::join_paths([program.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let ran = shell.env("PATH", path).current_dir(call.get_current_dir().unwrap()).output().unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn commands_after_a_failure_work_when_they_are_pasted() {
    let grant = "dirs = [{ path = \".\", mode = \"write\" }]";
    let lines = hook("fails", "pre-deploy", &format!("run = \"sh -c 'echo again >> log; exit 3'\"\n{grant}"));
    let there = Project::empty()
        .file("the app's/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{lines}"))
        .file("ops $HOME/policy.toml", "schema = 1\n[policy]\ndirs = [{ path = \"$APP_DIR\", mode = \"write\" }]\n");
    let place = Place::new();
    let args = ["run", "-C", "the app's", "--policy", "ops $HOME/policy.toml", "--state", "a state", "--cache", "c", "--tag", "v1"];
    let call = || place.args(args).current_dir(there.path());
    let failed = call().run().exits(1);
    let commands = next(&failed.stdout);
    assert_eq!(commands.len(), 3, "{commands:?}");
    let (code, shown) = pasted(&call().command(), &commands[0]);
    assert!(code == Some(0) && shown.contains("pre-deploy/fails"), "{}: {code:?} {shown}", commands[0]);
    for command in &commands[1..] {
        let (code, said) = pasted(&call().command(), command);
        assert_eq!(code, Some(1), "{command}: {said}");
    }
    assert_eq!(there.read("the app's/log"), "again\nagain\nagain\n", "the same hook of the same release ran again, resumed and anew");
    let status = place.args(["status", "--state", "a state", "--format", "json"]).current_dir(there.path()).run().exits(0).json();
    assert_eq!(status["runs"].as_array().map(Vec::len), Some(3), "in the same state: {status}");
}

#[test]
fn commands_after_a_refusal_work_too_and_its_reason_has_the_sign_of_a_failure() {
    let there =
        Project::empty().file("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{}", hook("h", "pre-deploy", "run = \"./h.sh\"")));
    there.write("app/h.sh", "#!/bin/sh\nexit 0\n");
    let place = Place::new();
    let call = || place.args(["run", "-C", "app", "--state", "s", "--tag", "v1"]).current_dir(there.path());
    let _ = call().run().exits(0);
    there.write("app/h.sh", "#!/bin/sh\nexit 1\n");
    let refused = call().run().exits(3);
    assert!(refused.said().contains("✗ hook h changed") && !refused.said().contains('⚠'), "{}", refused.said());
    let commands = next(&refused.stdout);
    let (code, said) = pasted(&call().command(), &commands[0]);
    assert!(code == Some(3) && said.contains("error[hook-changed]"), "{}: {code:?} {said}", commands[0]);
}

#[test]
fn commands_of_a_status_work_where_there_is_no_manifest() {
    let there = Project::empty()
        .file("my app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{}", hook("h", "pre-deploy", "run = \"./h.sh\"")))
        .file("my app/h.sh", "#!/bin/sh\nexit 1\n");
    let place = Place::new();
    let _ = place.args(["run", "-C", "my app", "--tag", "v1"]).current_dir(there.path()).run().exits(1);
    for args in [&["status"][..], &["status", "--app", "shop"]] {
        let call = || place.args(args).current_dir(there.path());
        let status = call().run().exits(0).stdout.replace("\\\n", "");
        let command = status.lines().find(|line| line.contains("wasmhook run --resume")).unwrap_or_else(|| panic!("{status}"));
        let (code, said) = pasted(&call().command(), command);
        assert!(code == Some(1) && said.contains("h.sh") && !said.contains("no-manifest"), "{command}: {code:?} {said}");
    }
}
