//! Dry runs: a hook really runs, and nothing of the machine changes.

use super::*;
use std::fs;
use std::net::TcpListener;

fn untriable(execution: Execution) -> String {
    match execution.outcome {
        Outcome::Failed { cause: Cause::Unsupported { needs } } => needs,
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn only_staged_and_private_directories_can_be_written_to() {
    for sandbox in [Sandbox::Strict, Sandbox::BestEffort, Sandbox::None] {
        let world = World::new();
        let (app, other) = (world.folder("app"), world.folder("other"));
        let point = world.folder("point");
        fs::write(format!("{other}/kept"), "kept\n").unwrap();
        let view = Kind::Copy.view(&app, &world.path("stage"), &app).unwrap();
        let line = format!(
            "echo x > {app}/new && echo x > $HOME/new && echo x > {point}/new && echo x > /dev/null || exit 1
             touch /etc/wasmhook-dry && exit 2; touch {other}/new && exit 3; rm {other}/kept && exit 4; chmod 0777 {other} && exit 5
             mount -o remount,rw / && exit 6; umount {app} && exit 7; touch /dev/shm/wasmhook-dry && exit 8
             echo KEY=value >> $WASMHOOK_OUTPUT"
        );
        let job = sh(&line).sandbox(Some(sandbox)).grant(&app, DirMode::Discard).grant_at(None, &point, DirMode::Scratch);
        let job = job.grant(&other, DirMode::Read).outputs();
        let execution = world.run_in(&job, world.around().staging(vec![view.clone()]).dry()).await;
        assert_eq!(execution.outcome, Outcome::Succeeded, "{sandbox:?} {:?}", world.lines());
        assert_eq!(execution.outputs, [("KEY".to_owned(), "value".to_owned())]);
        assert!(inside(&view, "new").exists() && fs::read_dir(&app).unwrap().count() == 0);
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
        assert!(!Path::new("/etc/wasmhook-dry").exists() && !Path::new("/dev/shm/wasmhook-dry").exists());
        assert!(!is_mounted_below(world.dir.path()));
        assert_eq!(world.leftovers(), 0);
    }
}

#[tokio::test]
async fn everything_else_is_read_only_whatever_the_confinement_says() {
    let world = World::new();
    let other = world.folder("other");
    let job = sh(&format!("touch {other}/new")).sandbox(Some(Sandbox::None));
    assert_ne!(world.run_in(&job, world.around().dry()).await.outcome, Outcome::Succeeded);
    assert!(
        world.lines().iter().any(|line| line.contains("Read-only file system") || line.contains("Permission denied")),
        "{:?}",
        world.lines()
    );
    assert_eq!(world.run(&job).await.outcome, Outcome::Succeeded, "it is the dry run that refuses");
    let table = World::new();
    table.run_in(&sh("cat /proc/self/mountinfo").sandbox(Some(Sandbox::None)), table.around().dry()).await;
    let home = table.dir.path().to_str().unwrap();
    let writable: Vec<_> =
        table.stdout().into_iter().filter(|line| line.split(' ').nth(5).is_some_and(|flags| flags.starts_with("rw"))).collect();
    assert!(writable.len() == 1 && writable[0].contains(home), "{writable:?}");
}

#[tokio::test]
async fn nothing_is_reached_over_the_network() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = command(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected")]).sandbox(Some(Sandbox::None));
    assert_eq!(world.run(&connect).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert_eq!(world.run_in(&connect, world.around().dry()).await.exit_code, Some(1));
    assert_eq!(world.stdout(), ["connected"]);
    world.run_in(&sh("cat /proc/net/dev").sandbox(Some(Sandbox::None)), world.around().dry()).await;
    let devices = world.stdout().iter().filter(|line| line.contains(':')).count();
    assert!(devices >= 1, "{:?}", world.lines());
}

#[tokio::test]
async fn no_unix_socket_leads_out() {
    let world = World::new();
    let path = world.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let program = format!(
        "socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die; socket(I, AF_INET, SOCK_STREAM, 0) or die;
         socket(S, AF_UNIX, SOCK_STREAM, 0) or exit 3; connect(S, pack_sockaddr_un('{path}')) or exit 4"
    );
    let connect = command(&["perl", "-MSocket", "-e", &program]).sandbox(Some(Sandbox::None));
    assert_eq!(world.run(&connect).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert_eq!(world.run_in(&connect, world.around().dry()).await.exit_code, Some(3), "{:?}", world.lines());
}

#[tokio::test]
async fn root_keeps_no_rights_but_those_over_files() {
    let world = World::new();
    world.run_in(&sh("grep ^CapEff /proc/self/status").sandbox(Some(Sandbox::None)), world.around().dry()).await;
    let lines = world.stdout();
    let effective = u64::from_str_radix(lines[0].rsplit('\t').next().unwrap(), 16).unwrap();
    let chown_to_setuid = 0b1101_1111;
    assert_eq!(effective & !chown_to_setuid, 0, "{lines:?}");
}

#[tokio::test]
async fn a_daemon_that_would_outlive_it_is_ended() {
    let world = World::new();
    let app = world.folder("app");
    let view = Kind::Copy.view(&app, &world.path("stage"), &app).unwrap();
    let line =
        format!("setsid sh -c 'echo $$ > {app}/pid; exec sleep 60' > /dev/null 2>&1 & while ! test -s {app}/pid; do sleep 0.02; done");
    let job = sh(&line).grant(&app, DirMode::Discard).detached();
    let execution = world.run_in(&job, world.around().staging(vec![view.clone()]).dry()).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert!(gone(pid_in(inside(&view, "pid").to_str().unwrap()).await).await);
}

#[tokio::test]
async fn what_would_write_live_is_refused_and_what_cannot_be_tried_says_what_it_needs() {
    let world = World::new();
    let data = world.folder("data");
    let live = sh(&format!("touch {data}/new")).grant(&data, DirMode::Write);
    let denial = denied(world.run_in(&live, world.around().dry()).await);
    assert!(denial.what.contains(&data) && denial.what.contains("dry run"), "{}", denial.what);
    let step = sh(&format!("touch {data}/new")).sandbox(None);
    assert!(untriable(world.run_in(&step, world.around().dry()).await).contains("operator"));
    let old = World::on(Kernel { files: false, truncation: false, tcp: false });
    for sandbox in [Sandbox::BestEffort, Sandbox::None] {
        let job = sh(&format!("touch {data}/new")).sandbox(Some(sandbox));
        assert!(untriable(old.run_in(&job, old.around().dry()).await).contains("Landlock"));
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
}
