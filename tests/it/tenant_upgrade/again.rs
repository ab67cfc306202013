//! The second run of a release, and the marker file.

use super::tenant::Tenant;
use std::fs;

/// The script of the documentation, every line as printed.
const SEED: &str = include_str!("../../fixtures/s3/v0.4.0.sh");
const COUNTS: &str = "#!/bin/sh\necho ran >> \"$DATA_DIR/count\"\n";

#[test]
fn s3_36_s3_71_a_second_run_skips_every_hook_and_overwrites_no_backup() {
    let tenant = Tenant::new();
    let first = tenant.upgrade();
    assert_eq!(first.code, Some(0), "{first:#?}");
    let run = first.report["run_id"].as_str().unwrap();
    let backup = first.report["backup_path"].as_str().unwrap();
    let bytes = fs::read(backup).unwrap();

    let second = tenant.upgrade();
    assert_eq!((second.code, &second.report["status"]), (Some(0), &"success".into()), "{second:#?}");
    let skipped = |hook: &str| format!("{hook} - SKIPPED (already done in run {run})");
    let hooks = [
        "pre-pull: v0.4.0.pre-pull.wasm",
        "post-pull: v0.4.0.post-pull.sh",
        "post-pull: static-sync.wasm",
        "pre-migrate: v0.4.0.pre-migrate.wasm",
        "post-migrate: v0.4.0.post-migrate.wasm",
    ];
    assert_eq!(second.strings("hooks_executed"), hooks.map(skipped));
    for step in ["stop-services", "backup-database", "checkout", "migrate", "update-version", "start-services", "health-check"] {
        assert_eq!(second.step(step)["outcome"], "succeeded", "host steps run again: {step}");
    }
    assert_ne!(second.report["backup_path"].as_str().unwrap(), backup);
    assert_eq!(fs::read(backup).unwrap(), bytes, "the first backup of the day is untouched");
    assert_eq!(second.strings("migrations_run"), [""; 0]);
    assert!(second.strings("details").contains(&"Ran 0 migrations"));
    assert_eq!(second.report["previous_version"], "v0.4.0");
}

#[test]
fn s3_42_a_marker_that_the_ledger_does_not_know_skips_the_release_until_it_is_passed_over() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", COUNTS)]);
    fs::write(tenant.marker("v0.5.0"), "").unwrap();

    let skipped = tenant.upgrade();
    assert_eq!((skipped.code, skipped.strings("hooks_executed")), (Some(0), vec!["post-pull: v0.5.0.sh - OK"]), "{skipped:#?}");
    let reason = &skipped.hook("v0.5.0.sh")["skip_reason"];
    assert_eq!((&reason["reason"], &reason["path"]), (&"marker".into(), &".release-v0.5.0-done".into()), "{skipped:#?}");
    assert!(!tenant.has("count"), "it didn't run");
    assert_eq!(tenant.live(), "v0.5.0", "the host steps did");

    let ran = tenant.upgrade_with(&["--ignore-marker"]);
    assert_eq!((ran.code, &ran.hook("v0.5.0.sh")["outcome"]), (Some(0), &"succeeded".into()), "{ran:#?}");
    assert_eq!(tenant.read("count"), "ran\n");
}

#[test]
fn s3_33_s3_35_s3_42_the_documented_script_runs_as_printed_and_its_own_marker_skips_no_other_hook() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", SEED), ("release/v0.5.0.post-migrate.sh", COUNTS)]);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    assert_eq!(upgrade.strings("hooks_executed"), ["post-pull: v0.5.0.sh - OK", "post-migrate: v0.5.0.post-migrate.sh - OK"]);
    assert_eq!(tenant.read("count"), "ran\n", "the script had written the marker by then");
    for line in ["=== Release hook: v0.5.0 ===", "Running release tasks for testsite...", "=== Release hook complete ==="] {
        assert!(upgrade.stderr.contains(&format!("post-pull/v0.5.0.sh │ {line}\n")), "{line} in {}", upgrade.stderr);
    }
    assert!(tenant.marker("v0.5.0").is_file());
    assert!(tenant.app().join("cache/page-1.html").is_file(), "s3_41: the documented script's rm removes nothing");
}

#[test]
fn s3_36_a_script_that_finds_its_marker_and_exits_0_succeeded() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", SEED)]);
    fs::write(tenant.marker("v0.5.0"), "").unwrap();
    let upgrade = tenant.upgrade_with(&["--ignore-marker"]);
    assert_eq!((upgrade.code, &upgrade.hook("v0.5.0.sh")["outcome"]), (Some(0), &"succeeded".into()), "{upgrade:#?}");
    assert!(upgrade.stderr.contains("post-pull/v0.5.0.sh │ Already applied, skipping\n"), "{}", upgrade.stderr);
}

#[test]
fn s3_35_the_documented_script_is_the_fallback_of_a_module_that_is_missing() {
    let tenant = Tenant::new();
    let manifest = r#"
schema = 1
app = "cbapp"
profile = "tenant-upgrade"
data_dir = "db"

[[hook]]
id = "static-sync"
phase = "post-pull"
wasm = "hooks/never-built.wasm"
dirs = [{ path = "$APP_DIR", mode = "write" }]
fallback = { run = ["bash", "hooks/v0.5.0.sh"], when = "missing" }
"#;
    tenant.release("v0.5.0", &[("wasmhook.toml", manifest), ("hooks/v0.5.0.sh", SEED)]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, upgrade.strings("hooks_executed")), (Some(0), vec!["post-pull: v0.5.0.sh - OK"]), "{upgrade:#?}");
    let hook = upgrade.hook("static-sync");
    assert_eq!((&hook["guest"], &hook["fallback"]), (&"native".into(), &"there is no module hooks/never-built.wasm".into()));
    assert!(tenant.marker("v0.5.0").is_file());
}

#[test]
fn s3_29_the_example_s_hooks_do_no_harm_when_they_run_twice() {
    let tenant = Tenant::new();
    assert_eq!(tenant.upgrade().code, Some(0));
    let state = |tenant: &Tenant| {
        (
            tenant.read("settings.env"),
            tenant.read("public/release.txt"),
            tenant.read("before/v0.4.0/TABLES"),
            fs::read(tenant.app().join("cache/index.json")).unwrap(),
        )
    };
    let before = state(&tenant);
    // A ledger that remembers nothing, and no marker: everything runs again.
    let forgetful = tempfile::tempdir().unwrap();
    let again = tenant.upgrade_with(&["--ignore-marker", "--state", forgetful.path().to_str().unwrap()]);
    assert_eq!((again.code, &again.hook("static-sync")["outcome"]), (Some(0), &"succeeded".into()), "{again:#?}");
    assert_eq!(state(&tenant), before);
}
