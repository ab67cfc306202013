//! Hooks that a profile brings along, and what takes their place.

use serde_json::Value;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn plan(project: &Project) -> Value {
    Place::new().args(["plan", "--format", "json"]).current_dir(project.path()).run().exits(0).json()
}

fn hooks(plan: &Value) -> Vec<String> {
    let steps = plan["plan"]["steps"].as_array().unwrap();
    let hooks = steps.iter().flat_map(|step| step["kind"]["hooks"].as_array().or(step["hooks"].as_array()).into_iter().flatten());
    hooks.map(|hook| format!("{} from {}", hook["id"].as_str().unwrap(), hook["origin"].as_str().unwrap())).collect()
}

fn notices(plan: &Value) -> Vec<&str> {
    plan["plan"]["notices"].as_array().unwrap().iter().map(|notice| notice["code"].as_str().unwrap()).collect()
}

#[test]
fn s5_9_the_default_build_loads_composer_dependencies_and_a_custom_exec_replaces_it() {
    let with = |hooks: &str| Project::new(&format!("profile = 'pagoda'\n{hooks}"));
    assert!(hooks(&plan(&with(""))).is_empty(), "nothing to load");
    let default = plan(&with("").file("composer.json", "{}"));
    assert_eq!(hooks(&default), ["composer-install from profile pagoda"]);
    assert!(notices(&default).contains(&"default-hook"), "{default}");
    let own = plan(&with(&hook("bundle", "exec", "run = 'bundle install'")).file("composer.json", "{}"));
    assert_eq!(hooks(&own), ["bundle from wasmhook.toml"]);
    let elsewhere = plan(&with(&hook("gem", "before_exec", "run = 'true'")).file("composer.json", "{}"));
    assert_eq!(hooks(&elsewhere).len(), 2, "a hook of another phase replaces nothing");
}

#[test]
fn s1_19_s1_25_bin_post_compile_runs_after_the_build() {
    let project = Project::new("profile = 'blueking'").file("bin/post-compile", "#!/bin/sh\n");
    let plan = plan(&project);
    assert_eq!(hooks(&plan), ["post-compile from profile blueking"]);
    let message = plan["plan"]["notices"].to_string();
    assert!(message.contains("runs after the build, in the tree of the build"), "the difference is said: {message}");
}
