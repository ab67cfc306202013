//! A manifest as the text of a `wasmhook.toml`, with comments that say what comes from where.

use super::Imported;
use crate::diagnostic::{Located, Location, Severity, Source, visible};
use crate::manifest::{DirAsk, FallbackDecl, GuestDecl, HookDecl, LimitsAsk};
use crate::model::policy::FallbackWhen;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The text of a `wasmhook.toml` that says what was imported; `from` names what it was imported from.
///
/// It holds what importers write, and no more: a manifest of one's own may lose something on the way.
#[must_use]
pub fn to_toml(imported: &Imported, from: &str) -> String {
    let mut out = header(imported, from);
    let manifest = &imported.manifest;
    out.push_str("schema = 1\n");
    key(&mut out, "app", manifest.app.as_ref().map(|app| text(app.value.as_str())));
    if manifest.app.is_none() {
        out.push_str("# app = \"…\"  # it names none: write it here, or give --app NAME\n");
    }
    key(&mut out, "profile", manifest.profile.as_ref().map(|profile| text(&profile.value)));
    if !manifest.env.is_empty() {
        out.push_str("\n[env]\n");
        manifest.env.iter().for_each(|(name, value)| key(&mut out, &name.value, Some(text(value))));
    }
    for service in &manifest.services {
        let _ = write!(out, "\n[services.{}]\n", bare_or_quoted(service.value.as_str()));
    }
    for (name, source) in &manifest.sources {
        let _ = write!(out, "\n[source.{}]\n", bare_or_quoted(name.value.as_str()));
        key(&mut out, "git", Some(text(source.git.value.as_str())));
    }
    let mut lines = Lines::default();
    for hook in &manifest.hooks {
        write_hook(&mut out, hook, lines.of(&hook.guest.at));
    }
    out
}

/// What was written by whom, how it was understood, and what could not be said.
fn header(imported: &Imported, from: &str) -> String {
    let mut out = String::new();
    comment(&mut out, &format!("Written by `wasmhook import` from {from}. It takes that file's place."));
    for note in &imported.notes {
        comment(&mut out, &format!("{}{}", place(&note.at), note.value));
    }
    let lost: Vec<_> = imported.found.iter().filter(|found| found.severity == Severity::Warning).collect();
    if !lost.is_empty() {
        comment(&mut out, "");
        comment(&mut out, "Look at these before you use it:");
    }
    for found in lost {
        let at = found.at.as_ref().map(place).unwrap_or_default();
        let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        comment(&mut out, &format!("- {at}{}{help}", found.message));
    }
    out.push('\n');
    out
}

/// `Boxfile:3: `, or nothing for what no file holds.
fn place(at: &Location) -> String {
    at.position().map(|(name, line, _)| format!("{name}:{line}: ")).unwrap_or_default()
}

/// The lines of a text that is asked for often: counting them anew for each of many hooks would take for ever.
#[derive(Default)]
struct Lines {
    source: Option<Arc<Source>>,
    ends: Vec<usize>,
}

impl Lines {
    /// The line of a place, from 1, if a file holds it.
    fn of(&mut self, at: &Location) -> Option<usize> {
        let source = at.source.as_ref()?;
        if self.source.as_ref().is_none_or(|known| !Arc::ptr_eq(known, source)) {
            self.ends = source.text.match_indices('\n').map(|(end, _)| end).collect();
            self.source = Some(Arc::clone(source));
        }
        Some(self.ends.partition_point(|end| *end < at.span.start) + 1)
    }
}

/// One line of a comment: whatever it holds stays on its line.
fn comment(out: &mut String, line: &str) {
    let _ = writeln!(out, "{}", format!("# {}", visible(line)).trim_end());
}

fn write_hook(out: &mut String, hook: &HookDecl, line: Option<usize>) {
    out.push('\n');
    let from = line.map_or_else(|| hook.origin.clone(), |line| format!("{}:{line}", hook.origin));
    comment(out, &format!("from {from}"));
    out.push_str("[[hook]]\n");
    key(out, "id", Some(text(hook.id.value.as_str())));
    key(out, "label", hook.label.as_deref().map(text));
    key(out, "phase", hook.phase.as_ref().map(|phase| text(phase.value.as_str())));
    key(out, "service", hook.service.as_ref().map(|service| text(service.value.as_str())));
    key(out, "source", hook.source.as_ref().map(|source| text(source.value.as_str())));
    for (name, value) in guest(&hook.guest.value) {
        key(out, name, Some(value));
    }
    key(out, "args", (!hook.args.is_empty() && !hook.guest.value.is_native()).then(|| list(hook.args.iter().map(|arg| text(arg)))));
    key(out, "fallback", hook.fallback.as_ref().map(fallback));
    key(out, "cwd", hook.cwd.as_ref().map(|cwd| text(&cwd.value)));
    key(out, "dirs", (!hook.dirs.is_empty()).then(|| list(hook.dirs.iter().map(directory))));
    key(out, "env", (!hook.env.is_empty()).then(|| list(hook.env.iter().map(|name| text(&name.value)))));
    key(out, "set", (!hook.set.is_empty()).then(|| table(hook.set.iter().map(|(name, value)| (name.value.as_str(), text(value))))));
    limits(out, &hook.limits);
    for (name, is_set) in [("idempotent", hook.idempotent), ("allow_failure", hook.allow_failure)] {
        key(out, name, is_set.then(|| "true".to_owned()));
    }
    key(out, "once", hook.once.map(|once| once.to_string()));
    key(out, "enabled", (!hook.enabled).then(|| "false".to_owned()));
}

fn limits(out: &mut String, limits: &LimitsAsk) {
    key(out, "timeout", limits.timeout.as_ref().map(|timeout| text(&duration(timeout.value))));
}

/// In the largest unit that keeps every millisecond.
fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}

/// The keys of a guest: `wasm`, or `run` and perhaps `shell`.
fn guest(guest: &GuestDecl) -> Vec<(&'static str, String)> {
    match guest {
        GuestDecl::Wasm { path } => vec![("wasm", text(path))],
        GuestDecl::Native { argv, shell: false } => vec![("run", list(argv.iter().map(|word| text(word))))],
        GuestDecl::Native { argv, shell: true } => {
            vec![("run", text(argv.last().map_or("", String::as_str))), ("shell", "true".to_owned())]
        }
    }
}

fn fallback(fallback: &Located<FallbackDecl>) -> String {
    let mut keys = guest(&fallback.value.guest);
    let when = match fallback.value.when {
        FallbackWhen::Missing => "missing",
        FallbackWhen::Unsupported => "unsupported",
        FallbackWhen::Always => "always",
    };
    keys.push(("when", text(when)));
    table(keys)
}

fn directory(dir: &DirAsk) -> String {
    let path = Some(&dir.path.value).filter(|path| !path.is_empty());
    let keys = [
        ("path", path.map(|path| text(path))),
        ("guest", dir.guest.as_deref().map(text)),
        ("mode", dir.mode.as_ref().map(|mode| text(&mode.value.to_string()))),
    ];
    table(keys.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn key(out: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        let _ = writeln!(out, "{} = {value}", bare_or_quoted(name));
    }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn table<'a>(keys: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let keys: Vec<String> = keys.into_iter().map(|(name, value)| format!("{} = {value}", bare_or_quoted(name))).collect();
    format!("{{ {} }}", keys.join(", "))
}

/// A string on one line, with everything that isn't plain escaped.
fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || crate::model::text::is_unsafe(c) => _ = write!(out, "\\U{:08X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn bare_or_quoted(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { name.to_owned() } else { text(name) }
}
