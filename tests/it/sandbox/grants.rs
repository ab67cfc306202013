//! Directory grants of a manifest: where they lead, how they nest, and what they may never reach.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

use std::os::unix::fs::symlink;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

fn project(dirs: &str) -> Project {
    Project::new(&hook("h", "pre-deploy", &format!("wasm = \"ok.wat\"\ndirs = [{dirs}]"))).file("ok.wat", OK).file("data/x", "")
}

#[track_caller]
fn refused(project: &Project, args: &[&str], words: &str) {
    for command in ["run", "plan", "check"] {
        let place = Place::new();
        let ran = place.args([&[command], args].concat()).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains("error[refused-grant]") && ran.said().contains(words), "{command}: {words:?} in {}", ran.stderr);
        assert!(!place.ledger().exists() || command == "run", "{command}");
    }
}

#[test]
fn a_granted_path_that_is_a_link_out_is_refused() {
    for mode in ["read", "write"] {
        let project = project(&format!("{{ path = \"out\", mode = \"{mode}\" }}"));
        symlink("/etc", project.path().join("out")).unwrap();
        refused(&project, &[], "is a link out of the application: it leads to /etc");
    }
    let deeper = self::project("{ path = \"data/deep/share\", mode = \"read\" }");
    symlink("/usr", deeper.path().join("data/deep")).unwrap();
    refused(&deeper, &[], "it leads to /usr/share");
    let inside = project_with_link_inside();
    let _ = Place::new().args(["run"]).current_dir(inside.path()).run().exits(0);
}

fn project_with_link_inside() -> Project {
    let project = project("{ path = \"alias\", mode = \"read\" }");
    symlink("data", project.path().join("alias")).unwrap();
    project
}

#[test]
fn a_link_does_not_lead_around_the_policy() {
    let other = Project::empty().file("secret", "x");
    let project = project("");
    let link = project.path().join("shared");
    symlink(other.path(), &link).unwrap();
    project.write(
        "wasmhook.toml",
        format!(
            "schema = 1\napp = \"shop\"\n{}",
            hook(
                "h",
                "pre-deploy",
                &format!("wasm = \"ok.wat\"\ndirs = [{{ path = {:?}, mode = \"write\" }}]", link.display().to_string())
            )
        ),
    );
    project.write(
        "policy.toml",
        format!("schema = 1\n[policy]\ndirs = [{{ path = {:?}, mode = \"write\" }}]\n", project.path().display().to_string()),
    );
    refused(&project, &["--policy", "policy.toml"], "which is not covered by the policy");
    assert_eq!(other.read("secret"), "x");
}

#[test]
fn a_link_that_an_earlier_hook_plants_is_not_followed() {
    let other = Project::empty().file("secret", "kept");
    let plant = format!(
        "run = \"sh -c 'ln -s {} swapped'\"\ndirs = [{{ path = \".\", mode = \"write\" }}]\nsandbox = \"none\"",
        other.path().display()
    );
    let write = "wasm = \"files.wasm\"\nargs = [\"write\", \"/w/secret\", \"stolen\"]\ndirs = [{ path = \"swapped\", guest = \"/w\", mode = \"write\" }]";
    for phase in ["pre-deploy", "post-deploy"] {
        let project = Project::new(&format!("{}{}", hook("plant", "pre-deploy", &plant), hook("write", phase, write)));
        let project = project.guest("files.wasm", programs::wasm("files", Target::P1));
        // In the same phase the directory has to be there when the phase begins.
        if phase == "pre-deploy" {
            std::fs::create_dir(project.path().join("swapped")).unwrap();
            let toml = project.read("wasmhook.toml").replace("ln -s", "rmdir swapped; ln -s");
            project.write("wasmhook.toml", toml);
        }
        let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(1);
        assert!(ran.said().contains("is a link out of the application"), "{phase}: {}", ran.said());
        assert_eq!(other.read("secret"), "kept", "{phase}");
    }
}

#[test]
fn a_granted_directory_that_is_not_there_fails_the_hook_before_its_phase() {
    let project = project("{ path = \"gone\", mode = \"read\" }");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1);
    assert!(ran.json()["hooks"][0]["cause"].to_string().contains("gone"), "{}", ran.stdout);
    let file = project_file();
    assert!(Place::new().args(["run"]).current_dir(file.path()).run().exits(1).said().contains("is not a directory"));
}

fn project_file() -> Project {
    project("{ path = \"ok.wat\", mode = \"read\" }")
}

#[test]
fn a_directory_that_an_earlier_step_makes_is_there_in_time() {
    let make = hook("make", "pre-deploy", "run = \"mkdir made\"\ndirs = [{ path = \".\", mode = \"write\" }]");
    let list = hook("list", "post-deploy", "wasm = \"ok.wat\"\ndirs = [{ path = \"made\", mode = \"read\" }]");
    let project = Project::new(&(make + &list)).file("ok.wat", OK);
    let _ = Place::new().args(["run"]).current_dir(project.path()).run().exits(0);
}

#[test]
fn a_narrow_grant_inside_a_wide_one_is_refused_and_the_other_way_round_holds() {
    let both = |outer: &str, inner: &str| format!("{{ path = \".\", mode = \"{outer}\" }}, {{ path = \"data\", mode = \"{inner}\" }}");
    let narrow = project(&both("write", "read"));
    let ran = Place::new().args(["run"]).current_dir(narrow.path()).run();
    assert!([2, 3].contains(&ran.code) && ran.said().contains("data"), "{}: {}", ran.code, ran.stderr);

    let wide = Project::new(&hook(
        "h",
        "pre-deploy",
        &format!(
            "wasm = \"files.wasm\"\nargs = [\"write\", \"DATA/new\", \"x\", \"write\", \"ROOT/new\", \"x\"]\ndirs = [{}]",
            both("read", "write")
        ),
    ));
    let wide = wide.file("data/x", "").guest("files.wasm", programs::wasm("files", Target::P1));
    let root = wide.path().canonicalize().unwrap().display().to_string();
    wide.write("wasmhook.toml", wide.read("wasmhook.toml").replace("DATA", &format!("{root}/data")).replace("ROOT", &root));
    let ran = Place::new().args(["run"]).current_dir(wide.path()).run().exits(1);
    assert!(wide.has("data/new") && !wide.has("new"), "{}", ran.stderr);
}

#[test]
fn a_grant_that_reaches_state_or_cache_is_refused() {
    let project = project("{ path = \".\", mode = \"read\" }");
    let root = project.path().canonicalize().unwrap();
    for (option, name) in [("--state", "state"), ("--cache", "cache")] {
        let inside = root.join("deep").join(name).display().to_string();
        refused(&project, &[option, &inside], &format!("grant {} reaches the {name}", root.display()));
    }
}
