//! What a hook is told of the deployment: one upgrade with a native hook and two in the sandbox that say what they were given.

use super::tenant::Tenant;
use std::sync::LazyLock;
use wasmhook_tests::programs::{self, Target};

struct Told {
    stderr: String,
    app: String,
    data: String,
    written: String,
    beyond: serde_json::Value,
}

static TOLD: LazyLock<Told> = LazyLock::new(|| {
    let tenant = Tenant::with_env("DEPLOYERS_SECRET", "hunter2");
    let (app, data) = (tenant.app().display().to_string(), tenant.data().display().to_string());
    let manifest = format!(
        r#"
schema = 1
app = "cbapp"
profile = "tenant-upgrade"
data_dir = "db"
[[hook]]
id = "echo"
phase = "post-pull"
wasm = "hooks/echo.wasm"
[[hook]]
id = "within"
phase = "post-pull"
wasm = "hooks/files.wasm"
args = ["read", "{app}/VERSION", "write", "{data}/written", "by within"]
dirs = [{{ path = "$APP_DIR", mode = "read" }}, {{ path = "$DATA_DIR", mode = "write" }}]
[[hook]]
id = "beyond"
phase = "post-pull"
wasm = "hooks/files.wasm"
args = ["write", "{app}/VERSION", "by beyond"]
dirs = [{{ path = "$APP_DIR", mode = "read" }}, {{ path = "$DATA_DIR", mode = "write" }}]
allow_failure = true
"#
    );
    for guest in ["echo", "files"] {
        tenant.add(&format!("hooks/{guest}.wasm"), &programs::wasm(guest, Target::P1));
    }
    tenant.release("v0.5.0", &[("wasmhook.toml", &manifest), ("release/v0.5.0.sh", "#!/bin/sh\nenv | sed 's/^/env /'\n")]);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    let written = tenant.read("written");
    Told { app, data, written, beyond: upgrade.hook("beyond").clone(), stderr: upgrade.stderr }
});

/// The native hook and the one in the sandbox are told the same.
#[track_caller]
fn assert_told(name: &str, value: &str) {
    for hook in ["v0.5.0.sh", "echo"] {
        let line = format!("post-pull/{hook} │ env {name}={value}\n");
        assert!(TOLD.stderr.contains(&line), "{line} in {}", TOLD.stderr);
    }
}

#[test]
fn s3_25_deploy_tag_is_the_version_being_deployed() {
    assert_told("DEPLOY_TAG", "v0.5.0");
}

#[test]
fn s3_26_deploy_env_is_the_tenant() {
    assert_told("DEPLOY_ENV", "testsite");
}

#[test]
fn s3_27_app_dir_is_the_application_s_root_and_the_path_of_its_grant() {
    assert_told("APP_DIR", &TOLD.app);
    assert!(TOLD.stderr.contains("post-pull/within │ read ok v0.5.0"), "the guest reads it at that path: {}", TOLD.stderr);
}

#[test]
fn s3_28_data_dir_lies_in_app_dir_and_has_rights_of_its_own() {
    assert_told("DATA_DIR", &TOLD.data);
    assert_eq!(TOLD.data, format!("{}/db", TOLD.app));
    assert_eq!(TOLD.written, "by within", "written below a directory that may only be read");
    assert_eq!((&TOLD.beyond["outcome"], &TOLD.beyond["exit_code"]), (&"failed".into(), &1.into()), "{}", TOLD.beyond);
}

#[test]
fn hooks_inherit_nothing_and_a_path_that_is_named_is_not_granted() {
    assert!(!TOLD.stderr.contains("hunter2") && !TOLD.stderr.contains("DEPLOYERS_SECRET"), "{}", TOLD.stderr);
    assert!(TOLD.stderr.contains("post-pull/echo │ dir / "), "echo lists what it can see: {}", TOLD.stderr);
    assert!(!TOLD.stderr.contains("post-pull/echo │ entry "), "which is nothing: {}", TOLD.stderr);
}
