//! Errors of the program, each with its exit code; one place maps the library's errors to codes.

use crate::exit::Exit;
use wasmhook::diagnostic::Diagnostic;
use wasmhook::engine::Error as RunError;
use wasmhook::ledger::LedgerError;
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
        Self::with(Exit::Usage, error)
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        Self::with(Exit::Refused, error)
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
                let lines: Vec<String> =
                    denials.iter().map(|(hook, denial)| format!("{hook}: {}\n  to allow it: {}", denial.what, denial.allow)).collect();
                Self::with(Exit::Refused, anyhow::anyhow!("refused before anything ran:\n{}", lines.join("\n")))
            }
            error @ (LoadError::NoManifest(_) | LoadError::Io { .. } | LoadError::Target(_)) => Self::with(Exit::Usage, error),
            // Git or the release can't be read: nothing has run.
            error => Self::with(Exit::Refused, error),
        }
    }
}

impl From<wasmhook::Error> for CliError {
    fn from(error: wasmhook::Error) -> Self {
        match error {
            wasmhook::Error::Load(error) => error.into(),
            // The state directory is unusable, and nothing has run yet.
            error @ (wasmhook::Error::Lock(_) | wasmhook::Error::Ledger(_)) => Self::with(Exit::Refused, error),
            wasmhook::Error::Run(RunError::Ledger(error)) => error.into(),
            error => Self::with(Exit::Software, error),
        }
    }
}
