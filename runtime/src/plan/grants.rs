//! Grants: asked ∩ operator policy. What was asked and isn't allowed is a refusal with the line that would allow it, before anything runs.

use crate::manifest::{DirAsk, HookDecl, PolicyDecl};
use crate::model::event::GuestKind;
use crate::model::grant::{Capability, Denial, DirGrant, DirMode, EnvGrant, EnvSource, Grants, OutputRef};
use crate::model::policy::{EnvPolicy, Files, Sandbox};
use crate::model::source::GitUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The variable by which a hook asks for a file that takes its outputs.
pub const OUTPUT_VARIABLE: &str = "WASMHOOK_OUTPUT";

/// Where paths of a manifest start.
#[derive(Debug, Clone, Copy)]
pub struct Roots<'a> {
    /// `$APP_DIR`, and the root of relative paths.
    pub app_dir: &'a str,
    /// `$DATA_DIR`.
    pub data_dir: &'a str,
}

impl Roots<'_> {
    /// The absolute host path of a path as written. Purely textual: `.` and `..` are folded, links are not looked at.
    #[must_use]
    pub fn expand(&self, written: &str) -> String {
        let rooted = match written.split_once('/').unwrap_or((written, "")) {
            ("$APP_DIR" | "${APP_DIR}", rest) => Path::new(self.app_dir).join(rest),
            ("$DATA_DIR" | "${DATA_DIR}", rest) => Path::new(self.data_dir).join(rest),
            _ => Path::new(self.app_dir).join(written),
        };
        let mut folded = PathBuf::new();
        for component in rooted.components() {
            match component {
                Component::ParentDir => {
                    folded.pop();
                }
                Component::CurDir => {}
                other => folded.push(other),
            }
        }
        folded.to_string_lossy().into_owned()
    }
}

/// What decides a hook's grants besides its own wishes.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Where paths start.
    pub roots: Roots<'a>,
    /// The operator's ceiling.
    pub policy: &'a PolicyDecl,
    /// Who gets the app environment.
    pub env: EnvPolicy,
    /// Names of the app environment.
    pub app_env: &'a BTreeSet<String>,
    /// The mode of a grant that names none.
    pub default_mode: DirMode,
    /// The phase's ceiling on how writes end.
    pub files: Files,
    /// The engine's own variables with the values that are known at plan time.
    pub engine_env: &'a BTreeMap<String, EnvSource>,
}

/// What a hook was given.
///
/// # Errors
/// Every refusal, with the line that would allow it.
pub fn resolve(hook: &HookDecl, kind: GuestKind, rules: &Rules<'_>) -> Result<Grants, Vec<Denial>> {
    let mut denials = Vec::new();
    let mut dirs = Vec::new();
    for ask in &hook.dirs {
        match directory(ask, rules) {
            // The same right twice is one right: `$DATA_DIR` is `$APP_DIR` where nobody says otherwise.
            Ok(grant) if dirs.contains(&grant) => {}
            Ok(grant) => dirs.push(grant),
            Err(denial) => denials.push(denial),
        }
    }
    let env = environment(hook, kind, rules, &mut denials);
    if denials.is_empty() { Ok(Grants { dirs, env }) } else { Err(denials) }
}

/// The grant for one asked directory.
///
/// # Errors
/// The refusal if the policy doesn't cover it.
pub fn directory(ask: &DirAsk, rules: &Rules<'_>) -> Result<DirGrant, Denial> {
    let mode = under(rules.files, ask.mode.as_ref().map_or(rules.default_mode, |at| at.value));
    if mode == DirMode::Scratch {
        let guest = ask.guest.clone().unwrap_or_else(|| ask.path.value.clone());
        return Ok(DirGrant { host: None, guest, mode });
    }
    let host = rules.roots.expand(&ask.path.value);
    covered(&host, mode, rules.policy, &rules.roots)?;
    let guest = ask.guest.clone().unwrap_or_else(|| host.clone());
    Ok(DirGrant { host: Some(host), guest, mode })
}

/// Two staged directories of which one lies in the other, where the writes to one are committed and those to the other dropped. Purely textual,
/// as stages are put together.
#[must_use]
pub fn two_ends<'a>(dirs: impl IntoIterator<Item = &'a DirGrant>) -> Option<(&'a DirGrant, &'a DirGrant)> {
    let staged: Vec<&DirGrant> = dirs.into_iter().filter(|dir| matches!(dir.mode, DirMode::Txn | DirMode::Discard)).collect();
    let host = |dir: &DirGrant| dir.host.as_deref().map(Path::new).map(ToOwned::to_owned);
    let lies_in = |inner: &DirGrant, outer: &DirGrant| host(inner).zip(host(outer)).is_some_and(|(inner, outer)| inner.starts_with(outer));
    staged.iter().find_map(|outer| {
        let inner = staged.iter().find(|inner| inner.mode != outer.mode && lies_in(inner, outer))?;
        Some((*outer, *inner))
    })
}

/// Whether the policy covers a directory.
///
/// # Errors
/// The refusal, with the line that would allow it.
pub fn covered(host: &str, mode: DirMode, policy: &PolicyDecl, roots: &Roots<'_>) -> Result<(), Denial> {
    let covering = |allowed: &DirAsk| {
        Path::new(host).starts_with(roots.expand(&allowed.path.value))
            && covers(allowed.mode.as_ref().map_or(DirMode::Read, |at| at.value), mode)
    };
    if policy.dirs.as_ref().is_none_or(|ceiling| ceiling.iter().any(covering)) {
        return Ok(());
    }
    let allow = format!("[policy] dirs = [{{ path = {host:?}, mode = \"{mode}\" }}]");
    Err(Denial { capability: Capability::Dir, what: format!("{host} ({mode}) is not covered by the policy"), allow })
}

/// How writes through a grant of the mode `asked` end in a phase with this ceiling.
const fn under(ceiling: Files, asked: DirMode) -> DirMode {
    match (ceiling, asked) {
        (Files::Discard, DirMode::Write | DirMode::Txn) => DirMode::Discard,
        (Files::Commit, DirMode::Write) => DirMode::Txn,
        _ => asked,
    }
}

/// Whether a ceiling of `widest` allows `asked`: writing includes reading, staged writing is narrower than live writing.
pub(crate) const fn covers(widest: DirMode, asked: DirMode) -> bool {
    match asked {
        DirMode::Read | DirMode::Scratch => true,
        DirMode::Discard => !matches!(widest, DirMode::Read | DirMode::Scratch),
        DirMode::Txn => matches!(widest, DirMode::Txn | DirMode::Write),
        DirMode::Write => matches!(widest, DirMode::Write),
    }
}

fn environment(hook: &HookDecl, kind: GuestKind, rules: &Rules<'_>, denials: &mut Vec<Denial>) -> Vec<EnvGrant> {
    let mut env = rules.engine_env.clone();
    if rules.env == EnvPolicy::App && kind == GuestKind::Native {
        env.extend(rules.app_env.iter().filter(|name| allowed(name, rules)).map(|name| (name.clone(), EnvSource::App)));
    }
    for name in hook.env.iter().map(|at| &at.value) {
        if name == OUTPUT_VARIABLE {
            env.insert(name.clone(), EnvSource::Engine);
        } else if let Some(reference) = OutputRef::parse(name) {
            env.insert(reference.key.clone(), EnvSource::Output(reference));
        } else if rules.env == EnvPolicy::None {
            denials.push(refused(name, "the profile gives no hook the app environment", format!("set = {{ {name} = \"…\" }} in the hook")));
        } else if !allowed(name, rules) {
            denials.push(refused(name, "it is not covered by the policy", format!("[policy] env = [{name:?}]")));
        } else {
            env.insert(name.clone(), EnvSource::App);
        }
    }
    env.extend(hook.set.iter().map(|(name, value)| (name.value.clone(), EnvSource::Value { value: value.clone() })));
    env.into_iter().map(|(name, source)| EnvGrant { name, source }).collect()
}

fn refused(name: &str, why: &str, allow: String) -> Denial {
    Denial { capability: Capability::Env, what: format!("the variable {name}: {why}"), allow }
}

fn allowed(name: &str, rules: &Rules<'_>) -> bool {
    rules.policy.env.as_ref().is_none_or(|ceiling| {
        ceiling.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    })
}

/// Whether the policy lets hooks come from a repository. A file of the operator's own that says nothing allows none: it is the operator's
/// credentials that open it, and what lies there can change without a commit of the application's.
///
/// # Errors
/// The refusal, with the line that would allow it.
pub fn source(git: &GitUrl, policy: &PolicyDecl, one_file: bool) -> Result<(), Denial> {
    let covers = |pattern: &String| match pattern.strip_suffix('*') {
        Some(stem) => git.as_str().starts_with(stem),
        None => git.as_str() == pattern,
    };
    if policy.sources.as_ref().map_or(one_file, |allowed| allowed.iter().any(covers)) {
        return Ok(());
    }
    Err(Denial {
        capability: Capability::Source,
        what: format!("the repository {git} is not covered by the policy"),
        allow: format!("[policy] sources = [{:?}]", git.as_str()),
    })
}

/// Whether the policy lets a hook be confined this weakly.
///
/// # Errors
/// The refusal, with the line that would allow it.
pub fn sandbox(asked: Sandbox, weakest: Sandbox) -> Result<Sandbox, Denial> {
    let rank = |sandbox| match sandbox {
        Sandbox::Strict => 0,
        Sandbox::BestEffort => 1,
        Sandbox::None => 2,
    };
    if rank(asked) <= rank(weakest) {
        return Ok(asked);
    }
    let word = if asked == Sandbox::None { "none" } else { "best-effort" };
    Err(Denial {
        capability: Capability::Import,
        what: format!("sandbox = \"{word}\" is weaker than the policy allows"),
        allow: format!("[policy] sandbox = \"{word}\""),
    })
}
