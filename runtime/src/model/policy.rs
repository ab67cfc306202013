//! What a lifecycle decides, as small enums: the engine reads them and knows no platform's name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! policy {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? } default $default:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl Default for $name {
            fn default() -> Self { Self::$default }
        }
    };
}

policy!(
    /// What a failed hook means for the run.
    OnFailure {
        /// Nothing more of this phase or of later phases runs; `always` steps do.
        Abort,
        /// As `abort`; then the `revert` siblings of this run's succeeded hooks run in reverse order.
        Revert,
        /// The next hook runs; the verdict is `proceed-with-warning`.
        Warn,
        /// The next hook runs; the verdict is `proceed`.
        Continue,
    } default Abort
);
policy!(
    /// What a hook that ran out of time or fuel means for the run.
    OnTimeout {
        /// A failure like any other: `on_failure` decides.
        Fail,
        /// The next hook runs; the verdict is `proceed-with-warning`.
        Warn,
        /// The run goes on as if the hook had succeeded; the report still says `timed-out`.
        Pass,
    } default Fail
);
policy!(
    /// When a hook that ran before runs again.
    Gate {
        /// At every run.
        None,
        /// Once per release.
        Once,
        /// Only if the commit differs from that of the last successful run.
        CommitChanged,
    } default None
);
policy!(
    /// On how many instances of a service a phase's hooks run.
    Scope {
        /// On the first instance only.
        One,
        /// Once on each instance, in the order they were given.
        All,
    } default One
);
policy!(
    /// A ceiling on how writes end.
    Files {
        /// The mode of each grant holds.
        Keep,
        /// One stage for the phase, committed after its last hook.
        Commit,
        /// Everything written is dropped.
        Discard,
    } default Keep
);
policy!(
    /// Whether the next steps wait for a phase.
    Background {
        /// They do.
        No,
        /// They don't at the start of the container or machine (`--at-start`), and do at every later run.
        AtStart,
        /// They don't.
        Yes,
    } default No
);
policy!(
    /// What becomes of the commands that follow a failed one in its list (its phase, service and instance), where the run goes on.
    AfterFailure {
        /// The next one runs.
        Next,
        /// None of them runs; other lists do.
        EndList,
    } default Next
);
policy!(
    /// In which runs a phase has its turn.
    When {
        /// In every run, until one is aborted.
        Any,
        /// Where every step and hook before it ended well.
        Succeeded,
        /// Where a step or hook failed or timed out, tolerated or not; also after an abort.
        Failed,
    } default Any
);
policy!(
    /// What a run does when another one holds the lock.
    OnLocked {
        /// Waits for it.
        Wait,
        /// Ends with exit code 0 and the status `skipped`.
        Skip,
        /// Ends with exit code 4.
        Fail,
    } default Wait
);
policy!(
    /// What happens to a hook with live effects that was running when the engine died.
    OnUnknown {
        /// The run stops and asks for `resolve`.
        Stop,
        /// The hook runs again, with a warning.
        Rerun,
    } default Stop
);
policy!(
    /// What happens when a finished hook's digest changed.
    OnChange {
        /// The plan is refused.
        Error,
        /// The hook stays done, with a warning.
        Warn,
        /// The hook runs again.
        Rerun,
        /// The hook stays done.
        Ignore,
    } default Error
);
policy!(
    /// What `run --resume` does with a host step.
    Resume {
        /// It runs again, though it finished: what it does is undone when a run is aborted (stopping services).
        Rerun,
        /// It is skipped if it finished, and runs if it was cut off or failed.
        SkipIfDone,
        /// As `skip-if-done`; if it was running when the engine died, every run stops until somebody says what became of it (`resolve`).
        Ask,
    } default SkipIfDone
);
policy!(
    /// Who gets the app environment.
    EnvPolicy {
        /// Nobody.
        None,
        /// A hook gets what it names.
        Named,
        /// Native hooks get all of it; wasm hooks what they name.
        App,
    } default Named
);
policy!(
    /// How a native hook is confined.
    Sandbox {
        /// Everything the policy says is enforced, or the hook is refused.
        Strict,
        /// What this kernel can enforce is enforced; the report names the rest.
        BestEffort,
        /// Nothing is confined: plan and report say `unconfined`.
        None,
    } default Strict
);
policy!(
    /// When a fallback takes the place of its hook.
    FallbackWhen {
        /// There is no such module.
        Missing,
        /// The module doesn't compile here, or needs an import that this host lacks.
        Unsupported,
        /// Always.
        Always,
    } default Missing
);
policy!(
    /// Which working directory a native hook starts in.
    Cwd {
        /// The application's root directory.
        Root,
        /// The hook's own folder.
        Folder,
    } default Root
);
