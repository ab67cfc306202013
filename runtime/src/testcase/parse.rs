//! Text → [`Case`]: the keys are read by `schema`, `given` places files, `hook` says what runs; what can be expected is checked here.

use super::place::Roots;
use super::schema::{CaseDoc, CauseWord, ExpectedDoc, OutcomeWord};
use super::{Case, Expected, given, hook};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{self, Problems, error_at, quote};
use crate::manifest::shared::own_variables;

/// Reads a test case: as much of it as makes sense, and everything that is wrong with it, in the order of the text.
///
/// `name` is what messages call the file. A case with errors among its findings must not be run; `None` is one of which nothing can be read.
#[must_use]
pub fn parse(name: &str, text: &str) -> (Option<Case>, Vec<Diagnostic>) {
    let (doc, mut problems) = document::read::<CaseDoc>(name, text);
    let case = doc.map(|doc| case(doc, &mut problems));
    (case, problems.into_found())
}

fn case(doc: CaseDoc, problems: &mut Problems) -> Case {
    let release = given::release(&doc.given, problems);
    let dirs = given::dirs(&doc.given, problems);
    let roots = Roots { app_dir: &dirs.app_dir, data_dir: &dirs.data_dir };
    own_variables(&doc.given.env, problems);
    unseen_variables(&doc, problems);
    let files = given::files(doc.given.files.0.iter(), &roots, problems);
    let expected_files = given::expected_files(doc.expected.files.0.iter(), &roots, problems);
    Case {
        label: doc.label,
        tag: release.tag,
        previous_tag: release.previous_tag,
        commit: release.commit,
        environment: release.environment,
        env: doc.given.env.0,
        files,
        hook: hook::hook(doc.hook, &roots, problems),
        expected: Expected { files: expected_files, ..expected(doc.expected, problems) },
        app_dir: dirs.app_dir,
        data_dir: dirs.data_dir,
    }
}

/// A variable that is given and not granted: the hook won't see it, which is seldom meant.
fn unseen_variables(doc: &CaseDoc, problems: &mut Problems) {
    let granted: Vec<&str> = doc.hook.env.iter().map(|name| name.value.as_str()).collect();
    for (name, _) in doc.given.env.0.iter().filter(|(name, _)| !granted.contains(&name.value.as_str())) {
        let message = format!("{} is given, but not granted: the hook won't see it", quote(&name.value));
        let unseen = Diagnostic::warning(codes::NO_EFFECT, message).at(name.at.clone());
        problems.push(unseen.help(format!("add it in `[hook]`: env = [\"{}\"]", name.value)));
    }
    let given: Vec<&str> = doc.given.env.0.iter().map(|(name, _)| name.value.as_str()).collect();
    for name in doc.hook.env.iter().filter(|name| name.value != "WASMHOOK_OUTPUT" && !given.contains(&name.value.as_str())) {
        let message = format!("{} is granted, but not given: the hook won't see it", quote(&name.value));
        problems.push(Diagnostic::warning(codes::NO_EFFECT, message).at(name.at.clone()).help("give it a value in `[given.env]`"));
    }
}

fn expected(doc: ExpectedDoc, problems: &mut Problems) -> Expected {
    contradictions(&doc, problems);
    Expected {
        outcome: outcome(&doc),
        cause: doc.cause.map(|cause| cause.value),
        skip_reason: doc.skip_reason.map(|reason| reason.value),
        exit_code: exit_code(doc.exit_code.as_ref(), problems),
        stdout: doc.stdout,
        stdout_contains: pieces(doc.stdout_contains, problems),
        stderr: doc.stderr,
        stderr_contains: pieces(doc.stderr_contains, problems),
        outputs: doc.outputs.0.into_iter().map(|(key, value)| (key.value, value)).collect(),
        files: std::collections::BTreeMap::new(),
        nothing_else_changes: doc.nothing_else_changes,
        fuel_max: doc.fuel_max,
        memory_max: doc.memory_max.map(|size| size.0),
        wall_max: doc.wall_max.map(|duration| duration.0),
    }
}

fn outcome(doc: &ExpectedDoc) -> OutcomeWord {
    doc.outcome.as_ref().map(|outcome| outcome.value).unwrap_or_default()
}

fn exit_code(code: Option<&Located<u32>>, problems: &mut Problems) -> Option<i32> {
    let code = code?;
    let fits = i32::try_from(code.value);
    if fits.is_err() {
        problems.push(error_at(code, codes::BAD_VALUE, format!("{} is larger than an exit code can be", code.value)));
    }
    fits.ok()
}

fn pieces(pieces: Vec<Located<String>>, problems: &mut Problems) -> Vec<String> {
    for piece in pieces.iter().filter(|piece| piece.value.is_empty() || piece.value.contains('\n')) {
        let message = "a piece of a line is not empty, and has no line end in it";
        problems.push(error_at(piece, codes::BAD_VALUE, message).help("write one piece for each line"));
    }
    pieces.into_iter().map(|piece| piece.value).collect()
}

/// What no execution can be: a case that expects it would always fail, for a reason that its mismatches don't name.
fn contradictions(doc: &ExpectedDoc, problems: &mut Problems) {
    let outcome = outcome(doc);
    let mut refuse = |at: &crate::diagnostic::Location, message: String, word: OutcomeWord| {
        let refused = Diagnostic::error(codes::BAD_VALUE, message).at(at.clone());
        problems.push(refused.help(format!("write `outcome = \"{word}\"`, or leave this out")));
    };
    if let Some(cause) = &doc.cause {
        let of = outcome_of(cause.value);
        if outcome != of {
            refuse(&cause.at, format!("cause `{}` is one of {of}, and the expected outcome is {outcome}", cause.value), of);
        }
    }
    if let Some(reason) = doc.skip_reason.as_ref().filter(|_| outcome != OutcomeWord::Skipped) {
        refuse(&reason.at, format!("a skip reason belongs to a skip, and the expected outcome is {outcome}"), OutcomeWord::Skipped);
    }
    match (&doc.exit_code, outcome) {
        (Some(code), OutcomeWord::Succeeded | OutcomeWord::Skipped) if code.value != 0 => {
            refuse(&code.at, format!("exit code {} is a failure, and the expected outcome is {outcome}", code.value), OutcomeWord::Failed);
        }
        (Some(code), OutcomeWord::Failed) if code.value == 0 => {
            refuse(&code.at, "exit code 0 is a success, and the expected outcome is failed".to_owned(), OutcomeWord::Succeeded);
        }
        _ => {}
    }
}

const fn outcome_of(cause: CauseWord) -> OutcomeWord {
    match cause {
        CauseWord::Fuel | CauseWord::Deadline | CauseWord::CpuTime => OutcomeWord::TimedOut,
        _ => OutcomeWord::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::has_errors;
    use crate::model::grant::DirMode;
    use crate::testcase::{ExpectedFile, FileWord, GivenFile, guest_beside, json_schema};
    use std::time::Duration;

    const DOCUMENT: &str = include_str!("../../docs/test-cases.md");

    fn found(text: &str) -> Vec<String> {
        parse("hook.test.toml", text).1.iter().map(|d| format!("{} {}: {}", d.at.as_ref().unwrap(), d.code, d.message)).collect()
    }

    fn with(text: &str) -> Vec<String> {
        found(&format!("schema = 1\n{text}"))
    }

    fn examples() -> Vec<&'static str> {
        DOCUMENT.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
    }

    #[test]
    fn the_examples_of_the_document_are_test_cases() {
        assert!(examples().len() >= 2);
        for example in examples() {
            assert_eq!(found(example), [""; 0], "{example}");
        }
    }

    #[test]
    fn each_key_has_its_place() {
        let case = parse("clear-cache.test.toml", examples()[0]).0.unwrap();
        assert_eq!(case.label.as_deref(), Some("the cache is emptied, and its directory stays"));
        assert_eq!(case.tag.map(String::from).as_deref(), Some("v0.4.0"));
        assert_eq!(case.environment.as_str(), "testsite");
        assert_eq!((case.app_dir.as_str(), case.data_dir.as_str()), ("/app", "/app/db"));
        assert_eq!(case.files["app/cache/page.html"], GivenFile::Text("<p>old</p>\n".into()));
        assert!(matches!(&case.files["app/src/new-file.json"], GivenFile::From(path) if path.value == "fixtures/new-file.json"));
        assert_eq!(case.files["other/deployment/static"], GivenFile::Dir);
        assert!(case.hook.guest.is_none());
        assert_eq!(case.hook.dirs.len(), 2);
        assert!(case.hook.dirs.iter().all(|dir| dir.mode.is_some()));
        assert_eq!(case.hook.limits.timeout.unwrap().value, Duration::from_secs(10));
        assert_eq!(case.expected.outcome, OutcomeWord::Succeeded);
        assert_eq!(case.expected.files["app/cache"], ExpectedFile::Is(FileWord::Dir));
        assert_eq!(case.expected.files["app/.release-v0.4.0-done"], ExpectedFile::Text(String::new()));
        assert!(case.expected.nothing_else_changes);
        assert_eq!((case.expected.fuel_max, case.expected.memory_max), (Some(50_000_000), Some(16 << 20)));
        assert_eq!(case.expected.wall_max, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_case_without_expectations_expects_success() {
        let (case, found) = parse("hook.test.toml", "schema = 1\n");
        let case = case.unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((case.expected.outcome, case.environment.as_str()), (OutcomeWord::Succeeded, "test"));
        assert_eq!((case.app_dir.as_str(), case.data_dir.as_str(), case.tag), ("/app", "/app", None));
        assert_eq!(guest_beside("release/v0.4.0.post-migrate.test.toml").as_deref(), Some("release/v0.4.0.post-migrate.wasm"));
        assert_eq!(guest_beside("x.toml"), None);
        assert_eq!(guest_beside(".test.toml"), None);
    }

    #[test]
    fn everything_wrong_is_said_at_once_where_it_stands() {
        let text = "[given]\ntag = \"a/b\"\ntgs = 1\n[hook]\nnet = []\n[expected]\noutcome = \"cancelled\"\nexit_code = -1\n";
        let found = with(text);
        let starts = [
            "hook.test.toml:3:7 bad-name: tag \"a/b\"",
            "hook.test.toml:4:1 unknown-key: `[given]` has no key `tgs`",
            "hook.test.toml:6:1 unknown-key: `[hook]` has no key `net`",
            "hook.test.toml:8:11 bad-value: `outcome`: `cancelled` is not one of succeeded, skipped, failed, timed-out",
            "hook.test.toml:9:13 bad-value: `exit_code`",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}\n{start}");
        }
        assert!(super::parse("x", "label = 1").1.iter().any(|d| d.code == codes::MISSING_KEY), "`schema` is needed");
        assert!(parse("x", "not toml").1.iter().all(|d| d.code == codes::TOML_SYNTAX));
    }

    #[test]
    fn what_no_execution_can_be_is_refused() {
        for (text, part) in [
            ("expected.exit_code = 3", "exit code 3 is a failure, and the expected outcome is succeeded"),
            ("expected = { outcome = \"failed\", exit_code = 0 }", "exit code 0 is a success"),
            ("expected.cause = \"trap\"", "cause `trap` is one of failed"),
            ("expected = { outcome = \"failed\", cause = \"fuel\" }", "cause `fuel` is one of timed-out"),
            ("expected.skip_reason = \"x\"", "a skip reason belongs to a skip"),
            ("expected = { outcome = \"failed\", exit_code = 3_000_000_000 }", "larger than an exit code"),
            ("expected.stdout_contains = [\"\"]", "a piece of a line is not empty"),
            ("expected.stderr_contains = [\"a\\nb\"]", "has no line end in it"),
            ("expected.files.x = { }", "an expected file is its text"),
            ("expected.files.x = { contains = [] }", "an expected file is its text"),
            ("expected.files.x = { contains = [\"\"] }", "an empty piece occurs in every file"),
            ("expected.files.x = { is = \"file\", contains = [\"a\"] }", "an expected file is its text"),
            ("given.files.x = { is = \"file\" }", "a given file is its text"),
            ("given.files.x = { from = \"../x\" }", "without `.` and `..`"),
            ("given.files.\"../x\" = \"\"", "without `.` and `..`"),
            ("given.files = { x = \"\", \"/app/x\" = \"\" }", "is the same place as another entry: /app/x"),
            ("given.files = { x = \"\", \"x/y\" = \"\" }", "lies in /app/x, which is a file"),
            ("given.app_dir = \"app\"", "it has to be an absolute path"),
            ("given.data_dir = \"/run/wasmhook/x\"", "this is where the engine puts"),
            ("given.env.DEPLOY_TAG = \"v1\"", "is set by the engine"),
            ("hook.dirs = [{ path = \"../x\", mode = \"read\" }]", "without `.` and `..`"),
            ("hook = { wasm = \"a.wasm\", run = [\"b\"] }", "has both `wasm` and `run`"),
            ("hook.shell = true", "there is no `run`"),
            ("hook.cwd = \"x\"", "`cwd` has no effect on a module"),
            ("hook.cpu_time = 3", "`cpu_time` has no effect on a module"),
            ("hook.grace = 3", "`grace` has no effect on a module"),
            ("hook = { run = [\"a\"], fuel = 3 }", "`fuel` has no effect on a native command"),
            ("hook = { run = [\"a\"], module = 3 }", "`module` has no effect on a native command"),
            ("hook = { run = [\"a\"], table_elements = 3 }", "`table_elements` has no effect on a native command"),
            ("hook = { run = \"a\", shell = true, args = [\"b\"] }", "`args` can't be added to a line that a shell reads"),
            ("hook = { run = [\"a\"], dirs = [{ guest = \"/x\", mode = \"scratch\" }] }", "a native command has a private TMPDIR"),
            ("hook = { run = [\"a\"], dirs = [{ path = \"x\", guest = \"/x\" }] }", "nothing could give it another path"),
        ] {
            let found = with(text);
            assert!(found.iter().any(|found| found.contains(part)), "{text}: {found:#?}");
        }
    }

    #[test]
    fn a_variable_that_the_hook_will_not_see_is_a_warning() {
        let text = "schema = 1\n[given.env]\nA = \"1\"\nB = \"2\"\n[hook]\nenv = [\"B\", \"C\", \"WASMHOOK_OUTPUT\"]\n";
        let (_, diagnostics) = parse("hook.test.toml", text);
        assert!(!has_errors(&diagnostics));
        let shown = found(text);
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[0].ends_with("`A` is given, but not granted: the hook won't see it"), "{shown:#?}");
        assert!(shown[1].ends_with("`C` is granted, but not given: the hook won't see it"), "{shown:#?}");
    }

    #[test]
    fn a_directory_without_a_mode_is_writable_and_the_root_may_be_written_as_a_dot() {
        let (case, found) = parse("x", "schema = 1\nhook.dirs = [{ path = \".\" }, { guest = \"/tmp\", mode = \"scratch\" }]\n");
        assert!(found.is_empty(), "{found:?}");
        let modes: Vec<_> = case.unwrap().hook.dirs.into_iter().filter_map(|dir| dir.mode).map(|mode| mode.value).collect();
        assert_eq!(modes, [DirMode::Write, DirMode::Scratch]);
    }

    #[test]
    fn the_schema_names_the_same_keys() {
        let schema = json_schema();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["schema", "label", "given", "hook", "expected"]);
    }
}
