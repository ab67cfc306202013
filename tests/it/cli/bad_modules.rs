//! Hooks that can't run: refused with exit code 3 before anything runs, since no earlier step could mend them; nothing is recorded.

use std::fs::File;
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

/// A first hook that would leave a trace, and the one that can't run.
fn project(guest: &str) -> Project {
    let touch = hook("first", "pre-deploy", "run = \"touch ran\"\ndirs = [{ path = \".\", mode = \"write\" }]");
    Project::new(&format!("{touch}{}", hook("h", "post-deploy", guest))).file("ok.wat", OK)
}

#[track_caller]
fn refused(project: &Project, words: &str) {
    let place = Place::new();
    for command in ["run", "plan", "check"] {
        let ran = place.args([command]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains("unusable-hook") && ran.said().contains(words), "{command}: {words:?} in {}", ran.said());
        assert!(!project.has("ran"), "{command}: nothing ran");
        let status = place.args(["status", "--app", "shop", "--format", "json"]).run().exits(0).json();
        assert_eq!(status["runs"].as_array().map(Vec::len), Some(0), "{command}: nothing is recorded");
    }
}

#[test]
fn a_module_that_is_not_there() {
    refused(&project("wasm = \"gone.wasm\""), "post-deploy/h: there is no module gone.wasm: build it, or declare a fallback");
}

#[test]
fn a_directory_as_a_module() {
    refused(&project("wasm = \"dir\"").file("dir/x", ""), "`dir` is a folder, not a regular file");
}

#[test]
fn a_text_file_as_a_module() {
    refused(&project("wasm = \"text.wasm\"").file("text.wasm", "hello\n"), "not a hook: a text file");
}

#[test]
fn a_module_that_exports_no_start_and_a_component_of_another_world() {
    refused(
        &project("wasm = \"lib.wat\"").file("lib.wat", "(module (func (export \"other\")))"),
        "not a hook: a module that exports `other`",
    );
    let world = "(component (instance $i) (export \"vendor:job/run@1.0.0\" (instance $i)))";
    refused(&project("wasm = \"world.wat\"").file("world.wat", world), "not a hook: a component that exports `vendor:job/run@1.0.0`");
}

#[test]
fn a_module_that_imports_what_we_do_not_give() {
    let import = "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))";
    refused(&project("wasm = \"import.wat\"").file("import.wat", import), "unsupported: it needs env.system; build it for");
}

#[test]
fn a_truncated_module() {
    refused(&project("wasm = \"cut.wasm\"").file("cut.wasm", b"\0asm\x01\0\0\0\x01\x05"), "broken module");
}

#[test]
fn a_precompiled_artefact() {
    let artefact = wasmtime::Engine::default().precompile_module(b"(module (func (export \"_start\")))").unwrap();
    refused(&project("wasm = \"hook.wasm\"").file("hook.wasm", artefact), "a precompiled artefact");
}

#[test]
fn a_file_of_200_mb() {
    let project = project("wasm = \"big.wasm\"");
    File::create(project.path().join("big.wasm")).unwrap().set_len(200_000_000).unwrap();
    refused(&project, "not a hook: a file of another kind");
    File::create(project.path().join("big.wasm")).unwrap().set_len(400 << 20).unwrap();
    refused(&project, "256 MiB");
}

#[test]
fn a_module_past_the_limit_of_its_hook() {
    let project = project("wasm = \"big.wat\"\nmodule = \"1KiB\"").file("big.wat", format!("{OK}{}", " ".repeat(4 << 10)));
    refused(&project, "KiB, more than the limit of 1 KiB: make it smaller, or raise `module` in the hook's limits");
}

#[test]
fn a_link_as_a_module() {
    let project = project("wasm = \"link.wat\"");
    std::os::unix::fs::symlink("ok.wat", project.path().join("link.wat")).unwrap();
    refused(&project, "symbolic link");
}

#[test]
fn where_its_failure_is_tolerated_the_run_goes_on_and_says_so() {
    let project = project("wasm = \"gone.wasm\"\nallow_failure = true");
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let json = ran.json();
    assert_eq!((json["warnings"].as_u64(), json["hooks"][1]["outcome"].as_str()), (Some(1), Some("failed")), "{json}");
    assert!(project.has("ran"));
}
