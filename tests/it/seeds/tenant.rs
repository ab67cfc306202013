//! The document's release script, as it stands, and the module that takes its place.

use serde_json::Value;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::{Place, Project, example};

/// A tenant with one release, whose hook is the script or the module.
fn tenant(hook: &str) -> Project {
    let project = Project::new("profile = 'tenant-upgrade'").file("src/app/static/data/new-file.json", "{}\n").file("cache/.keep", "");
    std::fs::remove_file(project.path().join("cache/.keep")).unwrap();
    match hook {
        "sh" => project.file("release/v0.4.0.sh", std::fs::read(example::dir().join("app/v0.3.28/release/v0.3.28.sh")).unwrap()),
        _ => project.guest("release/v0.4.0.wasm", programs::wasm("marker_hook", Target::P1)),
    }
}

/// Of each hook: phase, id without its ending, outcome, verdict.
fn sequence(report: &Value) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |hook: &Value| text(&hook["id"]).trim_end_matches(".sh").trim_end_matches(".wasm").to_owned();
    let hooks = report["hooks"].as_array().unwrap().iter();
    hooks.map(|hook| [text(&hook["phase"]), name(hook), text(&hook["outcome"]), text(&hook["verdict"])]).collect()
}

/// The names of what lies in the application's root and in its cache.
fn names(project: &Project) -> Vec<String> {
    let list =
        |dir: &str| std::fs::read_dir(project.path().join(dir)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = list(".").chain(list("cache")).collect();
    names.sort();
    names
}

#[test]
fn the_release_script_and_its_module_do_the_same_and_leave_the_same() {
    let (script, module) = (tenant("sh"), tenant("wasm"));
    let (here, there) = (Place::new(), Place::new());
    for outcome in ["succeeded", "skipped"] {
        let run = |place: &Place, project: &Project| {
            place.args(["run", "--tag", "v0.4.0", "--format", "json"]).current_dir(project.path()).run().exits(0)
        };
        let (native, wasm) = (run(&here, &script), run(&there, &module));
        assert_eq!(sequence(&native.report()), [["post-pull", "v0.4.0", outcome, "proceed"].map(str::to_owned)], "{}", native.stderr);
        assert_eq!(sequence(&wasm.report()), sequence(&native.report()));
        assert_eq!(names(&script), names(&module));
        assert!(script.has(".release-v0.4.0-done"));
        let banner = ["=== Release hook: v0.4.0 ===", "Running release tasks for default...", "=== Release hook complete ==="];
        let said = |ran: &wasmhook_tests::Ran| banner.iter().all(|line| ran.stderr.contains(line));
        assert_eq!((said(&native), said(&wasm)), (outcome == "succeeded", outcome == "succeeded"), "{}\n{}", native.stderr, wasm.stderr);
    }
}
