//! What belongs to a release, and what doesn't.

use super::tenant::Tenant;

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
