//! A repository's manifest under an operator's policy of its own: what it names as its root is no way round the ceiling.

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

const POLICY: &str =
    "schema = 1\n[policy]\ndirs = [{ path = \"$APP_DIR\", mode = \"write\" }, { path = \"$DATA_DIR\", mode = \"write\" }]\n";

/// A project in a folder of its directory, beside which the operator's file and something else lie.
fn tenant(lines: &str) -> Project {
    let reads = hook("a", "pre-deploy", "run = [\"sh\", \"-c\", \"ls $DATA_DIR\"]\ndirs = [{ path = \"$DATA_DIR\", mode = \"write\" }]");
    Project::empty()
        .file("tenant/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{lines}\n{reads}"))
        .file("policy.toml", POLICY)
        .file("other/canary", "canary-7a31")
        .file("other/secret.toml", "canary-7a31 =\n")
}

#[track_caller]
fn run(project: &Project, more: &[&str], exit: i32) -> String {
    let arguments = [&["run", "-C", "tenant", "--policy", "policy.toml"], more].concat();
    Place::new().args(arguments).current_dir(project.path()).run().exits(exit).said()
}

#[test]
fn a_root_outside_is_refused_unless_the_operator_names_it() {
    for key in ["app_dir", "data_dir"] {
        for there in ["../other", "not-yet/../../other"] {
            let project = tenant(&format!("{key} = \"{there}\""));
            let said = run(&project, &[], 2);
            assert!(said.contains("error[escapes-root]") && said.contains(key) && !said.contains("canary"), "{there}: {said}");
        }
    }
    let project = tenant("data_dir = \"../other\"");
    assert!(run(&project, &["--data-dir", "other"], 0).contains("canary"), "the operator's word");
    let named = format!("{POLICY}\n").replace("$DATA_DIR", &project.path().join("other").display().to_string());
    project.write("policy.toml", named);
    assert!(run(&project, &[], 0).contains("canary"), "the policy's own path");
    project.write("policy.toml", "schema = 1\n[policy]\n");
    let said = run(&project, &[], 0);
    assert!(said.contains("canary"), "a policy without a list of directories grants what is asked for: {said}");
}

#[test]
fn a_link_to_a_root_outside_is_no_way_round_it() {
    let project = tenant("data_dir = \"db\"");
    assert!(std::os::unix::fs::symlink(project.path().join("other"), project.path().join("tenant/db")).is_ok());
    let said = run(&project, &[], 2);
    assert!(said.contains("error[escapes-root]") && said.contains("other") && !said.contains("canary"), "{said}");
}

#[test]
fn a_root_below_is_the_authors_to_name() {
    let project = tenant("data_dir = \"db\"").file("tenant/db/mine", "");
    assert!(run(&project, &[], 0).contains("mine"));
}

#[test]
fn a_profile_outside_is_not_read_aloud() {
    for there in ["../other/secret.toml", "/etc/passwd"] {
        let project = tenant(&format!("profile = \"{there}\""));
        let said = run(&project, &[], 2);
        assert!(said.contains("error[escapes-root]") && !said.contains("canary") && !said.contains("root:x:"), "{said}");
    }
    let own = include_str!("../../../runtime/profiles/default.toml");
    let project = tenant("data_dir = \"db\"").file("tenant/db/mine", "").file("other/own.toml", own);
    let _ = run(&project, &["--profile", "../other/own.toml"], 0);
    let platform = project.file("platform.toml", "schema = 1\nprofile = \"../other/own.toml\"\n");
    let _ = run(&platform, &["--manifest", "tenant/wasmhook.toml", "--manifest", "platform.toml"], 0);
}

#[test]
fn a_profile_of_the_repositorys_own_lets_the_host_replace_no_file() {
    let victim = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    assert!(std::fs::write(victim.path(), "canary-7a31").is_ok());
    let own = include_str!("../../../runtime/profiles/default.toml");
    let own = own.replacen("on_locked", &format!("commit_file = \"{}\"\non_locked", victim.path().display()), 1);
    let project = tenant("profile = \"./own.toml\"").file("tenant/own.toml", own);
    let said = run(&project, &["--commit", "0123456789012345678901234567890123456789"], 2);
    assert!(said.contains("error[escapes-root]") && said.contains("commit-file"), "{said}");
    assert!(std::fs::read_to_string(victim.path()).is_ok_and(|text| text == "canary-7a31"));
    let named = project.path().join("commit").display().to_string();
    let _ = run(&project, &["--commit", "0123456789012345678901234567890123456789", "--commit-file", &named], 0);
    assert!(project.has("commit"), "the operator's word");
}
