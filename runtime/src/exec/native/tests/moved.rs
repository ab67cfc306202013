//! Directories that a native hook finds at another path, and private ones.

use super::*;
use std::fs;

#[tokio::test]
async fn s5_39_a_directory_is_found_at_another_path_that_is_there() {
    for sandbox in [Sandbox::Strict, Sandbox::None] {
        let world = World::new();
        let (data, point) = (world.folder("data"), world.folder("point"));
        fs::write(format!("{data}/in"), "in\n").unwrap();
        fs::write(format!("{point}/hidden"), "").unwrap();
        let job = sh(&format!("cat {point}/in && ls {point} && echo x > {point}/new")).sandbox(Some(sandbox));
        let execution = world.run(&job.clone().grant_at(Some(&data), &point, DirMode::Write)).await;
        assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", world.lines());
        assert_eq!(world.stdout(), ["in", "in"]);
        assert!(Path::new(&data).join("new").exists() && !Path::new(&point).join("new").exists());
        fs::remove_file(format!("{data}/new")).unwrap();
        assert_eq!(world.run(&job.grant_at(Some(&data), &point, DirMode::Read)).await.exit_code, Some(2), "{sandbox:?}: read reads");
        assert!(!Path::new(&data).join("new").exists());
        assert!(!is_mounted_below(world.dir.path()));
    }
}

#[tokio::test]
async fn a_staged_directory_may_be_elsewhere_too() {
    let world = World::new();
    let (data, point) = (world.folder("data"), world.folder("point"));
    let view = Kind::Copy.view(&data, &world.path("stage"), &point).unwrap();
    let job = sh(&format!("echo x > {point}/new")).grant_at(Some(&data), &point, DirMode::Txn);
    assert_eq!(world.run_staged(&job, &view).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    assert!(inside(&view, "new").exists());
    assert!(!Path::new(&data).join("new").exists() && !Path::new(&point).join("new").exists());
}

#[tokio::test]
async fn scratch_is_empty_private_and_gone_afterwards() {
    let world = World::new();
    let point = world.folder("point");
    fs::write(format!("{point}/host"), "").unwrap();
    let job = sh(&format!("ls {point}; echo x > {point}/new && cat {point}/new")).grant_at(None, &point, DirMode::Scratch);
    for _ in 0..2 {
        assert_eq!(world.run(&job).await.outcome, Outcome::Succeeded, "{:?}", world.lines());
    }
    assert_eq!(world.stdout(), ["x", "x"]);
    assert_eq!(fs::read_dir(&point).unwrap().count(), 1);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn what_cannot_be_placed_is_refused_by_name() {
    let world = World::new();
    let (data, other) = (world.folder("data"), world.folder("other"));
    let link = world.path("link");
    std::os::unix::fs::symlink(&other, &link).unwrap();
    fs::write(world.path("file"), "").unwrap();
    let here = world.dir.path().to_str().unwrap();
    let moved = |guest: &str| sh(":").grant_at(Some(&data), guest, DirMode::Read);
    for (job, text) in [
        (moved(&world.path("absent")), "only over one that is there"),
        (moved(&world.path("file")), "only over one that is there"),
        (moved("/"), "a native hook's root is the machine's"),
        (moved(here), "private directories"),
        (sh(":").grant_at(None, here, DirMode::Scratch), "private directories"),
        (moved(&other).grant(&link, DirMode::Read), "lead to the same place"),
        (sh(":").grant_at(None, &data, DirMode::Write), "no directory on the host"),
    ] {
        for sandbox in [Sandbox::Strict, Sandbox::None] {
            let denial = denied(world.run(&job.clone().sandbox(Some(sandbox))).await);
            assert!(denial.what.contains(text), "{}", denial.what);
        }
    }
    assert_eq!(world.leftovers(), 0);
}
