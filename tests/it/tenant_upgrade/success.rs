//! An upgrade that goes well: its report, and what is there afterwards.

use super::tenant::Tenant;
use std::fs;

/// A native hook that writes down what it sees before anything else happens.
const SEES: &str = "#!/bin/sh\nset -e\ncp \"$APP_DIR/VERSION\" \"$DATA_DIR/seen\"\n[ ! -e \"$APP_DIR/.release-$DEPLOY_TAG-done\" ]\n";

#[test]
fn s3_44_to_s3_51_the_report_of_an_upgrade_is_the_documented_response() {
    let tenant = Tenant::new();
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(0), &"success".into()), "{upgrade:#?}");
    let seed: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/s3/response.json")).unwrap();
    for (field, example) in seed.as_object().unwrap() {
        let ours = &upgrade.report[field];
        assert_eq!(std::mem::discriminant(ours), std::mem::discriminant(example), "{field} is {ours}, in the documentation {example}");
    }
    assert_eq!((&upgrade.report["previous_version"], &upgrade.report["new_version"]), (&"v0.3.27".into(), &"v0.4.0".into()));
    assert_eq!(upgrade.report["commit"].as_str(), Some(tenant.git("origin", &["rev-parse", "v0.4.0^{commit}"]).as_str()));
    assert_eq!(upgrade.report["new_version_live"], true);
    assert_eq!(upgrade.report["first_error"], serde_json::Value::Null);
    let migrations = ["migrations/002_segment_position.sql", "migrations/003_segment_labels.sql", "migrations/004_settings.sql"];
    assert_eq!(upgrade.strings("migrations_run"), migrations);
    let hooks = [
        "pre-pull: v0.4.0.pre-pull.wasm - OK",
        "post-pull: v0.4.0.post-pull.sh - OK",
        "post-pull: static-sync.wasm - OK",
        "pre-migrate: v0.4.0.pre-migrate.wasm - OK",
        "post-migrate: v0.4.0.post-migrate.wasm - OK",
    ];
    assert_eq!(upgrade.strings("hooks_executed"), hooks);
    assert_eq!(upgrade.strings("details"), details());
    let guests: Vec<_> = upgrade.report["hooks"].as_array().unwrap().iter().map(|hook| hook["guest"].as_str().unwrap()).collect();
    assert_eq!(guests, ["wasm", "native", "wasm", "wasm", "wasm"]);
    let backup = fs::read(upgrade.report["backup_path"].as_str().unwrap()).unwrap();
    assert!(backup.starts_with(b"SQLite format 3\0"));
}

/// The documented lines, in their order, with this release's hooks and migrations.
fn details() -> Vec<String> {
    let seed: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/s3/response.json")).unwrap();
    let line = |index: usize| seed["details"][index].as_str().unwrap().to_owned();
    let hook = |title: &str, file: &str| line(3).replace("Post-pull", title).replace("v0.3.28.sh", file);
    vec![
        line(0),
        line(1),
        line(2),
        hook("Pre-pull", "v0.4.0.pre-pull.wasm"),
        hook("Post-pull", "v0.4.0.post-pull.sh"),
        hook("Post-pull", "static-sync.wasm"),
        hook("Pre-migrate", "v0.4.0.pre-migrate.wasm"),
        line(4),
        line(5).replace('1', "3"),
        hook("Post-migrate", "v0.4.0.post-migrate.wasm"),
        line(6),
        line(7),
    ]
}

#[test]
fn the_tenant_is_upgraded_by_its_fourteen_steps() {
    let tenant = Tenant::new();
    assert_eq!((tenant.live().as_str(), tenant.version().as_str()), ("v0.3.27", "v0.3.27"));
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");

    let health = tenant.service().expect("the service answers");
    assert_eq!((&health["version"], &health["tenants"], &health["migrations"]), (&"v0.4.0".into(), &3.into(), &4.into()));
    assert_eq!(tenant.version(), "v0.4.0");
    assert_eq!(tenant.git("testsite", &["describe", "--tags"]), "v0.4.0");
    assert_eq!(tenant.sql("SELECT label FROM segment_labels WHERE segment_id = 4"), ["tenant-2"]);

    let steps: Vec<_> = upgrade.report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps.len(), 14, "{steps:?}");
    assert_eq!(upgrade.step("fetch")["found"], "fetched");
    assert_eq!(upgrade.step("target")["found"], "v0.4.0");
    assert_eq!(upgrade.step("checkout")["outcome"], "succeeded");
}

#[test]
fn s3_35_s3_37_the_marker_is_written_once_after_the_last_hook() {
    let tenant = Tenant::new();
    let hooks = [("release/v0.5.0.sh", SEES), ("release/v0.5.0.post-migrate.sh", SEES)];
    tenant.release("v0.5.0", &hooks);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "no hook saw the marker: {upgrade:#?}");
    assert_eq!(fs::read(tenant.marker("v0.5.0")).unwrap(), b"");
}

#[test]
fn s3_5_s3_15_pre_pull_hooks_come_from_the_target_and_run_before_its_checkout() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.pre-pull.sh", SEES)]);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.strings("hooks_executed"), ["pre-pull: v0.5.0.pre-pull.sh - OK"]);
    assert_eq!(tenant.read("seen"), "v0.3.27\n", "the tree was still the old one");
    assert_eq!(tenant.live(), "v0.5.0");
}

#[test]
fn s3_31_s3_34_s3_60_what_hooks_wrote_is_kept_for_the_audit() {
    let tenant = Tenant::new();
    assert_eq!(tenant.upgrade().code, Some(0));
    let shown = tenant.ask(&["show"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for line in [
        "pre-pull/v0.4.0.pre-pull.wasm │ === Release hook: v0.4.0 ===",
        "pre-pull/v0.4.0.pre-pull.wasm │ === Release hook complete ===",
        "pre-migrate/v0.4.0.pre-migrate.wasm │ Kept table segments: 7 rows",
        "post-pull/v0.4.0.post-pull.sh │ Wrote release.txt",
    ] {
        assert!(shown.stderr.contains(line), "{line} in {}", shown.stderr);
    }
}
