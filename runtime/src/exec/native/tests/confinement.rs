//! What a hook can't do, and that it can do it without the confinement.

use super::*;
use crate::model::grant::Capability;
use std::net::TcpListener;

const ALL: Kernel = Kernel { files: true, truncation: true, tcp: true };

#[tokio::test]
async fn writes_outside_the_grants_fail() {
    let world = World::new();
    let file = world.path("outside");
    let job = sh(&format!("echo x > {file}"));
    assert_eq!(world.run(&job).await.exit_code, Some(2));
    assert!(!Path::new(&file).exists());
    assert_eq!(world.run(&job.clone().sandbox(Some(Sandbox::BestEffort))).await.exit_code, Some(2));
    let execution = world.run(&job.clone().sandbox(Some(Sandbox::None))).await;
    assert_eq!((execution.outcome, execution.unenforced), (Outcome::Succeeded, vec!["unconfined".to_owned()]));
    assert!(Path::new(&file).exists());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.run(&job.sandbox(None)).await.outcome, Outcome::Succeeded);
    assert!(Path::new(&file).exists());
}

#[tokio::test]
async fn nothing_outside_the_grants_is_read_truncated_or_removed() {
    let world = World::new();
    let secret = world.path("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let here = world.dir.path().display();
    let line = format!(
        "cat {secret}; ls {here}; truncate -s 0 {secret}; rm -f {secret}; mv {secret} {here}/moved; ln {secret} \"$HOME/link\"; true"
    );
    world.run(&sh(&line)).await;
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "hunter2\n");
    assert!(!world.lines().iter().any(|line| line == "hunter2" || line == "secret"), "{:?}", world.lines());
    let open = World::new();
    open.run(&sh(&format!("cat {secret}")).sandbox(Some(Sandbox::None))).await;
    assert_eq!(open.lines(), ["hunter2"]);
}

#[tokio::test]
async fn granted_directories_are_used_by_mode() {
    let world = World::new();
    let (data, out) = (world.folder("data"), world.folder("out"));
    std::fs::write(format!("{data}/in"), "content\n").unwrap();
    let line = format!(
        "cat {data}/in && ls {data} && cp {data}/in {out}/copy && mkdir {out}/d && mv {out}/copy {out}/d/moved && ln -s d {out}/link && : > {out}/d/moved"
    );
    let job = sh(&line).grant(&data, DirMode::Read).grant(&out, DirMode::Write);
    let execution = world.run(&job).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert_eq!(std::fs::read(format!("{out}/d/moved")).unwrap(), b"");
    for line in [format!("echo x > {data}/new"), format!("rm {data}/in"), format!("echo x >> {data}/in"), format!("mkdir {data}/d")] {
        assert_ne!(world.run(&sh(&line).grant(&data, DirMode::Read)).await.outcome, Outcome::Succeeded, "{line}");
    }
    assert_eq!(std::fs::read_to_string(format!("{data}/in")).unwrap(), "content\n");
}

#[tokio::test]
async fn a_write_grant_makes_no_device_nodes() {
    let world = World::new();
    let out = world.folder("out");
    let execution = world.run(&sh(&format!("mknod {out}/disk b 1 0")).grant(&out, DirMode::Write)).await;
    assert_ne!(execution.outcome, Outcome::Succeeded);
    assert!(!Path::new(&out).join("disk").exists());
}

#[tokio::test]
async fn a_program_in_a_granted_directory_runs_and_one_elsewhere_does_not() {
    let world = World::new();
    let bin = world.folder("bin");
    let tool = format!("{bin}/tool");
    std::fs::copy("/bin/true", &tool).unwrap();
    assert_eq!(world.run(&sh(&tool)).await.exit_code, Some(126));
    assert_eq!(world.run(&sh(&tool).grant(&bin, DirMode::Read)).await.outcome, Outcome::Succeeded);
    assert_eq!(world.run(&command(&[&tool])).await.outcome, Outcome::Succeeded, "its own program always runs");
    let extended = World::with(|builder| builder.system_dir(&bin));
    assert_eq!(extended.run(&sh(&tool)).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn an_interpreter_outside_the_grants_is_named() {
    let world = World::new();
    let bin = world.folder("bin");
    std::fs::copy("/bin/sh", format!("{bin}/shell")).unwrap();
    let script = format!("{bin}/hook");
    std::fs::write(&script, format!("#!{bin}/shell\nexit 0\n")).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let message = spawn_message(world.run(&command(&[&script])).await);
    assert!(message.contains(&format!("{bin}/shell")) && message.contains("mode \"read\""), "{message}");
    assert_eq!(world.run(&command(&[&script]).grant(&bin, DirMode::Read)).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn other_processes_cannot_be_looked_into() {
    let world = World::new();
    let me = std::process::id();
    let line = format!("cat /proc/{me}/environ /proc/{me}/cmdline /proc/self/status");
    assert_ne!(world.run(&sh(&line)).await.outcome, Outcome::Succeeded);
    assert!(world.lines().iter().all(|line| line.contains("Permission denied")) && world.lines().len() == 3, "{:?}", world.lines());
    assert_eq!(world.run(&sh("cat /proc/meminfo /proc/sys/kernel/ostype > /dev/null && nproc")).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn tcp_is_denied() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = command(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected")]);
    assert_eq!(world.run(&connect).await.exit_code, Some(1));
    assert!(!world.lines().contains(&"connected".to_owned()));
    assert!(world.lines().iter().any(|line| line.contains("Permission denied")), "{:?}", world.lines());
    let execution = world.run(&connect.clone().sandbox(Some(Sandbox::None))).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());

    let old = World::on(Kernel { tcp: false, ..ALL });
    let execution = old.run(&connect.sandbox(Some(Sandbox::BestEffort))).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert!(execution.unenforced.iter().any(|what| what.contains("TCP")), "{:?}", execution.unenforced);
}

#[tokio::test]
async fn no_signal_leaves_the_hook() {
    let world = World::new();
    let mut bystander = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let line = format!("kill {}", bystander.id());
    assert_ne!(world.run(&sh(&line)).await.outcome, Outcome::Succeeded);
    assert!(bystander.try_wait().unwrap().is_none());
    assert_eq!(world.run(&sh("sleep 60 & kill $! && wait; true")).await.outcome, Outcome::Succeeded, "its own processes are its own");
    assert_eq!(world.run(&sh(&line).sandbox(Some(Sandbox::None))).await.outcome, Outcome::Succeeded);
    bystander.wait().unwrap();
}

#[tokio::test]
async fn privileges_can_not_be_gained() {
    let world = World::new();
    world.run(&command(&["setpriv", "--dump"])).await;
    assert!(world.lines().iter().any(|line| line.trim() == "no_new_privs: 1"), "{:?}", world.lines());
    let step = World::new();
    step.run(&command(&["setpriv", "--dump"]).sandbox(None)).await;
    assert!(step.lines().iter().any(|line| line.trim() == "no_new_privs: 0"), "{:?}", step.lines());
}

#[tokio::test]
async fn strict_is_refused_where_the_kernel_cannot_enforce_it() {
    for (kernel, word) in [
        (Kernel { tcp: false, ..ALL }, "TCP"),
        (Kernel { truncation: false, ..ALL }, "truncation"),
        (Kernel { files: false, ..ALL }, "files"),
    ] {
        let world = World::on(kernel);
        let marker = world.folder("marker");
        let job = sh(&format!("echo x > {marker}/ran")).grant(&marker, DirMode::Write);
        let denial = denied(world.run(&job).await);
        assert!(denial.what.contains(word) && denial.what.contains("strict"), "{}", denial.what);
        assert_eq!(denial.allow, "sandbox = \"best-effort\"");
        assert!(!Path::new(&marker).join("ran").exists());
        let execution = world.run(&job.sandbox(Some(Sandbox::BestEffort))).await;
        assert_eq!(execution.outcome, Outcome::Succeeded);
        assert!(execution.unenforced.iter().any(|what| what.contains(word)), "{:?}", execution.unenforced);
    }
}

#[tokio::test]
async fn grants_that_a_native_hook_cannot_have_are_refused_by_name() {
    let world = World::new();
    let data = world.folder("data");
    for sandbox in [Some(Sandbox::Strict), Some(Sandbox::None)] {
        for mode in [DirMode::Txn, DirMode::Discard] {
            let denial = denied(world.run(&sh(":").grant(&data, mode).sandbox(sandbox)).await);
            assert!(denial.what.contains("nobody opened a stage for it") && denial.what.contains(&data), "{}", denial.what);
            assert_eq!(denial.capability, Capability::Dir);
        }
        let denial = denied(world.run(&sh(":").sandbox(sandbox).grant_at(None, "/absent-scratch", DirMode::Scratch)).await);
        assert!(denial.what.contains("/absent-scratch") && denial.allow.contains("TMPDIR"), "{}", denial.what);
        let denial = denied(world.run(&sh(":").sandbox(sandbox).grant_at(Some(&data), "/absent-data", DirMode::Read)).await);
        assert!(denial.what.contains("/absent-data") && denial.allow.contains(&data), "{}", denial.what);
        assert!(!Path::new("/absent-data").exists() && !Path::new("/absent-scratch").exists(), "a mount point is never made");
    }
}

#[tokio::test]
async fn a_grant_must_be_a_directory_that_holds_nothing_of_ours() {
    let world = World::new();
    let missing = world.path("missing");
    let denial = denied(world.run(&sh(":").grant(&missing, DirMode::Read)).await);
    assert!(denial.what.contains(&missing) && denial.allow.contains("create it"), "{}", denial.what);
    let file = world.path("file");
    std::fs::write(&file, "").unwrap();
    denied(world.run(&sh(":").grant(&file, DirMode::Read)).await);
    let link = world.path("link");
    std::os::unix::fs::symlink(world.dir.path(), &link).unwrap();
    let denial = denied(world.run(&sh(":").grant(&link, DirMode::Write)).await);
    assert!(denial.what.contains("private"), "{}", denial.what);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn a_directory_that_became_a_link_to_what_is_protected_is_refused_at_launch() {
    let mut state = String::new();
    let world = World::with(|builder| {
        let dir = tempfile::tempdir().unwrap().keep();
        state = dir.to_str().unwrap().to_owned();
        builder.protect("state", dir)
    });
    let granted = world.folder("granted");
    let job = sh("true").grant(&granted, DirMode::Read);
    assert_eq!(world.run(&job).await.outcome, Outcome::Succeeded);
    std::fs::remove_dir(&granted).unwrap();
    std::os::unix::fs::symlink(&state, &granted).unwrap();
    assert!(denied(world.run(&job).await).what.ends_with("reaches the state"));
    std::fs::remove_dir_all(state).unwrap();
}

#[test]
fn this_kernel_is_asked_and_not_assumed() {
    assert!(Kernel { files: false, truncation: false, tcp: false }.missing().len() == 3);
    assert!(ALL.missing().is_empty());
    let detected = Kernel::detect();
    assert!(detected.files || !detected.tcp, "TCP came after files");
}
