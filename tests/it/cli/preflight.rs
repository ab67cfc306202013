//! What a hook needs and what isn't there when its phase begins: a failure of the hook, with a code that `explain` knows, and nothing of the phase
//! has run.

use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

#[test]
fn what_is_missing_is_named_with_a_code_that_is_explained() {
    let cases = [
        ("wasm = \"ok.wat\"\ndirs = [{ path = \"gone\", mode = \"read\" }]", "gone"),
        ("wasm = \"ok.wat\"\ndirs = [{ path = \"ok.wat\", mode = \"read\" }]", "ok.wat"),
        ("run = \"true\"\ndirs = [{ path = \"gone\", mode = \"txn\" }]", "gone"),
        ("run = \"./gone.sh\"", "gone.sh"),
        ("run = \"true\"\ncwd = \"gone\"", "gone"),
    ];
    for (lines, what) in cases {
        let first = hook("first", "pre-deploy", "run = \"touch ran\"\ndirs = [{ path = \".\", mode = \"write\" }]");
        let (place, project) = (Place::new(), Project::new(&(first + &hook("h", "pre-deploy", lines))).file("ok.wat", OK));
        let human = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(1);
        let said = human.said();
        assert_eq!(said.matches("[preflight]").count(), 1, "{lines}: {}{}", human.stderr, human.stdout);
        assert!(said.contains(what), "{lines}: {}{}", human.stderr, human.stdout);
        let report = place.args(["run", "--tag", "v2", "--format", "json"]).current_dir(project.path()).run().exits(1).report();
        let failed = report["hooks"].as_array().unwrap().iter().find(|hook| hook["id"] == "h").unwrap();
        assert_eq!((&failed["outcome"], &failed["cause"]["kind"]), (&"failed".into(), &"preflight".into()), "{lines}: {failed}");
        assert!(!project.has("ran"), "{lines}: the phase didn't begin");
        let explained = place.args(["explain", failed["cause"]["kind"].as_str().unwrap()]).run().exits(0);
        assert!(explained.stdout.lines().count() > 1, "{}", explained.stdout);
    }
}

#[test]
fn the_memory_of_a_native_hook_is_said_to_be_that_of_each_process() {
    let lines = hook("native", "pre-deploy", "run = \"true\"\nmemory = \"64MiB\"")
        + &hook("wasm", "pre-deploy", "wasm = \"ok.wat\"\nmemory = \"32MiB\"");
    let (place, project) = (Place::new(), Project::new(&lines).file("ok.wat", OK));
    for command in ["plan", "run"] {
        let said = place.args([command]).current_dir(project.path()).run().exits(0).said();
        assert!(said.contains("memory 64 MiB per process"), "{command}: {said}");
        assert!(said.contains("memory 32 MiB") && !said.contains("memory 32 MiB per process"), "{command}: {said}");
    }
}
