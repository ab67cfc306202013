//! A hook or a step that fails: what stops, what still runs, and what is said.

use super::tenant::{Tenant, Upgrade};
use serde_json::{Value, json};

const EXITS: &str = "#!/bin/sh\necho 'checking segments' >&2\necho 'segment 7 has no label' >&2\nexit 3\n";
const TRAPS: &str =
    "(module (memory (export \"memory\") 1) (func $check_segments unreachable) (func (export \"_start\") call $check_segments))";
const LEAVES_A_TRACE: &str = "#!/bin/sh\ntouch \"$DATA_DIR/later\"\n";

/// What holds after any failed hook: nothing later ran, services are up, the record is the old one.
fn assert_aborted(tenant: &Tenant, upgrade: &Upgrade) {
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(1), &"failed".into()), "{upgrade:#?}");
    assert!(!tenant.has("later"), "a later hook ran: {upgrade:#?}");
    assert!(!tenant.marker("v0.5.0").exists(), "s3_37: a release that failed isn't marked as done");
    assert_eq!(tenant.version(), "v0.3.27", "the version record isn't advanced");
    assert!(tenant.service().is_some(), "services are up again: {upgrade:#?}");
    assert_eq!(upgrade.step("start-services")["outcome"], "succeeded");
    assert_eq!(upgrade.step("update-version")["outcome"], Value::Null);
    assert_eq!(upgrade.report["new_version_live"], false);
}

#[test]
fn s3_57_s3_58_s3_59_s3_64_s3_66_s3_69_a_failing_script_aborts_and_services_come_back() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", EXITS), ("release/v0.5.0.post-migrate.sh", LEAVES_A_TRACE)]);
    let upgrade = tenant.upgrade();
    assert_aborted(&tenant, &upgrade);
    let error = json!({"hook": "v0.5.0.sh", "phase": "post-pull", "cause": {"kind": "exit", "code": 3, "text": "exit code 3"}});
    assert_eq!(upgrade.report["first_error"], error);
    assert_eq!(upgrade.strings("hooks_executed"), ["post-pull: v0.5.0.sh - FAILED (exit code 3)"], "later hooks are absent");
    let details = [
        "Stopping services...",
        "Services stopped",
        "Backing up database...",
        "Post-pull hook FAILED: v0.5.0.sh (exit code 3)",
        "Starting services...",
        "services were restarted on the new tree with the old version record",
    ];
    assert_eq!(upgrade.strings("details"), details);
    assert_eq!(tenant.live(), "v0.5.0", "they run on the new tree");
    assert_eq!(upgrade.hook("v0.5.0.sh")["tail"], json!(["checking segments", "segment 7 has no label"]));
    for said in ["exit code 3", "segment 7 has no label", "Did not run because of it: ", "The new version is not live.", "wasmhook run"] {
        assert!(upgrade.stderr.contains(said), "{said} in {}", upgrade.stderr);
    }
}

#[test]
fn s3_57_s3_58_a_trap_aborts_before_the_checkout_and_names_where_it_happened() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.pre-pull.wat", TRAPS), ("release/v0.5.0.sh", LEAVES_A_TRACE)]);
    let upgrade = tenant.upgrade();
    assert_aborted(&tenant, &upgrade);
    let cause = &upgrade.report["first_error"]["cause"];
    assert_eq!((&cause["kind"], &cause["trap"]), (&"trap".into(), &"unreachable".into()));
    assert!(cause["backtrace"].as_array().unwrap()[0].as_str().unwrap().contains("check_segments"), "{cause}");
    assert_eq!(upgrade.report["left_half_way"], Value::Null, "nothing was checked out");
    assert_eq!((tenant.live().as_str(), tenant.git("testsite", &["describe", "--tags"]).as_str()), ("v0.3.27", "v0.3.27"));
}

#[test]
fn s3_70_after_a_failure_the_previous_version_is_still_the_one_that_was_live() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", EXITS)]);
    assert_eq!(tenant.upgrade().code, Some(1));
    tenant.release("v0.5.1", &[]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, &upgrade.report["previous_version"]), (Some(0), &"v0.3.27".into()), "{upgrade:#?}");
}

#[test]
fn s3_59_a_failing_start_of_services_does_not_hide_the_first_error() {
    let tenant = Tenant::new();
    tenant.edit_policy("{app_dir}/../steps/start-services.sh", "false");
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", EXITS)]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, &upgrade.report["first_error"]["hook"]), (Some(1), &"v0.5.0.sh".into()), "{upgrade:#?}");
    assert_eq!(upgrade.step("start-services")["outcome"], "failed");
    assert!(upgrade.strings("details").contains(&"Starting services FAILED (exit code 1)"), "{upgrade:#?}");
}

#[test]
fn s3_68_a_failing_health_check_leaves_the_new_version_live() {
    let tenant = Tenant::new();
    tenant.edit_policy("{app_dir}/../steps/health-check.sh", "false");
    tenant.release("v0.5.0", &[]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(1), &"failed".into()), "{upgrade:#?}");
    assert_eq!((&upgrade.report["new_version_live"], &upgrade.report["first_error"]["step"]), (&true.into(), &"health-check".into()));
    assert_eq!(upgrade.strings("details").last(), Some(&"Health check FAILED (exit code 1)"));
    assert_eq!((tenant.version().as_str(), tenant.live().as_str()), ("v0.5.0", "v0.5.0"), "services are left as they are");
}

#[test]
fn s3_13_a_remote_that_cannot_be_read_stops_nothing() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[]);
    tenant.git("testsite", &["fetch", "--quiet", "--tags"]);
    tenant.git("testsite", &["remote", "set-url", "origin", "../gone"]);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, upgrade.report["tag"].as_str()), (Some(0), Some("v0.5.0")), "{upgrade:#?}");
    assert!(upgrade.notices().contains(&"fetch-failed"), "{upgrade:#?}");
    assert!(upgrade.step("fetch")["found"].as_str().unwrap().starts_with("failed: "), "{upgrade:#?}");
}
