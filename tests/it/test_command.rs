//! `wasmhook test`: cases that pass, each way in which one can fail, cases that can't be read, and hooks that run twice.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a helper of these tests fails the test")]

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::{Output, Wasmhook};

/// A directory with cases in it.
struct Cases {
    dir: TempDir,
}

impl Cases {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn guest(self, name: &str, target: Target) -> Self {
        let bytes = fs::read(programs::wasm(name, target)).unwrap();
        self.file(&format!("{name}.wasm"), bytes)
    }

    /// A case; `schema = 1` stands before it.
    fn case(self, name: &str, text: &str) -> Self {
        self.file(&format!("{name}.test.toml"), format!("schema = 1\n{text}"))
    }

    /// `wasmhook test ARGS`, here.
    fn test(&self, args: &[&str]) -> Output {
        Wasmhook::new().args(["test"]).args(args).current_dir(self.dir.path()).run()
    }
}

fn exits(code: u32) -> String {
    format!(
        "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) (memory (export \"memory\") 1)
           (func (export \"_start\") (call $exit (i32.const {code}))))"
    )
}

/// One case of the guest `files`, which does what its arguments say below `/app`.
fn files_case(args: &str, rest: &str) -> Cases {
    let args: Vec<String> = args.split(' ').map(|arg| format!("{arg:?}")).collect();
    let hook = format!("[hook]\nwasm = \"files.wasm\"\nargs = [{}]\ndirs = [{{ path = \"$APP_DIR\" }}]\n{rest}", args.join(", "));
    Cases::new().guest("files", Target::P1).case("c", &hook)
}

#[track_caller]
fn assert_fails_with(output: &Output, parts: &[&str]) {
    assert_eq!(output.code, Some(1), "{output:?}");
    for part in parts {
        assert!(output.stdout.contains(part), "{part:?} in:\n{}", output.stdout);
    }
    assert!(output.stdout.contains("1 failed"), "{}", output.stdout);
}

#[track_caller]
fn assert_passes(output: &Output) {
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

#[test]
fn a_case_that_fails_says_what_its_hook_looked_for_outside_its_grants() {
    let refused = "it was refused path /etc/hostname, which lies outside every grant; to allow it: add { path =";
    assert_fails_with(&files_case("read /etc/hostname", "").test(&["--color", "never"]), &[refused]);
}

#[test]
fn a_case_that_holds_is_one_line_and_nothing_outside_is_touched() {
    for target in Target::ALL {
        let expected = "[expected]\nstdout = [\"mkdir ok\", \"write ok\", \"read ok new\"]\nexit_code = 0\nnothing_else_changes = true\n\
                        fuel_max = 100_000_000\nmemory_max = \"64MiB\"\nwall_max = \"60s\"\n\
                        [expected.files]\n\"cache/deep/a\" = \"new\"\n\"kept\" = { is = \"unchanged\" }\n[given.files]\nkept = \"k\\n\"\n";
        let hook = "label = \"fills an empty cache\"\n[hook]\nargs = [\"mkdir\", \"/app/cache/deep\", \"write\", \"/app/cache/deep/a\", \"new\", \
                    \"read\", \"/app/cache/deep/a\"]\ndirs = [{ path = \"$APP_DIR\" }]\n";
        let cases = Cases::new().guest("files", target).case("files", &format!("{hook}{expected}"));
        let output = cases.test(&[]);
        assert_passes(&output);
        let first = output.stdout.lines().next().unwrap_or_default();
        assert!(
            first.contains("files: fills an empty cache (") && first.contains(" ms, ") && first.ends_with("fuel)"),
            "{target}: {first}"
        );
        assert!(output.stdout.ends_with("1 case: 1 passed\n"), "{}", output.stdout);
        assert_eq!(fs::read_dir(cases.dir.path()).unwrap().count(), 2, "the case's own directory is as it was");
    }
}

#[test]
fn cases_are_found_below_directories_beside_hooks_and_by_name() {
    let cases = Cases::new()
        .file("hooks/ok.wat", exits(0))
        .case("hooks/ok", "")
        .case("hooks/ok-again", "hook.wasm = \"ok.wat\"")
        .file("target/x/never.wat", exits(1))
        .case("target/x/never", "")
        .case("other/fails", "hook.wasm = \"../hooks/ok.wat\"\nexpected.outcome = \"failed\"");
    let all = cases.test(&[]);
    assert_eq!(all.code, Some(1));
    assert!(all.stdout.contains("3 cases: 2 passed, 1 failed") && !all.stdout.contains("never"), "{}", all.stdout);
    for (named, summary) in
        [("hooks", "2 cases"), ("hooks/ok.wat", "2 cases"), ("hooks/ok", "1 case"), ("hooks/ok-again.test.toml", "1 case")]
    {
        let output = cases.test(&[named]);
        assert_passes(&output);
        assert!(output.stdout.contains(&format!("{summary}: ")), "{named}: {}", output.stdout);
    }
}

#[test]
fn an_unexpected_outcome_and_exit_code_are_shown_with_the_last_lines() {
    let case = "hook = { wasm = \"exits.wasm\", args = [\"3\"] }\n";
    let output = Cases::new().guest("exits", Target::P1).case("c", case).test(&[]);
    assert_fails_with(&output, &["outcome: expected succeeded, got failed: exit code 3", "its last lines:", "exits Some(3)"]);
    let other = format!("{case}expected = {{ outcome = \"failed\", exit_code = 4, cause = \"trap\" }}\n");
    let output = Cases::new().guest("exits", Target::P1).case("c", &other).test(&[]);
    assert_fails_with(&output, &["cause: expected trap, got failed: exit code 3", "exit code: expected 4, got 3"]);
}

#[test]
fn an_expected_failure_passes() {
    let case = "hook = { wasm = \"exits.wasm\", args = [\"3\"] }\nexpected = { outcome = \"failed\", cause = \"exit\", exit_code = 3 }\n";
    let output = Cases::new().guest("exits", Target::P1).case("c", case).test(&["--twice"]);
    assert_passes(&output);
    assert!(output.stdout.contains("failed: exit code 3"), "{}", output.stdout);
}

#[test]
fn limits_of_a_case_bite() {
    let spin = |limit: &str, cause: &str| {
        let case = format!("hook = {{ wasm = \"spin.wasm\", {limit} }}\nexpected = {{ outcome = \"timed-out\", cause = \"{cause}\" }}\n");
        Cases::new().guest("spin", Target::P1).case("c", &case).test(&[])
    };
    assert_passes(&spin("fuel = 1_000_000", "fuel"));
    assert_passes(&spin("timeout = \"300ms\", fuel = 1_000_000_000_000", "deadline"));
    assert_fails_with(&spin("fuel = 1_000_000", "deadline"), &["cause: expected deadline, got timed-out: fuel"]);
}

#[test]
fn other_output_is_a_diff() {
    let case = "hook = { wasm = \"prints.wasm\", args = [\"one\", \"two\", \"err\", \"oh\"] }\n";
    let output = |expected: &str| Cases::new().guest("prints", Target::P1).case("c", &format!("{case}{expected}")).test(&[]);
    assert_passes(&output("expected = { stdout = [\"one\", \"two\"], stderr = [\"oh\"], stdout_contains = [\"on\", \"tw\"] }"));
    let lines = output("expected = { stdout = [\"one\", \"2\"] }");
    assert_fails_with(&lines, &["stdout: other lines than expected\n     one\n    -2\n    +two\n"]);
    let piece = output("expected = { stderr_contains = [\"no\"] }");
    assert_fails_with(&piece, &["stderr: no line holds \"no\"; it wrote:\n     oh\n"]);
}

#[test]
fn other_values_handed_on_are_shown() {
    let case = "hook = { wasm = \"outputs.wasm\", args = [\"ROWS=7\"], env = [\"WASMHOOK_OUTPUT\"] }\n";
    let output = |expected: &str| Cases::new().guest("outputs", Target::P1).case("c", &format!("{case}{expected}")).test(&[]);
    assert_passes(&output("expected.outputs = { ROWS = \"7\" }"));
    let wrong = output("expected.outputs = { ROWS = \"8\", GONE = \"x\" }");
    assert_fails_with(&wrong, &["output ROWS: expected 8, got 7", "output GONE: expected x, and it handed nothing on"]);
}

#[test]
fn other_content_is_a_diff_and_what_lies_there_although_absent_was_expected_is_named() {
    let written = "[given.files]\nold = \"1\\n\"\n[expected.files]\nnew = \"other\"\nold = { is = \"absent\" }\n";
    let output = files_case("write /app/new text", written).test(&[]);
    let parts = ["/app/new: other content than expected\n    -other\n    +text\n", "/app/old: expected absent, found a file of 2 B"];
    assert_fails_with(&output, &parts);
    assert_fails_with(&output, &["it changed:\n    /app/new (created)"]);
}

#[test]
fn a_change_that_nobody_named_is_shown_where_nothing_else_may_change() {
    let output = files_case("write /app/new text", "[expected]\nnothing_else_changes = true\n").test(&[]);
    assert_fails_with(&output, &["not expected: /app/new: created\n    +text"]);
}

#[test]
fn bounds_on_what_a_hook_uses_bite() {
    let case = "hook = { wasm = \"spin.wasm\", args = [\"2\"] }\nexpected = { fuel_max = 1_000, memory_max = \"1\" }\n";
    let output = Cases::new().guest("spin", Target::P1).case("c", case).test(&[]);
    assert_fails_with(&output, &["fuel: expected at most 1000 units, used ", "memory: expected at most 1 B, used "]);
}

#[test]
fn a_write_that_is_not_granted_is_refused_and_the_line_that_allows_it_is_shown() {
    let hook = "[hook]\nwasm = \"files.wasm\"\nargs = [\"write\", \"/app/x\", \"y\"]\ndirs = [{ path = \"$APP_DIR\", mode = \"read\" }]\n";
    let output = Cases::new().guest("files", Target::P1).case("c", hook).test(&[]);
    assert_fails_with(&output, &["outcome: expected succeeded", "it was refused write to /app/x", "it changed no file"]);
}

#[test]
fn a_hook_sees_the_paths_and_variables_of_its_case_and_nothing_else() {
    let case = "[given]\ntag = \"v0.4.0\"\nprevious_tag = \"v0.3.28\"\ncommit = \"abc1234\"\nenvironment = \"testsite\"\ndata_dir = \"/srv/data\"\n\
                env = { COLOUR = \"blue\" }\n[given.files]\n\"/other/place/a\" = \"\"\n\
                [hook]\nwasm = \"echo.wasm\"\nargs = [\"/other/place\"]\nenv = [\"COLOUR\"]\nset = { SIZE = \"7\" }\ndirs = [{ path = \"/other/place\" }]\n\
                [expected]\nstdout_contains = [\"arg /other/place\", \"env APP_DIR=/app\", \"env COLOUR=blue\", \"env DATA_DIR=/srv/data\", \
                \"env DEPLOY_ENV=testsite\", \"env DEPLOY_TAG=v0.4.0\", \"env SIZE=7\", \"env WASMHOOK_ATTEMPT=1\", \"env WASMHOOK_COMMIT=abc1234\", \
                \"env WASMHOOK_HOOK=c\", \"env WASMHOOK_PREVIOUS_TAG=v0.3.28\", \"dir / \", \"entry /other/place/a\"]\n";
    for target in Target::ALL {
        let output = Cases::new().guest("echo", target).case("c", case).test(&[]);
        assert_passes(&output);
    }
    let nothing = "hook = { wasm = \"echo.wasm\" }\nexpected.stdout_contains = [\"env PATH=\"]\n";
    let output = Wasmhook::new().args(["test"]).env("SECRET", "s");
    let cases = Cases::new().guest("echo", Target::P1).case("c", nothing);
    let output = output.current_dir(cases.dir.path()).run();
    assert_fails_with(&output, &["no line holds \"env PATH=\""]);
    assert!(!output.stdout.contains("SECRET"), "{}", output.stdout);
}

#[test]
fn every_problem_of_every_case_is_shown_at_once_and_nothing_runs() {
    let cases = Cases::new()
        .file("ok.wat", exits(0))
        .case("ok", "")
        .case("bad", "[expected]\noutcom = \"failed\"\nexit_code = \"x\"\n")
        .case("unbuilt", "")
        .case("other", "hook.wasm = \"gone.wasm\"\n[given.files]\na = { from = \"fixtures/a\" }\n")
        .case("later", "hook = { wasm = \"ok.wat\", net = [\"db:5432\"] }\n");
    let output = cases.test(&[]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    for part in [
        "error[unknown-key]",
        "bad.test.toml:3:1",
        "bad.test.toml:4:13",
        "error[missing-file]",
        "there is no module `unbuilt.wasm`",
        "build it",
        "there is no module `gone.wasm`",
        "other.test.toml:2:13",
        "`fixtures/a` can't be copied",
        "later.test.toml:2:",
        "`[hook]` has no key `net`",
    ] {
        assert!(output.stderr.contains(part), "{part:?} in:\n{}", output.stderr);
    }
}

#[test]
fn a_file_to_be_copied_never_comes_from_outside_the_cases_directory() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let cases = Cases::new().file("ok.wat", exits(0)).case("ok", "given.files.a = { from = \"link\" }\n");
    std::os::unix::fs::symlink(outside.path().join("secret"), cases.dir.path().join("link")).unwrap();
    let output = cases.test(&[]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("`link` can't be copied"), "{}", output.stderr);
}

#[test]
fn cases_and_modules_are_read_where_they_lie_and_a_pipe_is_not_waited_for() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "canary-7f1b\n").unwrap();
    std::fs::write(outside.path().join("hook.wat"), exits(0)).unwrap();
    let cases = Cases::new().file("a.wat", exits(0)).case("linked", "hook.wasm = \"b.wat\"\n").case("far", "").case("gone", "");
    let at = |name: &str| cases.dir.path().join(name);
    let link = |to: &std::path::Path, name: &str| {
        let _ = std::fs::remove_file(at(name));
        std::os::unix::fs::symlink(to, at(name)).unwrap();
    };
    link("a.wat".as_ref(), "b.wat");
    assert_passes(&cases.test(&["linked"]));
    link(&outside.path().join("hook.wat"), "far.wat");
    link(&outside.path().join("secret"), "secret.test.toml");
    link("nowhere".as_ref(), "gone.test.toml");
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe.test.toml"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let refused = cases.test(&[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in ["far.wat", "secret.test.toml", "a link leads out of its directory", "pipe.test.toml", "it is a pipe", "gone.test.toml"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
}

#[test]
fn without_cases_the_way_out_is_said() {
    let cases = Cases::new().file("hooks/alone.wat", exits(0));
    for (args, part) in [
        (&[][..], "there are no test cases in .: write one, for example hook.test.toml"),
        (&["hooks/alone.wat"], "hooks/alone.test.toml"),
        (&["gone"], "there is no gone"),
    ] {
        let output = cases.test(args);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
        assert!(output.stderr.replace("\n  ", " ").contains(part), "{part:?} in:\n{}", output.stderr);
    }
}

#[test]
fn what_comes_later_is_refused_by_name() {
    let cases = Cases::new().file("ok.wat", exits(0)).case("ok", "");
    for args in [&["--crash"][..], &["--junit", "x.xml"]] {
        let output = cases.test(args);
        assert_eq!(output.code, Some(2));
        assert!(output.stderr.contains("not available in this version") && output.stderr.contains(args[0]), "{}", output.stderr);
    }
}

const MARKER_CASE: &str = "[given]\ntag = \"v0.4.0\"\nenvironment = \"testsite\"\n[given.files]\n\"cache/page.html\" = \"<p>old</p>\\n\"\n\
    \"src/app/static/data/new-file.json\" = \"{}\\n\"\n\"/other/deployment/static/data\" = { is = \"dir\" }\n\
    [hook]\ndirs = [{ path = \"$APP_DIR\" }, { path = \"/other/deployment/static/data\" }]\n\
    [expected]\nnothing_else_changes = true\n[expected.files]\n\"cache\" = { is = \"dir\" }\n\"cache/page.html\" = { is = \"absent\" }\n\
    \"/other/deployment/static/data/new-file.json\" = \"{}\\n\"\n\".release-v0.4.0-done\" = { is = \"file\" }\n";

#[test]
fn s3_29_a_hook_that_is_safe_to_run_twice_passes_twice() {
    for target in Target::ALL {
        let output = Cases::new().guest("marker_hook", target).case("marker_hook", MARKER_CASE).test(&["--twice"]);
        assert_passes(&output);
        assert!(output.stdout.contains("the second run changed nothing"), "{target}: {}", output.stdout);
    }
}

#[test]
fn s4_49_a_second_run_that_changes_something_fails_the_case_and_says_what() {
    let cases = files_case("append /app/log ran", "[expected.files]\nlog = \"ran\"\n");
    assert_passes(&cases.test(&[]));
    let twice = cases.test(&["--twice"]);
    assert_fails_with(&twice, &["the second run changed", "/app/log: modified", "-ran\n", "+ranran\n"]);
}

#[test]
fn s3_29_a_second_run_that_fails_fails_the_case() {
    let cases = files_case("rename /app/a /app/b", "[given.files]\na = \"x\"\n[expected.files]\nb = \"x\"\n");
    assert_passes(&cases.test(&[]));
    let twice = cases.test(&["--twice"]);
    assert_fails_with(&twice, &["the second run, on what the first one left, ended as failed: exit code 1", "rename NotFound"]);
}

#[test]
fn s4_50_a_skip_in_the_hooks_own_words_is_an_outcome() {
    let case = "[given]\ndata_dir = \"/data\"\n[given.files]\n\"$DATA_DIR/users.csv\" = \"admin\\n\"\n\
                [hook]\nwasm = \"skips.wasm\"\nenv = [\"WASMHOOK_OUTPUT\"]\ndirs = [{ path = \"$DATA_DIR\" }]\n";
    let output = |expected: &str| Cases::new().guest("skips", Target::P1).case("c", &format!("{case}{expected}")).test(&[]);
    let passes = output("[expected]\noutcome = \"skipped\"\nskip_reason = \"Data exists (1 rows)\"\n");
    assert_passes(&passes);
    assert!(passes.stdout.contains("skipped: Data exists (1 rows)"), "{}", passes.stdout);
    assert_fails_with(&output(""), &["outcome: expected succeeded, got skipped: Data exists (1 rows)"]);
}

#[test]
fn s3_39_what_a_hook_tolerated_is_shown_and_can_be_expected() {
    let case = MARKER_CASE
        .replace("\"src/app/static/data/new-file.json\" = \"{}\\n\"\n", "")
        .replace("\"/other/deployment/static/data/new-file.json\" = \"{}\\n\"\n", "")
        .replace("[hook]\n", "[hook]\nenv = [\"WASMHOOK_OUTPUT\"]\n");
    let output = Cases::new().guest("marker_hook", Target::P1).case("marker_hook", &case).test(&[]);
    assert_passes(&output);
    assert!(output.stdout.lines().nth(1).is_some_and(|line| line.contains("copy new-file.json")), "{}", output.stdout);
}

#[test]
fn s3_41_the_seeds_quoted_glob_clears_nothing_and_the_case_shows_it() {
    let script = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/s3/v0.4.0.sh")).unwrap();
    let case = MARKER_CASE
        .replace("[hook]\n", "[hook]\nrun = [\"bash\", \"./v0.4.0.sh\"]\n")
        .replace("\"/other/deployment/static/data/new-file.json\" = \"{}\\n\"\n", "");
    let output = Cases::new().file("v0.4.0.sh", script).case("c", &case).test(&[]);
    assert_fails_with(&output, &["/app/cache/page.html: expected absent, found a file of 11 B"]);
    assert_fails_with(&output, &["it changed:\n    /app/.release-v0.4.0-done (created)\n", "=== Release hook complete ==="]);
    assert!(!output.stdout.contains("/app/cache/page.html (deleted)"), "{}", output.stdout);
}

#[test]
fn a_native_hook_is_confined_to_its_case_and_its_paths_read_as_the_case_writes_them() {
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("secret"), "s").unwrap();
    let line = format!("echo $APP_DIR; echo hi > $APP_DIR/new; cat {}/secret || echo no", secret.path().display());
    let case = format!(
        "[hook]\nrun = {line:?}\nshell = true\ndirs = [{{ path = \".\" }}]\n[expected]\nstdout = [\"/app\", \"no\"]\nfiles.new = \"hi\\n\"\n\
         nothing_else_changes = true\n"
    );
    let cases = Cases::new().case("native", &case);
    let output = cases.test(&["native", "--twice"]);
    assert_passes(&output);
    let missing = Cases::new().case("native", "hook.run = [\"no-such-program-here\"]\n").test(&[]);
    assert_fails_with(&missing, &["no-such-program-here"]);
}

#[test]
fn nothing_is_left_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let cases = Cases::new().file("ok.wat", exits(0)).case("ok", "given.files.a = \"x\"\n").case("native", "hook.run = [\"true\"]\n");
    let output = Wasmhook::new().args(["test"]).env("TMPDIR", scratch.path()).current_dir(cases.dir.path()).run();
    assert_passes(&output);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}
