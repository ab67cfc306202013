//! A manifest while an importer fills it.

use super::Imported;
use crate::diagnostic::{Diagnostic, Located, Location, Severity, codes};
use crate::document::yaml::{Key, Yaml};
use crate::document::{Problems, error_at, quote};
use crate::manifest::{DirAsk, GuestDecl, HookDecl, Manifest, SourceDecl};
use crate::model::grant::DirMode;
use crate::model::id::{AppName, HookId, ServiceName, SourceName, StepName};
use crate::model::source::{GitUrl, Revision};
use crate::model::units::parse_duration;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// The longest text that an id is made from, in characters.
const MAX_ID: usize = 60;

/// What was read so far, and what is wrong with it.
pub(super) struct Draft {
    pub(super) manifest: Manifest,
    pub(super) problems: Problems,
    notes: Vec<Located<String>>,
    origin: String,
    /// How often an id was wanted in a phase, by both.
    ids: HashMap<(String, String), usize>,
    /// Where a variable stands in the app environment.
    variables: HashMap<String, usize>,
}

impl Draft {
    pub(super) fn new(origin: &str, problems: Problems) -> Self {
        Self {
            manifest: Manifest::default(),
            problems,
            notes: Vec::new(),
            origin: origin.to_owned(),
            ids: HashMap::new(),
            variables: HashMap::new(),
        }
    }

    pub(super) fn finish(self) -> Imported {
        Imported { manifest: self.manifest, found: self.problems.into_found(), notes: self.notes }
    }

    /// The platform's lifecycle.
    pub(super) fn profile(&mut self, name: &str) {
        self.manifest.profile = Some(Located::nowhere(name.to_owned()));
    }

    /// The application, if its name can be one.
    pub(super) fn app(&mut self, written: &Yaml) {
        let Some(text) = written.text() else { return };
        match AppName::new(text) {
            Ok(app) => self.manifest.app = Some(written.located(app, &self.problems)),
            Err(error) => self.lost(&written.span, format!("the application's name: {error}"), "give --app NAME"),
        }
    }

    /// Says how something was understood.
    pub(super) fn note(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let at = self.problems.at(span.clone());
        self.notes.push(Located { value: message.into(), at });
    }

    /// Says something about the whole file.
    pub(super) fn remark(&mut self, message: impl Into<String>) {
        self.notes.push(Located::nowhere(message.into()));
    }

    pub(super) fn error(&mut self, span: &Range<usize>, code: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, message).at(self.problems.at(span.clone())).help(help));
    }

    pub(super) fn warning(&mut self, span: &Range<usize>, code: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::warning(code, message).at(self.problems.at(span.clone())).help(help));
    }

    /// Reports something that a manifest can't say.
    pub(super) fn lost(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.warning(span, codes::NOT_IMPORTED, message, help);
    }

    /// Adds a hook; its id is made of `id`, and unique within its phase.
    pub(super) fn hook(&mut self, id: &str, phase: &str, guest: Located<GuestDecl>) -> Option<&mut HookDecl> {
        let at = guest.at.clone();
        let id = self.unique(phase, &slug(id));
        let (id, phase) = match (HookId::new(id), StepName::new(phase)) {
            (Ok(id), Ok(phase)) => (id, phase),
            (Err(error), _) | (_, Err(error)) => {
                self.problems.push(Diagnostic::error(codes::BAD_NAME, error.to_string()).at(at));
                return None;
            }
        };
        let mut hook = HookDecl::native(id, phase, [""; 0]);
        hook.id.at = at;
        hook.guest = guest;
        hook.origin.clone_from(&self.origin);
        self.manifest.hooks.push(hook);
        self.manifest.hooks.last_mut()
    }

    fn unique(&mut self, phase: &str, id: &str) -> String {
        let key = |id: &str| (phase.to_owned(), id.to_owned());
        let wanted = self.ids.entry(key(id)).or_default();
        *wanted += 1;
        let mut n = *wanted;
        if n == 1 {
            return id.to_owned();
        }
        // A numbered id may be somebody's own name.
        let mut numbered = format!("{id}-{n}");
        while self.ids.contains_key(&key(&numbered)) {
            n += 1;
            numbered = format!("{id}-{n}");
        }
        self.ids.insert(key(id), n);
        self.ids.insert(key(&numbered), 1);
        numbered
    }

    /// The source of this address: the one that is declared already, or a new one called `name`.
    pub(super) fn source(&mut self, name: &str, git: Located<GitUrl>) -> Option<Located<SourceName>> {
        let at = git.at.clone();
        if let Some((known, _)) = self.manifest.sources.iter().find(|(_, source)| source.git.value == git.value) {
            return Some(Located { value: known.value.clone(), at });
        }
        let mut taken = 1;
        let mut free = name.to_owned();
        while self.manifest.sources.iter().any(|(known, _)| known.value.as_str() == free) {
            taken += 1;
            free = format!("{name}-{taken}");
        }
        let name = Located { value: SourceName::new(free).ok()?, at };
        self.manifest.sources.push((name.clone(), SourceDecl { git, revision: Revision::Head, folder: None }));
        Some(name)
    }

    /// A service's name, or a report.
    pub(super) fn service(&mut self, key: &Key) -> Option<Located<ServiceName>> {
        let name = key.located(&self.problems);
        match ServiceName::new(key.name.as_str()) {
            Ok(service) => Some(Located { value: service, at: name.at }),
            Err(error) => {
                self.problems.push(error_at(&name, codes::BAD_NAME, error.to_string()));
                None
            }
        }
    }

    /// Seconds, or a number with a unit; also as text. Nothing is the profile's default.
    pub(super) fn duration(&mut self, key: &str, written: &Yaml) -> Option<Located<Duration>> {
        if written.is_unset() {
            return None;
        }
        let Some(text) = written.text() else {
            written.wrong_type(key, "a number of seconds", &mut self.problems);
            return None;
        };
        match parse_duration(text) {
            Ok(duration) => Some(written.located(duration, &self.problems)),
            Err(error) => {
                self.error(
                    &written.span,
                    codes::BAD_VALUE,
                    format!("{}: {error}", quote(key)),
                    "write seconds, or leave it out for the default",
                );
                None
            }
        }
    }

    /// Adds a variable of the app environment; one that the engine sets itself is left out, with a word.
    pub(super) fn variable(&mut self, name: Located<String>, value: String) {
        if !self.can_be_variable(&name) {
            return;
        }
        let next = self.manifest.env.len();
        let index = *self.variables.entry(name.value.clone()).or_insert(next);
        if index == next {
            self.manifest.env.push((name, value));
        } else {
            self.manifest.env[index] = (name, value);
        }
    }

    /// Whether hooks can be given a variable of this name; if not, that is reported.
    pub(super) fn can_be_variable(&mut self, name: &Located<String>) -> bool {
        let rule = if crate::manifest::convert::is_engine_variable(&name.value) {
            "the engine sets it itself, for every hook"
        } else if crate::manifest::rules::variable_name(&name.value).is_ok() {
            return true;
        } else {
            "a name has letters, digits and `_`, and doesn't begin with a digit"
        };
        let lost = error_at(name, codes::NOT_IMPORTED, format!("the variable {} is left out: {rule}", quote(&name.value)));
        self.problems.push(Diagnostic { severity: Severity::Warning, ..lost });
        false
    }
}

/// A directory that a hook asks for, in the mode that the profile gives it.
pub(super) fn dir(path: &str, mode: Option<DirMode>, at: &Location) -> DirAsk {
    let at = || at.clone();
    DirAsk { path: Located { value: path.to_owned(), at: at() }, guest: None, mode: mode.map(|mode| Located { value: mode, at: at() }) }
}

/// A text as a name: letters, digits, `_` and `.` stay, everything else becomes `-`.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(MAX_ID) {
        let kept = c.is_ascii_alphanumeric() || c == '_' || (c.is_alphanumeric() && !c.is_ascii());
        if kept {
            slug.extend(c.to_lowercase());
        } else if (c == '.' && slug.ends_with(|last: char| last.is_alphanumeric())) || (!slug.is_empty() && !slug.ends_with(['-', '.'])) {
            slug.push(if c == '.' { '.' } else { '-' });
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "hook".to_owned() } else { slug.to_owned() }
}

/// A relative folder without `.` and `..`, `Some("")` for the root itself; `None` if it leaves the root.
pub(super) fn below_root(folder: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
