//! What this version doesn't have yet is refused by name with exit code 2, never ignored.

use wasmhook_tests::{Place, Project};

fn refused(args: &[&str], project: &Project, what: &str) {
    let call = Place::new();
    let ran = call.args(args).current_dir(project.path()).run().exits(2);
    let expected = format!("not available in this version: {what}");
    assert!(ran.said().contains(&expected), "{args:?}: {expected:?} in {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{args:?}");
    assert!(!call.state().exists(), "{args:?}: nothing was begun");
}

#[test]
fn commands_of_later_versions() {
    let project = Project::new("");
    let commands: [&[&str]; 8] = [
        &["new", "hook", "--lang", "rust"],
        &["build"],
        &["inspect", "hook.wasm"],
        &["bench", "hook"],
        &["replay", "file"],
        &["doctor"],
        &["grants", "suggest"],
        &["approve"],
    ];
    for command in commands {
        refused(command, &project, &format!("`wasmhook {}`", command[0]));
    }
}

#[test]
fn options_of_later_versions() {
    let project = Project::new("").file("ok.wat", "(module (func (export \"_start\")))");
    let options: [(&[&str], &str); 5] = [
        (&["exec", "--net", "db:5432", "ok.wat"], "--net"),
        (&["run", "--format", "junit"], "--format junit"),
        (&["plan", "--format", "junit"], "--format junit"),
        (&["list", "--format", "junit"], "--format junit"),
        (&["show", "--format", "junit"], "--format junit"),
    ];
    for (args, what) in options {
        refused(args, &project, what);
    }
}

#[test]
fn options_of_wasmhook_test_of_later_versions() {
    let project = Project::new("");
    let ran = Place::new().args(["test", "--crash"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("not available in this version: "), "{}", ran.stderr);
    let ran = Place::new().args(["test", "--junit", "out.xml"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("not available in this version: "), "{}", ran.stderr);
}

#[test]
fn manifest_keys_of_later_versions() {
    let hook = |key: &str| format!("[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"ok.wat\"\n{key}");
    let cases = [
        (hook("net = [\"db:5432\"]"), "`net`"),
        (hook("secrets = [\"token\"]"), "`secrets`"),
        (hook("wait_for = \"https://localhost\""), "`https` in `wait_for`"),
    ];
    for (lines, key) in cases {
        let project = Project::new(&lines).file("ok.wat", "(module (func (export \"_start\")))").file("d/x", "");
        for command in ["run", "plan", "check", "list"] {
            let call = Place::new();
            let ran = call.args([command]).current_dir(project.path()).run().exits(2);
            let said = ran.said();
            assert!(said.contains("error[not-available]: not available in this version: ") && said.contains(key), "{key}: {}", ran.stderr);
            assert!(!call.ledger().exists(), "{command}: nothing was begun");
        }
    }
}

#[test]
fn the_world_wasmhook_hook() {
    let import = "(component (import \"wasmhook:hook/host@0.1.0\" (instance (export \"progress\" (func)))))";
    let export = "(component (instance $i) (export \"wasmhook:hook/hook@0.1.0\" (instance $i)))";
    for (name, component) in [("import", import), ("export", export)] {
        let project = Project::new("[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"hook.wat\"").file("hook.wat", component);
        refused(&["exec", "hook.wat"], &project, "the world `wasmhook:hook`");
        let call = Place::new();
        for command in ["run", "plan", "check"] {
            let ran = call.args([command]).current_dir(project.path()).run().exits(2);
            assert!(ran.said().contains("not available in this version: the world `wasmhook:hook`"), "{name}: {}", ran.stderr);
        }
    }
}
