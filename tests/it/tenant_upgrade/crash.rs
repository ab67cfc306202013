//! wasmhook is killed in the middle of an upgrade: what the next run finds, makes up for, and does.

use super::tenant::{Tenant, until};
use rustix::process::Signal;
use std::fs;
use std::path::Path;

/// The first time it hangs, for ever; after that it does its work.
const HANGS_ONCE: &str = "#!/bin/sh
if [ ! -e \"$DATA_DIR/pid\" ]; then
    echo $$ > \"$DATA_DIR/pid.new\" && mv \"$DATA_DIR/pid.new\" \"$DATA_DIR/pid\"
    exec sleep 600
fi
echo done > \"$DATA_DIR/done\"
";

/// A tenant whose upgrade to v0.5.0 was killed while its hook ran, after services were stopped.
fn killed(files: &[(&str, &str)]) -> Tenant {
    let tenant = Tenant::new();
    tenant.release("v0.5.0", files);
    let upgrade = tenant.start();
    tenant.wait_for("pid");
    assert_eq!(tenant.live(), "", "services are stopped");
    upgrade.signal(Signal::KILL);
    assert_eq!(upgrade.end().code, None);
    let hook = tenant.read("pid").trim().to_owned();
    until("the hook ends with the engine", || !Path::new("/proc").join(&hook).exists());
    tenant
}

#[test]
fn after_a_kill_services_come_up_first_and_the_hook_runs_again() {
    let tenant = killed(&[("release/v0.5.0.sh", HANGS_ONCE)]);
    assert_eq!(tenant.live(), "", "nobody brought services up yet");
    assert_eq!(tenant.owed(), ["start-services"]);
    let shown = tenant.ask(&["status", "--app", "cbapp", "--env-name", "testsite"]).stdout;
    assert!(shown.contains("The next run first runs what the dead one owes: start-services."), "{shown}");
    let upgrade = tenant.upgrade();
    assert_eq!(tenant.owed(), [""; 0], "and then nothing is owed any more");
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(0), &"success".into()), "{upgrade:#?}");
    assert_eq!(tenant.read("done"), "done\n");
    assert_eq!(upgrade.hook("v0.5.0.sh")["attempt"], 2);
    assert!(upgrade.notices().contains(&"rerun-after-crash"), "{upgrade:#?}");
    let said = |line: &str| upgrade.stderr.find(line).unwrap_or_else(|| panic!("{line} in {}", upgrade.stderr));
    assert!(said("started service") < said("profile tenant-upgrade"), "services are up before the new run begins: {}", upgrade.stderr);
    assert!(said("died during post-pull/v0.5.0.sh") < said("started service"));
    assert_eq!((tenant.live().as_str(), tenant.version().as_str()), ("v0.5.0", "v0.5.0"));

    let runs = tenant.ask(&["status", "--app", "cbapp", "--env-name", "testsite"]);
    assert!(runs.stdout.contains("interrupted") && runs.stdout.contains("success"), "{runs:?}");
}

#[test]
fn where_the_profile_says_stop_the_next_run_brings_services_up_and_says_what_is_known() {
    let profile = tempfile::tempdir().unwrap();
    let careful = profile.path().join("careful.toml");
    let text = wasmhook::profile::builtin_text("tenant-upgrade").unwrap();
    let stops = text.replace("on_unknown = \"rerun\"", "on_unknown = \"stop\"").replace("name = \"tenant-upgrade\"", "name = \"careful\"");
    fs::write(&careful, stops).unwrap();
    let manifest = format!("schema = 1\napp = \"cbapp\"\nprofile = \"{}\"\ndata_dir = \"db\"\n", careful.display());
    let tenant = killed(&[("release/v0.5.0.sh", HANGS_ONCE), ("wasmhook.toml", &manifest)]);

    let stopped = tenant.upgrade();
    assert_eq!((stopped.code, &stopped.report["status"]), (Some(1), &"failed".into()), "{stopped:#?}");
    let hook = stopped.hook("v0.5.0.sh");
    assert_eq!((&hook["outcome"], &hook["cause"]["kind"]), (&"unknown".into(), &"unknown".into()), "{stopped:#?}");
    assert_eq!(stopped.report["first_error"]["hook"], "v0.5.0.sh");
    assert!(!tenant.has("done"), "it didn't run again");
    assert_eq!(tenant.live(), "v0.5.0", "services are up");
    assert_eq!(tenant.version(), "v0.3.27");
    assert!(stopped.stderr.contains("it was cut off, and nobody has said what became of it"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("wasmhook resolve post-pull/v0.5.0.sh --retry -C "), "{}", stopped.stderr);
}
