//! The selectors of `run`, `plan` and `list`: which manifest, release, hooks, environment and instance.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use serde_json::Value;
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn ids(report: &Value, outcome: &str) -> Vec<String> {
    let hooks = report["hooks"].as_array().unwrap().iter().filter(|hook| hook["outcome"] == outcome);
    hooks.map(|hook| hook["id"].as_str().unwrap().to_owned()).collect()
}

fn project() -> Project {
    let write = "dirs = [{ path = \".\", mode = \"write\" }]";
    let lines = [
        hook("a", "pre-deploy", "wasm = \"ok.wat\""),
        hook("b", "pre-deploy", "wasm = \"ok.wat\""),
        hook("c", "post-deploy", "wasm = \"ok.wat\""),
        format!("[host_step.deploy]\nrun = \"touch deployed\"\n# {write}\n"),
    ];
    Project::new(&lines.concat()).file("ok.wat", OK)
}

#[test]
fn phase_and_only_run_the_named_hooks_and_no_host_step() {
    for (args, expected) in [
        (vec!["--phase", "post-deploy"], vec!["c"]),
        (vec!["--phase", "pre-deploy", "--phase", "post-deploy"], vec!["a", "b", "c"]),
        (vec!["--only", "b"], vec!["b"]),
        (vec!["--only", "a", "--only", "c"], vec!["a", "c"]),
    ] {
        let project = project();
        let ran =
            Place::new().args([vec!["run", "--tag", "v1", "--format", "json"], args.clone()].concat()).current_dir(project.path()).run();
        assert_eq!(ids(&ran.exits(0).report(), "succeeded"), expected, "{args:?}");
        assert!(!project.has("deployed"), "{args:?}");
    }
    let project = project();
    let _ = Place::new().args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(project.has("deployed"), "without them it does run");
}

#[test]
fn unknown_phases_and_hooks_are_mistakes() {
    let project = project();
    for (args, code, words) in [
        (["--phase", "pre-deplyo"], "unknown-phase", "pre-deploy"),
        (["--only", "nosuch"], "unknown-hook", "wasmhook list"),
        (["--phase", "a/b"], "bad-name", "slash"),
        (["--env-name", "a b"], "bad-name", "environment"),
        (["--app", ".."], "bad-name", ".."),
    ] {
        let ran = Place::new().args([&["run"], &args[..]].concat()).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains(&format!("error[{code}]")) && ran.said().contains(words), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn selections_that_mean_nothing_are_mistakes() {
    let project = project();
    for (args, words) in [
        (["--phase", "pre-deploy", "--only", "c"], ["--phase pre-deploy and --only c", "c is in post-deploy"]),
        (["--module", "web", "--tag", "v1"], ["--module web", "--manifest FILE"]),
        (["--as", "boxfile", "--tag", "v1"], ["--as boxfile", "--manifest FILE"]),
    ] {
        let ran = Place::new().args([&["run"], &args[..]].concat()).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains("error[usage]"), "{args:?}: {}", ran.stderr);
        assert!(words.iter().all(|words| ran.said().contains(words)), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn only_what_was_asked_for_counts_as_done() {
    let (place, project) = (Place::new(), project());
    let run = |args: &[&str]| {
        place.args([&["run", "--tag", "v1", "--format", "json"], args].concat()).current_dir(project.path()).run().exits(0).report()
    };
    assert_eq!(ids(&run(&["--only", "b"]), "succeeded"), ["b"]);
    assert_eq!(ids(&run(&[]), "succeeded"), ["a", "c"]);
}

#[test]
fn the_app_environment_comes_from_files_and_on_request_from_ours() {
    let names = "env = [\"A\", \"B\", \"C\", \"D\"]";
    let lines = format!(
        "env_file = \"base.env\"\n[env]\nA = \"manifest\"\nB = \"manifest\"\n{}",
        hook("h", "pre-deploy", &format!("run = \"sh -c 'echo =$A,$B,$C,$D,$E='\"\n{names}"))
    );
    let project =
        Project::new(&lines).file("base.env", "B=base\nC='base c'\nD=base\nE=unlisted\n").file("more.env", "# more\nexport C=more\n");
    let said = |args: &[&str]| {
        let place = Place::new();
        let ran = place.args([&["run"], args].concat()).current_dir(project.path()).env("D", "ours").env("X", "ours").run().exits(0);
        ran.stderr.lines().find_map(|line| line.split_once("│ =")).map(|(_, said)| said.to_owned()).unwrap()
    };
    assert_eq!(said(&[]), "manifest,base,base c,base,=");
    assert_eq!(said(&["--env-file", "more.env"]), "manifest,base,more,base,=");
    assert_eq!(said(&["--env-file", "more.env", "--from-env"]), "manifest,base,more,ours,=");
}

#[test]
fn a_bad_environment_file_is_explained_without_its_values() {
    let project = project().file("bad.env", "GOOD=1\nthis is s3cret\n");
    for (file, code) in [("bad.env", "bad-env-line"), ("gone.env", "unreadable")] {
        let ran = Place::new().args(["run", "--env-file", file]).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains(&format!("error[{code}]")) && !ran.said().contains("s3cret"), "{}", ran.stderr);
    }
}

#[test]
fn a_variable_that_a_hook_needs_and_nobody_gives_is_found_before_its_phase() {
    let project = Project::new(&hook("h", "pre-deploy", "run = \"touch ran\"\nenv = [\"DATABASE_URL\"]"));
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1);
    assert!(ran.report()["hooks"][0]["cause"].to_string().contains("DATABASE_URL"), "{}", ran.stdout);
}

#[test]
fn of_several_manifests_the_later_is_stronger_and_lists_are_appended() {
    let project = project();
    project.write("ops/platform.toml", format!("schema = 1\napp = \"renamed\"\n{}", hook("ops", "pre-deploy", "wasm = \"own.wat\"")));
    project.write("ops/own.wat", OK);
    let args = ["run", "--manifest", "wasmhook.toml", "--manifest", "ops/platform.toml", "--format", "json"];
    let json = Place::new().args(args).current_dir(project.path()).run().exits(0).report();
    assert_eq!((json["app"].as_str(), ids(&json, "succeeded")), (Some("renamed"), ["a", "b", "ops", "c"].map(str::to_owned).to_vec()));
}

#[test]
fn a_directory_is_named_from_anywhere() {
    let project = project();
    let json = Place::new().args(["run", "--format", "json", "-C"]).arg(project.path()).run().exits(0).report();
    assert_eq!(ids(&json, "succeeded"), ["a", "b", "c"]);
}

#[test]
fn instances_run_a_phase_each_in_its_own_directory() {
    let hooks = hook("h", "pre-deploy", "run = \"sh -c 'echo $APP_DIR'\"");
    let project = Project::new(&hooks).file("one/x", "").file("two/x", "");
    let ran =
        Place::new().args(["run", "--format", "json", "--instance", "one=one", "--instance", "two=two"]).current_dir(project.path()).run();
    let json = ran.exits(0).report();
    let instances: Vec<&str> = json["hooks"].as_array().unwrap().iter().filter_map(|hook| hook["instance"].as_str()).collect();
    // The phases of the profile `default` run on one instance, the first.
    assert_eq!(instances, ["one"], "{json}");
    for (given, words) in [
        ("one", "write [SERVICE/]NAME=DIR"),
        ("one=gone", "--instance one=gone: No such file or directory (os error 2) help: create it"),
        ("a/b/c=one", "slash"),
        ("web/a=one", "no hook belongs to the service `web`"),
    ] {
        let ran = Place::new().args(["run", "--instance", given]).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains(words), "{given}: {}", ran.stderr);
    }
}

#[test]
fn an_instance_that_a_hook_would_meet_twice_is_a_mistake() {
    let hooks = hook("h", "pre-deploy", "run = \"true\"\nservice = \"web\"");
    let project = Project::new(&format!("{hooks}{}", hook("w", "pre-deploy", "run = \"true\"\nservice = \"work\"")));
    let project = project.file("one/x", "").file("two/x", "");
    let given = |instances: [&str; 2]| {
        let [one, two] = instances;
        Place::new().args(["run", "--instance", one, "--instance", two]).current_dir(project.path()).run()
    };
    for (instances, named) in
        [(["web/a=one", "web/a=two"], "web/a"), (["a=one", "a=two"], "a"), (["a=one", "web/a=two"], "web/a"), (["web/a=one", "a=one"], "a")]
    {
        let ran = given(instances).exits(2);
        let said = ran.said();
        assert!(said.contains("error[duplicate-name]") && said.contains(&format!("the instance {named} is given twice")), "{said}");
    }
    let _ = given(["web/a=one", "work/a=two"]).exits(0);
}

#[test]
fn without_a_name_of_the_application_it_has_to_be_given() {
    let project =
        Project::empty().file("wasmhook.toml", format!("schema = 1\n{}", hook("a", "pre-deploy", "wasm = \"ok.wat\""))).file("ok.wat", OK);
    assert!(Place::new().args(["run"]).current_dir(project.path()).run().exits(2).said().contains("error[no-app]"));
    let _ = Place::new().args(["run", "--app", "named"]).current_dir(project.path()).run().exits(0);
}

#[test]
fn modules_lie_beside_the_manifest_that_names_them_wherever_the_application_lies() {
    let manifest = format!("schema = 1\napp = \"shop\"\napp_dir = \"app\"\n{}", hook("h", "pre-deploy", "wasm = 'hooks/h.wat'"));
    let project = Project::empty().file("wasmhook.toml", manifest).file("hooks/h.wat", OK).file("app/x", "");
    let _ = Place::new().args(["run"]).current_dir(project.path()).run().exits(0);
}
