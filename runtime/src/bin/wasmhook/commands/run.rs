//! `wasmhook run`: the hooks of a release.

use super::{about, check_format, runtime};
use crate::args::{Places, RunArgs, Selectors};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::dialect::Dialect;
use crate::render::refusal;
use crate::settings::{FETCH_DEADLINE, Settings};
use crate::ui::{self, Ui};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use wasmhook::engine::{Sink, Stop};
use wasmhook::model::event::Event;
use wasmhook::model::units::parse_duration;
use wasmhook::report::{Folder, Report};
use wasmhook::{Builder, Engine, Request};

/// The signal that gets a hook's thread out of a system call: SIGURG is ignored unless somebody asks for it, so it can hurt nobody. Only Linux can
/// send it to one thread.
pub const INTERRUPT_SIGNAL: Option<i32> = if cfg!(target_os = "linux") { Some(libc::SIGURG) } else { None };

pub fn run(args: &RunArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let mut request = settings.request(&args.selectors)?;
    request.resume = args.resume;
    request.audit = args.audit;
    request.fetch = (!args.no_fetch).then_some(FETCH_DEADLINE);
    if let Some(profile) = &args.dialect {
        let profile = wasmhook::load::profile(&request.dir, profile)?;
        ui.speak(Dialect::new(profile, ui.stdout_look().charset));
    }
    let (ended, told) = std::thread::scope(|scope| {
        // The screen has a thread of its own: a slow terminal must not slow the run down.
        let (events, shown) = std::sync::mpsc::channel::<Event>();
        let screen = scope.spawn(move || show(&shown, ui));
        let ended = runtime().and_then(|runtime| runtime.block_on(drive(&request, args, settings, Arc::new(Screen(events)))));
        // A screen that panicked has lost its words, not the run.
        (ended, screen.join().unwrap_or_default())
    });
    let (report, signal) = ended.map_err(|failed| broke_off(failed, told.finish(), &args.selectors, ui))?;
    ui.summary(&report)?;
    if report.run_id.is_none() {
        ui.line(&report)?;
    }
    Ok(Exit::of(report.status, signal))
}

/// Shows every event until there are no more; what they tell.
fn show(events: &Receiver<Event>, ui: &Ui) -> Folder {
    let mut told = Folder::new();
    for event in ui.as_it_comes(events) {
        ui.event(&event);
        told.push(&event);
    }
    told
}

/// A run that could not be carried out has a report too: for whoever reads reports, and where it had begun, for people, who read the findings besides.
fn broke_off(failed: CliError, known: Report, selectors: &Selectors, ui: &Ui) -> CliError {
    let began = known.run_id.is_some();
    let report = refusal::report(&failed, known, about(selectors));
    let shown = if began { ui.summary(&report) } else { ui.report(&report) };
    match shown.and_then(|()| ui.line(&report)) {
        Ok(()) => failed.answered(),
        Err(error) => error.into(),
    }
}

async fn drive(request: &Request, args: &RunArgs, settings: &Settings, screen: Arc<dyn Sink>) -> Result<(Report, Option<i32>), CliError> {
    let engine = engine(args, settings, screen)?;
    let stop = Stop::new();
    let listening = tokio::spawn(stop_on_signals(stop.clone()));
    let report = if args.dry_run { engine.dry_run(request, &stop).await } else { engine.run(request, &stop).await };
    listening.abort();
    Ok((report?, stop.signal()))
}

fn engine(args: &RunArgs, settings: &Settings, screen: Arc<dyn Sink>) -> Result<Engine, CliError> {
    let mut builder = builder(&args.selectors.places, settings, screen)?.alone();
    if let Some(patience) = &args.lock_timeout {
        builder = builder.lock_patience(parse_duration(patience).map_err(|error| CliError::usage(format!("--lock-timeout: {error}")))?);
    }
    Ok(builder.build()?)
}

/// An engine as the environment wants it, whose events go to `screen`.
pub fn builder(places: &Places, settings: &Settings, screen: Arc<dyn Sink>) -> Result<Builder, CliError> {
    let builder = settings.engine(places)?.operator_env(settings.env.clone()).interrupt_signal(INTERRUPT_SIGNAL);
    let builder = builder.on_wait(super::waiting).sink(screen);
    Ok(match settings.get("TMPDIR") {
        Some(scratch) => builder.scratch(scratch),
        None => builder,
    })
}

/// The first INT or TERM stops the run in order; a second one ends the process at once, and the next run knows.
pub async fn stop_on_signals(stop: Stop) {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    let mut next = async || {
        tokio::select! {
            _ = int.recv() => libc::SIGINT,
            _ = term.recv() => libc::SIGTERM,
        }
    };
    let first = next().await;
    stop.request(Some(first));
    let asked = Instant::now();
    while asked.elapsed() < Stop::SAME_REQUEST {
        next().await;
    }
    die_at_once();
}

/// Says that it ends, and ends, whatever is under way.
pub fn die_at_once() {
    ui::last_words("stopped at once: nothing was cleaned up, and the next call makes up for what is left");
    // That is what was asked for, and what the journal is made for.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Hands events to the thread of the screen.
struct Screen(std::sync::mpsc::Sender<Event>);

impl Sink for Screen {
    fn event(&self, event: &Event) {
        // A screen that is gone is no reason to stop a run.
        let _ = self.0.send(event.clone());
    }
}
