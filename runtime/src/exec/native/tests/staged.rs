//! Staged grants: what the hook does there lands in the view, whatever it tries.

use super::*;
use crate::model::outcome::TimeLimit;
use std::fs;

/// A world with an `app` that holds the file `base`, and a view of it.
fn app(world: &World, kind: Kind) -> Option<(String, Staged)> {
    let app = world.folder("app");
    fs::write(format!("{app}/base"), "base\n").unwrap();
    let view = kind.view(&app, &world.path("stage"), &app)?;
    Some((app, view))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn writes_land_in_the_view_and_reads_see_what_is_there() {
    for kind in Kind::ALL {
        for (mode, sandbox) in [(DirMode::Txn, Sandbox::Strict), (DirMode::Discard, Sandbox::BestEffort), (DirMode::Txn, Sandbox::None)] {
            let world = World::new();
            let Some((app, view)) = app(&world, kind) else { continue };
            let job =
                sh(&format!("cat {app}/base && echo x > {app}/new && rm {app}/base && ls {app}")).grant(&app, mode).sandbox(Some(sandbox));
            let execution = world.run_staged(&job, &view).await;
            assert_eq!(execution.outcome, Outcome::Succeeded, "{kind:?} {sandbox:?} {:?}", world.lines());
            assert_eq!(world.stdout(), ["base", "new"]);
            assert_eq!(fs::read_to_string(inside(&view, "new")).unwrap(), "x\n", "{kind:?}: it is there when the hook has ended");
            assert!(!inside(&view, "base").exists());
            assert_eq!(fs::read_dir(&app).unwrap().count(), 1);
            assert_eq!(fs::read_to_string(format!("{app}/base")).unwrap(), "base\n");
            assert!(!is_mounted_below(world.dir.path()));
            assert_eq!(world.leftovers(), 0);
        }
    }
}

#[tokio::test]
async fn a_later_hook_sees_what_an_earlier_one_wrote_to_the_same_stage() {
    for kind in [Kind::Copy, Kind::Overlay] {
        let world = World::new();
        let Some((app, view)) = app(&world, kind) else { continue };
        let write = sh(&format!("echo one > {app}/new")).grant(&app, DirMode::Txn);
        assert_eq!(world.run_staged(&write, &view).await.outcome, Outcome::Succeeded);
        let read = sh(&format!("cat {app}/new")).grant(&app, DirMode::Txn);
        assert_eq!(world.run_staged(&read, &view).await.outcome, Outcome::Succeeded, "{kind:?} {:?}", world.lines());
        assert_eq!(world.stdout(), ["one"]);
    }
}

#[tokio::test]
async fn the_working_directory_and_the_program_are_those_of_the_view() {
    for kind in Kind::ALL {
        let world = World::new();
        let Some((app, view)) = app(&world, kind) else { continue };
        fs::create_dir(inside(&view, "deep")).unwrap();
        let script = inside(&view, "deep/hook");
        fs::write(&script, "#!/bin/sh\npwd; echo x > made\n").unwrap();
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let job = command(&["./hook"]).grant(&app, DirMode::Txn).cwd(&format!("{app}/deep"));
        assert_eq!(world.run_staged(&job, &view).await.outcome, Outcome::Succeeded, "{kind:?} {:?}", world.lines());
        assert_eq!(world.stdout(), [format!("{app}/deep")]);
        assert!(inside(&view, "deep/made").exists() && !Path::new(&app).join("deep").exists());
    }
}

#[tokio::test]
async fn a_link_to_a_staged_directory_leads_into_the_view() {
    let world = World::new();
    let app = world.folder("release");
    let link = world.path("current");
    std::os::unix::fs::symlink(&app, &link).unwrap();
    let view = Kind::Copy.view(&app, &world.path("stage"), &link).unwrap();
    let job = sh(&format!("echo x > {link}/one && echo x > {app}/two")).grant(&link, DirMode::Txn);
    assert_eq!(world.run_staged(&job, &view).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert!(inside(&view, "one").exists() && inside(&view, "two").exists());
    assert_eq!(fs::read_dir(&app).unwrap().count(), 0);
}

#[tokio::test]
async fn grants_of_different_modes_hold_inside_one_another() {
    for kind in Kind::ALL {
        let world = World::new();
        let app = world.folder("app");
        let data = world.folder("app/data");
        fs::write(format!("{data}/in"), "in\n").unwrap();
        let Some(view) = kind.view(&app, &world.path("stage"), &app) else { continue };
        let job = sh(&format!("cat {data}/in && echo x > {data}/live && echo x > {app}/staged"));
        let job = job.grant(&data, DirMode::Write).grant(&app, DirMode::Txn);
        assert_eq!(world.run_staged(&job, &view).await.outcome, Outcome::Succeeded, "{kind:?} {:?}", world.lines());
        assert!(Path::new(&data).join("live").exists() && !Path::new(&app).join("staged").exists());
        // An overlay shows what is below it: there, what is its own lies in its upper directory.
        let own = if kind == Kind::Overlay { Path::new(&world.path("stage/upper")).to_owned() } else { inside(&view, "") };
        assert!(own.join("staged").exists() && !own.join("data/live").exists(), "{kind:?}");

        let world = World::new();
        let app = world.folder("app");
        let data = world.folder("app/data");
        let Some(view) = kind.view(&data, &world.path("stage"), &data) else { continue };
        let job = |line: String| sh(&line).grant(&app, DirMode::Read).grant(&data, DirMode::Discard);
        assert_eq!(world.run_staged(&job(format!("echo x > {data}/staged")), &view).await.outcome, Outcome::Succeeded, "{kind:?}");
        assert!(inside(&view, "staged").exists() && fs::read_dir(&data).unwrap().count() == 0);
        if kind != Kind::Bind {
            assert_eq!(world.run_staged(&job(format!("echo x > {app}/new")), &view).await.exit_code, Some(2));
        }
    }
}

#[tokio::test]
async fn a_view_of_what_is_protected_is_refused_as_the_directory_is() {
    let outside = tempfile::tempdir().unwrap();
    let state = outside.path().join("state");
    fs::create_dir(&state).unwrap();
    let world = World::with(|builder| builder.protect("state", &state));
    let state = state.to_str().unwrap();
    let view = Kind::Copy.view(state, &world.path("stage"), state).unwrap();
    for (mode, sandbox) in [(DirMode::Txn, Sandbox::Strict), (DirMode::Discard, Sandbox::None)] {
        let job = sh(&format!("echo x > {state}/new")).grant(state, mode).sandbox(Some(sandbox));
        assert!(denied(world.run_staged(&job, &view).await).what.ends_with("reaches the state"), "{sandbox:?}");
    }
    assert!(!inside(&view, "new").exists());
}

#[tokio::test]
async fn the_directory_of_a_staged_grant_must_be_there() {
    let world = World::new();
    let (app, view) = app(&world, Kind::Copy).unwrap();
    fs::remove_dir_all(&app).unwrap();
    let denial = denied(world.run_staged(&sh(":").grant(&app, DirMode::Txn), &view).await);
    assert!(denial.what.contains("does not exist"), "{}", denial.what);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn a_link_in_the_view_moves_no_mount() {
    let world = World::new();
    let (app, elsewhere) = (world.folder("app"), world.folder("elsewhere"));
    let data = world.folder("app/data");
    let view = Kind::Copy.view(&app, &world.path("stage"), &app).unwrap();
    fs::remove_dir(inside(&view, "data")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, inside(&view, "data")).unwrap();
    let job = sh(&format!("echo x > {data}/new")).grant(&app, DirMode::Txn).grant(&data, DirMode::Write);
    let denial = denied(world.run_staged(&job, &view).await);
    assert!(denial.what.contains(&data), "{}", denial.what);
    assert!(fs::read_dir(&elsewhere).unwrap().count() == 0 && fs::read_dir(&data).unwrap().count() == 0);
}

#[tokio::test]
async fn whatever_a_hook_starts_sees_the_same() {
    let world = World::new();
    let Some((app, view)) = app(&world, Kind::Copy) else { return };
    let job = sh(&format!("setsid -w sh -c 'cat {app}/base; (echo x > {app}/deep)'")).grant(&app, DirMode::Txn);
    assert_eq!(world.run_staged(&job, &view).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert_eq!(world.stdout(), ["base"]);
    assert!(inside(&view, "deep").exists() && !Path::new(&app).join("deep").exists());
}

#[tokio::test]
async fn nothing_stays_mounted_after_the_deadline() {
    let world = World::new();
    let Some((app, view)) = app(&world, Kind::Copy) else { return };
    let line = format!("trap '' TERM; setsid sh -c 'echo $$ > {app}/far; exec sleep 60' & while :; do sleep 60; done");
    let execution = world.run_staged(&sh(&line).grant(&app, DirMode::Txn).timeout(1_000), &view).await;
    assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
    assert!(gone(pid_in(inside(&view, "far").to_str().unwrap()).await).await);
    assert!(!is_mounted_below(world.dir.path()));
    assert_eq!(fs::read_dir(&app).unwrap().count(), 1);
}

#[tokio::test]
async fn root_under_confinement_cannot_take_the_view_away() {
    for kind in [Kind::Copy, Kind::Overlay] {
        let world = World::new();
        let Some((app, view)) = app(&world, kind) else { continue };
        let line = format!(
            "umount {app}; umount -l {app}; unshare -m umount {app}; unshare -Urm umount {app}; mount --bind /usr {app}; mount -o remount,ro {app}; echo x > {app}/new"
        );
        let execution = world.run_staged(&sh(&line).grant(&app, DirMode::Txn), &view).await;
        assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
        assert!(inside(&view, "new").exists() && !Path::new(&app).join("new").exists(), "{kind:?}");
        if is_root() {
            let world = World::new();
            let Some((app, view)) = self::app(&world, kind) else { continue };
            let line = format!("umount {app} && echo x > {app}/new");
            let execution = world.run_staged(&sh(&line).grant(&app, DirMode::Txn).sandbox(Some(Sandbox::None)), &view).await;
            assert_eq!(execution.outcome, Outcome::Succeeded, "it is the confinement that refuses: {:?}", world.lines());
            assert!(Path::new(&app).join("new").exists());
            assert!(execution.unenforced.iter().any(|what| what.contains("stage")), "{:?}", execution.unenforced);
        }
    }
}

#[tokio::test]
async fn without_landlock_the_report_says_that_a_stage_can_be_gone_round() {
    let world = World::on(Kernel { files: false, truncation: false, tcp: false });
    let Some((app, view)) = app(&world, Kind::Copy) else { return };
    let job = sh(&format!("echo x > {app}/new")).grant(&app, DirMode::Txn).sandbox(Some(Sandbox::BestEffort));
    let execution = world.run_staged(&job, &view).await;
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert!(execution.unenforced.iter().any(|what| what.contains("stage")), "{:?}", execution.unenforced);
    assert!(inside(&view, "new").exists() && !Path::new(&app).join("new").exists());
}
