//! Hooks that were found by their file names, as declarations like any other.

use crate::diagnostic::{Diagnostic, Located, Severity};
use crate::manifest::{DirAsk, FallbackDecl, GuestDecl, HookDecl, LimitsAsk};
use crate::model::facts::{Found, FoundFile, FoundGuest, FoundHook};
use crate::model::id::HookId;
use crate::model::policy::FallbackWhen;
use crate::plan::Notice;
use crate::profile::Discovery;

/// What the search for hooks gave.
pub(super) struct Declarations {
    /// The hooks, in order.
    pub hooks: Vec<HookDecl>,
    /// What makes the plan invalid.
    pub problems: Vec<Diagnostic>,
    /// What a person should know.
    pub notices: Vec<Notice>,
    /// What a person should be warned of.
    pub warnings: Vec<Notice>,
}

/// Declares what was found.
pub(super) fn declarations(found: &Found, discovery: &Discovery) -> Declarations {
    let mut notices = Vec::new();
    let mut warnings = Vec::new();
    let mut problems = Vec::new();
    for problem in &found.problems {
        if problem.blocking {
            problems.push(Diagnostic {
                severity: Severity::Error,
                code: "release-file",
                message: problem.to_string(),
                at: None,
                help: None,
            });
        } else {
            warnings.push(Notice { code: "release-file".to_owned(), message: problem.to_string() });
        }
    }
    for other in &found.other_tags {
        let message = format!("{} is not run: it belongs to {}, which this upgrade passes over", other.main.path, other.tag);
        warnings.push(Notice { code: "other-release".to_owned(), message });
    }
    for twin in found.hooks.iter().filter(|hook| hook.fallback.is_some()) {
        let fallback = twin.fallback.as_ref().map_or("", |file| &file.name);
        notices.push(Notice {
            code: "fallback-by-name".to_owned(),
            message: format!("{fallback} is the fallback of {}: it runs if this host can't run the module", twin.main.name),
        });
    }
    Declarations { hooks: found.hooks.iter().filter_map(|hook| declaration(hook, discovery)).collect(), problems, notices, warnings }
}

/// A found hook's declaration; its id is its file's name.
fn declaration(hook: &FoundHook, discovery: &Discovery) -> Option<HookDecl> {
    // Tags and phases are checked names, so a file named after them makes a good id.
    let id = HookId::new(hook.main.name.clone()).ok()?;
    let dirs = discovery
        .dirs
        .iter()
        .map(|dir| DirAsk { path: Located::nowhere(dir.path.clone()), guest: None, mode: Some(Located::nowhere(dir.mode)) })
        .collect();
    let fallback =
        hook.fallback.as_ref().map(|file| Located::nowhere(FallbackDecl { guest: guest(file), when: FallbackWhen::Unsupported }));
    Some(HookDecl {
        id: Located::nowhere(id),
        label: None,
        phase: Some(Located::nowhere(hook.phase.clone())),
        service: None,
        source: None,
        guest: Located::nowhere(guest(&hook.main)),
        args: Vec::new(),
        cwd: None,
        dirs,
        env: discovery.env.iter().cloned().map(Located::nowhere).collect(),
        set: Vec::new(),
        limits: LimitsAsk::default(),
        once: None,
        on_change: None,
        idempotent: false,
        allow_failure: false,
        enabled: true,
        sandbox: None,
        detach: false,
        fallback,
        effects: Vec::new(),
        backup: Vec::new(),
        wait_for: None,
        wait_timeout: None,
        verify: None,
        revert: None,
        origin: format!("{}/", discovery.folder),
    })
}

/// Whether a manifest declares a hook of this file itself: then its declaration holds, and the file doesn't run a second time.
pub(super) fn is_declared(found: &HookDecl, declared: &[HookDecl]) -> bool {
    let file = found.guest.value.file();
    declared
        .iter()
        .any(|hook| hook.phase.as_ref().map(|at| &at.value) == found.phase.as_ref().map(|at| &at.value) && hook.guest.value.file() == file)
}

impl GuestDecl {
    /// The module, or the last word of a command: where found hooks have their script.
    fn file(&self) -> Option<&str> {
        match self {
            Self::Wasm { path } => Some(path),
            Self::Native { argv, .. } => argv.last().map(String::as_str),
        }
    }
}

fn guest(file: &FoundFile) -> GuestDecl {
    match &file.guest {
        FoundGuest::Wasm => GuestDecl::Wasm { path: file.path.clone() },
        FoundGuest::Native { interpreter } => {
            GuestDecl::Native { argv: interpreter.iter().chain([&file.path]).cloned().collect(), shell: false }
        }
    }
}
