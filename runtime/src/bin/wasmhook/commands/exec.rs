//! `wasmhook exec`: one guest, without a manifest. Its output passes through, and so does its exit code.

use super::run::{INTERRUPT_SIGNAL, stop_on_signals};
use crate::args::{ExecArgs, Places};
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{PassThrough, Ui};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wasmhook::diagnostic::{Diagnostic, codes};
use wasmhook::discover::given;
use wasmhook::embed::STAGES;
use wasmhook::engine::Stop;
use wasmhook::engine::staging::{self, Label, NotCommitted, Stages, Staging};
use wasmhook::exec::wasm::{Cache, WasmExecutor};
use wasmhook::exec::{ExecError, Surroundings, dirs};
use wasmhook::manifest::rules;
use wasmhook::model::grant::{Denial, DirGrant, DirMode};
use wasmhook::model::id::Digest;
use wasmhook::model::job::{Execution, Guest, Job, WasmGuest};
use wasmhook::model::limits::{FUEL_PER_SECOND, Limits};
use wasmhook::model::outcome::{Cause, Outcome, TimeLimit};
use wasmhook::model::units::{parse_duration, parse_size, show_duration};
use wasmhook::stage::{Applied, Ending};

/// The exit code of a guest that a trap or a limit ended.
const TRAPPED: i32 = 134;

pub fn run(args: &ExecArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    if !args.net.is_empty() {
        return Err(CliError::not_available("--net"));
    }
    let limits = limits(args)?;
    let (file, guest_args) = guest(args)?;
    let bytes = read(&file, limits.module_bytes)?;
    let job = Job {
        name: file.display().to_string(),
        guest: Guest::Wasm(WasmGuest {
            file: file.display().to_string(),
            digest: Digest::of(&bytes),
            bytes: Arc::from(bytes),
            args: guest_args,
        }),
        env: environment(&args.env, settings)?,
        dirs: args.dirs.iter().map(|text| dir(text)).collect::<Result<_, _>>()?,
        limits,
        collect_outputs: false,
    };
    let executor = executor(&args.places, settings, ui)?;
    let (stop, cancel) = (Stop::new(), CancellationToken::new());
    cancel_on_signals(&stop, &cancel)?;
    let screen = Arc::new(PassThrough::default());
    let around = Surroundings::new(Arc::clone(&screen) as _, cancel);
    let execution = match StagedGuest::open(&job.dirs, &settings.state(&args.places)?, ui)? {
        None => executor.run_blocking(&job, &around),
        Some(staged) => staged.run(&executor, &job, around, ui),
    }
    .map_err(CliError::internal)?;
    // The process ends: taking threads and mappings down one by one first takes as long as a hook.
    std::mem::forget(executor);
    if let Some(error) = screen.lost() {
        ui.diagnostics(&[Diagnostic::warning(codes::OUTPUT_LOST, format!("{error}: the rest of it is lost"))]);
    }
    said(&execution, &job.limits, &stop, ui)
}

/// A guest whose writes are staged.
struct StagedGuest(Staging);

impl StagedGuest {
    /// What the last guest left in these directories is brought to an end first.
    fn open(dirs: &[DirGrant], state: &Path, ui: &Ui) -> Result<Option<Self>, CliError> {
        let failed = |error: &dyn std::fmt::Display| CliError::internal(anyhow::anyhow!("{error}"));
        let stages = Stages::new(state.join(STAGES));
        let Some(staging) = Staging::of(dirs, &Label::of_guest(), &stages).map_err(|cause| refused(&cause, &[]))? else { return Ok(None) };
        staging::make_scratch(&stages).map_err(|error| failed(&error))?;
        for (label, found) in staging::recover(&staging::bases(dirs), &stages).map_err(|error| failed(&error))? {
            // A run's own next run records what it finds first.
            if label.run.is_none() && !matches!(found.ending, Ending::Kept(_)) {
                say_left(found.left(), ui);
                found.forget().map_err(|error| failed(&error))?;
            }
        }
        Ok(Some(Self(staging)))
    }

    fn run(self, executor: &WasmExecutor, job: &Job, around: Surroundings, ui: &Ui) -> Result<Execution, ExecError> {
        let views = match self.0.views(&job.dirs) {
            Ok(views) => views,
            Err(cause) => return Ok(Execution::not_started(Outcome::Failed { cause })),
        };
        let mut execution = executor.run_blocking(job, &around.staging(views))?;
        let ended = if execution.outcome == Outcome::Succeeded {
            self.0.commit()
        } else {
            self.0.discard().map(|()| None).map_err(|error| NotCommitted::Broken(error.to_string()))
        };
        match ended {
            Ok(applied) => {
                say_left(applied.as_ref().and_then(Applied::left), ui);
                applied.map_or(Ok(()), Applied::forget).map_err(|error| ExecError::new("removing a stage", error))?;
            }
            Err(NotCommitted::Refused(cause)) => execution.outcome = Outcome::Failed { cause },
            Err(NotCommitted::Broken(message)) => return Err(ExecError::new("committing what the guest wrote", message)),
        }
        Ok(execution)
    }
}

/// What a commit left to somebody else, who was there meanwhile.
fn say_left(left: Option<&str>, ui: &Ui) {
    if let Some(left) = left {
        ui.diagnostics(&[Diagnostic::warning(codes::STAGE_KEPT, format!("not all of a commit was done: {left}"))]);
    }
}

/// The sandbox, with the cache and out of reach of it.
pub fn executor(places: &Places, settings: &Settings, ui: &Ui) -> Result<WasmExecutor, CliError> {
    let (state, cache) = (settings.state(places)?, settings.cache(places)?);
    let mut builder = WasmExecutor::builder().interrupt_signal(INTERRUPT_SIGNAL).protect("state", state).protect("cache", &cache);
    // Without a cache it compiles anew: slower, never wrong.
    match Cache::open(&cache) {
        Ok(cache) => builder = builder.cache(cache),
        Err(error) => ui.diagnostics(&[Diagnostic::warning(codes::CACHE, format!("the compile cache can't be used: {error}"))]),
    }
    builder.build().map_err(CliError::internal)
}

fn limits(args: &ExecArgs) -> Result<Limits, CliError> {
    let usage = |option: &str, error: &dyn std::fmt::Display| CliError::usage(format!("{option}: {error}"));
    let mut limits = Limits::default();
    if let Some(text) = &args.timeout {
        let timeout = parse_duration(text).map_err(|error| usage("--timeout", &error))?;
        limits.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)).filter(|ms| *ms > 0);
        limits.fuel = limits.timeout_ms.map(|ms| ms.saturating_mul(FUEL_PER_SECOND / 1_000));
    }
    if let Some(fuel) = args.fuel {
        rules::budget(fuel).map_err(|rule| CliError::usage(format!("--fuel {fuel} {rule}: leave it out for the default")))?;
        limits.fuel = Some(fuel);
    }
    if let Some(text) = &args.memory {
        limits.memory_bytes = parse_size(text).map_err(|error| usage("--memory", &error))?;
        rules::budget(limits.memory_bytes)
            .map_err(|rule| CliError::usage(format!("--memory {text} {rule}: leave it out for the default")))?;
    }
    Ok(limits)
}

/// The file and the guest's own arguments, which a guest gets as text.
fn guest(args: &ExecArgs) -> Result<(PathBuf, Vec<String>), CliError> {
    let Some((file, rest)) = args.guest.split_first() else { return Err(CliError::usage("name the guest: wasmhook exec FILE [ARG]...")) };
    let text = |arg: &OsString| {
        arg.to_str().map(str::to_owned).ok_or_else(|| CliError::usage(format!("the argument {} is not UTF-8", arg.display())))
    };
    Ok((PathBuf::from(file), rest.iter().map(text).collect::<Result<_, _>>()?))
}

/// Reads the guest, and never more of it than a module may have.
fn read(file: &Path, max: u64) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| {
        CliError::finding(Exit::Usage, codes::UNREADABLE, format!("cannot read {}: {error}", file.display())).with_way_out(&error)
    };
    given::read(file, max + 1).map_err(failed)
}

/// `K=V` as it is; `K` with its value here. Names obey the manifest's rules.
fn environment(given: &[String], settings: &Settings) -> Result<Vec<(String, String)>, CliError> {
    let mut env: Vec<(String, String)> = Vec::new();
    for text in given {
        let wrong = |why: &str| CliError::usage(format!("--env {text}: {why}"));
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text.as_str(), settings.env.get(text).cloned()),
        };
        if name.is_empty() {
            return Err(wrong("a variable has a name: write K=V, or K to pass yours on"));
        }
        rules::variable_name(name).map_err(|rule| wrong(&format!("{name:?} is not a name: {rule}")))?;
        if env.iter().any(|(other, _)| other == name) {
            return Err(wrong(&format!("{name} is given twice: keep one")));
        }
        let value = value.ok_or_else(|| wrong(&format!("{name} is not set here, or isn't UTF-8: write {name}=VALUE, or leave it out")))?;
        env.push((name.to_owned(), value));
    }
    Ok(env)
}

/// `HOST[::GUEST][:MODE]`: what follows the last colon is the mode only if it is one of the mode words.
fn dir(text: &str) -> Result<DirGrant, CliError> {
    let (paths, mode) = match text.rsplit_once(':').and_then(|(paths, word)| Some((paths, word.parse::<DirMode>().ok()?))) {
        Some((paths, mode)) => (paths, mode),
        None => (text, DirMode::Write),
    };
    let (host, guest) = match paths.rsplit_once("::") {
        Some((host, guest)) => (host, Some(guest)),
        None => (paths, None),
    };
    match mode {
        DirMode::Scratch if !host.is_empty() || guest.is_none() => {
            Err(CliError::usage(format!("--dir {text}: a scratch directory has no host path: write ::GUEST:scratch")))
        }
        DirMode::Scratch => Ok(DirGrant { host: None, guest: guest_path(guest.unwrap_or_default(), text)?, mode }),
        DirMode::Read | DirMode::Write | DirMode::Txn | DirMode::Discard => {
            let host = canonical(host, text)?;
            let host = host.to_str().ok_or_else(|| CliError::usage(format!("--dir {text}: the path is not UTF-8")))?.to_owned();
            let guest = guest.map_or_else(|| Ok(host.clone()), |guest| guest_path(guest, text))?;
            Ok(DirGrant { host: Some(host), guest, mode })
        }
    }
}

/// A directory that is there, without links: a typing mistake is found before anything else is looked at.
fn canonical(host: &str, text: &str) -> Result<PathBuf, CliError> {
    let wrong = |why: String| CliError::finding(Exit::Usage, codes::UNREADABLE, format!("--dir {text}: {why}"));
    if host.is_empty() {
        return Err(CliError::usage(format!("--dir {text:?} names no directory: write HOST[::GUEST][:MODE]")));
    }
    let found = match Path::new(host).canonicalize() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && host.contains(':') => {
            return Err(wrong(format!(
                "there is no directory {host}; the modes are read, write, txn, discard and scratch, and a guest path stands after `::`"
            )));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(format!("there is no directory {host}: create it, or correct the path")));
        }
        Err(error) => return Err(wrong(format!("{host}: {error}"))),
    };
    match dirs::unusable(&found.to_string_lossy()) {
        Some(denial) => Err(wrong(format!("{}; {}", denial.what, denial.allow))),
        None => Ok(found),
    }
}

/// A path that the guest can find a directory at, by the manifest's rule.
fn guest_path(guest: &str, text: &str) -> Result<String, CliError> {
    let wrong = |rule| CliError::usage(format!("--dir {text}: {guest:?}: {rule}"));
    rules::guest_path(guest).map(|()| guest.to_owned()).map_err(wrong)
}

/// INT and TERM cancel the guest; the process then ends with 130 or 143.
fn cancel_on_signals(stop: &Stop, cancel: &CancellationToken) -> Result<(), CliError> {
    let (stop, cancel) = (stop.clone(), cancel.clone());
    std::thread::Builder::new().name("wasmhook-signals".to_owned()).spawn(move || {
        // Made here, beside the loading of the guest. Without it INT and TERM end the process at once, as they do any other.
        let Ok(runtime) = super::runtime() else { return };
        runtime.block_on(async {
            let listening = tokio::spawn(stop_on_signals(stop.clone()));
            stop.asked().await;
            cancel.cancel();
            // The second signal's task: it ends with the process.
            let _ = listening.await;
        });
    })?;
    Ok(())
}

/// Says how it ended, where the exit code alone wouldn't.
fn said(execution: &Execution, limits: &Limits, stop: &Stop, ui: &Ui) -> Result<Exit, CliError> {
    let trapped = |why: String| {
        ui.error(anyhow::Error::msg(why).as_ref());
        Ok(Exit::Guest(TRAPPED))
    };
    match &execution.outcome {
        Outcome::Succeeded => Ok(Exit::Guest(execution.exit_code.unwrap_or(0))),
        Outcome::Failed { cause: Cause::Exit { code } } => Ok(Exit::Guest(*code)),
        Outcome::Failed { cause: cause @ Cause::Trap { message, backtrace, .. } } => {
            let frames: Vec<String> = backtrace.iter().map(|frame| format!("  at {frame}")).collect();
            trapped([vec![cause.to_string(), message.clone()], frames].concat().join("\n"))
        }
        Outcome::Failed { cause: cause @ Cause::OutOfMemory { .. } } => trapped(format!("{cause}; --memory SIZE raises the limit")),
        Outcome::TimedOut { limit, abandoned } => {
            let gone = if *abandoned { "; it could not be stopped and was abandoned" } else { "" };
            trapped(format!("timed out: {}{gone}", over(*limit, limits)))
        }
        Outcome::Cancelled => Ok(Exit::Interrupted(stop.signal().unwrap_or(libc::SIGINT))),
        Outcome::Failed { cause } => Err(refused(cause, execution.denials.as_deref().unwrap_or_default())),
        outcome @ (Outcome::Skipped { .. } | Outcome::Unknown) => Err(CliError::internal(anyhow::anyhow!("{outcome}"))),
    }
}

fn over(limit: TimeLimit, limits: &Limits) -> String {
    match limit {
        TimeLimit::Fuel => format!("it used up its fuel of {} units; --fuel N raises it", limits.fuel.unwrap_or_default()),
        TimeLimit::Deadline | TimeLimit::CpuTime => {
            let timeout = Duration::from_millis(limits.timeout_ms.unwrap_or_default());
            format!("it was not done within {}; --timeout D raises it", show_duration(timeout))
        }
    }
}

/// Nothing ran. The denial of a missing import says what could be done about it.
fn refused(cause: &Cause, denials: &[Denial]) -> CliError {
    match cause {
        Cause::NotAvailable { what } => CliError::not_available(what),
        Cause::Denied { denial } => CliError::finding(Exit::Refused, codes::REFUSED_GRANT, format!("{}; {}", denial.what, denial.allow)),
        cause => {
            let finding = CliError::finding(Exit::Refused, codes::UNUSABLE_HOOK, cause.to_string());
            denials.iter().fold(finding, |finding, denial| finding.help(&denial.allow))
        }
    }
}
