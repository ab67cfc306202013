//! Errors of the program, each with its exit code; one place maps the library's errors to codes.

use crate::exit::Exit;
use std::io::ErrorKind;
use wasmhook::ResolveError;
use wasmhook::diagnostic::{Diagnostic, codes};
use wasmhook::discover::target::TargetError;
use wasmhook::discover::{GitError, SourceError};
use wasmhook::engine::{DriveError, Error as RunError};
use wasmhook::exec::wasm::CacheError;
use wasmhook::ledger::lock::LockError;
use wasmhook::ledger::{LedgerError, Refusal};
use wasmhook::load::LoadError;
use wasmhook::model::grant::Capability;
use wasmhook::model::id::NameError;
use wasmhook::report::Problem;

/// Why a command ended early.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong: at least one finding, each with its code.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether they stand on standard output already, where programs read them.
    pub answered: bool,
}

impl CliError {
    /// A mistake on the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::finding(Exit::Usage, codes::USAGE, message)
    }

    /// A mechanism that a later version brings.
    pub fn not_available(what: &str) -> Self {
        Self::finding(Exit::Usage, codes::NOT_AVAILABLE, format!("not available in this version: {what}"))
    }

    /// One finding that stands nowhere in a file.
    pub fn finding(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, ..Self::diagnostics(vec![Diagnostic::error(code, message)]) }
    }

    /// The same with a way out.
    pub fn help(mut self, help: &str) -> Self {
        self.diagnostics = self.diagnostics.into_iter().map(|found| found.help(help)).collect();
        self
    }

    /// The same with what can be done about an error of the system.
    pub fn with_way_out(self, error: &std::io::Error) -> Self {
        let help = match error.kind() {
            ErrorKind::NotFound => "create it, or correct the path",
            ErrorKind::IsADirectory => "name a file, not the directory that holds it",
            ErrorKind::NotADirectory => "name a directory: -C DIR is where wasmhook.toml lies, --manifest FILE the file itself",
            ErrorKind::AlreadyExists => "name a file that isn't there yet, or remove this one",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk, and call again",
            ErrorKind::PermissionDenied => "run as a user who may, or change its permissions",
            _ => return self,
        };
        self.help(help)
    }

    /// What is wrong with the ledger, with what can be done about it.
    fn ledger(exit: Exit, code: &'static str, error: &LedgerError) -> Self {
        let found = Self::finding(exit, code, error.to_string());
        match error.way_out() {
            Some(help) => found.help(help),
            None => found,
        }
    }

    /// What should not have happened, with all its causes.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let mut message = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Errors that name their source in their own sentence would say it twice.
            if !message.ends_with(&cause) {
                message = format!("{message}: {cause}");
            }
        }
        Self::finding(Exit::Software, codes::INTERNAL, message)
    }

    /// Findings in what was written.
    pub fn diagnostics(diagnostics: Vec<Diagnostic>) -> Self {
        Self { exit: Exit::Usage, diagnostics, answered: false }
    }

    /// The same, told to programs.
    pub const fn answered(mut self) -> Self {
        self.answered = true;
        self
    }

    /// What went wrong, for programs.
    pub fn problems(&self) -> Vec<Problem> {
        self.diagnostics.iter().map(Problem::from).collect()
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
            error @ LedgerError::NoSuchRun { .. } => Self::finding(Exit::Usage, codes::NO_RUN, error.to_string()),
            error => Self::ledger(Exit::Refused, codes::LEDGER, &error),
        }
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        let found = Self::finding(Exit::Refused, codes::LEDGER, error.to_string());
        match &error {
            LockError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => found.with_way_out(source),
            _ => found,
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        let is_full = error.kind() == ErrorKind::StorageFull;
        let found = Self::internal(error);
        if is_full { found.with_way_out(&ErrorKind::StorageFull.into()) } else { found }
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(diagnostics) => Self::diagnostics(diagnostics),
            LoadError::Denied(denials) => {
                let found = denials.into_iter().map(|(hook, denial)| {
                    let code = if denial.capability == Capability::Effect { codes::BACKUP_REQUIRED } else { codes::REFUSED_GRANT };
                    Diagnostic::error(code, format!("{hook}: {}", denial.what)).help(format!("to allow it: {}", denial.allow))
                });
                Self { exit: Exit::Refused, ..Self::diagnostics(found.collect()) }
            }
            error @ LoadError::NoManifest(_) => {
                let help = "a manifest begins with `schema = 1` and `app = \"NAME\"`, and has a `[[hook]]` for each hook; `wasmhook import` writes one \
                            from the files of other platforms";
                Self::finding(Exit::Usage, codes::NO_MANIFEST, error.to_string()).help(help)
            }
            LoadError::Io { doing, path, source } => {
                let message = format!("cannot {doing} {}: {source}", path.display());
                Self::finding(Exit::Usage, codes::UNREADABLE, message).with_way_out(&source)
            }
            LoadError::Target(error) => error.into(),
            LoadError::Git(error) | LoadError::Source(SourceError::Git(error)) => error.into(),
            LoadError::Source(error) => Self::finding(Exit::Refused, codes::RELEASE_UNREADABLE, error.to_string()),
            error => Self::internal(error),
        }
    }
}

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> Self {
        let code = match error {
            TargetError::UnknownTag { .. } | TargetError::UnknownCommit(_) => codes::UNKNOWN_TARGET,
            TargetError::TagIsElsewhere { .. } => codes::TAG_ELSEWHERE,
            TargetError::NoRelease { .. } | TargetError::NoRepository => codes::NO_TARGET,
            TargetError::Git(error) => return error.into(),
        };
        Self::finding(Exit::Usage, code, error.to_string())
    }
}

impl From<GitError> for CliError {
    /// Nothing has run.
    fn from(error: GitError) -> Self {
        Self::finding(Exit::Refused, codes::GIT, error.to_string())
    }
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> Self {
        Self::finding(Exit::Refused, codes::CACHE, error.to_string())
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
            ResolveError::NeedsManifest { .. } => Self::finding(Exit::Usage, codes::NO_MANIFEST, message),
            ResolveError::NoRun(_) => Self::finding(Exit::Refused, codes::NO_RUN, message),
            _ => Self::finding(Exit::Refused, codes::NOT_RESOLVED, message),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Ledger(error) => error.into(),
            error => Self::internal(error),
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
                let taken_away = matches!(error, LedgerError::Refused { refusal: Refusal::TakenAway, .. });
                Self::ledger(Exit::Software, if taken_away { codes::UNLOCKED } else { codes::LEDGER }, &error)
            }
            error => Self::internal(error),
        }
    }
}
