//! What comes before a start: the backup of what a hook changes for good. Nothing of the hook has run by then, and nothing is recorded of it.

use super::{Stages, target};
use crate::exec::{ExecError, Hold};
use crate::model::event::{Place, What};
use crate::model::id::RunId;
use crate::model::outcome::{Cause, Outcome};
use crate::plan::{Plan, PlanHook};
use crate::stage::backup::{self, BackupError, Request, Taken};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// What has to be done before one start.
pub struct Before {
    place: Place,
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
        Self { place: place.clone(), backup }
    }

    /// Does it, until `cancel` is cancelled. `hold` is kept as long as anything of it goes on.
    ///
    /// # Errors
    /// [`ExecError`] if the machinery failed; whatever else goes wrong is how the hook ended.
    pub async fn get_ready(self, cancel: CancellationToken, hold: Hold, say: Say) -> Result<Readiness, ExecError> {
        let Some(request) = self.backup else { return Ok(Readiness::Ready) };
        let place = self.place;
        let dirs: Vec<String> = request.dirs.iter().map(|dir| dir.display().to_string()).collect();
        say(What::GettingReady { place: place.clone(), doing: format!("a backup of {}", dirs.join(", ")) });
        let taken = tokio::task::spawn_blocking(move || {
            let _hold = hold;
            backup::take(&request, &|| cancel.is_cancelled())
        });
        match taken.await.map_err(|error| ExecError::new("taking a backup", error))? {
            Ok(Taken { path, contents, left }) => {
                say(What::BackedUp { place, dirs, path: Some(path.display().to_string()), contents });
                for left in &left {
                    say(old(left));
                }
                Ok(Readiness::Ready)
            }
            Err(BackupError::Stopped) => Ok(Readiness::Ended(Outcome::Cancelled)),
            Err(error) => Ok(Readiness::Ended(Outcome::Failed { cause: Cause::Backup { message: error.to_string() } })),
        }
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
