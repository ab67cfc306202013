//! The platform that releases what it built, or an image.

use super::*;

const BLUEKING: &[&str] = &["pre-build/prepare", "post-build/strip", "pre-release/migrate"];

#[tokio::test]
async fn s1_5_s1_12_s1_17_everything_before_the_release_is_over_when_it_begins() {
    let mut blueking = platform("blueking", BLUEKING, MockExecutor::new());
    let report = blueking.deploy(A).await;
    assert_eq!(blueking.ran(), ["pre-build/prepare", "build", "post-build/strip", "pre-release/migrate", "release"]);
    assert_eq!((report.status, report.new_version_live), (Status::Success, Some(true)));
}

#[tokio::test]
async fn s1_36_a5_a_failed_pre_release_command_blocks_the_release() {
    let mut blueking = platform("blueking", BLUEKING, MockExecutor::new().exiting("pre-release/migrate", 1));
    let report = blueking.deploy(A).await;
    assert_eq!(blueking.ran().last().unwrap(), "pre-release/migrate");
    assert_eq!((report.status, report.new_version_live), (Status::Failed, Some(false)));
    assert_eq!(report.details, ["Pre-Release-Hook failed, please check logs for more details"]);
}

#[tokio::test]
async fn s1_17_post_build_runs_only_after_a_build_that_succeeded() {
    let mut blueking = platform("blueking", BLUEKING, MockExecutor::new().exiting("build", 1));
    let report = blueking.deploy(A).await;
    assert_eq!(blueking.ran(), ["pre-build/prepare", "build"]);
    assert_eq!(report.status, Status::Failed);
}

#[tokio::test]
async fn a6_a_pre_release_command_that_takes_too_long_has_failed() {
    let mut blueking = platform("blueking", &["pre-release/migrate"], MockExecutor::new().ending("pre-release/migrate", late()));
    let report = blueking.deploy(A).await;
    assert_eq!(
        (report.status, report.hooks[0].outcome, report.hooks[0].usage.timeout_ms),
        (Status::Failed, OutcomeWord::TimedOut, Some(1_800_000))
    );
}

#[tokio::test]
async fn s1_7_s1_39_once_for_each_deployment_whatever_the_instances_and_the_commit() {
    let mut blueking = platform("blueking", &["pre-release/migrate"], MockExecutor::new()).on_two_instances();
    for _ in 0..2 {
        assert_eq!(blueking.deploy(A).await.status, Status::Success);
    }
    assert_eq!(blueking.ran().iter().filter(|name| name.starts_with("pre-release/")).count(), 2, "{:?}", blueking.ran());
}

#[tokio::test]
async fn a4_a_command_that_is_not_enabled_is_passed_over() {
    let mut blueking = platform("blueking", &["pre-release/migrate enabled = false"], MockExecutor::new());
    let report = blueking.deploy(A).await;
    assert_eq!(blueking.ran(), ["build", "release"]);
    assert_eq!((report.status, &report.hooks_executed[0][..]), (Status::Success, "pre-release: migrate - SKIPPED (disabled)"));
}
