//! `wasmhook watch`: follows a branch.

use super::run::{builder, die_at_once};
use super::{about, check_format, pid_one, runtime};
use crate::args::{Selectors, WatchArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::dialect::Dialect;
use crate::render::refusal;
use crate::settings::Settings;
use crate::ui::Ui;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wasmhook::discover::Upstream;
use wasmhook::engine::Sink;
use wasmhook::engine::watch::Ending;
use wasmhook::model::event::Event;
use wasmhook::model::units::parse_duration;
use wasmhook::report::Folder;
use wasmhook::{Told, Watch};

/// The signals that an application may want to hear of.
pub const FORWARDED: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH];
/// The others keep what they do by themselves.
const ALONE: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

pub fn run(args: &WatchArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let watch = watch(args, settings)?;
    if pid_one::is_this() {
        return pid_one::stand_in();
    }
    if let Some(profile) = &args.dialect {
        let profile = wasmhook::load::profile(&watch.request.dir, profile)?;
        ui.speak(Dialect::new(profile, ui.stdout_look().charset));
    }
    let (screen, shown) = mpsc::channel();
    let (ending, last) = std::thread::scope(|scope| {
        // As in `run`: a slow terminal must not slow the watch down. Its last word is the exit of the last run.
        let last = scope.spawn(move || show(&shown, &args.selectors, ui));
        let ending = runtime().and_then(|runtime| runtime.block_on(drive(&watch, args, settings, screen)));
        // A screen that panicked has lost its words, not the watch.
        (ending, last.join().unwrap_or(Ok(Exit::Software)))
    });
    let (ending, last) = (ending?, last?);
    Ok(match ending {
        Ending::LastRun => last,
        Ending::Unfollowed => Exit::Refused,
        Ending::Application(code) => Exit::Guest(code),
        Ending::Stopped(signal) | Ending::AtOnce(signal) => Exit::Interrupted(signal),
    })
}

fn watch(args: &WatchArgs, settings: &Settings) -> Result<Watch, CliError> {
    refuse_targets(&args.selectors)?;
    let mut watch = Watch::new(settings.request(&args.selectors)?);
    watch.interval = duration("--interval", args.interval.as_deref())?;
    watch.backoff = duration("--backoff", args.backoff.as_deref())?;
    watch.fetch_timeout = duration("--fetch-timeout", args.fetch_timeout.as_deref())?;
    watch.once = args.once;
    watch.follow = (!args.no_fetch).then(|| Upstream { remote: args.remote.clone(), branch: args.branch.clone() });
    watch.environment = settings.env.clone();
    watch.application = (!args.application.is_empty()).then(|| args.application.clone());
    Ok(watch)
}

/// What names one release has no meaning where the branch says what is run.
fn refuse_targets(selectors: &Selectors) -> Result<(), CliError> {
    let given = [("--tag", selectors.tag.is_some()), ("--commit", selectors.commit.is_some()), ("--at-start", selectors.at_start)];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(CliError::usage(
            format!("{option} is for `wasmhook run`: `watch` runs what its branch has, at the start and then") + " whenever it changes",
        )),
        None => Ok(()),
    }
}

fn duration(option: &str, text: Option<&str>) -> Result<Option<Duration>, CliError> {
    let time = text.map(parse_duration).transpose().map_err(|error| CliError::usage(format!("{option}: {error}")))?;
    if time.is_some_and(|time| time.is_zero()) {
        return Err(CliError::usage(format!("{option}: it is longer than nothing")));
    }
    Ok(time)
}

async fn drive(watch: &Watch, args: &WatchArgs, settings: &Settings, screen: Sender<Shown>) -> Result<Ending, CliError> {
    let engine = builder(&args.selectors.places, settings, Arc::new(Screen(screen.clone())))?.build()?;
    let mut signals = signals(if watch.application.is_some() { FORWARDED } else { ALONE })?;
    let screen = Mutex::new(screen);
    let tell = |told| {
        // A screen that is gone is no reason to stop.
        let _ = screen.lock().unwrap_or_else(PoisonError::into_inner).send(Shown::Told(told));
    };
    let ending = engine.watch(watch, &mut signals, &tell).await?;
    // Before anybody waits for the screen.
    if matches!(ending, Ending::AtOnce(_)) {
        die_at_once();
    }
    Ok(ending)
}

/// The numbers of the signals that this process gets from here on.
pub fn signals(kinds: &[i32]) -> Result<UnboundedReceiver<i32>, CliError> {
    let (heard, signals) = unbounded_channel();
    for kind in kinds.iter().copied() {
        let (mut arrives, heard) = (signal(SignalKind::from_raw(kind))?, heard.clone());
        tokio::spawn(async move { while arrives.recv().await.is_some() && heard.send(kind).is_ok() {} });
    }
    Ok(signals)
}

/// What the screen shows, in its order.
enum Shown {
    Event(Event),
    Told(Told),
}

struct Screen(Sender<Shown>);

impl Sink for Screen {
    fn event(&self, event: &Event) {
        let _ = self.0.send(Shown::Event(event.clone()));
    }
}

/// Shows everything until nobody tells anything any more; how the last run ended.
fn show(shown: &Receiver<Shown>, selectors: &Selectors, ui: &Ui) -> Result<Exit, CliError> {
    let (mut last, mut events) = (Exit::Done, Folder::new());
    for shown in ui.as_it_comes(shown) {
        match shown {
            Shown::Event(event) => {
                ui.event(&event);
                events.push(&event);
            }
            Shown::Told(told) => {
                ui.told(&told)?;
                last = match told {
                    Told::Ran { report } => Exit::of(report.status, report.signal),
                    Told::Broken { error } => broken(error, events.clone(), selectors, ui)?,
                    _ => continue,
                };
                events = Folder::new();
            }
        }
    }
    Ok(last)
}

/// Tells of a run that could not be carried out, and how far it came.
fn broken(error: wasmhook::Error, events: Folder, selectors: &Selectors, ui: &Ui) -> Result<Exit, CliError> {
    let said = error.to_string();
    let failed = CliError::from(error);
    ui.diagnostics(&failed.diagnostics);
    ui.broken(&said, &refusal::report(&failed, events.finish(), about(selectors)))?;
    Ok(failed.exit)
}
