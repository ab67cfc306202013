//! The platform that builds once and deploys to instances.

use super::*;

const PAGODA: &[&str] = &[
    "after_deploy/flush service = 'web1'",
    "before_exec/replace",
    "exec/bundle",
    "after_exec/compress",
    "before_deploy/migrate service = 'web1'",
    "before_deploy_all/clear service = 'web1'",
    "before_deploy/seed service = 'web2'",
    "after_deploy_all/prime service = 'web1'",
];

#[tokio::test]
async fn s5_24_s5_30_s5_44_s5_45_s5_46_the_way_from_clone_to_after_deploy() {
    let mut pagoda = platform("pagoda", PAGODA, MockExecutor::new());
    assert_eq!(pagoda.deploy(A).await.status, Status::Success);
    let expected = [
        "clone",
        "before_exec/replace",
        "exec/bundle",
        "after_exec/compress",
        "push",
        "before_deploy/migrate",
        "before_deploy/seed",
        "before_deploy_all/clear",
        "route",
        "after_deploy/flush",
        "after_deploy_all/prime",
    ];
    assert_eq!(pagoda.ran(), expected);
}

#[tokio::test]
async fn s5_27_s5_28_s5_32_on_one_instance_or_on_all() {
    let mut pagoda = platform("pagoda", PAGODA, MockExecutor::new()).on_two_instances();
    pagoda.deploy(A).await;
    let times = |name: &str| pagoda.ran().iter().filter(|ran| ran.starts_with(name)).count();
    assert_eq!([times("before_deploy/migrate"), times("before_deploy_all/clear"), times("after_deploy_all/prime")], [1, 2, 2]);
    assert!(pagoda.ran().contains(&"before_deploy/migrate@1".to_owned()), "the first one");
}

#[tokio::test]
async fn s5_16_s5_43_a_build_hook_that_fails_or_times_out_aborts_the_build() {
    for executor in [MockExecutor::new().ending("exec/bundle", late()), MockExecutor::new().exiting("exec/bundle", 1)] {
        let mut pagoda = platform("pagoda", PAGODA, executor);
        let report = pagoda.deploy(A).await;
        assert_eq!(pagoda.ran(), ["clone", "before_exec/replace", "exec/bundle"]);
        assert_eq!((report.status, report.new_version_live), (Status::Failed, Some(false)));
    }
}

#[tokio::test]
async fn s5_22_s5_23_a_deploy_hook_that_fails_stops_nothing_and_is_not_overlooked() {
    let mut pagoda = platform("pagoda", PAGODA, MockExecutor::new().exiting("before_deploy/migrate", 1));
    let report = pagoda.deploy(A).await;
    assert_eq!((report.status, report.new_version_live), (Status::Success, Some(true)));
    assert!(pagoda.ran().contains(&"after_deploy_all/prime".to_owned()));
    let notice = report.notices.iter().find(|notice| notice.code == "tolerated").unwrap();
    assert_eq!(notice.message, "before_deploy/migrate: deployed in a failed state: before_deploy migrate (exit code 1)");
    assert_eq!(report.warnings, u64::try_from(report.notices.len()).unwrap());
}

#[tokio::test]
async fn s5_35_s5_50_a_deploy_hook_that_times_out_counts_as_a_success_and_is_said() {
    let mut pagoda = platform("pagoda", PAGODA, MockExecutor::new().ending("before_deploy/migrate", late()));
    let report = pagoda.deploy(A).await;
    assert_eq!((report.status, report.hooks[3].outcome), (Status::Success, OutcomeWord::TimedOut));
    assert_eq!(report.hooks[3].verdict, Some(crate::model::outcome::Verdict::Proceed));
    assert!(report.notices.iter().any(|notice| notice.code == "tolerated"));
    assert!(
        report.notices.iter().any(|notice| notice.code == "default-timeout" && notice.message.contains("3600s")),
        "{:?}",
        report.notices
    );
}

#[tokio::test]
async fn s5_42_s5_52_commands_run_in_their_order_until_one_of_the_list_fails() {
    let hooks = [
        "before_deploy/a service = 'web1'",
        "before_deploy/b service = 'web1'",
        "before_deploy/c service = 'web2'",
        "after_deploy/d service = 'web1'",
    ];
    let mut pagoda = platform("pagoda", &hooks, MockExecutor::new().exiting("before_deploy/a", 1));
    let report = pagoda.deploy(A).await;
    assert_eq!(jobs(&pagoda), ["before_deploy/a", "before_deploy/c", "after_deploy/d"]);
    assert_eq!(report.hooks_executed[1], "before_deploy: b - SKIPPED (an earlier command of its list failed)");
}

#[tokio::test]
async fn s5_51_hooks_run_at_every_deployment() {
    let mut pagoda = platform("pagoda", &["exec/bundle"], MockExecutor::new());
    pagoda.deploy(A).await;
    pagoda.deploy(A).await;
    assert_eq!(jobs(&pagoda).len(), 2);
}
