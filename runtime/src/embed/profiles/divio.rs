//! The platform with a list of release commands.

use super::*;

const DIVIO: &[&str] = &["release/migrate", "release/headers", "release/fix-tree", "on-success/notify", "on-failure/restore"];

#[tokio::test]
async fn s2_6_s2_17_commands_run_in_their_order_and_the_deployment_goes_on() {
    let mut divio = platform("divio", DIVIO, MockExecutor::new());
    let report = divio.deploy(A).await;
    assert_eq!(divio.ran(), ["build", "release/migrate", "release/headers", "release/fix-tree", "check", "switch", "on-success/notify"]);
    assert_eq!((report.status, report.new_version_live, report.left_half_way), (Status::Success, Some(true), None));
}

#[tokio::test]
async fn s2_15_s2_27_a_failed_command_fails_the_deployment_whatever_it_printed() {
    let mut divio = platform("divio", DIVIO, MockExecutor::new().exiting("release/headers", 1));
    let report = divio.deploy(A).await;
    assert_eq!(divio.ran(), ["build", "release/migrate", "release/headers", "on-failure/restore"]);
    assert_eq!((report.status, report.new_version_live), (Status::Failed, Some(false)));
}

#[tokio::test]
async fn s2_23_a_command_beyond_its_limit_fails_the_deployment() {
    let mut divio = platform("divio", DIVIO, MockExecutor::new().ending("release/migrate", late()));
    let report = divio.deploy(A).await;
    assert_eq!((report.status, report.hooks[0].usage.timeout_ms), (Status::Failed, Some(1_800_000)), "S2.22: 30 minutes");
    assert!(!divio.ran().contains(&"release/headers".to_owned()));
}

/// S2.19: later checks fail, the previous containers go on, and what the commands did is still there.
#[tokio::test]
async fn s2_19_a_check_that_fails_later_leaves_the_effects_of_the_commands() {
    let mut divio = platform("divio", DIVIO, MockExecutor::new().exiting("check", 1));
    let report = divio.deploy(A).await;
    assert_eq!(divio.ran().last().unwrap(), "on-failure/restore");
    assert!(!divio.ran().contains(&"on-success/notify".to_owned()), "S2.13: nobody is told of a success");
    assert_eq!(report.new_version_live, Some(false));
    assert!(report.left_half_way.as_ref().unwrap().starts_with("the effects of the release commands were kept"), "{report:?}");
    assert_eq!(report.hooks[0].outcome, OutcomeWord::Succeeded);
}

#[tokio::test]
async fn s2_30_commands_run_at_every_deployment() {
    let mut divio = platform("divio", &["release/migrate"], MockExecutor::new());
    divio.deploy(A).await;
    divio.deploy(A).await;
    assert_eq!(divio.ran().iter().filter(|name| *name == "release/migrate").count(), 2);
}

#[tokio::test]
async fn s2_16_s2_28_each_command_has_its_label() {
    let hooks = ["release/migrate label = 'Migrate the database'", "release/headers label = 'Set headers of the media storage'"];
    let report = platform("divio", &hooks, MockExecutor::new()).deploy(A).await;
    let labels: Vec<_> = report.hooks.iter().map(|hook| hook.label.as_str()).collect();
    assert_eq!(labels, ["Migrate the database", "Set headers of the media storage"]);
}
