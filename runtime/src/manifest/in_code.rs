//! Hooks that an embedder adds in code: the same declaration as `[[hook]]`, with the same defaults and under the same rules.

use super::{DirAsk, GuestDecl, HookDecl, LimitsAsk, Located};
use crate::model::backup::LastingEffect;
use crate::model::grant::DirMode;
use crate::model::id::{HookId, SourceName, StepName};
use crate::model::policy::OnChange;
use crate::model::wait::WaitFor;
use std::time::Duration;

/// Where such a hook comes from, as plans and lists show it.
const ORIGIN: &str = "added in code";

impl HookDecl {
    /// A module or component, by its path in the release, or by the name under which its bytes are given.
    #[must_use]
    pub fn wasm(id: HookId, phase: StepName, path: impl Into<String>) -> Self {
        Self::of(id, phase, GuestDecl::Wasm { path: path.into() })
    }

    /// A native command: the program and its arguments, without a shell.
    #[must_use]
    pub fn native<W: Into<String>>(id: HookId, phase: StepName, argv: impl IntoIterator<Item = W>) -> Self {
        Self::of(id, phase, GuestDecl::Native { argv: argv.into_iter().map(Into::into).collect(), shell: false })
    }

    fn of(id: HookId, phase: StepName, guest: GuestDecl) -> Self {
        Self {
            id: Located::nowhere(id),
            label: None,
            phase: Some(Located::nowhere(phase)),
            service: None,
            source: None,
            guest: Located::nowhere(guest),
            args: Vec::new(),
            cwd: None,
            dirs: Vec::new(),
            env: Vec::new(),
            set: Vec::new(),
            limits: LimitsAsk::default(),
            once: None,
            on_change: None,
            idempotent: false,
            allow_failure: false,
            enabled: true,
            sandbox: None,
            detach: false,
            fallback: None,
            effects: Vec::new(),
            backup: Vec::new(),
            wait_for: None,
            wait_timeout: None,
            verify: None,
            revert: None,
            origin: ORIGIN.to_owned(),
        }
    }

    /// What a person calls it.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Its files come from this `[source.NAME]` of the manifest.
    #[must_use]
    pub fn from_source(self, name: SourceName) -> Self {
        Self { source: Some(Located::nowhere(name)), ..self }
    }

    /// With one more argument (of a wasm guest; a native one's are part of its `argv`).
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Asks for a directory: `$APP_DIR`, `$DATA_DIR`, a path below one of them, or an absolute one.
    #[must_use]
    pub fn dir(mut self, path: impl Into<String>, mode: DirMode) -> Self {
        self.dirs.push(DirAsk { path: Located::nowhere(path.into()), guest: None, mode: Some(Located::nowhere(mode)) });
        self
    }

    /// Asks for a variable of the app environment, or for `WASMHOOK_OUTPUT`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.env.push(Located::nowhere(name.into()));
        self
    }

    /// Sets a variable for this hook.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.push((Located::nowhere(name.into()), value.into()));
        self
    }

    /// With this deadline instead of the profile's.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(Located::nowhere(timeout));
        self
    }

    /// With this much fuel instead of what follows from the deadline.
    #[must_use]
    pub fn fuel(mut self, units: u64) -> Self {
        self.limits.fuel = Some(Located::nowhere(units));
        self
    }

    /// With this much memory, in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(Located::nowhere(bytes));
        self
    }

    /// Once per release, or at every run, whatever its phase says.
    #[must_use]
    pub fn once(self, once: bool) -> Self {
        Self { once: Some(once), ..self }
    }

    /// What happens when it was done and has changed since.
    #[must_use]
    pub fn on_change(self, on_change: OnChange) -> Self {
        Self { on_change: Some(on_change), ..self }
    }

    /// Its failure is a warning, where the phase would abort.
    #[must_use]
    pub fn allow_failure(self) -> Self {
        Self { allow_failure: true, ..self }
    }

    /// It changes something that nothing here can take back: plans say so, and an operator can demand a backup.
    #[must_use]
    pub fn effect(mut self, effect: LastingEffect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Copies a directory before it starts: `$APP_DIR`, `$DATA_DIR`, a path below one of them, or one that it asks for with [`HookDecl::dir`].
    #[must_use]
    pub fn backup(mut self, path: impl Into<String>) -> Self {
        self.backup.push(Located::nowhere(path.into()));
        self
    }

    /// Somebody has to answer there before it starts, within [`WAIT_TIMEOUT`](super::WAIT_TIMEOUT) if nothing else is said.
    #[must_use]
    pub fn wait_for(self, target: WaitFor) -> Self {
        Self { wait_for: Some(Located::nowhere(target)), ..self }
    }

    /// For how long it waits at most.
    #[must_use]
    pub fn wait_timeout(self, time: Duration) -> Self {
        Self { wait_timeout: Some(Located::nowhere(time)), ..self }
    }

    /// What says whether it took, with its grants but unable to change anything.
    #[must_use]
    pub fn verify(self, guest: GuestDecl) -> Self {
        Self { verify: Some(Located::nowhere(guest)), ..self }
    }

    /// What takes it back when the run, or the deployment that it is part of, fails.
    #[must_use]
    pub fn revert(self, guest: GuestDecl) -> Self {
        Self { revert: Some(Located::nowhere(guest)), ..self }
    }

    /// Processes that a native command leaves behind when it succeeds may outlive the run, still confined.
    #[must_use]
    pub fn detach(self) -> Self {
        Self { detach: true, ..self }
    }

    /// It may run again after a crash without anybody being asked.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }
}
