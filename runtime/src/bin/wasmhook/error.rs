//! Errors of the program, each with its exit code; one place maps the library's errors to codes.

use crate::exit::Exit;
use wasmhook::ResolveError;
use wasmhook::diagnostic::{Diagnostic, codes};
use wasmhook::engine::{DriveError, Error as RunError};
use wasmhook::ledger::LedgerError;
use wasmhook::ledger::lock::LockError;
use wasmhook::load::LoadError;
use wasmhook::model::id::NameError;

/// Why a command ended early.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong.
    pub error: anyhow::Error,
    /// Located findings, shown instead of `error` where there are any.
    pub diagnostics: Vec<Diagnostic>,
}

impl CliError {
    /// A mistake on the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, anyhow::Error::msg(message.into()))
    }

    /// A mechanism that a later version brings.
    pub fn not_available(what: &str) -> Self {
        Self::usage(format!("not available in this version: {what}"))
    }

    /// One finding that stands nowhere in a file.
    pub fn finding(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, error: anyhow::Error::msg(message.clone()), diagnostics: vec![Diagnostic::error(code, message)] }
    }

    /// The same with a way out.
    pub fn help(mut self, help: &str) -> Self {
        self.diagnostics = self.diagnostics.into_iter().map(|found| found.help(help)).collect();
        self
    }

    /// Any error with its exit code.
    pub fn with(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), diagnostics: Vec::new() }
    }

    /// Findings in what was written.
    pub fn diagnostics(diagnostics: Vec<Diagnostic>) -> Self {
        Self { exit: Exit::Usage, error: anyhow::anyhow!("{} findings", diagnostics.len()), diagnostics }
    }
}

impl From<NameError> for CliError {
    fn from(error: NameError) -> Self {
        Self::finding(Exit::Usage, codes::BAD_NAME, error.to_string())
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NoSuchRun { .. } => Self::with(Exit::Usage, error),
            error => Self::finding(Exit::Refused, codes::LEDGER, error.to_string()),
        }
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        Self::finding(Exit::Refused, codes::LEDGER, error.to_string())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::with(Exit::Software, error)
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::with(Exit::Software, error)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(diagnostics) => Self::diagnostics(diagnostics),
            LoadError::Denied(denials) => {
                let found = denials.into_iter().map(|(hook, denial)| {
                    Diagnostic::error(codes::REFUSED_GRANT, format!("{hook}: {}", denial.what))
                        .help(format!("to allow it: {}", denial.allow))
                });
                Self { exit: Exit::Refused, ..Self::diagnostics(found.collect()) }
            }
            error @ LoadError::NoManifest(_) => Self::finding(Exit::Usage, codes::NO_MANIFEST, error.to_string()),
            error @ LoadError::Io { .. } => Self::finding(Exit::Usage, codes::UNREADABLE, error.to_string()),
            error @ LoadError::Target(_) => Self::with(Exit::Usage, error),
            // Git or the release can't be read: nothing has run.
            error => Self::with(Exit::Refused, error),
        }
    }
}

impl From<ResolveError> for CliError {
    fn from(error: ResolveError) -> Self {
        let message = error.to_string();
        match error {
            ResolveError::Engine(error) => error.into(),
            ResolveError::Locked(_) => Self::finding(Exit::Locked, codes::LOCKED, message),
            ResolveError::Unknown { could, .. } if could.is_empty() => {
                Self::finding(Exit::Usage, codes::UNKNOWN_HOOK, message).help("nothing waits for it, and nothing is remembered")
            }
            ResolveError::Unknown { could, .. } => {
                Self::finding(Exit::Usage, codes::UNKNOWN_HOOK, message).help(&format!("what can be resolved so: {}", could.join(", ")))
            }
            ResolveError::Ambiguous { .. } => Self::finding(Exit::Usage, codes::UNKNOWN_HOOK, message),
            error => Self::with(Exit::Refused, error),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Ledger(error) => error.into(),
            error => Self::with(Exit::Software, error),
        }
    }
}

impl From<wasmhook::Error> for CliError {
    fn from(error: wasmhook::Error) -> Self {
        match error {
            wasmhook::Error::Load(error) => error.into(),
            // The state directory is unusable, and nothing has run yet.
            wasmhook::Error::Lock(error) => error.into(),
            wasmhook::Error::Ledger(error) | wasmhook::Error::Run(RunError::Ledger(error)) => error.into(),
            // Something ran, and what became of it can't be recorded.
            wasmhook::Error::Run(RunError::Drive(DriveError::Ledger(error))) => {
                Self::finding(Exit::Software, codes::LEDGER, error.to_string())
            }
            error => Self::with(Exit::Software, error),
        }
    }
}
