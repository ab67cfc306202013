//! How an execution ended, and what that means for the run.

use super::grant::Denial;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It ran and succeeded.
    Succeeded,
    /// It didn't run, and didn't have to.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It ran and failed, or could not start.
    Failed {
        /// Why.
        cause: Cause,
    },
    /// A limit of time ended it.
    TimedOut {
        /// Which limit.
        limit: TimeLimit,
        /// It could not be stopped within 250 ms: its thread or process may still be there, without any right.
        abandoned: bool,
    },
    /// The run was interrupted while it ran.
    Cancelled,
    /// It was running when the engine died.
    Unknown,
}

impl Outcome {
    /// The outcome's word in reports: `succeeded`, `skipped`, `failed`, `timed-out`, `cancelled`, `unknown`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::TimedOut { .. } => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped { .. })
    }
}

/// Which limit of time ended an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeLimit {
    /// The CPU budget of a wasm hook.
    Fuel,
    /// Wall time.
    Deadline,
    /// The CPU time of a native hook.
    CpuTime,
}

impl TimeLimit {
    /// The limit's word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::CpuTime => "cpu-time",
        }
    }
}

/// Why a hook or step didn't run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum SkipReason {
    /// It succeeded before, for the same release.
    AlreadyDone {
        /// The run in which it did.
        run: String,
    },
    /// The profile's marker file says that the release is done.
    Marker {
        /// The marker file.
        path: String,
    },
    /// The commit is that of the last successful run.
    CommitUnchanged,
    /// `enabled = false`.
    Disabled,
    /// Nothing is configured for it (a host step without a command).
    NotConfigured,
    /// Not among the hooks that were asked for (`--phase`, `--only`).
    NotSelected,
    /// The run was aborted before it.
    Aborted,
    /// An earlier command of its list failed, and the profile ends a list there.
    ListEnded,
    /// It ended in the run that is resumed, badly, and that run went on all the same.
    Passed {
        /// That run.
        run: String,
    },
    /// A person said that it may run again (`resolve --retry`): only in memory, never in a report.
    Retried,
    /// A person said that it didn't run (`resolve --mark-not-run`): only in memory, never in a report.
    MarkedNotRun,
    /// Its revert took it back: only in memory, never in a report.
    Reverted,
    /// The hook itself said so.
    SaidByHook {
        /// Its reason.
        message: String,
    },
    /// A dry run runs no host steps: they have the operator's rights.
    DryRun,
    /// A dry run could not try it here without leaving something behind.
    NotTried {
        /// What this machine lacks.
        why: String,
    },
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyDone { run } => write!(f, "already done in run {run}"),
            Self::Marker { path } => write!(f, "already applied: marker {path}"),
            Self::CommitUnchanged => f.write_str("commit unchanged"),
            Self::Disabled => f.write_str("disabled"),
            Self::NotConfigured => f.write_str("not configured"),
            Self::NotSelected => f.write_str("not selected"),
            Self::Aborted => f.write_str("the run was aborted before it"),
            Self::ListEnded => f.write_str("an earlier command of its list failed"),
            Self::Passed { run } => write!(f, "run {run}, which goes on here, is past it"),
            Self::Retried => f.write_str("to be run again"),
            Self::MarkedNotRun => f.write_str("marked as not run"),
            Self::Reverted => f.write_str("taken back by its revert"),
            Self::SaidByHook { message } => f.write_str(message),
            Self::DryRun => f.write_str("dry run"),
            Self::NotTried { why } => write!(f, "not tried: {why}"),
        }
    }
}

/// What a module may not have too much of, since compiling it would take time or memory out of proportion to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Functions.
    Functions,
    /// Locals of one function.
    Locals,
    /// Locals of all functions together.
    LocalsInAll,
    /// Control blocks of one function times its locals.
    BlocksByLocals,
    /// Control blocks open at once in one function.
    Nesting,
    /// Loops open at once in one function.
    NestedLoops,
    /// Loops that locals are carried through between two uses, in one function.
    LoopsBetweenUses,
    /// Control blocks that locals are carried through between two uses, in one function.
    BlocksBetweenUses,
    /// Targets of one `br_table`.
    TableTargets,
    /// Targets of all `br_table`s of one function together.
    TableTargetsInAll,
    /// Components in components.
    NestedComponents,
}

impl Complexity {
    /// What to do about it.
    const fn way_out(self) -> &'static str {
        match self {
            Self::Functions | Self::LocalsInAll => "link less into it, or split the hook into several",
            Self::NestedComponents => "compose it flatter",
            _ => "split that function (generated code often has one for everything), or build it with optimisation",
        }
    }
}

impl fmt::Display for Complexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Functions => "functions",
            Self::Locals => "locals",
            Self::LocalsInAll => "locals in all its functions",
            Self::BlocksByLocals => "blocks times locals",
            Self::Nesting => "blocks in each other",
            Self::NestedLoops => "loops in each other",
            Self::LoopsBetweenUses => "loops between uses of locals",
            Self::BlocksBetweenUses => "blocks between uses of locals",
            Self::TableTargets => "targets of one br_table",
            Self::TableTargetsInAll => "targets of its br_tables",
            Self::NestedComponents => "components in each other",
        })
    }
}

/// Why a hook failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// It ended with a code other than 0.
    Exit {
        /// The code.
        code: i32,
    },
    /// A signal ended a native hook.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// The guest trapped.
    Trap {
        /// Which trap.
        trap: TrapKind,
        /// What the runtime says of it.
        message: String,
        /// Function names, innermost first; at most 20.
        backtrace: Vec<String>,
    },
    /// It wanted more memory, or more table elements, than its limit.
    OutOfMemory {
        /// The limit, in bytes (or elements).
        limit: u64,
        /// What was limited: `memory` or `table`.
        what: String,
    },
    /// The engine refused to start it.
    Denied {
        /// What was asked, and the line that would allow it.
        denial: Denial,
    },
    /// It exports neither `_start` nor `wasi:cli/run`.
    NotAHook {
        /// What it is instead.
        found: String,
    },
    /// The module can't be read or compiled.
    BrokenModule {
        /// What is wrong with it.
        message: String,
    },
    /// The module has more bytes than its hook's limit: nothing of it was compiled.
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Compiling the module would take more than a hook is worth: nothing of it was compiled.
    TooComplex {
        /// What there is too much of.
        what: Complexity,
        /// How much the module has of it, at least: counting ends at the limit.
        found: u64,
        /// How much it may have.
        limit: u64,
        /// In which function, by its place among the bodies of the module; `None` where the whole module is counted.
        function: Option<u32>,
    },
    /// The module needs something that this host doesn't have; so does a native hook that was to be tried in a dry run.
    Unsupported {
        /// What it needs.
        needs: String,
    },
    /// The module needs something that a later version brings.
    NotAvailable {
        /// What it needs.
        what: String,
    },
    /// A check before the start found something.
    Preflight {
        /// Everything it found.
        findings: Vec<String>,
    },
    /// The program could not be started.
    Spawn {
        /// What the system said.
        message: String,
    },
    /// It ended well, and its `verify` says that it didn't take: what it staged is dropped.
    NotVerified {
        /// How its verify ended.
        message: String,
    },
    /// The hook was running when the engine died, or was half taken back, and nobody has said yet what became of it.
    Unresolved,
    /// Somebody else changed, while it ran, what it changed in a staged directory: nothing of it was committed.
    Conflict {
        /// What was changed by both, or in another way than can be committed.
        message: String,
        /// Where what the hook wrote is kept.
        kept: String,
    },
    /// It was due, and not started within the phase's `start_timeout`.
    NotStarted {
        /// The limit, in milliseconds.
        limit_ms: u64,
        /// What was still going on: `waiting for tcp://db:5432`, `loading it`.
        doing: String,
    },
    /// What it waits for didn't answer in time: it was not started.
    NotReady {
        /// Where: `http://localhost:8000/healthz`.
        what: String,
        /// For how long it was waited, in milliseconds.
        waited_ms: u64,
        /// What was wrong the last time.
        last: String,
    },
    /// What it changes for good could not be copied before: it was not started.
    Backup {
        /// What went wrong, where, and the way out.
        message: String,
    },
    /// Its directories could not be staged, or what it wrote could not be committed.
    Stage {
        /// What went wrong, where, and the way out.
        message: String,
    },
}

/// Which trap ended a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrapKind {
    /// `unreachable`: a panic or an abort.
    Unreachable,
    /// A read or write outside the linear memory.
    MemoryOutOfBounds,
    /// The guest's stack was exhausted.
    StackOverflow,
    /// Division by zero or an overflow.
    Arithmetic,
    /// A bad indirect call or table access.
    BadCall,
    /// The guest broke the rules of an interface, or the host function failed.
    HostCall,
    /// Any other.
    Other,
}

impl TrapKind {
    /// The trap's words in messages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable (a panic or an abort)",
            Self::MemoryOutOfBounds => "memory access out of bounds",
            Self::StackOverflow => "stack overflow",
            Self::Arithmetic => "arithmetic error",
            Self::BadCall => "bad indirect call",
            Self::HostCall => "a host call failed",
            Self::Other => "trap",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit { code } => write!(f, "exit code {code}"),
            Self::Signal { signal } => write!(f, "killed by signal {signal}"),
            Self::Trap { trap, .. } => write!(f, "trap: {}", trap.words()),
            Self::OutOfMemory { limit, what } if what == "memory" => {
                write!(f, "out of memory: it asked for more than {}", super::units::show_size(*limit))
            }
            Self::OutOfMemory { limit, what } => write!(f, "out of {what} space: it asked for more than {limit} elements"),
            Self::Denied { denial } => write!(f, "denied: {}; to allow it: {}", denial.what, denial.allow),
            Self::NotAHook { found } => write!(f, "not a hook: {found}; a hook exports `_start` or `wasi:cli/run`"),
            Self::BrokenModule { message } => write!(f, "broken module: {message}"),
            Self::TooLarge { limit } => {
                let limit = super::units::show_size(*limit);
                write!(
                    f,
                    "too large: the module has more than the limit of {limit}; make it smaller, or raise `module` in the hook's limits"
                )
            }
            Self::TooComplex { what, found, limit, function } => {
                let place = function.map_or_else(|| "the module".to_owned(), |function| format!("its function body {function}"));
                write!(f, "too complex to compile: {place} has {found} {what}, and the limit is {limit}; {}", what.way_out())
            }
            Self::Unsupported { needs } => write!(f, "unsupported: it needs {needs}"),
            Self::NotAvailable { what } => write!(f, "not available in this version: {what}"),
            Self::Preflight { findings } => write!(f, "preflight: {}", findings.join("; ")),
            Self::Spawn { message } => write!(f, "could not start: {message}"),
            Self::NotVerified { message } => write!(f, "not verified: {message}"),
            Self::Unresolved => f.write_str("it was cut off, and nobody has said what became of it"),
            Self::Conflict { message, kept } => {
                write!(f, "conflict: {message}; nothing was committed, and what the hook wrote is kept in {kept}")
            }
            Self::NotStarted { limit_ms, doing } => {
                let limit = super::units::show_duration(std::time::Duration::from_millis(*limit_ms));
                write!(f, "not started within {limit} (start_timeout): it was still {doing}")
            }
            Self::NotReady { what, waited_ms, last } => {
                let waited = super::units::show_duration(std::time::Duration::from_millis(*waited_ms));
                write!(f, "{what} was not ready within {waited}: {last}; it was not started")
            }
            Self::Backup { message } => write!(f, "no backup: {message}; it was not started"),
            Self::Stage { message } => write!(f, "staging: {message}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded | Self::Cancelled | Self::Unknown => f.write_str(self.word()),
            Self::Skipped { reason } => write!(f, "skipped: {reason}"),
            Self::Failed { cause } => write!(f, "failed: {cause}"),
            Self::TimedOut { limit, abandoned } => {
                write!(f, "timed-out: {}{}", limit.word(), if *abandoned { ", abandoned" } else { "" })
            }
        }
    }
}

/// What an outcome means for the run, under its phase's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The next hook runs.
    Proceed,
    /// The next hook runs; the run has one warning more.
    ProceedWithWarning,
    /// Nothing more runs but `always` steps.
    Abort,
}

/// What an execution used. Whatever nothing measured is null, never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Fuel units burned; null after a deadline or a memory limit, when the counter isn't reliable.
    pub fuel: Option<u64>,
    /// Wall time in milliseconds, from the guest's start.
    pub wall_ms: Option<u64>,
    /// Largest linear memory in bytes; null for native hooks.
    pub memory_peak_bytes: Option<u64>,
    /// Bytes written to standard output and standard error together, kept or not.
    pub output_bytes: Option<u64>,
}
