//! What comes before a start: waiting for what a hook needs, and the backup of what it changes for good. Nothing of the hook has run by then, and
//! nothing is recorded of it.

use super::keep::Done;
use super::machine::At;
use super::{Stages, target};
use crate::endpoint::{self, NotReady};
use crate::exec::{ExecError, Hold};
use crate::model::event::{Place, What};
use crate::model::id::RunId;
use crate::model::outcome::{Cause, Outcome};
use crate::model::wait::WaitPlan;
use crate::plan::{Plan, PlanHook, PlanStepKind};
use crate::stage::backup::{self, BackupError, Request, Taken};
use std::path::PathBuf;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What has to be done before one start.
pub struct Before {
    place: Place,
    wait: Option<WaitPlan>,
    backup: Option<Request>,
}

/// How it came out.
pub enum Readiness {
    /// It may start.
    Ready,
    /// It can't: this is how it ended.
    Ended(Outcome),
}

/// Takes what is to be recorded as it happens.
pub type Say = Box<dyn Fn(What) + Send + Sync>;

impl Before {
    /// What comes before `hook` starts at `place`.
    #[must_use]
    pub fn of(plan: &Plan, hook: &PlanHook, place: &Place, run: &RunId, stages: &Stages) -> Self {
        let backup = hook.backup.as_ref().map(|backup| Request {
            root: backup.into.as_ref().map_or_else(|| stages.backups.clone(), PathBuf::from),
            owner: target(plan).file_name(),
            run: run.to_string(),
            name: name(place),
            dirs: backup.dirs.iter().map(PathBuf::from).collect(),
            keep: backup.keep,
            disk: stages.disk.clone(),
        });
        Self { place: place.clone(), wait: hook.wait_for.clone(), backup }
    }

    /// Does it, until `cancel` is cancelled or the time to start is over. `hold` is kept as long as anything of it goes on.
    ///
    /// # Errors
    /// [`ExecError`] if the machinery failed; whatever else goes wrong is how the hook ended.
    pub async fn get_ready(self, cancel: CancellationToken, hold: Hold, start_by: StartBy, say: Say) -> Result<Readiness, ExecError> {
        let Self { place, wait, backup } = self;
        if let Some(wait) = wait {
            say(What::GettingReady { place: place.clone(), doing: format!("waiting for {wait}") });
            let ended = tokio::select! {
                biased;
                () = cancel.cancelled() => Outcome::Cancelled,
                () = start_by.passed() => start_by.outcome(format!("waiting for {}", wait.target)),
                answer = endpoint::wait(&wait) => match answer {
                    Ok(()) => Outcome::Succeeded,
                    Err(last) => not_ready(&wait, &last),
                },
            };
            if ended != Outcome::Succeeded {
                return Ok(Readiness::Ended(ended));
            }
        }
        match backup {
            Some(request) => back_up(place, request, (cancel, hold, start_by), say).await,
            None => Ok(Readiness::Ready),
        }
    }
}

async fn back_up(
    place: Place,
    request: Request,
    (cancel, hold, start_by): (CancellationToken, Hold, StartBy),
    say: Say,
) -> Result<Readiness, ExecError> {
    let dirs: Vec<String> = request.dirs.iter().map(|dir| dir.display().to_string()).collect();
    let doing = format!("a backup of {}", dirs.join(", "));
    say(What::GettingReady { place: place.clone(), doing: doing.clone() });
    let stop = cancel.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let _hold = hold;
        backup::take(&request, &|| stop.is_cancelled() || start_by.is_over())
    });
    match taken.await.map_err(|error| ExecError::new("taking a backup", error))? {
        Ok(Taken { path, contents, left }) => {
            say(What::BackedUp { place, dirs, path: Some(path.display().to_string()), contents });
            for left in &left {
                say(old(left));
            }
            Ok(Readiness::Ready)
        }
        Err(BackupError::Stopped) if cancel.is_cancelled() => Ok(Readiness::Ended(Outcome::Cancelled)),
        Err(BackupError::Stopped) => Ok(Readiness::Ended(start_by.outcome(format!("taking {doing}")))),
        Err(error) => Ok(Readiness::Ended(Outcome::Failed { cause: Cause::Backup { message: error.to_string() } })),
    }
}

fn not_ready(wait: &WaitPlan, last: &NotReady) -> Outcome {
    let cause = Cause::NotReady { what: wait.target.to_string(), waited_ms: wait.timeout_ms, last: last.to_string() };
    Outcome::Failed { cause }
}

/// Until when something that is due has to start.
#[derive(Debug, Clone, Copy, Default)]
pub struct StartBy(Option<(Instant, u64)>);

impl StartBy {
    /// From now on, as the step at `at` says.
    #[must_use]
    pub fn of(plan: &Plan, at: At) -> Self {
        let PlanStepKind::Phase { policy, .. } = &plan.steps[at.step].kind else { return Self::default() };
        let limit = policy.start_timeout().filter(|_| !at.revert);
        Self(limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)))))
    }

    /// Waits until then.
    async fn passed(self) {
        match self.0 {
            Some((by, _)) => tokio::time::sleep_until(by).await,
            None => std::future::pending().await,
        }
    }

    fn is_over(self) -> bool {
        self.0.is_some_and(|(by, _)| Instant::now() >= by)
    }

    fn outcome(self, doing: String) -> Outcome {
        let limit_ms = self.0.map_or(0, |(_, limit)| limit);
        Outcome::Failed { cause: Cause::NotStarted { limit_ms, doing } }
    }

    /// Waits for the end of `work`, which is cancelled if it hasn't `begun` in time.
    ///
    /// # Errors
    /// As `work`.
    pub async fn hold(
        self,
        work: impl Future<Output = Result<Done, ExecError>>,
        begun: &CancellationToken,
        cancel: &CancellationToken,
    ) -> Result<Done, ExecError> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = begun.cancelled() => return work.await,
            () = self.passed() => cancel.cancel(),
        }
        let mut done = work.await?;
        if !begun.is_cancelled() {
            done.execution.outcome = self.outcome("loading it".to_owned());
        }
        Ok(done)
    }
}

/// What a dry run says in its place.
#[must_use]
pub fn would_back_up(hook: &PlanHook, place: &Place) -> Option<What> {
    let dirs = hook.backup.as_ref()?.dirs.clone();
    Some(What::BackedUp { place: place.clone(), dirs, path: None, contents: crate::model::backup::BackupContents::default() })
}

fn old(left: &str) -> What {
    What::Warning { code: "backup-left".to_owned(), message: format!("an old backup could not be removed: {left}") }
}

/// The place as a file name: `migrate.001-drop@web-1`. Names are single components, so only their length has to be seen to.
fn name(place: &Place) -> String {
    const LONGEST: usize = 200;
    let name = place.to_string().replace('/', ".");
    name[..name.floor_char_boundary(LONGEST)].to_owned()
}
