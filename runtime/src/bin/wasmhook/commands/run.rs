//! `wasmhook run`: the hooks of a release.

use super::{check_format, runtime};
use crate::args::RunArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::{FETCH_DEADLINE, Settings};
use crate::ui::Ui;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use wasmhook::engine::{Sink, Stop};
use wasmhook::ledger::lock::Holder;
use wasmhook::model::event::Event;
use wasmhook::{Engine, Request};

/// The signal that gets a hook's thread out of a system call: SIGURG is ignored unless somebody asks for it, so it can hurt nobody.
pub const INTERRUPT_SIGNAL: i32 = libc::SIGURG;

pub fn run(args: &RunArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    refuse_what_comes_later(args)?;
    let mut request = settings.request(&args.selectors)?;
    request.fetch = (!args.no_fetch).then_some(FETCH_DEADLINE);
    std::thread::scope(|scope| {
        // The screen has a thread of its own: a slow terminal must not slow the run down.
        let (events, shown) = std::sync::mpsc::channel::<Event>();
        scope.spawn(move || shown.iter().for_each(|event| ui.event(&event)));
        runtime()?.block_on(drive(&request, args, settings, ui, Arc::new(Screen(events))))
    })
    .and_then(|(report, signal)| {
        ui.summary(&report)?;
        Ok(Exit::of(report.status, signal))
    })
}

async fn drive(
    request: &Request,
    args: &RunArgs,
    settings: &Settings,
    ui: &Ui,
    screen: Arc<dyn Sink>,
) -> Result<(wasmhook::report::Report, Option<i32>), CliError> {
    let engine = engine(args, settings, screen)?;
    let stop = Stop::new();
    let listening = tokio::spawn(stop_on_signals(stop.clone()));
    let report = engine.run(request, &stop).await;
    listening.abort();
    let _ = ui;
    Ok((report?, stop.signal()))
}

fn engine(args: &RunArgs, settings: &Settings, screen: Arc<dyn Sink>) -> Result<Engine, CliError> {
    let places = &args.selectors.places;
    let waiting = |holder: &Holder| {
        let who = match holder {
            Holder::Known(owner) => format!("{} on {} (process {}, since {})", owner.user, owner.host, owner.pid, owner.since),
            Holder::Unknown => "another run".to_owned(),
        };
        tracing::warn!("waiting for the lock: {who} holds it");
    };
    let mut builder = Engine::builder(settings.state(places)?, settings.cache(places)?)
        .command(settings.command.clone())
        .operator_env(settings.env.clone())
        .interrupt_signal(INTERRUPT_SIGNAL)
        .on_wait(waiting)
        .sink(screen);
    if let Some(scratch) = settings.get("TMPDIR") {
        builder = builder.scratch(scratch);
    }
    Ok(builder.build()?)
}

/// The first INT or TERM stops the run in order; a second one ends the process at once, and the next run knows.
pub async fn stop_on_signals(stop: Stop) {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    let which = tokio::select! {
        _ = int.recv() => libc::SIGINT,
        _ = term.recv() => libc::SIGTERM,
    };
    stop.request(Some(which));
}

fn refuse_what_comes_later(args: &RunArgs) -> Result<(), CliError> {
    check_format(args.format)?;
    let later = [(args.dry_run, "--dry-run"), (args.resume, "--resume"), (args.dialect.is_some(), "--dialect")];
    match later.iter().find(|(asked, _)| *asked) {
        Some((_, option)) => Err(CliError::not_available(option)),
        None => Ok(()),
    }
}

/// Hands events to the thread of the screen.
struct Screen(std::sync::mpsc::Sender<Event>);

impl Sink for Screen {
    fn event(&self, event: &Event) {
        // A screen that is gone is no reason to stop a run.
        let _ = self.0.send(event.clone());
    }
}
