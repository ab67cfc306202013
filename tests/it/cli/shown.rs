//! What `plan`, `list`, `status`, `show`, `check`, `explain`, `cache`, `completions` and `man` say.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use serde_json::Value;
use wasmhook_tests::project::{FAILS, OK, hook};
use wasmhook_tests::{Place, Project};

fn project() -> Project {
    let lines = [
        hook("a", "pre-deploy", "wasm = \"ok.wat\""),
        hook("off", "pre-deploy", "wasm = \"ok.wat\"\nenabled = false"),
        hook("again", "post-deploy", "wasm = \"ok.wat\"\nonce = false"),
    ];
    Project::new(&lines.concat()).file("ok.wat", OK)
}

fn decisions(plan: &Value) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let decisions = plan["decisions"].as_array().unwrap();
    decisions
        .iter()
        .filter(|decided| !decided["place"]["hook"].is_null())
        .map(|decided| (text(&decided["place"]["hook"]).unwrap(), text(&decided["decision"]).unwrap(), text(&decided["reason"])))
        .collect()
}

#[test]
fn plan_and_run_decide_the_same() {
    let (place, project) = (Place::new(), project());
    let call = |command: &str| place.args([command, "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    for round in 0..2 {
        let plan = call("plan").report();
        let run = call("run").report();
        let ran: Vec<(String, bool)> =
            run["hooks"].as_array().unwrap().iter().map(|h| (h["id"].as_str().unwrap().to_owned(), h["outcome"] == "skipped")).collect();
        let planned = decisions(&plan);
        let skipped: Vec<(String, bool)> = planned.iter().map(|(hook, decided, _)| (hook.clone(), decided == "skip")).collect();
        assert_eq!(skipped, ran, "round {round}");
        assert_eq!(planned[0].1, if round == 0 { "run" } else { "skip" });
        assert_eq!(plan["digest"], run["plan_digest"], "what was shown is what ran: round {round}");
    }
}

#[test]
fn plan_writes_nothing_and_human_and_json_agree() {
    let (place, project) = (Place::new(), project());
    let human = place.args(["plan", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    for words in [
        "shop/default v1, profile default",
        "→ pre-deploy/a: run",
        "→ pre-deploy/off: skip: disabled",
        "limits 5m, fuel 3T, memory 512 MiB",
    ] {
        assert!(human.said().contains(words), "{words}: {}", human.stdout);
    }
    assert!(!place.ledger().exists(), "a plan is no run");
}

#[test]
fn list_names_every_hook_and_where_it_comes_from() {
    let project =
        project().file("ops/more.toml", format!("schema = 1\n{}", hook("ops", "pre-deploy", "wasm = \"own.wat\""))).file("ops/own.wat", OK);
    let args = ["list", "--manifest", "wasmhook.toml", "--manifest", "ops/more.toml"];
    let human = Place::new().args(args).current_dir(project.path()).run().exits(0);
    let rows: Vec<Vec<&str>> = human.stdout.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    let first_two: Vec<&[&str]> = rows.iter().map(|row| &row[..2]).collect();
    assert_eq!(first_two, [["pre-deploy", "a"], ["pre-deploy", "off"], ["pre-deploy", "ops"], ["post-deploy", "again"]]);
    assert!(rows[2].last().unwrap().ends_with("ops/more.toml"), "{}", human.stdout);
    let json = Place::new().args(args).args_json().current_dir(project.path()).run().exits(0).report();
    assert_eq!(json["hooks"].as_array().unwrap().len(), 4);
    assert_eq!(json["hooks"][1]["enabled"], false);
}

#[test]
fn list_in_a_file_keeps_where_a_hook_comes_from_beside_a_long_command() {
    let long = format!("true {}", "word ".repeat(30).trim_end());
    let project = Project::new(&hook("a", "pre-deploy", &format!("run = \"{long}\"")));
    let listed = Place::new().args(["list"]).env("COLUMNS", "80").current_dir(project.path()).run().exits(0).stdout;
    assert!(listed.contains(&long) && listed.trim_end().ends_with("wasmhook.toml"), "{listed}");
}

trait Json {
    fn args_json(self) -> Self;
}

impl Json for wasmhook_tests::call::Call {
    fn args_json(self) -> Self {
        self.arg("--format").arg("json")
    }
}

#[test]
fn show_prints_what_run_printed() {
    let (place, project) = (Place::new(), project());
    project.write(
        "wasmhook.toml",
        format!(
            "schema = 1\napp = \"shop\"\n{}{}",
            hook("a", "pre-deploy", "run = \"echo hello\""),
            hook("bad", "post-deploy", "wasm = \"bad.wat\"")
        ),
    );
    project.write("bad.wat", FAILS);
    let ran = place.args(["run", "--tag", "v1"]).args_json().current_dir(project.path()).run().exits(1);
    let run_id = ran.report()["run_id"].as_str().unwrap().to_owned();
    for args in [vec!["show"], vec!["show", run_id.as_str()]] {
        let shown = place.args(&args).args_json().current_dir(project.path()).run().exits(0);
        assert_eq!(shown.report(), ran.report(), "{args:?}");
    }
    let human = place.args(["show", &run_id]).run().exits(0);
    assert!(human.said().contains("pre-deploy/a │ hello") && human.said().contains("exit code 7"), "from anywhere: {}", human.stderr);
    let events = place.args(["show", &run_id, "--format", "jsonl"]).run().exits(0);
    assert!(events.stdout.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["run"] == run_id.as_str()), "{}", events.stdout);
}

#[test]
fn show_tells_of_a_broken_manifest_instead_of_another_application() {
    let place = Place::new();
    let _ = place.args(["run", "--tag", "v1"]).current_dir(project().path()).run().exits(0);
    let broken = Project::empty().file("wasmhook.toml", "schema = 1\napp = \"other\"\nprofil = \"x\"\n");
    for command in ["show", "status"] {
        let told = place.args([command]).current_dir(broken.path()).run().exits(2);
        assert!(told.said().contains("error[unknown-key]") && told.stdout.is_empty(), "{command}: {}", told.said());
    }
    let elsewhere = Project::empty();
    let _ = place.args(["show"]).current_dir(elsewhere.path()).run().exits(0);
}

#[test]
fn show_says_that_there_is_no_such_run() {
    let (place, project) = (Place::new(), project());
    assert!(place.args(["show"]).current_dir(project.path()).run().exits(2).said().contains("no run yet"));
    let _ = place.args(["run"]).current_dir(project.path()).run().exits(0);
    let unknown = place.args(["show", "nosuch", "--app", "shop"]).run().exits(2).said();
    assert!(
        unknown.contains("the ledger knows no run nosuch") && unknown.contains("`wasmhook status --app shop` shows those"),
        "{unknown}"
    );
    assert!(place.args(["show", "../x"]).run().exits(2).said().contains("error[bad-name]"));
}

#[test]
fn status_lists_runs_newest_first_and_the_free_lock() {
    let (place, project) = (Place::new(), project());
    let nothing = place.args(["status"]).args_json().current_dir("/").run().exits(0);
    assert_eq!(nothing.report()["runs"].as_array().map(Vec::len), Some(0));
    for tag in ["v1", "v2"] {
        let _ = place.args(["run", "--tag", tag]).current_dir(project.path()).run().exits(0);
    }
    let status = place.args(["status"]).args_json().current_dir(project.path()).run().exits(0).report();
    let tags: Vec<&str> = status["runs"].as_array().unwrap().iter().map(|run| run["tag"].as_str().unwrap()).collect();
    assert_eq!((tags, status["locked"].as_bool(), status["locked_by"].is_null()), (vec!["v2", "v1"], Some(false), true));
    let human = place.args(["status", "--app", "shop"]).run().exits(0);
    assert!(human.said().contains("shop/default: not locked") && human.said().contains("✓ success"), "{}", human.stdout);
}

#[test]
fn the_status_of_several_applications_is_one_json_value_too() {
    let place = Place::new();
    for app in ["one", "two"] {
        let _ = place.args(["run", "--tag", "v1", "--app", app]).current_dir(project().path()).run().exits(0);
        let alone = place.args(["status", "--app", app]).args_json().current_dir("/").run().exits(0).report();
        assert_eq!((alone["app"].as_str(), alone["targets"].is_null()), (Some(app), true), "{alone}");
    }
    let all = place.args(["status"]).args_json().current_dir("/").run().exits(0).report();
    let apps: Vec<&str> = all["targets"].as_array().unwrap().iter().map(|target| target["app"].as_str().unwrap()).collect();
    assert_eq!((all["schema"].as_u64(), apps), (Some(1), vec!["one", "two"]), "{all}");
    let lines = place.args(["status", "--format", "jsonl"]).current_dir("/").run().exits(0).stdout;
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn check_finds_every_problem_at_once_with_its_place() {
    let bad = Project::new(
        "[[hook]]\nid = \"h\"\nphse = \"pre-deploy\"\nwasm = \"ok.wat\"\nfuel = \"much\"\n[[hook]]\nid = \"a/b\"\nrun = \"x\"",
    );
    let ran = Place::new().args(["check"]).current_dir(bad.path()).run().exits(2);
    for words in ["error[unknown-key]", "wasmhook.toml:5:1", "did you mean `phase`?", "error[bad-name]", "fuel"] {
        assert!(ran.said().contains(words), "{words}: {}", ran.stderr);
    }
    let json = Place::new().args(["check"]).args_json().current_dir(bad.path()).run().exits(2).report();
    let codes: Vec<&str> = json["problems"].as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"unknown-key") && codes.contains(&"bad-name") && codes.len() >= 3, "{codes:?}");
    assert_eq!((json["problems"][0]["file"].as_str(), json["problems"][0]["line"].as_u64()), (Some("wasmhook.toml"), Some(5)), "{json}");
}

#[test]
fn check_looks_at_modules_and_runs_nothing() {
    let good = project();
    let ran = Place::new().args(["check"]).current_dir(good.path()).run().exits(0);
    assert_eq!(ran.stdout, "shop: profile default, 3 hooks, 0 warnings\n");
    let lines = [hook("gone", "pre-deploy", "wasm = \"gone.wasm\""), hook("text", "pre-deploy", "wasm = \"text.wasm\"")];
    let bad = Project::new(&lines.concat()).file("text.wasm", "hello");
    let place = Place::new();
    let ran = place.args(["check"]).current_dir(bad.path()).run().exits(3);
    assert!(ran.said().contains("there is no module gone.wasm") && ran.said().contains("not a hook: a text file"), "{}", ran.stderr);
    assert!(!place.ledger().exists());
    let schema = Place::new().args(["check", "--schema"]).run().exits(0).json();
    assert!(schema["properties"]["hook"].is_object(), "{schema}");
}

#[test]
fn explain_knows_each_code_that_check_names() {
    for code in ["unknown-key", "not-available", "unusable-hook", "refused-grant", "ledger", "moved-tag"] {
        assert!(Place::new().args(["explain", code]).run().exits(0).stdout.lines().count() > 1, "{code}");
    }
    assert!(Place::new().args(["explain", "no\u{1b}[2Jpe"]).run().exits(2).said().contains("there is no code"));
}

#[test]
fn cache_shows_what_was_compiled_and_clears_it() {
    let (place, project) = (Place::new(), project());
    let cache = |args: &[&str]| place.args([&["cache"], args].concat()).args_json().run().exits(0).report();
    assert_eq!(cache(&[])["entries"].as_array().map(Vec::len), Some(0));
    let _ = place.args(["exec", "ok.wat"]).current_dir(project.path()).run().exits(0);
    let full = cache(&[]);
    assert_eq!((full["entries"].as_array().map(Vec::len), full["dir"].as_str()), (Some(1), Some(place.cache().to_str().unwrap())));
    assert!(full["entries"][0]["bytes"].as_u64().unwrap() > 0);
    assert!(place.args(["cache"]).run().exits(0).stdout.contains(": 1 entry, "));
    assert_eq!(cache(&["--clear"])["removed"], 1);
    assert_eq!(cache(&[])["entries"].as_array().map(Vec::len), Some(0));
    let _ = place.args(["exec", "ok.wat"]).current_dir(project.path()).run().exits(0);
    assert!(place.args(["cache", "--clear"]).run().exits(0).stdout.starts_with("removed 1 entry from "));
}

#[test]
fn completions_and_manual_pages_come_from_the_command_line_itself() {
    for shell in ["bash", "zsh", "fish"] {
        let text = Place::new().args(["completions", shell]).run().exits(0).stdout;
        assert!(text.contains("accept-moved-tag") && text.contains("wasmhook"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    let _ = Place::new().args(["man"]).arg(&pages).run().exits(0);
    for page in ["wasmhook.1", "wasmhook-run.1", "wasmhook-exec.1"] {
        assert!(std::fs::read_to_string(pages.join(page)).unwrap().contains(".TH wasmhook"), "{page}");
    }
    assert!(Place::new().args(["man", "/proc/nowhere"]).run().exits(2).said().contains("cannot write manual pages to /proc/nowhere"));
}
