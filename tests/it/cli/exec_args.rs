//! `wasmhook exec`: arguments, variables and directories reach the guest as they are typed.

use std::fs;
use std::path::Path;
use wasmhook_tests::Place;
use wasmhook_tests::programs::{self, Target};

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn echo() -> String {
    text(&programs::wasm("echo", Target::P1))
}

fn files() -> String {
    text(&programs::wasm("files", Target::P1))
}

#[test]
fn all_after_file_is_the_guests_even_what_looks_like_ours() {
    let given = ["--help", "--env", "A=1", "--fuel", "0", "--", "-x", "", "two words", "--dir", "/"];
    for target in Target::ALL {
        let file = text(&programs::wasm("echo", target));
        let ran = Place::new().args([&["exec", "--env", "B=2", &file], &given[..]].concat()).run().exits(0);
        let args: Vec<String> = ran.stdout.lines().filter_map(|line| line.strip_prefix("arg ").map(str::to_owned)).collect();
        assert_eq!(args, given, "{target}");
        assert!(ran.stdout.contains("env B=2\n") && !ran.stdout.contains("env A"), "{}", ran.stdout);
    }
}

#[test]
fn an_unknown_option_before_file_is_a_mistake_and_not_a_guest() {
    let ran = Place::new().args(["exec", "--bogus", &echo()]).run().exits(2);
    assert!(ran.stderr.contains("--bogus"), "{}", ran.stderr);
}

#[test]
fn a_mistake_has_the_colours_that_were_asked_for() {
    for (when, coloured) in [("always", true), ("never", false), ("auto", false)] {
        let ran = Place::new().args(["exec", "--color", when, "--bogus"]).run().exits(2);
        assert_eq!(ran.stderr.contains('\u{1b}'), coloured, "{when}: {:?}", ran.stderr);
    }
}

#[test]
fn without_a_file_it_says_what_is_missing() {
    assert!(Place::new().args(["exec"]).run().exits(2).said().contains("FILE"));
}

#[test]
fn env_gives_a_value_or_passes_one_on_and_nothing_else_is_inherited() {
    let call = Place::new();
    let ran = call.args(["exec", "--env", "A=x=y", "--env", "MINE", "--env", "EMPTY=", &echo()]);
    let ran = ran.env("MINE", "passed on").env("SECRET", "kept").run().exits(0);
    let env: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("env ")).collect();
    assert_eq!(env, ["env A=x=y", "env EMPTY=", "env MINE=passed on"]);
}

#[test]
fn a_variable_without_a_name_is_refused() {
    assert!(Place::new().args(["exec", "--env", "=x", &echo()]).run().exits(2).said().contains("a variable has a name"));
}

#[test]
fn what_a_manifest_would_refuse_is_refused_by_the_same_rule() {
    let project = wasmhook_tests::Project::empty().file("d/x", "");
    for (args, words) in [
        (&["--dir", "d::/run/wasmhook"][..], "where the engine puts the hook's own files"),
        (&["--dir", "d::/a/../b"], "no `.` and no `..`"),
        (&["--dir", "::/a/./b:scratch"], "no `.` and no `..`"),
        (&["--dir", "d::rel"], "a guest path is absolute"),
        (&["--env", "FOO=1", "--env", "FOO=2"], "FOO is given twice"),
        (&["--env", "A B=x"], "\"A B\" is not a name: letters, digits"),
        (&["--env", "NOSUCHVAR"], "NOSUCHVAR is not set here"),
        (&["--fuel", "0"], "--fuel 0 lets nothing run"),
        (&["--memory", "0"], "--memory 0 lets nothing run"),
    ] {
        let ran = Place::new().args([&["exec"], args, &[&echo()]].concat()).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains("error[usage]") && ran.said().contains(words) && ran.stdout.is_empty(), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn standard_input_is_empty_whatever_ours_is() {
    let call = Place::new();
    let mut command = call.args(["exec", &echo()]).command();
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    // It stays open and is never written to: a guest that waited for it would wait for ever.
    let stdin = child.stdin.take();
    let ran = child.wait_with_output().unwrap();
    drop(stdin);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("stdin 0 bytes"), "{ran:?}");
}

#[test]
fn a_directory_keeps_its_path_and_is_written_to_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let host = text(&dir.path().canonicalize().unwrap());
    let ran = Place::new().args(["exec", "--dir", &host, &files(), "write", &format!("{host}/made"), "x"]).run().exits(0);
    assert_eq!((ran.stdout.as_str(), fs::read_to_string(dir.path().join("made")).unwrap().as_str()), ("write ok\n", "x"));
}

#[test]
fn a_relative_directory_is_meant_from_here() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let guest = text(&dir.path().canonicalize().unwrap().join("sub/made"));
    let ran = Place::new().args(["exec", "--dir", "sub", &files(), "write", &guest, "x"]).current_dir(dir.path()).run();
    assert_eq!(ran.exits(0).stdout, "write ok\n");
}

#[test]
fn read_lets_nothing_be_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("old"), "kept").unwrap();
    let grant = format!("{}::/in:read", text(dir.path()));
    let steps = ["read", "/in/old", "write", "/in/new", "x"];
    let ran = Place::new().args([&["exec", "--dir", &grant, &files()], &steps[..]].concat()).run().exits(1);
    assert!(ran.stdout.starts_with("read ok kept\nwrite "), "{}", ran.stdout);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn scratch_is_empty_private_and_gone_afterwards() {
    let call = Place::new();
    for _ in 0..2 {
        let steps = ["list", "/tmp", "write", "/tmp/x", "1", "list", "/tmp"];
        let ran = call.args([&["exec", "--dir", "::/tmp:scratch", &files()], &steps[..]].concat()).run().exits(0);
        assert_eq!(ran.stdout, "list ok\nwrite ok\nlist ok x\n");
    }
}

#[test]
fn the_guest_path_may_be_the_root() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("seen"), "").unwrap();
    for grant in [format!("{}::/", text(dir.path())), format!("{}::/:read", text(dir.path()))] {
        let ran = Place::new().args(["exec", "--dir", &grant, &echo()]).run().exits(0);
        assert!(ran.stdout.contains("entry /seen\n"), "{grant}: {}", ran.stdout);
    }
}

#[test]
fn what_follows_the_last_colon_is_a_mode_only_if_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a:b", "data:reads", "data:read", "a::b"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join(name), "").unwrap();
    }
    let sees = |grant: &str, guest: &str, entry: &str| {
        let ran = Place::new().args(["exec", "--dir", grant, &echo(), guest]).current_dir(dir.path()).run().exits(0);
        assert!(ran.stdout.contains(&format!("entry {guest}/{entry}\n")), "{grant}: {}", ran.stdout);
    };
    let real = |name: &str| text(&dir.path().canonicalize().unwrap().join(name));
    sees("a:b", &real("a:b"), "a:b");
    sees("a:b:read", &real("a:b"), "a:b");
    sees("data:reads", &real("data:reads"), "data:reads");
    sees("data:read:read", &real("data:read"), "data:read");
    sees("a:b::/g", "/g", "a:b");
    sees("a::b::/g:read", "/g", "a::b");
}

#[test]
fn wrong_directories_are_explained_and_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for (grant, words) in [
        ("gone", "there is no directory gone"),
        ("sub:raed", "the modes are read, write, txn, discard and scratch"),
        ("file", "is not a directory"),
        ("", "names no directory"),
        (":read", "names no directory"),
        ("sub::relative", "a guest path is absolute"),
        ("sub:scratch", "write ::GUEST:scratch"),
        (":scratch", "write ::GUEST:scratch"),
        ("::relative:scratch", "a guest path is absolute"),
    ] {
        let ran = Place::new().args(["exec", "--dir", grant, &echo()]).current_dir(dir.path()).run().exits(2);
        assert!(ran.said().contains(words), "{grant:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{grant:?}: nothing ran");
    }
}

#[test]
fn limits_are_read_or_explained() {
    for (option, value, words) in [
        ("--timeout", "soon", "is not a duration"),
        ("--memory", "much", "is not a size"),
        ("--fuel", "-1", "--fuel"),
        ("--fuel", "1e9", "--fuel"),
    ] {
        let ran = Place::new().args(["exec", &format!("{option}={value}"), &echo()]).run().exits(2);
        assert!(ran.said().contains(words), "{}", ran.stderr);
    }
    Place::new()
        .args(["exec", "--timeout", "0", "--memory", "64MiB", &echo()])
        .run()
        .exits(0)
        .stdout
        .contains("stdin")
        .then_some(())
        .unwrap();
}
