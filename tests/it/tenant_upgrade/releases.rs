//! What belongs to a release, what doesn't, and what its hooks are told.

use super::tenant::Tenant;
use wasmhook_tests::programs::{self, Target};

const TRACE: &str = "#!/bin/sh\necho \"$WASMHOOK_HOOK\" >> \"$DATA_DIR/order\"\n";

#[test]
fn s3_67_hooks_of_releases_in_between_are_named_and_not_run() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", TRACE)]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, upgrade.strings("hooks_executed")), (Some(0), vec!["post-pull: v0.5.0.sh - OK"]), "{upgrade:#?}");
    for file in ["v0.3.28.sh", "v0.4.0.pre-pull.wasm", "v0.4.0.post-pull.sh", "v0.4.0.pre-migrate.wasm", "v0.4.0.post-migrate.wasm"] {
        assert!(upgrade.stderr.contains(&format!("release/{file} is not run: it belongs to v0.")), "{file} in {}", upgrade.stderr);
    }
    assert_eq!(upgrade.notices(), ["other-release"; 5]);
    assert!(upgrade.report["warnings"].as_u64() >= Some(5));
}

#[test]
fn s3_1_to_s3_9_files_are_found_by_name_and_run_in_the_order_of_the_lifecycle() {
    let tenant = Tenant::new();
    let files = ["post-migrate.sh", "pre-migrate.sh", "post-pull.sh", "sh", "pre-pull.sh"].map(|end| format!("release/v0.5.0.{end}"));
    tenant.release("v0.5.0", &files.each_ref().map(|file| (file.as_str(), TRACE)));
    let upgrade = tenant.upgrade();
    let expected = [
        "pre-pull: v0.5.0.pre-pull.sh - OK",
        "post-pull: v0.5.0.sh - OK",
        "post-pull: v0.5.0.post-pull.sh - OK",
        "pre-migrate: v0.5.0.pre-migrate.sh - OK",
        "post-migrate: v0.5.0.post-migrate.sh - OK",
    ];
    assert_eq!(upgrade.strings("hooks_executed"), expected);
    assert_eq!(tenant.read("order").lines().count(), 5);
}

#[test]
fn s3_61_an_unknown_phase_is_refused_before_anything_runs_and_the_readme_is_no_hook() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.before-lunch.sh", TRACE), ("release/README.md", "# Hooks\n")]);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(2), "{upgrade:#?}");
    assert!(upgrade.stderr.contains("before-lunch"), "{}", upgrade.stderr);
    for phase in ["pre-pull", "post-pull", "pre-migrate", "post-migrate"] {
        assert!(upgrade.stderr.contains(phase), "{phase} is named as a way out: {}", upgrade.stderr);
    }
    assert!(!upgrade.stderr.contains("README"), "{}", upgrade.stderr);
    assert_eq!(tenant.live(), "v0.3.27", "services weren't stopped");
}

#[test]
fn s3_65_a_release_without_hooks_is_an_upgrade_all_the_same() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, upgrade.strings("hooks_executed")), (Some(0), vec![]), "{upgrade:#?}");
    assert_eq!((tenant.live().as_str(), tenant.version().as_str()), ("v0.5.0", "v0.5.0"));
}

#[test]
fn s3_14_a_named_tag_is_deployed_instead_of_the_newest() {
    let tenant = Tenant::new();
    let upgrade = tenant.upgrade_with(&["--tag", "v0.3.28"]);
    assert_eq!((upgrade.code, upgrade.strings("hooks_executed")), (Some(0), vec!["post-pull: v0.3.28.sh - OK"]), "{upgrade:#?}");
    assert_eq!(upgrade.strings("details").iter().filter(|line| line.contains("Ran 1 migrations")).count(), 1);
    assert_eq!(tenant.live(), "v0.3.28");
}

#[test]
fn s3_25_to_s3_28_hooks_are_told_what_is_deployed_and_inherit_nothing() {
    let tenant = Tenant::with_env("DEPLOYERS_SECRET", "hunter2");
    let manifest = r#"
schema = 1
app = "cbapp"
profile = "tenant-upgrade"
data_dir = "db"
[[hook]]
id = "echo"
phase = "post-pull"
wasm = "hooks/echo.wasm"
"#;
    tenant.add("hooks/echo.wasm", &programs::wasm("echo", Target::P1));
    tenant.release("v0.5.0", &[("wasmhook.toml", manifest), ("release/v0.5.0.sh", "#!/bin/sh\nenv | sed 's/^/env /'\n")]);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    let (app, data) = (tenant.app().display().to_string(), tenant.data().display().to_string());
    for hook in ["v0.5.0.sh", "echo"] {
        for (name, value) in [("DEPLOY_TAG", "v0.5.0"), ("DEPLOY_ENV", "testsite"), ("APP_DIR", &app), ("DATA_DIR", &data)] {
            let line = format!("post-pull/{hook} │ env {name}={value}\n");
            assert!(upgrade.stderr.contains(&line), "{line} in {}", upgrade.stderr);
        }
    }
    assert!(!upgrade.stderr.contains("hunter2") && !upgrade.stderr.contains("DEPLOYERS_SECRET"), "{}", upgrade.stderr);
    assert!(upgrade.stderr.contains("post-pull/echo │ dir / "), "knowing a directory grants nothing: {}", upgrade.stderr);
}
