//! Native hooks under the same policy: strict by default, weaker only where it is written, and then it is said.

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project, Ran};

fn run(project: &Project) -> Ran {
    Place::new().args(["run", "--format", "json"]).env("SECRET", "kept").current_dir(project.path()).run()
}

fn said(ran: &Ran) -> Vec<String> {
    ran.stderr.lines().filter_map(|line| line.split_once("│ ")).map(|(_, said)| said.to_owned()).collect()
}

#[test]
fn strict_reaches_granted_directories_and_the_system_and_nothing_else() {
    let outside = Project::empty().file("secret", "x");
    let script = format!(
        "#!/bin/sh\necho in > data/new && echo wrote\ncat {0}/secret || echo no-outside\ntouch {0}/new || echo no-write\ntouch read/new || echo no-write-on-read\n\
         cat read/x && echo read\ncat wasmhook.toml >/dev/null || echo no-app\n[ -x /bin/ls ] && ls /usr >/dev/null && echo system\n\
         echo tmp > $TMPDIR/t && echo tmp > $HOME/t && echo private\necho [${{SECRET-unset}}]\nread line || echo no-stdin\n",
        outside.path().display()
    );
    let lines = "run = \"./h.sh\"\ndirs = [{ path = \"data\", mode = \"write\" }, { path = \"read\", mode = \"read\" }]";
    let project = Project::new(&hook("h", "pre-deploy", lines)).file("h.sh", script).file("data/x", "").file("read/x", "content\n");
    let ran = run(&project).exits(0);
    let lines: Vec<String> = said(&ran).into_iter().filter(|line| !line.contains("ermission denied")).collect();
    let expected =
        ["wrote", "no-outside", "no-write", "no-write-on-read", "content", "read", "no-app", "system", "private", "[unset]", "no-stdin"];
    assert_eq!(lines, expected, "{}", ran.stderr);
    assert!(project.has("data/new") && !outside.has("new") && !project.has("read/new"));
    let report = ran.report();
    assert!(report["hooks"][0]["denials"].is_null(), "nobody watches a native hook: {report}");
    assert_eq!(report["warnings"], 0);
}

#[test]
fn s5_39_a_directory_is_found_at_another_path_and_a_scratch_one_is_private() {
    let elsewhere = Project::empty().file("data/hidden", "").file("cache/hidden", "");
    let (data, cache) = (elsewhere.path().join("data"), elsewhere.path().join("cache"));
    let (data, cache) = (data.display(), cache.display());
    let lines = format!(
        "run = \"sh -c 'ls {data} && echo x > {data}/new && ls {cache} && echo x > {cache}/new'\"\n\
         dirs = [{{ path = \"own\", guest = \"{data}\", mode = \"write\" }}, {{ guest = \"{cache}\", mode = \"scratch\" }}]"
    );
    let project = Project::new(&hook("h", "pre-deploy", &lines)).file("own/x", "");
    let ran = run(&project).exits(0);
    assert_eq!(said(&ran), ["x"], "{}", ran.stderr);
    assert!(project.has("own/new") && !elsewhere.has("data/new") && !elsewhere.has("cache/new"));

    let absent = hook("h", "pre-deploy", "run = \"true\"\ndirs = [{ path = \"own\", guest = \"/absent-data\", mode = \"read\" }]");
    let ran = run(&Project::new(&absent).file("own/x", "")).exits(1);
    assert!(ran.stderr.contains("/absent-data") && ran.stderr.contains("mkdir -p /absent-data"), "{}", ran.stderr);
}

#[test]
fn none_is_unconfined_and_plan_run_and_report_say_so() {
    let outside = Project::empty();
    let lines = format!("run = \"touch {}/made\"\nsandbox = \"none\"", outside.path().display());
    let project = Project::new(&hook("h", "pre-deploy", &lines));
    let plan = Place::new().args(["plan"]).current_dir(project.path()).run().exits(0);
    assert!(plan.said().contains("unconfined"), "{}", plan.stdout);
    let ran = run(&project).exits(0);
    assert!(outside.has("made"));
    assert!(ran.stderr.contains("unconfined") && ran.stdout.contains("unconfined"), "{}\n{}", ran.stderr, ran.stdout);
    assert!(ran.report()["warnings"].as_u64().unwrap() >= 1);
}

#[test]
fn best_effort_is_as_strict_as_this_kernel_can_and_names_what_it_cannot() {
    let outside = Project::empty().file("secret", "x");
    let lines = format!("run = \"sh -c 'cat {}/secret || echo kept out'\"\nsandbox = \"best-effort\"", outside.path().display());
    let project = Project::new(&hook("h", "pre-deploy", &lines));
    let ran = run(&project).exits(0);
    assert!(said(&ran).contains(&"kept out".to_owned()), "{}", ran.stderr);
}

#[test]
fn strings_are_split_as_words_and_no_shell_reads_them_unless_asked() {
    let lines = [
        hook("words", "pre-deploy", "run = \"echo 'two words' $HOME *\""),
        hook("list", "pre-deploy", "run = [\"echo\", \"a  b\", \";\", \"c\"]"),
        hook("shell", "pre-deploy", "run = \"echo one; echo two\"\nshell = true"),
    ];
    let ran = run(&Project::new(&lines.concat())).exits(0);
    assert_eq!(said(&ran), ["two words $HOME *", "a  b ; c", "one", "two"], "{}", ran.stderr);
}

#[test]
fn a_program_that_is_not_there_or_not_executable_is_found_before_the_phase() {
    for (run_line, words) in
        [("run = \"./gone.sh\"", "doesn't exist"), ("run = \"nosuchprogram --x\"", "nosuchprogram"), ("run = \"./plain\"", "xecut")]
    {
        let touch = hook("first", "pre-deploy", "run = \"touch ran\"\ndirs = [{ path = \".\", mode = \"write\" }]");
        let project = Project::new(&(touch + &hook("h", "pre-deploy", run_line))).file("plain", "#!/bin/sh\n");
        let ran = run(&project).exits(1);
        assert!(ran.said().contains("preflight") && ran.said().contains(words), "{run_line}: {}", ran.stderr);
        assert!(!project.has("ran"), "{run_line}: the phase didn't begin");
    }
}

#[test]
fn the_exit_code_and_the_signal_of_a_native_hook_are_its_cause() {
    for (script, cause) in [("exit 9", "exit code 9"), ("kill -SEGV $$", "killed by signal 11")] {
        let project = Project::new(&hook("h", "pre-deploy", &format!("run = \"sh -c '{script}'\"")));
        let ran = run(&project).exits(1);
        assert!(ran.said().contains(cause), "{script}: {}", ran.stderr);
    }
}
