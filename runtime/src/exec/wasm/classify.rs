//! What wasmtime's errors mean, in the words of the model. The only file that looks into them: everything else passes them on.

use super::config::MAX_FRAMES;
use crate::model::outcome::{Cause, TrapKind};
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, UnknownImportError, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// The leash was pulled: the guest gets no further host call.
#[derive(Debug, thiserror::Error)]
#[error("the guest was stopped")]
pub(super) struct Stopped;

/// How a guest ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// With an exit code of its own.
    Exit(i32),
    /// Its fuel is used up.
    OutOfFuel,
    /// It was stopped at the border to the host.
    Stopped,
    /// Otherwise.
    Trap(Cause),
    /// The engine had no slot for it.
    NoSlot(String),
}

/// What a guest hears of a file call that failed.
///
/// # Errors
/// What it doesn't hear: the call ends it.
pub(super) fn said_to_guest(error: FsError) -> Result<ErrorCode, Error> {
    error.downcast()
}

/// How a guest ended that came back with `result`.
pub(super) fn ending(result: Result<(), Error>) -> Ending {
    let error = match result {
        Ok(()) => return Ending::Exit(0),
        Err(error) => error,
    };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Ending::Exit(*code);
    }
    if error.is::<Stopped>() {
        return Ending::Stopped;
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Ending::NoSlot(full.to_string());
    }
    match error.downcast_ref::<Trap>().copied() {
        Some(Trap::OutOfFuel) => Ending::OutOfFuel,
        trap => Ending::Trap(Cause::Trap {
            trap: trap.map_or(TrapKind::HostCall, kind),
            message: message(&error, trap),
            backtrace: backtrace(&error),
        }),
    }
}

/// What a module or component imports that the linker doesn't have.
pub(super) fn missing_import(error: &Error) -> String {
    match error.downcast_ref::<UnknownImportError>() {
        Some(import) => format!("{}.{}", import.module(), import.name()),
        None => format!("{error:#}"),
    }
}

fn kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => TrapKind::MemoryOutOfBounds,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => TrapKind::Arithmetic,
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => TrapKind::BadCall,
        _ => TrapKind::Other,
    }
}

fn message(error: &Error, trap: Option<Trap>) -> String {
    if let Some(trap) = trap {
        return trap.to_string();
    }
    if error.downcast_ref::<ResourceTableError>().is_some_and(|error| matches!(error, ResourceTableError::Full)) {
        return "it has as many open handles as its limit `handles` allows".to_owned();
    }
    error.root_cause().to_string()
}

fn backtrace(error: &Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    frames
        .iter()
        .take(MAX_FRAMES)
        .map(|frame| frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled))
        .collect()
}

fn demangled(name: &str) -> String {
    // The alternate form leaves out the hash at the end.
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}
