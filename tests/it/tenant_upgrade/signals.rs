//! Ctrl-C, or a supervisor's TERM, in the middle of an upgrade.

use super::tenant::Tenant;
use rustix::process::Signal;

const HANGS: &str = "#!/bin/sh\necho 'hanging'\ntouch \"$DATA_DIR/started\"\nexec sleep 600\n";
const LATER: &str = "#!/bin/sh\ntouch \"$DATA_DIR/later\"\n";

fn interrupted(signal: Signal, code: i32) {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", &[("release/v0.5.0.sh", HANGS), ("release/v0.5.0.post-migrate.sh", LATER)]);
    let upgrade = tenant.start();
    tenant.wait_for("started");
    upgrade.signal(signal);
    let upgrade = upgrade.end();
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(code), &"interrupted".into()), "{upgrade:#?}");
    assert_eq!((&upgrade.report["signal"], &upgrade.hook("v0.5.0.sh")["outcome"]), (&signal.as_raw().into(), &"cancelled".into()));
    assert_eq!(upgrade.step("start-services")["outcome"], "succeeded");
    assert_eq!(tenant.live(), "v0.5.0", "services are up: {upgrade:#?}");
    assert_eq!(tenant.version(), "v0.3.27");
    assert!(!tenant.has("later") && !tenant.marker("v0.5.0").exists(), "{upgrade:#?}");
    assert!(upgrade.stderr.contains("interrupted"), "{}", upgrade.stderr);
}

#[test]
fn s3_59_int_cancels_the_hook_brings_services_back_and_ends_with_130() {
    interrupted(Signal::INT, 130);
}

#[test]
fn s3_59_term_cancels_the_hook_brings_services_back_and_ends_with_143() {
    interrupted(Signal::TERM, 143);
}
