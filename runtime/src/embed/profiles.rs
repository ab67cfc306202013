//! The built-in profiles, each from a manifest to a report: what runs, in which order, and what a bad end means. Nothing really runs.

use crate::engine::{Blobs, Checks, Clock, Executors, LastCommit, Prepared, Runner, Sink, Stages, Stop, Writers};
use crate::exec::mock::MockExecutor;
use crate::ledger::memory::MemoryLedger;
use crate::manifest::{self, PolicyDecl};
use crate::model::event::{Event, Status, What};
use crate::model::id::{AppName, Commit, EnvironmentName, InstanceName, RunId};
use crate::model::job::Execution;
use crate::model::outcome::{Outcome, TimeLimit};
use crate::plan::grants::Roots;
use crate::plan::order::Instance;
use crate::plan::{Given, PlanHook, Selection, resolve};
use crate::profile::{self, Profile};
use crate::report::{OutcomeWord, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

struct NoChecks;
impl Checks for NoChecks {
    fn check(&self, _: &PlanHook) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Default)]
struct Tape(Mutex<Vec<Event>>);

impl Sink for Tape {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// An application on one platform; every host step of the profile has a command.
struct Platform {
    profile: Profile,
    manifest: String,
    runner: Runner,
    executor: Arc<MockExecutor>,
    tape: Arc<Tape>,
    instances: Vec<Instance>,
    runs: u32,
    /// Where the application and its instances lie: what a phase drops is staged beside them.
    ground: TempDir,
}

fn platform(profile: &str, hooks: &[&str], executor: MockExecutor) -> Platform {
    let profile = profile::builtin(profile).unwrap();
    let steps: String = profile.host_steps().map(|(name, _)| format!("[host_step.{name}]\nrun = 'true'\n")).collect();
    let hooks: String = hooks
        .iter()
        .map(|hook| {
            let (place, more) = hook.split_once(' ').unwrap_or((hook, ""));
            let (phase, id) = place.split_once('/').unwrap();
            format!("[[hook]]\nid = '{id}'\nphase = '{phase}'\nrun = '{id}'\n{more}\n")
        })
        .collect();
    let executor = Arc::new(executor);
    let executors = Executors { wasm: executor.clone(), native: executor.clone(), in_code: executor.clone() };
    let tape = Arc::new(Tape::default());
    let clock: Clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let ground = tempfile::tempdir().unwrap();
    for dir in ["shop/db", "1", "2", "stages"] {
        std::fs::create_dir_all(ground.path().join(dir)).unwrap();
    }
    let writers = Writers { ledger: Some(Box::new(MemoryLedger::new())), sinks: vec![tape.clone()], clock };
    let runner = Runner::new(executors, writers, Stages::new(ground.path().join("stages")));
    Platform { profile, manifest: format!("schema = 1\n{steps}{hooks}"), runner, executor, tape, instances: vec![], runs: 0, ground }
}

impl Platform {
    async fn deploy(&mut self, commit: &str) -> Report {
        self.run(Some(commit), false).await
    }

    async fn run(&mut self, commit: Option<&str>, at_start: bool) -> Report {
        self.runs += 1;
        let (manifest, problems) = manifest::parse("wasmhook.toml", &self.manifest);
        assert_eq!(problems, []);
        let found = crate::lint::check(&manifest, &self.profile);
        assert!(!crate::diagnostic::has_errors(&found), "{found:?}");
        let root = self.ground.path().display();
        let given = Given {
            manifest: &manifest,
            profile: &self.profile,
            policy: &PolicyDecl::default(),
            host_steps: &manifest.host_steps,
            one_file: true,
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("prod").unwrap(),
            tag: None,
            commit: commit.map(|commit| Commit::new(commit).unwrap()),
            previous_version: None,
            roots: Roots { app_dir: &format!("{root}/shop"), data_dir: &format!("{root}/shop/db") },
            app_env: &BTreeSet::new(),
            files: &BTreeMap::new(),
            sources: &BTreeMap::new(),
            copies_scripts: false,
            facts: &BTreeMap::new(),
            instances: &self.instances,
            selection: &Selection::default(),
            at_start,
            steps_in_code: &[],
            notices: Vec::new(),
            warnings: Vec::new(),
        };
        let prepared = Prepared {
            run: RunId::new(format!("r{}", self.runs)).unwrap(),
            plan: resolve(&given).unwrap(),
            blobs: Blobs::new(),
            app_env: BTreeMap::new(),
            marker_present: false,
            write_marker: Box::new(|| Ok(())),
            checks: Box::new(NoChecks),
            accept_moved_tag: false,
            resume: false,
            at_start,
            last_commit: LastCommit::InLedger,
        };
        self.runner.run(&prepared, &Stop::new()).await.unwrap()
    }

    /// The same platform with two instances of whatever it runs.
    fn on_two_instances(mut self) -> Self {
        let dir = |name: &str| self.ground.path().join(name).display().to_string();
        self.instances = ["1", "2"].map(|name| Instance { service: None, name: InstanceName::new(name).unwrap(), dir: dir(name) }).into();
        self
    }

    /// What ran since the last look.
    fn ran(&self) -> Vec<String> {
        self.executor.ran()
    }
}

fn late() -> Execution {
    Execution::not_started(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false })
}

const A: &str = "aaaaaaaa";
const B: &str = "bbbbbbbb";

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

const JOBS: &[&str] = &["pre-deploy/migrate", "post-deploy/seed"];

/// The jobs among what ran.
fn jobs(platform: &Platform) -> Vec<String> {
    platform.ran().into_iter().filter(|name| name.contains('/')).collect()
}

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
