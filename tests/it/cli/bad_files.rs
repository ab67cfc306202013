//! Bad manifests, profiles, policies and names: one clear diagnostic with a code, exit code 2, and nothing begun.

use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

/// Each command that reads a manifest refuses alike.
#[track_caller]
fn refused(project: &Project, args: &[&str], code: &str, words: &str) {
    for command in ["run", "plan", "check", "list"] {
        let place = Place::new();
        let ran = place.args([&[command], args].concat()).current_dir(project.path()).run().exits(2);
        let said = ran.said();
        assert!(said.contains(&format!("error[{code}]")) && said.contains(words), "{command}: {code} {words:?} in {}", ran.stderr);
        assert_eq!(ran.stderr.matches("error[").count(), 1, "one diagnostic: {}", ran.stderr);
        assert!(!ran.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", ran.stderr);
        assert!(!place.state().exists(), "{command}: nothing was begun");
    }
}

fn good() -> Project {
    Project::new(&hook("a", "pre-deploy", "wasm = \"ok.wat\"")).file("ok.wat", OK)
}

#[test]
fn no_manifest() {
    refused(&Project::empty(), &[], "no-manifest", "there is no wasmhook.toml in .");
    refused(&Project::empty(), &["-C", "gone"], "unreadable", "cannot find gone");
    refused(&Project::empty(), &["--manifest", "gone.toml"], "unreadable", "cannot read the manifest gone.toml");
    refused(
        &Project::empty().file("text.txt", ""),
        &["-C", "text.txt"],
        "unreadable",
        "in text.txt: not a directory help: name a directory",
    );
    refused(&good(), &["--manifest", ".."], "unreadable", "cannot read the manifest ..: is a directory help: name a file");
    let dangling = Project::empty();
    std::os::unix::fs::symlink("nowhere.toml", dangling.path().join("wasmhook.toml")).unwrap();
    refused(&dangling, &[], "unreadable", "symbolic link");
}

#[test]
fn a_root_of_the_application_that_is_not_there() {
    let repository = good();
    std::fs::create_dir(repository.path().join(".git")).unwrap();
    for project in [&good(), &repository] {
        refused(project, &["--app-dir", "nope"], "unreadable", "--app-dir nope: there is no directory");
        let resolve = ["resolve", "a", "--retry", "--app-dir", "nope"];
        let said = Place::new().args(resolve).current_dir(project.path()).run().exits(2).said();
        assert!(said.contains("error[unreadable]: --app-dir nope"), "{said}");
    }
}

#[test]
fn an_empty_manifest() {
    refused(&Project::empty().file("wasmhook.toml", ""), &[], "empty-file", "begin it with `schema = 1`");
    refused(&Project::empty().file("wasmhook.toml", "# nothing\n\n"), &[], "empty-file", "says nothing");
}

#[test]
fn a_manifest_that_is_no_file_no_text_or_no_toml() {
    refused(&Project::empty().file("wasmhook.toml/x", ""), &[], "unreadable", "cannot read the manifest");
    refused(&Project::empty().file("wasmhook.toml", b"app = \"caf\xe9\"\n"), &[], "unreadable", "not UTF-8 text (byte 10)");
    refused(&Project::empty().file("wasmhook.toml", "app = \n"), &[], "toml-syntax", "not TOML");
    refused(&Project::empty().file("wasmhook.toml", vec![b'#'; 2 << 20]), &[], "unreadable", "more than the limit of");
}

#[test]
fn a_foreign_file_that_cannot_be_read_is_refused_like_our_own() {
    let named = |name: &'static str| [format!("--manifest={name}"), "--app=shop".to_owned()];
    let refused = |project: &Project, words: &str| {
        let arguments = named("app_desc.yaml");
        refused(project, &arguments.each_ref().map(String::as_str), "unreadable", words);
    };
    refused(&Project::empty(), "cannot read the manifest");
    refused(&Project::empty().file("app_desc.yaml/x", ""), "a folder");
    refused(&Project::empty().file("app_desc.yaml", vec![b'#'; 2 << 20]), "more than the limit of");
    let project = Project::empty().file("there.yaml", "");
    std::os::unix::fs::symlink("there.yaml", project.path().join("app_desc.yaml")).unwrap();
    refused(&project, "symbolic link");
}

#[test]
fn a_manifest_of_another_version() {
    refused(&Project::empty().file("wasmhook.toml", "schema = 2\napp = \"a\"\n"), &[], "schema-version", "schema");
}

#[test]
fn tags_that_would_leave_their_place_or_steer_a_terminal() {
    for (tag, words) in [
        ("a/b", "holds a slash"),
        ("../../etc", "holds a slash"),
        ("..", "holds `..`"),
        ("v1\nv2", "holds a control character"),
        ("\u{1b}[2Jv1", "holds a control character"),
        ("v1\u{202e}", "holds"),
        ("-v1", "starts with `-`"),
        ("", "empty"),
        ("a b", "holds"),
    ] {
        refused(&good(), &[&format!("--tag={tag}")], "bad-name", words);
    }
    refused(&good(), &[&format!("--tag={}", "x".repeat(300))], "bad-name", "200 bytes");
}

#[test]
fn a_profile_that_is_not_there_or_not_one() {
    refused(&good(), &["--profile", "pagdoa"], "unknown-profile", "pagdoa");
    refused(&good(), &["--profile", "./gone.toml"], "unreadable", "cannot read the profile");
    refused(&good().file("own.toml", ""), &["--profile", "./own.toml"], "empty-file", "says nothing");
    let broken = std::fs::read_to_string(wasmhook_tests::programs::root().join("runtime/profiles/default.toml")).unwrap();
    let broken = broken.replace("name = \"default\"", "name = 7");
    refused(&good().file("own.toml", broken), &["--profile", "./own.toml"], "wrong-type", "`name` is an integer");
}

#[test]
fn a_policy_that_is_not_there_or_not_one() {
    refused(&good(), &["--policy", "gone.toml"], "unreadable", "cannot read the policy gone.toml");
    refused(&good().file("policy.toml", "schema = 1\n[polcy]\n"), &["--policy", "policy.toml"], "unknown-key", "polcy");
}

/// What a hook may have put where the host reads: a link to a file that only the operator may read, and a pipe that nobody writes to.
#[test]
fn what_lies_in_the_application_is_read_where_it_lies_or_not_at_all() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "CANARY=canary-51c2\n[canary-51c2\n").unwrap();
    let plant = |project: &Project, name: &str, pipe: bool| {
        let at = project.path().join(name);
        let _ = std::fs::remove_file(&at);
        if pipe {
            rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        } else {
            std::os::unix::fs::symlink(&secret, &at).unwrap();
        }
    };
    for pipe in [false, true] {
        for (name, lines) in [("wasmhook.toml", ""), ("app.env", "env_file = \"app.env\"\n"), ("own.toml", "profile = \"./own.toml\"\n")] {
            let project = Project::new(&format!("{lines}{}", hook("a", "pre-deploy", "run = [\"env\"]\nenv = [\"CANARY\"]")));
            plant(&project, name, pipe);
            for command in ["run", "check"] {
                let ran = Place::new().args([command]).current_dir(project.path()).run().exits(2);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains(name) && !said.contains("canary"), "{command} {name}: {said}");
                assert!(said.contains(if pipe { "a pipe" } else { "symbolic link" }), "{command} {name}: {said}");
            }
        }
    }
    // A folder on the way is no better.
    let project = Project::new(&format!("env_file = \"there/secret\"\n{}", hook("a", "pre-deploy", "run = [\"env\"]\nenv = [\"CANARY\"]")));
    std::os::unix::fs::symlink(outside.path(), project.path().join("there")).unwrap();
    let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(2);
    assert!(ran.stderr.contains("error[unreadable]") && ran.stderr.contains("symbolic link"), "{}", ran.stderr);
}
