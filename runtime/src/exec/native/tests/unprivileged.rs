//! The same for a user who isn't root: mounts in a user namespace.

use super::*;
use crate::stage::Backend;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// The user that the other half runs as.
const NOBODY: &str = "65534";

#[test]
fn staged_and_dry_hooks_need_no_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not shown here: this process isn't root already, so the other tests show it");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    // The program may lie where that user can't go: it is executed through an open file.
    let this = fs::File::open(std::env::current_exe().unwrap()).unwrap();
    rustix::io::fcntl_setfd(&this, rustix::io::FdFlags::empty()).unwrap();
    let program = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&this));
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", &program, "--exact", "--ignored", "--nocapture"])
        .arg("exec::native::tests::unprivileged::runs_as_somebody_else")
        .env("TMPDIR", dir.path())
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The other half of `staged_and_dry_hooks_need_no_root`.
#[tokio::test]
#[ignore = "run by another test, as another user"]
async fn runs_as_somebody_else() {
    let me = rustix::process::geteuid().as_raw();
    assert_ne!(me, 0);
    let mut owner = Command::new("unshare").args(["--user", "--map-current-user", "sleep", "60"]).stdin(Stdio::null()).spawn().unwrap();
    let process = format!("/proc/{}", owner.id());
    for _ in 0..1_000 {
        if fs::read_link(format!("{process}/exe")).is_ok_and(|exe| exe.ends_with("sleep")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let namespace: std::os::fd::OwnedFd = fs::File::open(format!("{process}/ns/user")).unwrap().into();
    let namespace = Arc::new(namespace);
    for user_namespace in [None, Some(namespace)] {
        for dry in [false, true] {
            staged(user_namespace.clone(), dry, me).await;
        }
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    super::nested::hold_in_one_another(&[Backend::UserOverlay, Backend::Copy]).await;
}

async fn staged(user_namespace: Option<Arc<std::os::fd::OwnedFd>>, dry: bool, me: u32) {
    let world = World::new();
    let app = world.folder("app");
    let other = world.folder("other");
    fs::write(format!("{app}/base"), "base\n").unwrap();
    let view = Staged { user_namespace, ..Kind::Copy.view(&app, &world.path("stage"), &app).unwrap() };
    let line = format!(
        "cat {app}/base && id -u && echo x > {app}/new && rm {app}/base || exit 1
         umount {app} && exit 2; unshare -Urm umount {app} && exit 3; touch {other}/new && exit 4; true"
    );
    let around = world.around().staging(vec![view.clone()]);
    let around = if dry { around.dry() } else { around };
    let execution = world.run_in(&sh(&line).grant(&app, DirMode::Discard), around).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert_eq!(world.stdout(), ["base".to_owned(), me.to_string()], "it is still the same user");
    assert!(inside(&view, "new").exists() && !inside(&view, "base").exists());
    assert_eq!(fs::read_dir(&app).unwrap().count(), 1);
    assert!(!is_mounted_below(world.dir.path()));
}
