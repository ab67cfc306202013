//! Granted directories in one another, with views as a stage of both gives them.

use super::*;
use crate::engine::staging::{Label, Stages, Staging};
use crate::stage::Backend;
use std::fs;

#[tokio::test]
async fn staged_directories_hold_in_one_another() {
    let of_this_user = |backend: &Backend| *backend != Backend::Overlay || rustix::process::geteuid().is_root();
    let backends: Vec<Backend> = Backend::ALL.iter().copied().filter(of_this_user).collect();
    hold_in_one_another(&backends).await;
}

pub(super) async fn hold_in_one_another(backends: &[Backend]) {
    for backend in backends {
        for dry in [false, true] {
            for (outer, inner) in [
                (DirMode::Read, DirMode::Txn),
                (DirMode::Read, DirMode::Discard),
                (DirMode::Txn, DirMode::Txn),
                (DirMode::Discard, DirMode::Discard),
            ] {
                hold(*backend, dry, outer, inner).await;
            }
        }
    }
}

/// One hook writes to both, if it may; another, which is granted the inner one alone, finds it.
async fn hold(backend: Backend, dry: bool, outer: DirMode, inner: DirMode) {
    let what = format!("{inner} in {outer}, {backend}, dry: {dry}");
    let world = World::new();
    let app = world.folder("app");
    let deep = world.folder("app/deep");
    let data = world.folder("app/deep/data");
    fs::write(format!("{data}/in"), "in\n").unwrap();
    let staging = staged(&world, backend, &app);

    let tried =
        |dir: &str, mode| if mode == DirMode::Read { format!("touch {dir}/new && exit 9") } else { format!("touch {dir}/new || exit 8") };
    let line = format!("cat {data}/in && ls {deep}; {}; {}; true", tried(&app, outer), tried(&data, inner));
    let job = sh(&line).grant(&app, outer).grant(&data, inner);
    assert_eq!(run(&world, &staging, &job, dry).await.outcome, Outcome::Succeeded, "{what}: {:?}", world.lines());
    assert_eq!(world.stdout(), ["in", "data"], "{what}");
    let written = [(inner, "deep/data/new"), (outer, "new")];
    let written: Vec<&str> = written.into_iter().filter(|(mode, _)| *mode != DirMode::Read).map(|(_, path)| path).collect();
    assert_eq!(staging.changes().unwrap().0.created, written, "{what}");

    let again = sh(&format!("ls {data}; ls {app}; true")).grant(&data, DirMode::Discard);
    assert_eq!(run(&world, &staging, &again, dry).await.outcome, Outcome::Succeeded, "{what}: {:?}", world.lines());
    let seen: &[&str] = if inner == DirMode::Read { &["in"] } else { &["in", "new"] };
    assert_eq!(&world.stdout()[2..2 + seen.len()], seen, "{what}");
    assert!(
        fs::read_dir(&data).unwrap().count() == 1 && fs::read_dir(&app).unwrap().count() == 1,
        "{what}: nothing of the machine changes"
    );
    staging.discard().unwrap();
}

/// A stage of the outer directory, of which the inner one is a part.
fn staged(world: &World, backend: Backend, app: &str) -> Staging {
    let stages = Stages { backends: vec![backend], ..Stages::new(world.path("copies")) };
    let whole = DirGrant { host: Some(app.to_owned()), guest: app.to_owned(), mode: DirMode::Discard };
    Staging::of(&[whole], &Label::of_guest(), &stages).unwrap().unwrap()
}

async fn run(world: &World, staging: &Staging, job: &Job, dry: bool) -> Execution {
    let around = world.around().staging(staging.views(&job.dirs).unwrap());
    world.run_in(job, if dry { around.dry() } else { around }).await
}

/// As the view of a directory inside a staged one is before Linux 6.15.
#[tokio::test]
async fn a_view_that_cannot_be_attached_says_which_kernel_it_takes() {
    let world = World::new();
    let app = world.folder("app");
    let data = world.folder("app/data");
    let Some(whole) = Kind::Bind.view(&app, &world.path("stage"), &app) else { return };
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let inner = rustix::fs::openat(&whole.dir, "data", flags, rustix::fs::Mode::empty()).unwrap();
    let view = Staged { guest: data.clone(), dir: Arc::new(inner), ..whole.clone() };
    let denial = denied(world.run_staged(&sh(":").grant(&data, DirMode::Txn), &view).await);
    assert!(denial.what.contains(&data) && denial.allow.contains("Linux 6.15"), "{denial:?}");
}
