//! `Engine::watch`: follows a branch, runs the lifecycle when the commit changes, and has the application as its child. What to do when is
//! decided by [`engine::watch::Machine`](crate::engine::watch::Machine); here it is done.

mod driver;
mod follow;
mod told;

pub use told::Told;

use super::{Engine, Error, target};
use crate::diagnostic::{Diagnostic, codes};
use crate::discover::Upstream;
use crate::engine::watch::{Ending, Spec};
use crate::load::{self, Declared, LoadError, Request};
use crate::model::id::StepName;
use crate::model::units::parse_duration;
use crate::profile::{Profile, ProfileWatch};
use driver::Driver;
use follow::Place;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// The time between two cycles where nobody says it.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long a remote may take to answer where nobody says it.
const FETCH_TIMEOUT: Duration = Duration::from_mins(1);

/// What to watch. What is absent is as the profile says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Watch {
    /// What to run.
    pub request: Request,
    /// The time between two cycles.
    pub interval: Option<Duration>,
    /// The longest time between two cycles: each that fails doubles it up to here.
    pub backoff: Option<Duration>,
    /// Only one cycle; with an application, only its start and its end.
    pub once: bool,
    /// The branch to follow; `None`: the remote isn't asked, and somebody else brings new commits.
    pub follow: Option<Upstream>,
    /// How long the remote may take to answer.
    pub fetch_timeout: Option<Duration>,
    /// The application's own start command and its arguments.
    pub application: Option<Vec<OsString>>,
    /// Its environment, below what its manifest declares for it.
    pub environment: BTreeMap<String, String>,
}

impl Watch {
    /// Follows the branch that is checked out, without an application.
    #[must_use]
    pub const fn new(request: Request) -> Self {
        Self {
            request,
            interval: None,
            backoff: None,
            once: false,
            follow: Some(Upstream { remote: None, branch: None }),
            fetch_timeout: None,
            application: None,
            environment: BTreeMap::new(),
        }
    }

    /// With this application: started by the first run, at the step that makes the version live, and ended by INT or TERM.
    #[must_use]
    pub fn with_application(self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { application: Some(argv.into_iter().map(Into::into).collect()), ..self }
    }
}

impl Engine {
    /// Follows a branch until a signal or the end of the application ends it: looks at the remote, fast-forwards what is checked out, runs the
    /// lifecycle if the commit changed, sleeps. The first run is one as at the start of a container or machine; if it fails, nothing is followed.
    /// `signals` are the numbers of signals that this process gets; `told` hears what happens between runs. Dropping the future ends everything at
    /// once, the application too. On Linux the application is also told to end when the thread that polled this future at its start ends: poll it on
    /// one that lives as long as the process, as a runtime's own threads do.
    ///
    /// # Errors
    /// [`Error`] if what the profile says of watching can't be read. What becomes of a run is told.
    pub async fn watch(
        &self,
        watch: &Watch,
        signals: &mut UnboundedReceiver<i32>,
        told: &(dyn Fn(Told) + Send + Sync),
    ) -> Result<Ending, Error> {
        let plan = Plan::of(watch, &self.complete(&watch.request))?;
        Box::pin(Driver::new(self, watch, plan, told).drive(signals)).await
    }
}

/// What is fixed for as long as a watch goes on, whatever later commits say.
struct Plan {
    spec: Spec,
    place: Place,
    /// The step that starts the application.
    start: Option<StepName>,
}

impl Plan {
    fn of(watch: &Watch, request: &Request) -> Result<Self, Error> {
        let declared = match load::declare(request) {
            Ok(declared) => Some(declared),
            // What is wrong may be put right by the next commit: the first run says what it is, if it isn't.
            Err(LoadError::Invalid(_)) if watch.follow.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let start = declared.as_ref().and_then(|declared| application_step(&declared.profile));
        if let (Some(declared), Some(start), true) = (&declared, &start, watch.application.is_some()) {
            one_application(declared, start)?;
        }
        let words = declared.as_ref().map(|declared| declared.profile.watch.clone()).unwrap_or_default();
        let place = Place {
            app_dir: match (&declared, &request.app_dir) {
                (Some(declared), _) => declared.app_dir.clone(),
                (None, Some(dir)) => dir.clone(),
                (None, None) => request.dir.clone(),
            },
            target: declared.as_ref().map(target),
            upstream: watch.follow.clone().unwrap_or_default(),
            deadline: watch.fetch_timeout.or(said(words.fetch_timeout.as_deref())?).unwrap_or(FETCH_TIMEOUT),
        };
        let spec = Spec {
            interval: interval(watch, &words)?,
            longest_sleep: watch.backoff.or(said(words.backoff.as_deref())?),
            once: watch.once,
            follows: watch.follow.is_some(),
            application: watch.application.is_some(),
        };
        Ok(Self { spec, place, start })
    }
}

/// The step at which the new version is live: that is where the application is started.
fn application_step(profile: &Profile) -> Option<StepName> {
    profile.host_steps().find(|(_, policy)| policy.makes_live).map(|(name, _)| name.clone())
}

fn one_application(declared: &Declared, start: &StepName) -> Result<(), LoadError> {
    let Some((name, _)) = declared.host_steps.iter().find(|(name, _)| name.value == *start) else { return Ok(()) };
    let twice =
        Diagnostic::error(codes::BAD_VALUE, format!("[host_step.{start}] and the command after `--` would both start the application"));
    Err(LoadError::Invalid(vec![twice.at(name.at.clone()).help("keep one of them")]))
}

/// What was asked for, what the environment says where it counts, what the profile says.
fn interval(watch: &Watch, words: &ProfileWatch) -> Result<Duration, LoadError> {
    let variable =
        words.interval_variable.as_ref().and_then(|name| Some((name, watch.request.env.get(name).filter(|value| !value.is_empty())?)));
    let from_env = variable.map(|(name, value)| match parse_duration(value) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err(format!("{name}: it is longer than nothing")),
        Err(error) => Err(format!("{name}: {error}")),
    });
    let from_env = from_env.transpose().map_err(|message| LoadError::Invalid(vec![Diagnostic::error(codes::BAD_VALUE, message)]))?;
    Ok(watch.interval.or(from_env).or(said(words.interval.as_deref())?).unwrap_or(INTERVAL))
}

/// A duration of the profile, which was looked at when it was read.
fn said(text: Option<&str>) -> Result<Option<Duration>, LoadError> {
    let bad = |error| LoadError::Invalid(vec![Diagnostic::error(codes::BAD_PROFILE, format!("[watch]: {error}"))]);
    text.map(parse_duration).transpose().map_err(bad)
}

#[cfg(test)]
mod tests;
