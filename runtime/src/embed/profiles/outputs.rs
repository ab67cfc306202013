//! What hooks report, and who gets it: whatever the platform.

use super::*;

fn reports(outputs: &[(&str, &str)]) -> Execution {
    let outputs = outputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Execution { outputs, ..Execution::not_started(Outcome::Succeeded) }
}

fn saw(platform: &Platform, job: &str, name: &str) -> Option<String> {
    let job = platform.executor.jobs().into_iter().rev().find(|ran| ran.name == job)?;
    job.env.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

#[tokio::test]
async fn s3_56_a_value_reaches_the_hooks_and_steps_that_name_it_and_no_others() {
    let hooks = ["pre-deploy/config", "pre-deploy/asks env = ['pre-deploy.config.API_URL']", "pre-deploy/deaf"];
    let executor = MockExecutor::new().ending("pre-deploy/config", reports(&[("API_URL", "old"), ("API_URL", "https://x")]));
    let mut platform = platform("default", &hooks, executor);
    platform.manifest = platform.manifest.replace("run = 'true'\n", "run = 'true'\nenv = ['pre-deploy.config.API_URL']\n");
    assert_eq!(platform.deploy(A).await.status, Status::Success);
    assert_eq!(saw(&platform, "pre-deploy/asks", "API_URL").as_deref(), Some("https://x"), "the last one holds");
    assert_eq!(saw(&platform, "deploy", "API_URL").as_deref(), Some("https://x"));
    assert_eq!(saw(&platform, "pre-deploy/deaf", "API_URL"), None);
}

#[tokio::test]
async fn s3_56_a_value_of_a_hook_that_is_done_already_is_still_there() {
    let hooks = ["pre-deploy/config", "post-deploy/asks env = ['pre-deploy.config.API_URL']"];
    let executor = MockExecutor::new().ending("pre-deploy/config", reports(&[("API_URL", "https://x")])).exiting("post-deploy/asks", 1);
    let mut platform = platform("default", &hooks, executor);
    assert_eq!(platform.deploy(A).await.status, Status::Failed);
    assert_eq!(platform.deploy(A).await.status, Status::Success);
    assert_eq!(platform.ran().iter().filter(|name| *name == "pre-deploy/config").count(), 1);
    assert_eq!(saw(&platform, "post-deploy/asks", "API_URL").as_deref(), Some("https://x"));
}

#[tokio::test]
async fn s3_56_a_value_that_was_not_reported_or_came_with_a_failure_fails_the_hook_that_needs_it() {
    let hooks = ["pre-deploy/config allow_failure = true", "pre-deploy/asks env = ['pre-deploy.config.API_URL']"];
    let failed = Execution { exit_code: Some(1), ..reports(&[("API_URL", "half")]) };
    let failed = Execution { outcome: Outcome::Failed { cause: crate::model::outcome::Cause::Exit { code: 1 } }, ..failed };
    let report = platform("default", &hooks, MockExecutor::new().ending("pre-deploy/config", failed)).deploy(A).await;
    assert_eq!(report.status, Status::Failed);
    assert!(report.hooks_executed[1].contains("the output pre-deploy.config.API_URL is not there"), "{:?}", report.hooks_executed);
}
