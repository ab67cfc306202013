//! What a profile's words make of a phase and its hooks in this run.

use super::resolve::Resolver;
use crate::diagnostic::codes;
use crate::manifest::{DirAsk, GuestDecl, HookDecl};
use crate::model::event::GuestKind;
use crate::model::grant::{DirMode, Grants};
use crate::model::id::StepName;
use crate::model::policy::{Background, Gate, Scope};
use crate::plan::grants::Roots;
use crate::profile::{DiscoveredDir, PhasePolicy};
use std::path::Path;

/// A phase's policies as they hold in this run. At a start there is no commit check (S4.80), and what runs in the background then does.
pub(super) fn in_this_run(policy: &PhasePolicy, at_start: bool) -> PhasePolicy {
    // What only explains the phase decides nothing that runs.
    let mut policy = PhasePolicy { about: None, defined_in: Vec::new(), dialect: Box::default(), ..policy.clone() };
    if at_start && policy.gate == Gate::CommitChanged {
        policy.gate = Gate::None;
    }
    if policy.background == Background::AtStart {
        policy.background = if at_start { Background::Yes } else { Background::No };
    }
    policy
}

/// A command's words; a line that a shell reads is read by the profile's.
pub(super) fn argv(argv: &[String], shell: bool, profile: &[String]) -> Vec<String> {
    match argv.last() {
        Some(line) if shell && !profile.is_empty() => profile.iter().chain([line]).cloned().collect(),
        _ => argv.to_vec(),
    }
}

impl From<&DiscoveredDir> for DirAsk {
    fn from(dir: &DiscoveredDir) -> Self {
        use crate::diagnostic::Located;
        Self { path: Located::nowhere(dir.path.clone()), guest: None, mode: Some(Located::nowhere(dir.mode)) }
    }
}

impl Resolver<'_> {
    /// The hook with the directories that it asks for under this profile: those of its phase if it is a native one that names none, and
    /// aliases as what they stand for.
    pub(super) fn asking(&self, decl: &HookDecl, kind: GuestKind, policy: &PhasePolicy) -> HookDecl {
        let mut decl = decl.clone();
        if kind == GuestKind::Native && decl.dirs.is_empty() {
            decl.dirs = policy.dirs.iter().map(DirAsk::from).collect();
        }
        for dir in &mut decl.dirs {
            let Some(resolved) = self.given.profile.aliases.iter().find_map(|alias| alias.resolve(&dir.path.value)) else { continue };
            let written = std::mem::replace(&mut dir.path.value, resolved);
            // A process sees the host's own paths, so the alias names nothing there.
            dir.guest = dir.guest.take().or_else(|| (kind == GuestKind::Wasm).then_some(written));
        }
        decl
    }

    /// A native command that names an alias would look for it on this machine.
    pub(super) fn refuse_aliases(&mut self, decl: &HookDecl, guest: &GuestDecl) {
        let GuestDecl::Native { argv, .. } = guest else { return };
        let Roots { app_dir, .. } = self.given.roots;
        let named = self
            .given
            .profile
            .aliases
            .iter()
            .find(|alias| self.given.roots.expand(&alias.dir) != alias.path && argv.iter().any(|word| names_path(word, &alias.path)));
        if let Some(alias) = named {
            let message = format!(
                "the command of hook {} names {}, which stands for {} ({app_dir}): no process sees it here; write the path relative to its working directory",
                decl.id.value, alias.path, alias.dir
            );
            self.invalid(codes::PATH_ALIAS, message, decl);
        }
    }

    /// Where the application's code is read-only, its root is not granted for writing as a whole.
    pub(super) fn refuse_whole_app(&mut self, decl: &HookDecl, grants: &Grants, app_dir: &str, policy: &PhasePolicy) {
        if !policy.app_read_only {
            return;
        }
        let covers = |host: &str| Path::new(app_dir).starts_with(host);
        let whole = grants.dirs.iter().find(|dir| dir.mode != DirMode::Read && dir.host.as_deref().is_some_and(covers));
        if let Some(dir) = whole {
            let message = format!(
                "hook {} asks to write to {}, and the application's code is read-only in this phase: grant the folders that it writes to, one by one",
                decl.id.value, dir.guest
            );
            self.invalid(codes::READ_ONLY_APP, message, decl);
        }
    }

    /// What one instance writes below its own directory, the others don't have.
    pub(super) fn warn_of_local_directories(&mut self, decl: &HookDecl, phase: &StepName, policy: &PhasePolicy) {
        let service = decl.service.as_ref().map(|service| &service.value);
        let instances = self.given.instances.iter().filter(|instance| instance.is_of(service)).count();
        let on_one_of_many = policy.scope == Scope::One && instances > 1;
        let mode = |dir: &DirAsk| dir.mode.as_ref().map_or(self.given.profile.default_mode, |mode| mode.value);
        let written = decl.dirs.iter().find(|dir| on_one_of_many && is_local(&dir.path.value) && mode(dir).is_live());
        let everywhere = self.given.profile.phases().find(|(_, other)| other.scope == Scope::All).map(|(name, _)| name);
        if let (Some(dir), Some(_)) = (written, everywhere) {
            let message = format!(
                "{phase}/{} writes to {}, which each instance has for itself, and runs on one instance only: use the phase that runs on all",
                decl.id.value, dir.path.value
            );
            self.warn(codes::INSTANCE_LOCAL, message);
        }
    }

    /// A default that nobody wrote down is said where its bite surprises (S5.50).
    pub(super) fn warn_of_default_timeouts(&mut self, hooks: &[&HookDecl], phase: &StepName, policy: &PhasePolicy) {
        let silent: Vec<_> = hooks.iter().filter(|hook| hook.limits.timeout.is_none()).map(|hook| hook.id.value.to_string()).collect();
        let default = policy.limits.timeout.as_ref().or(self.given.profile.limits.timeout.as_ref());
        if let (true, Some(default), false) = (policy.warn_default_timeout, default, silent.is_empty()) {
            let message = format!("{phase}: {} state no timeout; the profile's {default} holds", silent.join(", "));
            self.warn(codes::DEFAULT_TIMEOUT, message);
        }
    }
}

/// Whether a path as written lies in the directory that each instance has for itself.
fn is_local(path: &str) -> bool {
    path.strip_prefix("$APP_DIR").is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || !path.starts_with(['/', '$'])
}

/// Whether a word of a command names `path` or something below it, as a whole or within a line for a shell.
fn names_path(word: &str, path: &str) -> bool {
    let ends = |rest: &str| rest.chars().next().is_none_or(|c| c == '/' || !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
    let begins =
        |before: &str| before.chars().next_back().is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}')));
    word.match_indices(path).any(|(at, _)| begins(&word[..at]) && ends(&word[at + path.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_as_a_whole_word() {
        for word in ["/data", "/data/js", "cp a /data/b", "--to=/data", "'/data'", "x:/data;"] {
            assert!(names_path(word, "/data"), "{word}");
        }
        for word in ["/database", "/srv/data", "data", "/data.old", "$HOME/data", "${X}/data", "./data"] {
            assert!(!names_path(word, "/data"), "{word}");
        }
    }
}
