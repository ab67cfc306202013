//! The same suite as a user without rights, in a process of its own: overlays are then mounted in a user namespace.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Somebody who owns nothing here.
const NOBODY: u32 = 65_534;

#[test]
fn the_suite_holds_for_a_user_without_rights() {
    if !rustix::process::geteuid().is_root() {
        // Then the suite itself is this test.
        return;
    }
    // The program may lie where only root may look.
    let dir = tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let program = dir.path().join("suite");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let ran = Command::new(&program)
        .args(["stage::tests::", "--skip", "unprivileged", "--skip", "of_root_alone", "--test-threads", "2"])
        .current_dir("/")
        .env_remove("TMPDIR")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}");
    let passed = out.rsplit_once(" passed").and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed > 20), "{out}");
}
