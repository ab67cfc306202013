//! The only module that prints. stderr is what happens meanwhile, stdout what was asked for: `run --format json | jq` works while a person
//! still sees the progress.

use crate::render::dialect::Dialect;
use crate::render::given::Given;
use crate::render::human::live::{Live, Running};
use crate::render::human::summary;
use crate::render::human::watch::{self, Watched};
use crate::render::line::text;
use crate::render::look::{Charset, Colour, Look};
use crate::render::{error, figures, json, jsonl};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::error::Error;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasmhook::Told;
use wasmhook::diagnostic::{self, Diagnostic};
use wasmhook::exec::OutputSink;
use wasmhook::model::event::Event;
use wasmhook::model::job::Stream;
use wasmhook::report::{Notice, Report};

/// How the program shows itself; nothing is looked up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiSettings {
    /// What a run prints to standard output.
    pub format: Format,
    /// What standard output can show.
    pub stdout: Look,
    /// What standard error can show.
    pub stderr: Look,
    /// Whether a line shows what runs now.
    pub progress: Progress,
    /// What the call named: the commands that are printed name it again.
    pub given: Given,
}

/// What a run prints to standard output. People see its progress on standard error in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The summary.
    Human,
    /// The report.
    Json,
    /// Every event, as it happens.
    Jsonl,
}

/// Whether a line at the bottom shows what runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A terminal that can redraw a line.
    Spinner,
    /// Anything else.
    Off,
}

/// A guest's output, passed on byte for byte as it comes; on standard output, until that can't be written.
#[derive(Default)]
pub struct PassThrough {
    lost: Mutex<Option<io::Error>>,
}

impl PassThrough {
    /// Why standard output could not be written, other than because nobody reads it any more: nothing after it was passed on.
    pub fn lost(&self) -> Option<io::Error> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn out(&self, bytes: &[u8]) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_none() {
            *lost = write(&mut io::stdout().lock(), bytes).map_err(|error| unwritten(&error)).err();
        }
    }
}

impl OutputSink for PassThrough {
    fn line(&self, _: Stream, _: &str) {}

    fn bytes(&self, stream: Stream, bytes: &[u8]) {
        // Nobody reading any more is the reader's business: a closed pipe is no reason to leave a guest's work half-done.
        match stream {
            Stream::Stdout => self.out(bytes),
            Stream::Stderr => _ = write(&mut io::stderr().lock(), bytes),
        }
    }
}

/// The two output streams.
pub struct Ui {
    settings: UiSettings,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    live: Live,
    watched: Watched,
    /// Speaks in the place of the lines for people.
    dialect: Option<Dialect>,
    bar: ProgressBar,
    /// What it says once it moves.
    progress: Option<String>,
    /// What a watch told people since its last report.
    untold: Vec<Notice>,
    /// Whether standard output could not be written.
    is_cut: bool,
    /// The first line of JSON that couldn't be written: events don't stop for it, but the run's end tells.
    lost: Option<io::Error>,
}

impl Ui {
    /// The process's own streams.
    pub fn standard(settings: UiSettings) -> Self {
        Self::new(settings, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Any two streams. The progress line, if there is one, goes to the terminal on the process's standard error.
    pub fn new(settings: UiSettings, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let live = Live::new(settings.stderr);
        let bar = progress_bar(&settings);
        let state = State {
            out,
            err,
            live,
            watched: Watched::default(),
            dialect: None,
            bar,
            progress: None,
            untold: Vec::new(),
            is_cut: false,
            lost: None,
        };
        Self { settings, state: Mutex::new(state) }
    }

    /// From now on a run is told in a platform's own lines: on standard output, or, where something else is asked for there, on standard error.
    pub fn speak(&self, dialect: Dialect) {
        self.state().dialect = Some(dialect);
    }

    /// What `told` brings, as it comes, until nobody tells anything any more; meanwhile the progress line moves.
    pub fn as_it_comes<T>(&self, told: &Receiver<T>) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| match self.settings.progress {
            Progress::Off => told.recv().ok(),
            // Nobody needs to be told of what ends within a tick.
            Progress::Spinner => loop {
                match told.recv_timeout(TICK) {
                    Ok(next) => return Some(next),
                    Err(RecvTimeoutError::Timeout) => self.state().move_progress(),
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            },
        })
    }

    /// Shows an event. A broken stream stops no run: what can't be shown is dropped, and [`Self::summary`] tells of lost JSON Lines.
    pub fn event(&self, event: &Event) {
        let mut state = self.state();
        let lines = text(&state.live.event(event));
        match state.dialect.as_mut().map(|dialect| dialect.event(event)) {
            Some(lines) => state.say(&lines, self.settings.format),
            None => _ = state.err(&lines),
        }
        if self.settings.format == Format::Jsonl {
            let written = jsonl::event(event).map_err(io::Error::other).and_then(|line| state.out(&line));
            state.lost = state.lost.take().or(written.err());
        }
        state.set_progress();
    }

    /// Shows how a run ended: to standard output as the format says, and to people in any case.
    ///
    /// # Errors
    /// If standard output can't be written, other than because nobody reads it any more.
    pub fn summary(&self, report: &Report) -> io::Result<()> {
        self.ended(report, report)
    }

    /// Shows people `report`, and programs all that is known.
    fn ended(&self, report: &Report, whole: &Report) -> io::Result<()> {
        let mut state = self.state();
        state.bar.finish_and_clear();
        if state.dialect.is_some() {
            return state.answer(whole, self.settings.format);
        }
        if self.settings.format == Format::Human {
            return state.out(&("\n".to_owned() + &summary::render(self.settings.stdout, report, &self.settings.given)));
        }
        let _ = state.err(&("\n".to_owned() + &summary::render(self.settings.stderr, report, &self.settings.given)));
        match self.settings.format {
            Format::Json => state.out(&json::pretty(whole).map_err(io::Error::other)?),
            Format::Human | Format::Jsonl => state.lost.take().map_or(Ok(()), Err),
        }
    }

    /// Shows what happens between the runs of a watch, and the end of each as [`Self::summary`] does. That nothing changed is nothing to people.
    /// What programs read of what is broken is [`Self::broken`]'s.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn told(&self, told: &Told) -> io::Result<()> {
        let mut state = self.state();
        let lines = text(&state.watched.lines(self.settings.stderr, told));
        match state.dialect.as_ref().map(|dialect| dialect.told(told)) {
            Some(lines) => state.say(&lines, self.settings.format),
            None => _ = state.err(&lines),
        }
        if self.settings.format == Format::Jsonl && !matches!(told, Told::Broken { .. }) {
            state.out(&jsonl::told(told).map_err(io::Error::other)?)?;
        }
        let has_words = state.dialect.is_some();
        let Told::Ran { report } = told else {
            state.untold.extend(watch::notice(told));
            return Ok(());
        };
        let whole = state.with_untold(report);
        drop(state);
        if watch::is_idle(report) && !has_words { self.report(&whole) } else { self.ended(report, &whole) }
    }

    /// Writes the report of a run of a watch that could not be carried out, for `error`.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn broken(&self, error: &str, report: &Report) -> io::Result<()> {
        if self.settings.format == Format::Jsonl {
            return self.state().out(&jsonl::broken(error, report).map_err(io::Error::other)?);
        }
        let whole = self.state().with_untold(report);
        self.report(&whole)
    }

    /// Writes a report where one was asked for (`--format json`), and shows people nothing.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn report(&self, report: &Report) -> io::Result<()> {
        match self.settings.format {
            Format::Json => self.state().out(&json::pretty(report).map_err(io::Error::other)?),
            Format::Human if self.state().dialect.as_ref().is_some_and(Dialect::answers) => self.state().answer(report, Format::Human),
            Format::Human | Format::Jsonl => Ok(()),
        }
    }

    /// Writes a line of JSON where lines are asked for: what no event tells of.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn line<T: Serialize>(&self, value: &T) -> io::Result<()> {
        match self.settings.format {
            Format::Jsonl => self.state().out(&json::line(value).map_err(io::Error::other)?),
            Format::Human | Format::Json => Ok(()),
        }
    }

    /// Writes an answer for programs, where one was asked for: one value, or one line.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn answer<T: Serialize>(&self, value: &T) -> io::Result<()> {
        match self.settings.format {
            Format::Human => Ok(()),
            Format::Json => self.state().out(&json::pretty(value).map_err(io::Error::other)?),
            Format::Jsonl => self.line(value),
        }
    }

    /// Shows an error and its causes on standard error.
    pub fn error(&self, error: &(dyn Error + 'static)) {
        let _ = self.state().err(&text(&error::render(self.settings.stderr, error)));
    }

    /// Shows diagnostics on standard error.
    pub fn diagnostics(&self, diagnostics: &[Diagnostic]) {
        let look = self.settings.stderr;
        let style = diagnostic::Style { color: look.colour == Colour::On, width: look.width };
        let _ = self.state().err(&diagnostic::render(diagnostics, style));
    }

    /// Writes text to standard output as it is.
    ///
    /// # Errors
    /// If it can't be written, other than because nobody reads it any more.
    pub fn stdout_text(&self, text: &str) -> io::Result<()> {
        self.state().out(text)
    }

    /// What standard output can show: for renderers whose text goes to [`Self::stdout_text`].
    pub const fn stdout_look(&self) -> Look {
        self.settings.stdout
    }

    /// What the call named, for commands that are printed.
    pub const fn given(&self) -> &Given {
        &self.settings.given
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while printing leaves nothing half-done that the next line could trip over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes to standard output, unless a part of what went there before is missing: whoever wrote that was told.
    fn out(&mut self, text: &str) -> io::Result<()> {
        let Self { out, bar, is_cut, .. } = self;
        if *is_cut {
            return Ok(());
        }
        let written = bar.suspend(|| write(out.as_mut(), text.as_bytes())).map_err(|error| unwritten(&error));
        *is_cut = written.is_err();
        written
    }

    fn err(&mut self, text: &str) -> io::Result<()> {
        let Self { err, bar, .. } = self;
        bar.suspend(|| write(err.as_mut(), text.as_bytes()))
    }

    /// The report with what a watch told before it: people and readers of lines heard of that where it happened.
    fn with_untold(&mut self, report: &Report) -> Report {
        let notices = [std::mem::take(&mut self.untold), report.notices.clone()].concat();
        Report { notices, ..report.clone() }
    }

    /// Lines of a dialect, where they belong.
    fn say(&mut self, lines: &str, format: Format) {
        let answers = self.dialect.as_ref().is_some_and(Dialect::answers);
        if format == Format::Human && !answers {
            let written = self.out(lines);
            self.lost = self.lost.take().or(written.err());
        } else {
            let _ = self.err(lines);
        }
    }

    /// How a dialect ends: its last lines, and its answer or the report.
    fn answer(&mut self, report: &Report, format: Format) -> io::Result<()> {
        let Some(dialect) = &self.dialect else { return Ok(()) };
        let (lines, answer) = dialect.end(report).map_err(io::Error::other)?;
        self.say(&lines, format);
        match (format, answer) {
            (Format::Json, _) => self.out(&json::pretty(report).map_err(io::Error::other)?)?,
            (Format::Human, Some(answer)) => self.out(&answer)?,
            (Format::Human | Format::Jsonl, _) => {}
        }
        self.lost.take().map_or(Ok(()), Err)
    }

    /// What runs changed: the line goes, and comes again with the next tick.
    fn set_progress(&mut self) {
        let newest = self.live.running().last();
        let message = newest.map(|newest| progress(newest, self.live.running().len() - 1, self.live.look().charset));
        if message != self.progress {
            self.bar.finish_and_clear();
            self.progress = message;
        }
    }

    fn move_progress(&self) {
        let Some(message) = &self.progress else { return };
        if self.bar.is_finished() {
            self.bar.reset();
            self.bar.set_message(message.clone());
        }
        self.bar.tick();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How often the progress line moves.
const TICK: Duration = Duration::from_millis(100);

/// How long a terminal that takes nothing any more may keep the process.
const PATIENCE: Duration = Duration::from_millis(200);

/// Says something on standard error just before the process ends, whatever else is being written there.
pub fn last_words(text: &str) {
    let line = format!("\n{text}\n");
    let (said, is_said) = std::sync::mpsc::channel();
    let writing = std::thread::Builder::new().spawn(move || {
        let _ = write(&mut io::stderr(), line.as_bytes());
        // Nobody waits for it if it took too long.
        let _ = said.send(());
    });
    if writing.is_ok() {
        let _ = is_said.recv_timeout(PATIENCE);
    }
}

/// An error of standard output that names it.
fn unwritten(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write standard output: {error}"))
}

/// Writes all of `bytes`. Nobody reading any more is the reader's business: `wasmhook plan | head` ends quietly.
fn write(stream: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    match write_all(stream, bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn write_all(stream: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).and_then(|()| stream.flush())
}

/// What the progress line says after the elapsed time.
fn progress(newest: &Running, others: usize, charset: Charset) -> String {
    let limit = newest.timeout_ms.map(|ms| format!("of {} ", figures::millis(ms))).unwrap_or_default();
    let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    format!("{limit} {}{others}", crate::render::line::harmless(&newest.place.to_string(), charset))
}

fn progress_bar(settings: &UiSettings) -> ProgressBar {
    let target = match settings.progress {
        Progress::Spinner => ProgressDrawTarget::stderr(),
        Progress::Off => ProgressDrawTarget::hidden(),
    };
    let ticks = match settings.stderr.charset {
        Charset::Unicode => "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ",
        Charset::Ascii => "|/-\\ ",
    };
    // The template is fixed and tested; should it be wrong, the bar's own look serves.
    let style = ProgressStyle::with_template("  {spinner} {elapsed} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::with_draw_target(None, target).with_style(style.tick_chars(ticks));
    bar.finish_and_clear(); // until something runs
    bar
}

#[cfg(test)]
mod tests;
