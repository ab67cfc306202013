//! Pagoda Box's `Boxfile`: one `build` section for the application, and deploy hooks under each code service. Commands are shell lines.

use super::draft::{Draft, dir};
use super::shell::shell_line;
use super::{Imported, recognise};
use crate::diagnostic::{Located, codes};
use crate::document::yaml::{Key, Yaml, YamlValue};
use crate::document::{nearest, quote};
use crate::manifest::DirAsk;
use crate::model::grant::DirMode;
use crate::model::id::ServiceName;
use std::collections::BTreeSet;
use std::time::Duration;

const PROFILE: &str = "pagoda";
/// The hooks of `build`: each is a phase.
const BUILD_HOOKS: &[&str] = &["before_exec", "exec", "after_exec"];
/// The hooks of a code service: each is a phase.
const DEPLOY_HOOKS: &[&str] = &["before_deploy", "before_deploy_all", "after_deploy", "after_deploy_all"];
const BUILD_TIMEOUT: &str = "build_hook_timeout";
const DEPLOY_TIMEOUT: &str = "deploy_hook_timeout";
/// The first generation's name for `build.after_exec`, written under a service.
const AFTER_BUILD: &str = "after_build";
/// The services that run code; the others hold data, and no hooks run there.
const CODE_SERVICES: &[&str] = &["web", "worker"];
/// Where a service may write: the second is what the first generation called the first.
const WRITABLE: &[&str] = &["network_dirs", "shared_writable_dirs", "writable_dirs"];

/// The most directories of a service: each of its hooks has them all.
const MAX_WRITABLE: usize = 32;

/// Reads a `Boxfile`.
pub(super) fn read(root: &Yaml, text: &str, mut draft: Draft) -> Imported {
    draft.profile(PROFILE);
    if let Some(neighbour) = recognise::not_a_boxfile(root, text) {
        draft.error(&(0..0), codes::FOREIGN_FORMAT, neighbour.refusal(), neighbour.help);
        return draft.finish();
    }
    let sections = match &root.value {
        YamlValue::Null => &[],
        YamlValue::Map(sections) => sections.as_slice(),
        _ => {
            root.wrong_type("the Boxfile", "a map of sections", &mut draft.problems);
            return draft.finish();
        }
    };
    draft.remark("the Boxfile is a legacy format (its documentation is of October 2014)");
    let timeout = root.get("build").and_then(|build| build.get(BUILD_TIMEOUT)).and_then(|written| draft.duration(BUILD_TIMEOUT, written));
    for (key, section) in sections {
        match key.name.as_str() {
            "global" => environment(section.get("env"), &mut draft),
            "env" => environment(Some(section), &mut draft),
            "build" => build(section, timeout.as_ref(), &mut draft),
            _ => {}
        }
    }
    legacy_after_build(sections, timeout.as_ref(), &mut draft);
    for (key, section) in sections.iter().filter(|(key, _)| !["global", "env", "build"].contains(&key.name.as_str())) {
        service(key, section, &mut draft);
    }
    if !draft.manifest.hooks.is_empty() {
        draft.remark("its commands are shell lines, as on the platform: `shell = true`");
    }
    draft.finish()
}

/// `env`: a map, or a list of maps.
fn environment(written: Option<&Yaml>, draft: &mut Draft) {
    let Some(written) = written else { return };
    let lists = written.list().unwrap_or_default().iter().filter_map(Yaml::map);
    for (key, value) in lists.chain(written.map()).flatten() {
        match &value.value {
            YamlValue::Text(text) => draft.variable(key.located(&draft.problems), text.clone()),
            YamlValue::Null => draft.variable(key.located(&draft.problems), String::new()),
            _ => value.wrong_type(&key.name, "one value", &mut draft.problems),
        }
    }
}

/// `build`: the hooks of the whole application.
fn build(section: &Yaml, timeout: Option<&Located<Duration>>, draft: &mut Draft) {
    let Some(keys) = map("build", section, draft) else { return };
    for phase in BUILD_HOOKS {
        let commands = section.get(phase).map(|written| commands(phase, written, draft)).unwrap_or_default();
        for command in commands {
            build_hook(phase, &command, timeout, draft);
        }
    }
    for (key, _) in keys {
        let name = key.name.as_str();
        match name {
            "lib_dir" | "reuse_libs" => {
                draft.lost(
                    &key.span,
                    format!("{} is not read: dependencies don't persist between deploys", quote(name)),
                    "let the build hook keep them",
                );
            }
            _ if DEPLOY_HOOKS.contains(&name) => {
                let message = format!("{} is a deploy hook, and those belong to a service", quote(name));
                draft.error(&key.span, codes::UNKNOWN_KEY, message, "write it under the service it runs on, as in `web1:`");
            }
            _ if BUILD_HOOKS.contains(&name) || name == BUILD_TIMEOUT => {}
            _ => hook_like(key, &[BUILD_HOOKS, &[BUILD_TIMEOUT]].concat(), &["exec", "hook", "build"], draft),
        }
    }
}

fn build_hook(phase: &str, command: &Command, timeout: Option<&Located<Duration>>, draft: &mut Draft) {
    let guest = Located { value: shell_line(&command.line), at: command.at.at.clone() };
    let Some(hook) = draft.hook(&format!("{phase}-{}", command.number), phase, guest) else { return };
    hook.label = Some(command.label());
    hook.limits.timeout = timeout.cloned();
    hook.dirs.push(dir(".", Some(DirMode::Write), &command.at.at));
}

/// The first generation wrote `after_build` under its services; it ran in the build, and the build runs once.
fn legacy_after_build(sections: &[(Key, Yaml)], timeout: Option<&Located<Duration>>, draft: &mut Draft) {
    let mut seen = BTreeSet::new();
    let mut number =
        draft.manifest.hooks.iter().filter(|hook| hook.phase.as_ref().is_some_and(|phase| phase.value.as_str() == "after_exec")).count();
    for (section, value) in sections.iter().filter(|(key, _)| is_code_service(&key.name)) {
        let Some(written) = value.get(AFTER_BUILD) else { continue };
        for command in commands(AFTER_BUILD, written, draft) {
            if !seen.insert(command.line.clone()) {
                draft.note(
                    &command.span,
                    format!("{}: another service has this `{AFTER_BUILD}` too; code is built once, so it runs once", section.name),
                );
                continue;
            }
            number += 1;
            draft.note(
                &command.span,
                format!("{}.{AFTER_BUILD} is the first generation's name for build.after_exec: it runs in the build, once", section.name),
            );
            build_hook("after_exec", &Command { number, ..command }, timeout, draft);
        }
    }
}

/// A section under a service's name.
fn service(key: &Key, section: &Yaml, draft: &mut Draft) {
    if !is_code_service(&key.name) {
        return other_section(key, section, draft);
    }
    let Some(keys) = map(&key.name, section, draft) else { return };
    let Some(service) = draft.service(key) else { return };
    draft.manifest.services.push(service.clone());
    let timeout = section.get(DEPLOY_TIMEOUT).and_then(|written| draft.duration(DEPLOY_TIMEOUT, written));
    let dirs = writable_dirs(section, draft);
    for phase in DEPLOY_HOOKS {
        let commands = section.get(phase).map(|written| commands(phase, written, draft)).unwrap_or_default();
        for command in commands {
            deploy_hook(phase, &service, &command, timeout.clone(), &dirs, draft);
        }
    }
    for (key, _) in keys {
        let name = key.name.as_str();
        match name {
            "before_exec" | "after_exec" => {
                let message = format!("{} is a build hook: code is built once, for all services", quote(name));
                draft.error(&key.span, codes::UNKNOWN_KEY, message, "write it under `build:`");
            }
            // A worker's own command, not a hook.
            "exec" | AFTER_BUILD | DEPLOY_TIMEOUT => {}
            "shared_writable_dirs" => draft.note(&key.span, "shared_writable_dirs is the first generation's name for network_dirs"),
            _ if DEPLOY_HOOKS.contains(&name) => {}
            _ => hook_like(key, &[DEPLOY_HOOKS, &[DEPLOY_TIMEOUT, AFTER_BUILD]].concat(), &["deploy", "hook", "_live", "_build"], draft),
        }
    }
}

fn deploy_hook(
    phase: &str,
    service: &Located<ServiceName>,
    command: &Command,
    timeout: Option<Located<Duration>>,
    dirs: &[DirAsk],
    draft: &mut Draft,
) {
    let guest = Located { value: shell_line(&command.line), at: command.at.at.clone() };
    let Some(hook) = draft.hook(&format!("{}-{phase}-{}", service.value, command.number), phase, guest) else { return };
    hook.label = Some(command.label());
    hook.service = Some(service.clone());
    hook.limits.timeout = timeout;
    // The code of an instance is read-only; what may be written is declared.
    hook.dirs.push(dir(".", Some(DirMode::Read), &command.at.at));
    hook.dirs.extend_from_slice(dirs);
}

/// A section that is no code service: hooks there would never have run.
fn other_section(key: &Key, section: &Yaml, draft: &mut Draft) {
    if key.name.trim_end_matches(|c: char| c.is_ascii_digit()) == "db" {
        let now = key.name.replacen("db", "database", 1);
        draft.note(&key.span, format!("{} is the first generation's name for {now}", key.name));
    }
    let hooks = section.map().unwrap_or_default().iter().filter(|(key, value)| {
        (DEPLOY_HOOKS.contains(&key.name.as_str()) || BUILD_HOOKS[..1].contains(&key.name.as_str())) && !value.is_unset()
    });
    for (hook, _) in hooks.cloned().collect::<Vec<_>>() {
        let message = format!("{} stands under {}, which runs no code", quote(&hook.name), quote(&key.name));
        draft.error(&hook.span, codes::UNKNOWN_KEY, message, "hooks belong to a code service: `web1:`, `worker1:`, or to `build:`");
    }
}

fn is_code_service(name: &str) -> bool {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    kind.len() < name.len() && CODE_SERVICES.contains(&kind)
}

/// The keys of a section; nothing is an empty one.
fn map<'a>(name: &str, section: &'a Yaml, draft: &mut Draft) -> Option<&'a [(Key, Yaml)]> {
    match &section.value {
        YamlValue::Map(keys) => Some(keys),
        YamlValue::Null => Some(&[]),
        YamlValue::Text(_) | YamlValue::List(_) => {
            section.wrong_type(name, "a section with keys", &mut draft.problems);
            None
        }
    }
}

/// The directories that a service may write to.
fn writable_dirs(section: &Yaml, draft: &mut Draft) -> Vec<DirAsk> {
    let mut dirs: Vec<DirAsk> = Vec::new();
    for written in WRITABLE.iter().filter_map(|key| section.get(key)) {
        for (path, value) in texts(written) {
            match super::draft::below_root(path).filter(|path| !path.is_empty()) {
                Some(_) if dirs.len() == MAX_WRITABLE => {
                    let message = format!("a service has more than {MAX_WRITABLE} writable directories");
                    draft.error(&value.span, codes::BAD_VALUE, message, "name a directory that holds them");
                    return dirs;
                }
                Some(path) if dirs.iter().all(|known| known.path.value != path) => {
                    dirs.push(dir(&path, Some(DirMode::Write), &draft.problems.at(value.span.clone())));
                }
                Some(_) => {}
                None => draft.lost(
                    &value.span,
                    format!("the directory {} is not below the application's root", quote(path)),
                    "grant it in a wasmhook.toml",
                ),
            }
        }
    }
    dirs
}

/// Every text in a value, however it is nested.
fn texts(value: &Yaml) -> Vec<(&str, &Yaml)> {
    match &value.value {
        YamlValue::Null => Vec::new(),
        YamlValue::Text(text) => vec![(text.as_str(), value)],
        YamlValue::List(items) => items.iter().flat_map(texts).collect(),
        YamlValue::Map(keys) => keys.iter().flat_map(|(_, value)| texts(value)).collect(),
    }
}

/// One command of a hook.
struct Command {
    line: String,
    /// Its place in the list, from 1.
    number: usize,
    at: Located<()>,
    span: std::ops::Range<usize>,
}

impl Command {
    /// What a person sees: the first line.
    fn label(&self) -> String {
        self.line.lines().next().unwrap_or_default().to_owned()
    }
}

/// A list of commands, a single one, or nothing.
fn commands(hook: &str, written: &Yaml, draft: &mut Draft) -> Vec<Command> {
    let items = match &written.value {
        YamlValue::Null => return Vec::new(),
        YamlValue::Text(_) => std::slice::from_ref(written),
        YamlValue::List(items) => items,
        YamlValue::Map(_) => {
            written.wrong_type(hook, "a list of commands", &mut draft.problems);
            return Vec::new();
        }
    };
    let mut commands = Vec::new();
    for (item, number) in items.iter().zip(1..) {
        match &item.value {
            _ if item.is_unset() => {
                draft.warning(&item.span, codes::BAD_VALUE, format!("an empty command of {} is left out", quote(hook)), "remove it");
            }
            YamlValue::Text(line) => commands.push(Command {
                line: line.trim().to_owned(),
                number,
                at: item.located((), &draft.problems),
                span: item.span.clone(),
            }),
            _ => {
                let message = format!("a command of {} is {}; it has to be one text", quote(hook), item.kind());
                draft.error(&item.span, codes::WRONG_TYPE, message, "put the whole command into quotes: YAML takes `a: b` for a map");
            }
        }
    }
    commands
}

/// Warns of a key that looks like a hook and is none.
fn hook_like(key: &Key, known: &[&str], parts: &[&str], draft: &mut Draft) {
    let near = nearest(&key.name, known.iter().copied());
    if near.is_none() && !parts.iter().any(|part| key.name.to_lowercase().contains(part)) {
        return;
    }
    let help = near.map_or_else(|| format!("hooks here are: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
    draft.warning(&key.span, codes::UNKNOWN_KEY, format!("{} looks like a hook and is none: nothing of it runs", quote(&key.name)), help);
}
