//! Several tenants, and several runs of one.

use super::tenant::{Tenant, until};
use std::fs;

/// Says that it is there, and waits until it hears from somebody else.
fn waits_for(file: &std::path::Path) -> String {
    format!("#!/bin/sh\ntouch \"$DATA_DIR/here\"\nuntil [ -e '{}' ]; do sleep 0.1; done\necho \"$DEPLOY_ENV\"\n", file.display())
}

#[test]
fn s3_63_two_tenants_upgrade_at_once_with_logs_and_histories_of_their_own() {
    let testsite = Tenant::new();
    let harbour = Tenant::beside(&testsite, "harbour");
    // Each hook lives in a directory that the other's rights don't reach: the test carries the word between them.
    for tenant in [&testsite, &harbour] {
        tenant.release("v0.5.0", &[("release/v0.5.0.sh", &waits_for(&tenant.data().join("other-is-here")))]);
    }
    let (first, second) = (testsite.start(), harbour.start());
    testsite.wait_for("here");
    harbour.wait_for("here");
    for tenant in [&testsite, &harbour] {
        fs::write(tenant.data().join("other-is-here"), "").unwrap();
    }
    for (tenant, upgrade, name) in [(&testsite, first.end(), "testsite"), (&harbour, second.end(), "harbour")] {
        assert_eq!((upgrade.code, upgrade.report["environment"].as_str()), (Some(0), Some(name)), "{upgrade:#?}");
        assert_eq!(tenant.live(), "v0.5.0");
        let log = testsite.ask(&["show", upgrade.report["run_id"].as_str().unwrap()]);
        let other = if name == "testsite" { "harbour" } else { "testsite" };
        assert!(log.stderr.contains(&format!("│ {name}\n")) && !log.stderr.contains(&format!("│ {other}\n")), "{log:?}");
    }
}

#[test]
fn s3_63_a_second_run_of_one_tenant_waits_for_the_first() {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", &waits_for(&tenant.data().join("go")))]);
    let first = tenant.start();
    tenant.wait_for("here");
    let mut second = tenant.start();
    let holder = || tenant.ask(&["status", "--app", "cbapp", "--env-name", "testsite"]).stdout;
    until("the lock is shown", || holder().contains("wasmhook"));
    assert!(second.is_running());
    fs::write(tenant.data().join("go"), "").unwrap();
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:#?} {second:#?}");
    assert_eq!(first.hook("v0.5.0.sh")["outcome"], "succeeded");
    assert_eq!(second.hook("v0.5.0.sh")["outcome"], "skipped", "it came after the first: {second:#?}");
    assert!(second.stderr.contains("waiting for the lock"), "{}", second.stderr);
}
