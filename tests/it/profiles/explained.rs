//! `explain`: what a profile does, and what holds in one of its phases.

use wasmhook_tests::{Place, Project};

fn explain(args: &[&str]) -> String {
    Place::new().args([&["explain"], args].concat()).run().exits(0).stdout
}

#[test]
fn s1_38_a_phase_is_explained_with_its_environment_and_where_it_is_defined() {
    let pre_release = explain(&["pre-release", "--profile", "blueking"]);
    for part in
        ["an environment of its own", "app_desc.yaml: module.scripts.pre_release_hook", "[[hook]] with phase = \"pre-release\"", "30m"]
    {
        assert!(pre_release.contains(part), "{part}: {pre_release}");
    }
    let post_build = explain(&["post-build"]);
    for part in ["in the tree of the build", "./bin/post-compile", "none of the app's"] {
        assert!(post_build.contains(part), "{part}: {post_build}");
    }
    assert!(explain(&["pre-release"]).contains("profile blueking-image"), "each profile that has it");
}

#[test]
fn a_profile_is_explained_as_a_table_of_its_steps() {
    let pagoda = explain(&["pagoda"]);
    for row in ["before_deploy_all", "continue, ends its list", "on all instances", "3600s", "makes the version live", "/data is $APP_DIR"]
    {
        assert!(pagoda.contains(row), "{row}: {pagoda}");
    }
    let commit_sync = explain(&["commit-sync"]);
    assert!(commit_sync.contains("in the background at the start") && commit_sync.contains("watched every"), "S4.33: {commit_sync}");
    assert!(explain(&["tenant-upgrade"]).contains("before the plan"), "facts too");
}

#[test]
fn a_profile_of_ones_own_is_explained_from_its_file() {
    let project = Project::empty().file("my.toml", wasmhook_profile());
    let shown = Place::new().args(["explain", "./my.toml"]).current_dir(project.path()).run().exits(0).stdout;
    assert!(shown.contains("mine: ") && shown.contains("warm-up"), "{shown}");
}

#[test]
fn s2_2_every_code_has_its_explanation_and_other_names_are_refused() {
    assert!(explain(&["single-command"]).contains("No shell reads the command"));
    let refused = Place::new().args(["explain", "no-such-thing"]).run().exits(2);
    assert!(refused.said().contains("there is no code") && refused.said().contains("blueking"), "{}", refused.stderr);
}

#[test]
fn the_json_schema_of_a_profile_is_printed() {
    let schema = Place::new().args(["check", "--schema=profile"]).run().exits(0).json();
    assert!(schema["properties"]["default_hook"].is_object() && schema["properties"]["alias"].is_object());
    assert!(Place::new().args(["check", "--schema"]).run().exits(0).json()["properties"]["hook"].is_object());
    assert!(Place::new().args(["check", "--schema=policy"]).run().exits(0).json()["properties"]["policy"].is_object());
}

fn wasmhook_profile() -> &'static str {
    super::own::PROFILE
}
