//! The container that follows a branch.

use super::*;

const JOBS: &[&str] = &["pre-deploy/migrate", "post-deploy/seed"];

#[tokio::test]
async fn s4_3_s4_4_s4_5_s4_28_s4_31_jobs_run_when_the_commit_changes() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new());
    let first = sync.deploy(A).await;
    assert_eq!(jobs(&sync), JOBS, "S4.31: PRE, then POST");
    let second = sync.deploy(A).await;
    assert_eq!(jobs(&sync).len(), 2, "nothing ran again");
    assert_eq!(
        second.hooks_executed,
        ["pre-deploy: migrate - SKIPPED (commit unchanged)", "post-deploy: seed - SKIPPED (commit unchanged)"]
    );
    sync.deploy(B).await;
    assert_eq!(jobs(&sync).len(), 4);
    assert_eq!((first.status, second.status), (Status::Success, Status::Success));
}

#[tokio::test]
async fn s4_81_the_commit_is_compared_with_the_last_one_only() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new());
    for commit in [A, B, A] {
        sync.deploy(commit).await;
    }
    assert_eq!(jobs(&sync).len(), 6);
}

#[tokio::test]
async fn s4_29_s4_32_a_failed_pre_job_is_tried_again_and_post_does_not_run() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new().exiting("pre-deploy/migrate", 1));
    let failed = sync.deploy(A).await;
    assert_eq!((failed.status, jobs(&sync).len()), (Status::Failed, 1));
    let again = sync.deploy(A).await;
    assert_eq!(again.status, Status::Success);
    assert_eq!(jobs(&sync), ["pre-deploy/migrate", "pre-deploy/migrate", "post-deploy/seed"]);
}

#[tokio::test]
async fn s4_30_a_failed_post_job_is_a_warning_and_not_tried_again() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new().exiting("post-deploy/seed", 1));
    let report = sync.deploy(A).await;
    assert_eq!((report.status, report.warnings), (Status::Success, 1));
    assert_eq!(report.details, ["POST_DEPLOY job failed (lenient mode - continuing)"]);
    sync.deploy(A).await;
    assert_eq!(jobs(&sync).len(), 2);
}

#[tokio::test]
async fn s4_41_a_timeout_fails_pre_and_warns_in_post() {
    let late_pre = MockExecutor::new().ending("pre-deploy/migrate", late());
    assert_eq!(platform("commit-sync", JOBS, late_pre).deploy(A).await.status, Status::Failed);
    let late_post = MockExecutor::new().ending("post-deploy/seed", late());
    let report = platform("commit-sync", JOBS, late_post).deploy(A).await;
    assert_eq!((report.status, report.warnings, report.hooks[1].outcome), (Status::Success, 1, OutcomeWord::TimedOut));
}

#[tokio::test]
async fn s4_80_a9_at_a_start_jobs_run_whatever_ran_before_and_the_next_cycle_knows() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new());
    sync.deploy(A).await;
    sync.run(Some(A), true).await;
    assert_eq!(jobs(&sync).len(), 4, "no commit check at a start");
    sync.deploy(A).await;
    assert_eq!(jobs(&sync).len(), 4, "A9: the start counts as a run of its commit");
}

/// S4.2: at a start the application doesn't wait for POST; in a cycle the cycle does.
#[tokio::test]
async fn s4_2_s4_24_post_runs_beside_the_application_at_a_start_only() {
    for (at_start, order) in [(true, ["start begins", "post ends"]), (false, ["post ends", "start begins"])] {
        let mut sync = platform("commit-sync", JOBS, MockExecutor::new());
        sync.run(Some(A), at_start).await;
        let seen = sync
            .tape
            .0
            .lock()
            .unwrap()
            .iter()
            .filter_map(|event| match &event.what {
                What::Started { place, .. } if place.to_string() == "start" => Some("start begins"),
                What::Finished { place, .. } if place.to_string() == "post-deploy/seed" => Some("post ends"),
                _ => None,
            })
            .collect::<Vec<_>>();
        assert_eq!(seen, order, "at_start = {at_start}");
    }
}

#[tokio::test]
async fn s4_48_a_notice_tells_of_a_lenient_failure() {
    let hooks = ["post-deploy/seed", "on-failure/tell"];
    let mut sync = platform("commit-sync", &hooks, MockExecutor::new().exiting("post-deploy/seed", 1).exiting("on-failure/tell", 1));
    let report = sync.deploy(A).await;
    assert_eq!(jobs(&sync), hooks);
    assert_eq!((report.status, report.warnings), (Status::Success, 2), "nor does its own failure stop anything");
    let mut fine = platform("commit-sync", &hooks, MockExecutor::new());
    fine.deploy(A).await;
    assert_eq!(jobs(&fine), ["post-deploy/seed"]);
}

#[tokio::test]
async fn a15_without_a_commit_the_jobs_run_and_it_is_said() {
    let mut sync = platform("commit-sync", JOBS, MockExecutor::new());
    let report = sync.run(None, false).await;
    assert_eq!(jobs(&sync), JOBS);
    assert!(report.notices.iter().any(|notice| notice.code == "unknown-revision"), "{:?}", report.notices);
}

#[tokio::test]
async fn a32_post_alone_runs_alone_and_the_commit_is_remembered() {
    let mut sync = platform("commit-sync", &["post-deploy/seed"], MockExecutor::new());
    sync.deploy(A).await;
    sync.deploy(A).await;
    assert_eq!(jobs(&sync), ["post-deploy/seed"]);
}
