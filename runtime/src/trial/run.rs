//! Runs a case: once, or twice on the same tree, and says what of it wasn't as expected.

use super::lay::Tree;
use super::plan::Planned;
use super::read::CaseFile;
use crate::engine::Checks as _;
use crate::engine::{Stages, keep};
use crate::exec::{ExecError, Executor, OutputSink, Surroundings};
use crate::load::Preflight;
use crate::model::grant::Denial;
use crate::model::id::NameError;
use crate::model::job::{Execution, Guest, Stream};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome};
use crate::testcase::tree::FileState;
use crate::testcase::{Change, Mismatch, Observed, changes, compare, second_run_changes};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Why a case could not be tried. What its hook does wrong is none: it stands in [`Tried`].
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The case's tree could not be laid out or read.
    #[error("cannot {doing} the files of {case}: {source}")]
    Files {
        /// What was tried.
        doing: &'static str,
        /// The case.
        case: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An executor failed.
    #[error(transparent)]
    Executor(#[from] ExecError),
    /// A case could not be planned.
    #[error("a case could not be planned: {0}")]
    Plan(String),
}

impl From<NameError> for TrialError {
    fn from(error: NameError) -> Self {
        Self::Plan(error.to_string())
    }
}

/// What cases run on.
pub struct Trials {
    /// Runs modules and components.
    pub wasm: Arc<dyn Executor>,
    /// Runs native commands.
    pub native: Arc<dyn Executor>,
    /// Where trees are made.
    pub scratch: PathBuf,
    /// Cancels what runs.
    pub cancel: CancellationToken,
}

/// What came of a case.
#[derive(Debug)]
pub struct Tried {
    /// What was observed.
    pub observed: Observed,
    /// What wasn't as expected.
    pub mismatches: Vec<Mismatch>,
    /// What the hook changed.
    pub changes: Vec<Change>,
    /// What it may use; none if it was refused before that was known.
    pub limits: Option<Limits>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// What it warned of.
    pub warnings: Vec<String>,
    /// What it was refused; `None` where nobody could see.
    pub denials: Option<Vec<Denial>>,
    /// What this machine could not enforce.
    pub unenforced: Vec<String>,
    /// The second run, where one was asked for and the first one ended well.
    pub second: Option<Second>,
}

/// The second run of a hook, on what the first one left.
#[derive(Debug)]
pub struct Second {
    /// How it ended.
    pub outcome: Outcome,
    /// Its last lines.
    pub tail: Vec<String>,
    /// What it changed.
    pub changes: Vec<Change>,
}

impl Second {
    /// Whether the hook is safe to run twice: the second run ended well and changed nothing (S3.29).
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.outcome.is_ok() && self.changes.is_empty()
    }
}

impl Tried {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.second.as_ref().is_none_or(Second::is_harmless)
    }
}

/// Whether the hook runs once or twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Once.
    Once,
    /// A second time on what the first run left, if that ended well.
    Twice,
}

/// One run of the hook.
struct Ran {
    execution: Execution,
    output: Vec<(Stream, String)>,
}

impl Trials {
    /// Tries a case.
    ///
    /// # Errors
    /// [`TrialError`] if the machinery failed.
    pub async fn run(&self, file: &CaseFile, runs: Runs) -> Result<Tried, TrialError> {
        let failed = |doing| move |source| TrialError::Files { doing, case: file.name.clone(), source };
        let tree = Tree::lay(&file.case, &file.dir, &self.scratch).map_err(failed("lay out"))?;
        let planned = Planned::of(file, &tree)?;
        let before = tree.snapshot().map_err(failed("read"))?;
        let first = self.attempt(file, &planned, &tree, 1).await?;
        let after = tree.snapshot().map_err(failed("read"))?;
        let mut tried = tried(file, first, before, after);
        tried.limits = planned.as_ref().ok().map(|planned| planned.hook().limits.clone());
        if runs == Runs::Twice && tried.observed.outcome.is_ok() {
            let Ran { execution, .. } = self.attempt(file, &planned, &tree, 2).await?;
            let again = tree.snapshot().map_err(failed("read"))?;
            let changes = second_run_changes(&tried.observed.after, &again);
            tried.second = Some(Second { outcome: execution.said_outcome(), tail: execution.tail, changes });
        }
        Ok(tried)
    }

    async fn attempt(&self, file: &CaseFile, planned: &Result<Planned, Outcome>, tree: &Tree, attempt: u32) -> Result<Ran, TrialError> {
        let not_started = |outcome| Ran { execution: Execution::not_started(outcome), output: Vec::new() };
        let planned = match planned {
            Ok(planned) => planned,
            Err(outcome) => return Ok(not_started(outcome.clone())),
        };
        let path = file.case.env.iter().rev().find(|(name, _)| name.value == "PATH").map(|(_, value)| value.clone());
        let findings = Preflight::anywhere(path).check(planned.hook());
        if !findings.is_empty() {
            let findings = findings.iter().map(|lack| tree.as_written(&lack.what)).collect();
            return Ok(not_started(Outcome::Failed { cause: Cause::Preflight { findings } }));
        }
        let job = match planned.job(file, attempt) {
            Ok(job) => job,
            Err(outcome) => return Ok(not_started(outcome)),
        };
        let executor = if matches!(job.guest, Guest::Wasm(_)) { &self.wasm } else { &self.native };
        let lines = Arc::new(Lines::default());
        let around = Surroundings::new(lines.clone(), self.cancel.clone()).auditing(true);
        let execution = keep::carry_out_alone(&**executor, &job, around, &Stages::new(&self.scratch)).await?;
        let output = std::mem::take(&mut *lines.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(as_written(tree, execution, output))
    }
}

fn tried(file: &CaseFile, ran: Ran, before: BTreeMap<String, FileState>, after: BTreeMap<String, FileState>) -> Tried {
    let Ran { execution, output } = ran;
    let warnings = execution.warnings().map(str::to_owned).collect();
    let observed = Observed {
        outcome: execution.said_outcome(),
        exit_code: execution.exit_code,
        output,
        outputs: execution.outputs,
        before,
        after,
        usage: execution.usage,
    };
    Tried {
        mismatches: compare(&file.case, &observed),
        changes: changes(&observed.before, &observed.after),
        observed,
        limits: None,
        tail: execution.tail,
        warnings,
        denials: execution.denials,
        unenforced: execution.unenforced,
        second: None,
    }
}

/// What a process says of the tree is said in the case's paths: where the tree lies differs from run to run.
fn as_written(tree: &Tree, mut execution: Execution, mut output: Vec<(Stream, String)>) -> Ran {
    let lines = output.iter_mut().map(|(_, line)| line);
    let values = execution.outputs.iter_mut().map(|(_, value)| value);
    for text in lines.chain(values).chain(&mut execution.tail) {
        *text = tree.as_written(text);
    }
    let denied = match &mut execution.outcome {
        Outcome::Failed { cause: Cause::Denied { denial } } => Some(denial),
        Outcome::Failed { cause: Cause::Spawn { message } } => {
            *message = tree.as_written(message);
            None
        }
        _ => None,
    };
    for denial in denied.into_iter().chain(execution.denials.iter_mut().flatten()) {
        denial.what = tree.as_written(&denial.what);
        denial.allow = tree.as_written(&denial.allow);
    }
    Ran { execution, output }
}

/// Keeps every line. Bounded by the hook's limit of output.
#[derive(Default)]
struct Lines(Mutex<Vec<(Stream, String)>>);

impl OutputSink for Lines {
    fn line(&self, stream: Stream, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((stream, line.to_owned()));
    }
}
