//! Somebody says what became of a hook, or runs again, right after a death: at every point at which the program can die.

use wasmhook_tests::call::Call;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

struct Site {
    place: Place,
    project: Project,
}

impl Site {
    fn new(hooks: &str) -> Self {
        let manifest = format!("schema = 1\napp = \"shop\"\n{hooks}");
        Self {
            place: Place::new(),
            project: Project::empty().file("app/wasmhook.toml", manifest).file("app/data/log", "").file("app/live/log", ""),
        }
    }

    fn call(&self, args: &[&str]) -> Call {
        self.place.args([args, &["--tag", "v1", "-C", "app"]].concat()).current_dir(self.project.path())
    }

    fn words(&self, file: &str) -> Vec<String> {
        self.project.read(file).split_whitespace().map(str::to_owned).collect()
    }

    fn status(&self) -> serde_json::Value {
        let status = ["status", "-C", "app", "--format", "json"];
        self.place.args(status).current_dir(self.project.path()).run().exits(0).json()
    }
}

#[test]
fn whatever_is_said_of_a_hook_that_died_holds_or_is_refused() {
    let work = "run = \"sh -c 'echo made >> data/log'\"\ndirs = [{ path = \"data\", mode = \"txn\" }]";
    let (mut refused, mut held) = (0, 0);
    for point in 0.. {
        let site = Site::new(&hook("h", "pre-deploy", work));
        if site.call(&["run"]).env("WASMHOOK_FAULT", format!("{point}:kill")).spawn().wait().code == 0 {
            assert!(point > 15, "only {point} points");
            break;
        }
        let is_decided = site.status()["decided"].as_array().is_some_and(|decided| !decided.is_empty());
        let before = site.words("app/data/log").len();
        if is_decided {
            let tried = site.call(&["run", "--dry-run", "--format", "json"]).run().exits(0).report();
            assert_eq!(tried["hooks"][0]["outcome"], "skipped", "{point}: it will be done by then: {tried:#}");
            assert_eq!(tried["notices"][0]["code"], "commit-unfinished", "{point}: {tried:#}");
            assert_eq!(site.words("app/data/log").len(), before, "{point}: a dry run finishes nothing");
        }
        let said = site.call(&["resolve", "pre-deploy/h", "--mark-not-run"]).run();
        let after = site.words("app/data/log").len();
        if is_decided {
            assert!(said.code == 3 && said.stderr.contains("had its commit decided"), "{point}: {}", said.said());
            assert_eq!(after, 1, "{point}: it is finished");
            refused += 1;
        } else {
            assert_eq!(after, before, "{point}: nothing else is");
        }
        let _ = site.call(&["run"]).run().exits(0);
        // What was marked as not run runs; what was refused is done; what nobody could say anything of, too.
        let expected = if said.code == 0 { after + 1 } else { 1 };
        assert_eq!(site.words("app/data/log").len(), expected, "{point}: {}", said.said());
        held += usize::from(said.code == 0);
    }
    assert!(refused > 2 && held > 2, "refused {refused}, held {held}");
}

/// Runs a hook that dies at a point; then the directory that it wrote to is another. Whether its commit was decided before that, and whether it is
/// now. None: it didn't die.
fn with_another_directory(point: u64, more: &str) -> Option<(Site, bool, bool)> {
    let work = format!("run = \"sh -c 'echo made >> data/log'\"\ndirs = [{{ path = \"data\", mode = \"txn\" }}]\n{more}");
    let site = Site::new(&hook("h", "pre-deploy", &work));
    if site.call(&["run"]).env("WASMHOOK_FAULT", format!("{point}:kill")).spawn().wait().code == 0 {
        assert!(point > 15, "only {point} points");
        return None;
    }
    let is_decided = || site.status()["decided"].as_array().is_some_and(|decided| !decided.is_empty());
    let was_decided = is_decided();
    let data = site.project.path().join("app/data");
    std::fs::rename(&data, data.with_file_name("moved")).unwrap();
    site.project.write("app/data/log", "");
    let is_decided = is_decided();
    Some((site, was_decided, is_decided))
}

#[test]
fn of_a_commit_whose_directory_is_another_by_now_all_say_what_the_next_run_does() {
    let mut given_up = 0;
    for point in 0.. {
        let Some((site, was_decided, is_decided)) = with_another_directory(point, "idempotent = true") else { break };
        let outcome = |args: &[&str]| site.call(args).run().exits(0).report()["hooks"][0]["outcome"].clone();
        let tried = outcome(&["run", "--dry-run", "--format", "json"]);
        let ran = outcome(&["run", "--format", "json"]);
        assert_eq!(tried, ran, "{point}: decided {was_decided}, then {is_decided}");
        assert!(!is_decided || ran == "skipped", "{point}: {ran}");
        assert_eq!(site.words("app/data/log").len(), usize::from(ran == "succeeded"), "{point}: {ran}");
        if was_decided && !is_decided {
            assert_eq!(ran, "succeeded", "{point}: nothing of it was done");
            given_up += 1;
        }
    }
    assert!(given_up > 2, "{given_up}");
}

#[test]
fn of_a_commit_whose_directory_is_another_by_now_a_person_may_say_what_became_of_its_hook() {
    let mut given_up = 0;
    for point in 0.. {
        let Some((site, was_decided, is_decided)) = with_another_directory(point, "") else { break };
        if !was_decided || is_decided {
            continue;
        }
        let unresolved = site.status()["unresolved"].as_array().map_or(0, Vec::len);
        let said = site.call(&["resolve", "pre-deploy/h", "--mark-not-run"]).run();
        // Where its intent was lost, too, nobody knows of it, and nothing has to be said.
        let refused = said.code == 3 && !said.stderr.contains("had its commit decided");
        assert!(if unresolved == 1 { said.code == 0 } else { refused }, "{point}: {}", said.said());
        let _ = site.call(&["run"]).run().exits(0);
        assert_eq!(site.words("app/data/log"), ["made"], "{point}");
        given_up += 1;
    }
    assert!(given_up > 2, "{given_up}");
}

/// Two hooks that can be taken back: the first by a revert with live effects, the second by one that is staged.
fn undoable() -> String {
    let live =
        |id: &str, more: &str| format!("run = \"sh -c 'echo {id} >> live/log'\"\ndirs = [{{ path = \"live\", mode = \"write\" }}]\n{more}");
    let staged = "run = \"sh -c 'echo b >> data/log'\"\ndirs = [{ path = \"data\", mode = \"txn\" }]\n\
                  revert = { run = \"sh -c 'echo unb >> data/log'\" }";
    let first = live("a", "revert = { run = \"sh -c 'echo una >> live/log'\" }");
    format!("{}{}", hook("a", "pre-deploy", &first), hook("b", "post-deploy", staged))
}

#[test]
fn s2_19_a_run_over_a_deployment_that_is_half_taken_back_waits_for_what_nobody_knows() {
    let (mut waited, mut went_on) = (0, 0);
    for point in 0.. {
        let site = Site::new(&undoable());
        let run = site.call(&["run", "--format", "json"]).run().exits(0).report()["run_id"].as_str().unwrap().to_owned();
        let take_back = ["resolve", "--deploy-failed", &run];
        if site.call(&take_back).env("WASMHOOK_FAULT", format!("{point}:kill")).spawn().wait().code == 0 {
            assert!(point > 25, "only {point} points");
            break;
        }
        let again = site.call(&["run"]).run();
        if again.code != 0 {
            assert!(again.code == 1 && again.stderr.contains("half-taken-back"), "{point}: {}", again.said());
            let status = site.status();
            assert_eq!(status["unresolved"][0]["half_taken_back"], true, "{point}: {status:#}");
            assert!(status["taking_back"]["resolve"].as_str().unwrap().contains(&run), "{point}: {status:#}");
            assert_eq!(site.words("app/live/log").iter().filter(|word| *word == "a").count(), 1, "{point}: it did not run again");
            let _ = site.call(&take_back).run().exits(0);
            let _ = site.call(&["run"]).run().exits(0);
            waited += 1;
        } else {
            went_on += 1;
        }
        // Whatever was taken back was made again, and nothing else; what was cut off may have happened, and is tried again.
        let (live, data) = (site.words("app/live/log").join(" "), site.words("app/data/log").join(" "));
        assert!(["a", "a una a", "a una una a"].contains(&live.as_str()), "{point}: {live}");
        assert!(["b", "b unb b"].contains(&data.as_str()), "{point}: {data}");
        let status = site.status();
        assert_eq!(
            (&status["taking_back"], status["unresolved"].as_array().unwrap().len()),
            (&serde_json::Value::Null, 0),
            "{point}: {status:#}"
        );
        // The newer success stands on what there is now: nothing is taken back under it.
        let late = site.call(&take_back).run();
        assert_eq!(late.code, 3, "{point}: {}", late.said());
        assert!(late.stderr.contains("isn't the newest success"), "{point}: {}", late.said());
    }
    assert!(waited > 0 && went_on > 5, "waited {waited}, went on {went_on}");
}

#[test]
fn s2_20_whenever_a_failing_run_dies_its_hook_is_taken_back_once() {
    let profile = "schema = 1\nname = \"mine\"\ndescription = \"x\"\non_locked = \"wait\"\non_unknown = \"stop\"\ndefault_mode = \"txn\"\n\
                   [[step]]\nname = \"go\"\nkind = \"phase\"\ntitle = \"Go\"\ngate = \"once\"\non_failure = \"revert\"\n";
    let a = "idempotent = true\nrun = \"sh -c 'echo a >> data/log'\"\ndirs = [{ path = \"data\" }]\nrevert = { run = \"sh -c 'echo una >> data/log'\" }";
    let mut seen = [0, 0];
    for point in 0.. {
        let site = Site::new(&format!(
            "profile = \"./mine.toml\"\n{}{}",
            hook("a", "go", a),
            hook("b", "go", "run = \"false\"\nidempotent = true")
        ));
        site.project.write("app/mine.toml", profile);
        if site.call(&["run"]).env("WASMHOOK_FAULT", format!("{point}:kill")).spawn().wait().code == 1 {
            assert!(point > 25, "only {point} points");
            break;
        }
        // The next run makes up for what the dead one owes, and fails and takes back as that did: what it did itself.
        let _ = site.call(&["run"]).run().exits(1);
        let log = site.words("app/data/log").join(" ");
        assert!(["a", "a una", "a una a una"].contains(&log.as_str()), "{point}: {log}");
        seen[log.len() / 6] += 1;
    }
    assert!(seen[0] > 1 && seen[1] > 1, "{seen:?}");
}
