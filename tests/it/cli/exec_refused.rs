//! `wasmhook exec`: what is refused, by name, before anything runs.

use std::fs;
use std::fs::File;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn echo() -> String {
    programs::wasm("echo", Target::P1).display().to_string()
}

#[test]
fn what_cannot_be_read_is_a_mistake_on_the_command_line() {
    let project = Project::empty().file("dir/x", "");
    for (file, words) in
        [("gone.wasm", "No such file or directory (os error 2) help: create it"), ("dir", "Is a directory (os error 21) help: name a file")]
    {
        let ran = Place::new().args(["exec", file]).current_dir(project.path()).run().exits(2);
        assert!(ran.said().contains(&format!("error[unreadable]: cannot read {file}: {words}")), "{}", ran.stderr);
    }
}

#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for_and_one_with_a_writer_is_read() {
    let project = Project::new(&hook("a", "pre-deploy", "run = [\"true\"]"));
    rustix::fs::mknodat(rustix::fs::CWD, project.path().join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for (args, thing) in [
        (&["exec", "pipe"][..], "cannot read pipe: "),
        (&["run", "--policy", "pipe"], "cannot read the policy pipe: "),
        (&["run", "--env-file", "pipe"], "cannot read the environment file pipe: "),
        (&["run", "--manifest", "pipe"], "`pipe` is a pipe"),
        (&["run", "--profile", "./pipe"], "`./pipe` is a pipe"),
        (&["explain", "./pipe"], "`./pipe` is a pipe"),
        (&["test", "pipe"], "neither a test case"),
    ] {
        let ran = Place::new().args(args).current_dir(project.path()).run();
        assert!([2, 3].contains(&ran.code) && ran.said().contains(thing) && ran.said().contains("pipe"), "{args:?}: {}", ran.stderr);
    }
    let bash = |line: &str| {
        let line = line.replace("wasmhook", &wasmhook_tests::harness::program().display().to_string());
        let mut call = std::process::Command::new("bash");
        call.args(["-c", &line]).current_dir(project.path()).env("HOME", project.path()).output().unwrap().status.code()
    };
    assert_eq!(bash(&format!("wasmhook exec <(sleep 0.2; cat '{}')", echo())), Some(0));
    assert_eq!(bash("wasmhook run --env-file <(sleep 0.2; echo A=1) --policy <(printf 'schema = 1\\n[policy]\\n')"), Some(0));
    assert_eq!(bash("wasmhook run --env-file <(true)"), Some(0), "nothing is something to read");
}

#[test]
fn what_is_no_hook_is_refused_and_says_what_it_is() {
    let project = Project::empty()
        .file("text.wasm", "hello\n")
        .file("module.txt", "(module (func (export \"_start\")))")
        .file("script.wasm", "#!/bin/sh\necho hi\n")
        .file("empty.wasm", "")
        .file("zeros.wasm", [0; 64])
        .file("library.wat", "(module (func (export \"other\")))")
        .file("component.wat", "(component (component (export \"x\")) )")
        .file("mistake.wat", "(module (func (export \"_start\") (drop)))")
        .file("cut.wasm", b"\0asm\x01\0\0\0\x01\x05")
        .file("header.wasm", b"\0asm\x01")
        .file("import.wat", "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))")
        .file("named.cwasm", "not even that");
    for (file, words) in [
        ("text.wasm", "not a hook: a text file"),
        ("module.txt", "WebAssembly text is read from files that end in .wat"),
        ("script.wasm", "not a hook: a script"),
        ("empty.wasm", "not a hook: an empty file"),
        ("zeros.wasm", "not a hook: a file of another kind"),
        ("library.wat", "a module that exports `other`"),
        ("mistake.wat", "broken module"),
        ("cut.wasm", "broken module"),
        ("header.wasm", "in the middle of its header"),
        ("import.wat", "it needs env.system help: no grant can"),
        ("named.cwasm", "not a hook"),
    ] {
        let ran = Place::new().args(["exec", file]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains("error[unusable-hook]") && ran.said().contains(words), "{file}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{file}");
    }
}

#[test]
fn a_precompiled_artefact_is_refused_whatever_its_name() {
    let artefact = wasmtime::Engine::default().precompile_module(b"(module (func (export \"_start\")))").unwrap();
    let project = Project::empty().file("hook.cwasm", &artefact).file("hook.wasm", &artefact).file("hook.wat", &artefact);
    for file in ["hook.cwasm", "hook.wasm", "hook.wat"] {
        let ran = Place::new().args(["exec", file]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains("a precompiled artefact"), "{file}: {}", ran.stderr);
    }
}

#[test]
fn a_file_of_200_mb_is_refused_for_what_it_is() {
    let project = Project::empty();
    File::create(project.path().join("big.wasm")).unwrap().set_len(200_000_000).unwrap();
    let ran = Place::new().args(["exec", "big.wasm"]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("a file of another kind"), "{}", ran.stderr);
    File::create(project.path().join("huge.wasm")).unwrap().set_len(400 << 20).unwrap();
    let ran = Place::new().args(["exec", "huge.wasm"]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("more than the limit of 256 MiB"), "{}", ran.stderr);
}

#[test]
fn a_component_of_another_world_is_refused() {
    let world = "(component (import \"vendor:db/query@1.0.0\" (instance (export \"q\" (func)))))";
    let project = Project::empty().file("other.wat", world).file("nothing.wat", "(component)");
    for (file, words) in [("other.wat", "not a hook"), ("nothing.wat", "a component that exports nothing")] {
        let ran = Place::new().args(["exec", file]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains(words), "{file}: {}", ran.stderr);
    }
}

#[test]
fn a_narrow_grant_inside_a_wide_one_is_refused_by_name() {
    let project = Project::empty().file("app/data/x", "");
    let (app, data) = (project.path().join("app"), project.path().join("app/data"));
    std::os::unix::fs::symlink(&data, project.path().join("alias")).unwrap();
    let alias = project.path().join("alias");
    for inner in [&data, &alias] {
        let (outer, inner) = (format!("{}::/a:write", app.display()), format!("{}::/d:read", inner.display()));
        let ran = Place::new().args(["exec", "--dir", &outer, "--dir", &inner, &echo()]).run().exits(3);
        let real = data.canonicalize().unwrap().display().to_string();
        assert!(ran.said().contains(&format!("grant {real} (read) lies in grant")), "{}", ran.stderr);
        assert_eq!(ran.stdout, "", "nothing ran");
    }
    let (outer, inner) = (format!("{}::/a:read", app.display()), format!("{}::/a/data:write", data.display()));
    Place::new().args(["exec", "--dir", &outer, "--dir", &inner, &echo()]).run().exits(0).stderr.is_empty().then_some(()).unwrap();
}

#[test]
fn one_guest_path_for_two_directories_is_refused() {
    let project = Project::empty().file("a/x", "").file("b/x", "");
    let ran = Place::new().args(["exec", "--dir", "a::/g", "--dir", "b::/g", &echo()]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("two grants for the guest path /g"), "{}", ran.stderr);
}

#[test]
fn a_grant_that_reaches_the_cache_or_the_state_is_refused_also_before_they_are_there() {
    let place = Project::empty().file("work/x", "");
    let work = place.path().join("work").canonicalize().unwrap();
    for (option, name) in [("--cache", "cache"), ("--state", "state")] {
        let ours = work.join("deep").join(name);
        for (grant, what) in [(work.clone(), "holds it"), (ours.clone(), "is it")] {
            if what == "is it" {
                fs::create_dir_all(&ours).unwrap();
            }
            let ran = Place::new().args(["exec", option]).arg(&ours).arg("--dir").arg(&grant).arg(echo()).run().exits(3);
            let words = format!("error[refused-grant]: grant {} reaches the {name}; use --{name} or narrow it", grant.display());
            assert!(ran.said().contains(&words), "{what}: {}", ran.stderr);
            assert_eq!(ran.stdout, "", "nothing ran");
        }
        fs::remove_dir_all(work.join("deep")).unwrap();
    }
}
