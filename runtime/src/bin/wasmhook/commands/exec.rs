//! `wasmhook exec`: one guest, without a manifest. Its output passes through, and so does its exit code.

use super::run::INTERRUPT_SIGNAL;
use crate::args::ExecArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::Ui;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wasmhook::exec::wasm::{Cache, WasmExecutor};
use wasmhook::exec::{OutputSink, Surroundings};
use wasmhook::model::grant::{DirGrant, DirMode};
use wasmhook::model::id::Digest;
use wasmhook::model::job::{Guest, Job, Stream, WasmGuest};
use wasmhook::model::limits::{FUEL_PER_SECOND, Limits};
use wasmhook::model::outcome::{Cause, Outcome};
use wasmhook::model::units::{parse_duration, parse_size};

/// The exit code of a guest that a trap or a limit ended.
const TRAPPED: i32 = 134;

pub fn run(args: &ExecArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    if !args.net.is_empty() {
        return Err(CliError::not_available("--net"));
    }
    let limits = limits(args)?;
    let bytes = read(&args.file, limits.module_bytes)?;
    let job = Job {
        name: args.file.display().to_string(),
        guest: Guest::Wasm(WasmGuest {
            file: args.file.display().to_string(),
            digest: Digest::of(&bytes),
            bytes: Arc::from(bytes),
            args: args.args.clone(),
        }),
        env: args.env.iter().filter_map(|text| variable(text, settings)).collect(),
        dirs: args.dirs.iter().map(|text| dir(text)).collect::<Result<_, _>>()?,
        limits,
        collect_outputs: false,
    };
    let executor = executor(args, settings)?;
    let cancel = CancellationToken::new();
    stop_on_signals(&cancel)?;
    let around = Surroundings { output: Arc::new(PassThrough), cancel };
    let execution = executor.run_blocking(&job, &around).map_err(|error| CliError::with(Exit::Software, error))?;
    // The process ends: taking threads and mappings down one by one first takes as long as a hook.
    std::mem::forget(executor);
    said(&execution.outcome, execution.exit_code, ui)
}

fn executor(args: &ExecArgs, settings: &Settings) -> Result<WasmExecutor, CliError> {
    let (state, cache) = (settings.state(&args.places)?, settings.cache(&args.places)?);
    let mut builder = WasmExecutor::builder().interrupt_signal(INTERRUPT_SIGNAL).protect("state", state).protect("cache", &cache);
    // Without a cache it compiles anew: slower, never wrong.
    match Cache::open(&cache) {
        Ok(cache) => builder = builder.cache(cache),
        Err(error) => tracing::warn!(%error, "the compile cache can't be used"),
    }
    builder.build().map_err(|error| CliError::with(Exit::Software, error))
}

fn limits(args: &ExecArgs) -> Result<Limits, CliError> {
    let usage = |option: &str, error: &dyn std::fmt::Display| CliError::usage(format!("{option}: {error}"));
    let mut limits = Limits::default();
    if let Some(text) = &args.timeout {
        let timeout = parse_duration(text).map_err(|error| usage("--timeout", &error))?;
        limits.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)).filter(|ms| *ms > 0);
        limits.fuel = limits.timeout_ms.map(|ms| ms.saturating_mul(FUEL_PER_SECOND / 1_000));
    }
    if args.fuel.is_some() {
        limits.fuel = args.fuel;
    }
    if let Some(text) = &args.memory {
        limits.memory_bytes = parse_size(text).map_err(|error| usage("--memory", &error))?;
    }
    Ok(limits)
}

/// Reads the guest, and never more of it than a module may have.
fn read(file: &Path, max: u64) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("cannot read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// `K=V` as it is; `K` with its value here, or not at all.
fn variable(text: &str, settings: &Settings) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => settings.env.get(text).map(|value| (text.to_owned(), value.clone())),
    }
}

/// `HOST[::GUEST][:MODE]`: what follows the last colon is the mode only if it is one of the mode words.
fn dir(text: &str) -> Result<DirGrant, CliError> {
    let (paths, mode) = match text.rsplit_once(':').and_then(|(paths, word)| Some((paths, word.parse::<DirMode>().ok()?))) {
        Some((paths, mode)) => (paths, mode),
        None => (text, DirMode::Write),
    };
    let (host, guest) = match paths.split_once("::") {
        Some((host, guest)) => (host, Some(guest)),
        None => (paths, None),
    };
    match mode {
        DirMode::Txn | DirMode::Discard => {
            Err(CliError::not_available(&format!("directory mode `{mode}` (--dir {text}); use read, write or scratch")))
        }
        DirMode::Scratch if !host.is_empty() || guest.is_none() => {
            Err(CliError::usage(format!("--dir {text}: a scratch directory has no host path: write ::GUEST:scratch")))
        }
        DirMode::Scratch => Ok(DirGrant { host: None, guest: absolute_guest(guest.unwrap_or_default(), text)?, mode }),
        DirMode::Read | DirMode::Write => {
            let host = Path::new(host).canonicalize().map_err(|error| CliError::usage(format!("--dir {text}: {host:?}: {error}")))?;
            let host = host.to_str().ok_or_else(|| CliError::usage(format!("--dir {text}: the path is not UTF-8")))?.to_owned();
            let guest = guest.map_or_else(|| Ok(host.clone()), |guest| absolute_guest(guest, text))?;
            Ok(DirGrant { host: Some(host), guest, mode })
        }
    }
}

fn absolute_guest(guest: &str, text: &str) -> Result<String, CliError> {
    if guest.starts_with('/') {
        Ok(guest.to_owned())
    } else {
        Err(CliError::usage(format!("--dir {text}: the guest path {guest:?} must be absolute")))
    }
}

/// INT and TERM cancel the guest; the process then ends with 130 or 143.
fn stop_on_signals(cancel: &CancellationToken) -> Result<(), CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let cancel = cancel.clone();
    std::thread::Builder::new().name("wasmhook-signals".to_owned()).spawn(move || {
        // Made here, beside the loading of the guest. Without it INT and TERM end the process at once, as they do any other.
        let Ok(runtime) = super::runtime() else { return };
        runtime.block_on(async {
            let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
            cancel.cancel();
        });
    })?;
    Ok(())
}

fn said(outcome: &Outcome, code: Option<i32>, ui: &Ui) -> Result<Exit, CliError> {
    let why = anyhow::anyhow!("{outcome}");
    match outcome {
        Outcome::Succeeded => Ok(Exit::Guest(code.unwrap_or(0))),
        Outcome::Failed { cause: Cause::Exit { code } } => Ok(Exit::Guest(*code)),
        Outcome::Failed { cause: Cause::Trap { message, backtrace, .. } } => {
            let frames: String = backtrace.iter().map(|frame| format!("\n  at {frame}")).collect();
            ui.error(anyhow::anyhow!("{outcome}: {message}{frames}").as_ref());
            Ok(Exit::Guest(TRAPPED))
        }
        Outcome::Failed { cause: Cause::OutOfMemory { .. } } | Outcome::TimedOut { .. } => {
            ui.error(why.as_ref());
            Ok(Exit::Guest(TRAPPED))
        }
        Outcome::Cancelled => Ok(Exit::Interrupted(libc::SIGINT)),
        Outcome::Failed { .. } | Outcome::Skipped { .. } | Outcome::Unknown => Err(CliError::with(Exit::Refused, why)),
    }
}

/// Writes what the guest writes.
struct PassThrough;

impl OutputSink for PassThrough {
    fn line(&self, stream: Stream, line: &str) {
        // Nobody reading any more is the reader's business.
        let _ = match stream {
            Stream::Stdout => writeln!(std::io::stdout(), "{line}"),
            Stream::Stderr => writeln!(std::io::stderr(), "{line}"),
        };
    }
}
