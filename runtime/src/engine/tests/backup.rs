//! What comes before a start: a backup, and what becomes of a hook that can't have one.

use super::*;
use crate::model::backup::BackupPlan;
use std::path::Path;

/// A hook that has this directory copied before it starts.
fn careful(id: &str, dir: &Path) -> PlanHook {
    let backup = BackupPlan { dirs: vec![dir.display().to_string()], into: None, keep: 10 };
    PlanHook { backup: Some(backup), ..hook(id) }
}

/// A bench that keeps backups in a directory of its own, and the data to be copied.
fn ground(executor: MockExecutor) -> (Bench, tempfile::TempDir) {
    let ground = tempfile::tempdir().unwrap();
    std::fs::create_dir(ground.path().join("data")).unwrap();
    std::fs::write(ground.path().join("data/a.txt"), "before").unwrap();
    let mut bench = bench(executor);
    bench.runner.stages = Stages::new(ground.path().join("state"));
    (bench, ground)
}

#[tokio::test]
async fn s3_32_a_backup_is_recorded_before_the_intent_of_its_hook() {
    let (mut bench, ground) = ground(MockExecutor::new());
    let report = bench.run("r1", vec![phase("p", vec![hook("a"), careful("b", &ground.path().join("data"))])]).await;
    assert_eq!(report.status, Status::Success);
    let order = bench.seen(|what| match what {
        What::BackedUp { place, contents, .. } => Some(format!("backup {place} of {} files", contents.files)),
        What::Started { place, .. } => Some(format!("intent {place}")),
        _ => None,
    });
    assert_eq!(order, ["intent p/a", "backup p/b of 1 files", "intent p/b"]);
    let path = report.backup_path.clone().unwrap();
    assert_eq!(std::fs::read(Path::new(&path).join("data/a.txt")).unwrap(), b"before");
    assert!(path.ends_with("/r1/p.b"), "{path}");
    assert_eq!((report.hooks[0].backup_path.as_ref(), report.hooks[1].backup_path.as_ref()), (None, Some(&path)));
}

#[tokio::test]
async fn a_hook_without_its_backup_is_not_started_and_leaves_no_intent() {
    let (mut bench, ground) = ground(MockExecutor::new());
    std::fs::write(ground.path().join("state"), "no directory").unwrap();
    let steps = || vec![phase("p", vec![careful("a", &ground.path().join("data")), hook("b")])];
    let report = bench.run("r1", steps()).await;
    assert_eq!((report.status, bench.executor.ran().len()), (Status::Failed, 0));
    let cause = report.first_error.unwrap().cause().clone();
    assert!(cause.text.starts_with("no backup: cannot make ") && cause.text.ends_with("it was not started"), "{}", cause.text);
    assert_eq!((report.backup_path, report.hooks[0].attempt), (None, None));
    std::fs::remove_file(ground.path().join("state")).unwrap();
    assert_eq!(bench.run("r2", steps()).await.status, Status::Success, "nobody has to be asked what became of it");
}

#[tokio::test]
async fn a_run_that_is_stopped_while_it_takes_a_backup_ends_as_interrupted() {
    let (mut bench, ground) = ground(MockExecutor::new());
    let prepared = prepared("r1", vec![phase("p", vec![careful("a", &ground.path().join("data"))])]);
    let stop = Stop::new();
    stop.request(Some(15));
    let report = bench.runner.run(&prepared, &stop).await.unwrap();
    assert_eq!((report.status, bench.executor.ran().len()), (Status::Interrupted, 0));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_backed_up_and_takes_nothing() {
    let (mut bench, ground) = ground(MockExecutor::new());
    let data = ground.path().join("data");
    let staged = PlanHook { grants: Grants::none(), ..careful("a", &data) };
    let report = bench.runner.dry_run(&prepared("r1", vec![phase("p", vec![staged])]), &Stop::new()).await.unwrap();
    assert_eq!((report.backup_path, bench.executor.ran().len()), (None, 1));
    let said = bench.seen(|what| match what {
        What::BackedUp { dirs, path: None, .. } => Some(dirs.join(" ")),
        _ => None,
    });
    assert_eq!(said, [data.display().to_string()]);
    assert!(!ground.path().join("state/backups").exists());
}

#[tokio::test]
async fn a_resumed_run_repeats_the_backup_and_the_lines_of_the_run_that_it_goes_on_with() {
    let (mut bench, ground) = ground(MockExecutor::new().exiting("p/b", 1));
    let data = ground.path().join("data");
    let steps = || vec![phase("p", vec![careful("a", &data), careful("b", &data)])];
    let failed = bench.run("r1", steps()).await;
    let again = Prepared { resume: true, ..prepared("r2", steps()) };
    let report = bench.runner.run(&again, &Stop::new()).await.unwrap();
    assert_eq!(report.status, Status::Success);
    assert!(failed.backup_path.as_ref().unwrap().ends_with("/r1/p.a"));
    assert_eq!(report.backup_path, failed.backup_path, "the first of the deployment is the one from before everything");
    assert!(report.hooks[1].backup_path.as_ref().unwrap().ends_with("/r2/p.b"));
    let details = ["Post-pull hook OK: a.wasm", "Post-pull hook FAILED: b.wasm (exit code 1)", "Post-pull hook OK: b.wasm"];
    assert_eq!(report.details, details);
}
