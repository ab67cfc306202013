//! The parts that hooks, host steps and policies share: directories, variables, limits.

use super::guest;
use super::schema::{DirDoc, HostStepDoc, LimitsDoc, PolicyDirDoc, PolicyDoc};
use super::source;
use super::{DirAsk, HostStepDecl, LimitsAsk, PolicyDecl, rules};
use crate::diagnostic::{Located, codes};
use crate::document::{DurationText, Pairs, Problems, error_at, quote};
use crate::model::grant::{DirMode, OutputRef};
use std::collections::HashSet;

/// Variables that the engine itself sets for every hook, besides those that begin with `WASMHOOK_`.
const ENGINE_VARIABLES: &[&str] = &["DEPLOY_TAG", "DEPLOY_ENV", "APP_DIR", "DATA_DIR", "TRACEPARENT"];

/// Whether the engine itself sets this variable.
pub(super) fn is_engine_variable(name: &str) -> bool {
    name.starts_with("WASMHOOK_") || ENGINE_VARIABLES.contains(&name)
}

/// Reports an empty path or name.
pub(super) fn not_empty(text: &Located<String>, problems: &mut Problems) {
    if text.value.is_empty() {
        problems.push(error_at(text, codes::BAD_VALUE, "it is empty").help("leave the key out for its default"));
    }
}

/// Reports variables that can't be written here: badly named, or set by the engine.
pub(crate) fn own_variables(written: &Pairs<String>, problems: &mut Problems) {
    for (name, _) in &written.0 {
        variable_name(name, &name.value, problems);
        if is_engine_variable(&name.value) {
            let message = format!("{} is set by the engine for every hook; it can't be written here", quote(&name.value));
            problems.push(error_at(name, codes::RESERVED_NAME, message));
        }
    }
}

/// Reports names that can't be asked for, or that stand there twice.
pub(crate) fn asked_variables(asked: &[Located<String>], written: &Pairs<String>, problems: &mut Problems) {
    let mut seen: HashSet<&str> = written.0.iter().map(|(name, _)| name.value.as_str()).collect();
    for name in asked {
        let Some(variable) = asked_variable(name, problems) else { continue };
        if !seen.insert(variable) {
            let message = format!("{} is written twice, in `env` or in `set`", quote(&name.value));
            problems.push(error_at(name, codes::DUPLICATE_NAME, message).help("keep one: `env` hands a value through, `set` writes it"));
        }
    }
}

/// The variable that is asked for: a name of the app environment, or the key of another hook's output (`phase.hook.KEY`).
fn asked_variable<'a>(name: &'a Located<String>, problems: &mut Problems) -> Option<&'a str> {
    if !name.value.contains('.') {
        return variable_name(name, &name.value, problems).then_some(&name.value);
    }
    if OutputRef::parse(&name.value).is_none() {
        let message = format!("{} is no output of another hook", quote(&name.value));
        problems.push(error_at(name, codes::BAD_NAME, message).help("write it as `phase.hook.KEY`"));
        return None;
    }
    let key = name.value.rsplit('.').next().unwrap_or_default();
    let leads = key == "PATH" || key.starts_with("LD_") || key.starts_with("DYLD_") || is_engine_variable(key);
    if leads {
        let message =
            format!("{}: no output becomes the variable {key}, which says how programs are found or what is deployed", quote(&name.value));
        problems.push(error_at(name, codes::RESERVED_NAME, message).help("report it under another key"));
    }
    (!leads && variable_name(name, key, problems)).then_some(key)
}

fn variable_name(at: &Located<String>, name: &str, problems: &mut Problems) -> bool {
    let named = rules::variable_name(name);
    if let Err(rule) = named {
        problems.push(error_at(at, codes::BAD_NAME, format!("variable {} is not a name: {rule}", quote(&at.value))));
    }
    named.is_ok()
}

/// One entry of `dirs`.
pub(crate) fn dir(doc: Located<DirDoc>, problems: &mut Problems) -> Option<DirAsk> {
    let Located { value: doc, at } = doc;
    let mode = doc.mode;
    if let Some(guest) = &doc.guest {
        guest_path(guest, problems);
    }
    let scratch = mode.as_ref().is_some_and(|mode| mode.value == DirMode::Scratch);
    let path = match (doc.path, scratch) {
        (Some(path), false) => {
            host_path(&path, problems);
            path
        }
        (Some(path), true) if !path.value.is_empty() => {
            let message = "a `scratch` directory is new and empty: it has a `guest` path and no `path`";
            problems.push(error_at(&path, codes::NO_EFFECT, message).help("remove `path`"));
            return None;
        }
        (_, true) => Located { value: String::new(), at: at.clone() },
        (None, false) => {
            let missing = crate::diagnostic::Diagnostic::error(codes::MISSING_KEY, "an entry of `dirs` lacks `path`").at(at);
            problems.push(missing.help("only `mode = \"scratch\"` needs none"));
            return None;
        }
    };
    if scratch && doc.guest.is_none() {
        let missing = error_at(&path, codes::MISSING_KEY, "a `scratch` directory lacks `guest`: the path that the hook sees");
        problems.push(missing);
        return None;
    }
    Some(DirAsk { path, guest: doc.guest.map(|guest| guest.value), mode })
}

fn host_path(path: &Located<String>, problems: &mut Problems) {
    let text = path.value.as_str();
    let rest = text.strip_prefix("$APP_DIR").or_else(|| text.strip_prefix("$DATA_DIR"));
    let message = match (text, rest) {
        ("", _) => "the path is empty".to_owned(),
        (_, Some(rest)) if rest.is_empty() || rest.starts_with('/') => return,
        _ if text.starts_with('$') => format!("{}: only `$APP_DIR` and `$DATA_DIR` stand for directories", quote(text)),
        _ if text == "~" || text.starts_with("~/") => format!("{}: `~` is a shell's, and no shell reads this", quote(text)),
        _ => return,
    };
    problems.push(error_at(path, codes::BAD_PATH, message).help("write `.` for the application's root, or an absolute path"));
}

fn guest_path(path: &Located<String>, problems: &mut Problems) {
    if let Err(rule) = rules::guest_path(&path.value) {
        problems.push(error_at(path, codes::BAD_PATH, format!("{}: {rule}", quote(&path.value))));
    }
}

/// Limits, without those that would let nothing run.
pub(crate) fn limits(doc: LimitsDoc, problems: &mut Problems) -> LimitsAsk {
    let limits = LimitsAsk {
        fuel: doc.fuel,
        timeout: doc.timeout.map(|limit| limit.map(|text| text.0)),
        grace: doc.grace.map(|limit| limit.map(|text| text.0)),
        memory: doc.memory.map(|limit| limit.map(|text| text.0)),
        cpu_time: doc.cpu_time.map(|limit| limit.map(|text| text.0)),
        output: doc.output.map(|limit| limit.map(|text| text.0)),
        handles: doc.handles,
        table_elements: doc.table_elements,
        module: doc.module.map(|limit| limit.map(|text| text.0)),
    };
    for (key, limit) in [("fuel", &limits.fuel), ("memory", &limits.memory), ("module", &limits.module)] {
        if let Some((limit, Err(rule))) = limit.as_ref().map(|limit| (limit, rules::budget(limit.value))) {
            let message = format!("`{key} = 0` {rule}");
            problems.push(error_at(limit, codes::BAD_VALUE, message).help("leave it out for the profile's default"));
        }
    }
    limits
}

/// `[policy]`.
pub(super) fn policy(doc: PolicyDoc, problems: &mut Problems) -> PolicyDecl {
    for name in doc.env.iter().flatten() {
        let stem = name.value.strip_suffix('*').unwrap_or(&name.value);
        if !(stem.is_empty() && name.value == "*") {
            variable_name(name, stem, problems);
        }
    }
    PolicyDecl {
        dirs: doc.dirs.map(|dirs| dirs.into_iter().filter_map(|dir| policy_dir(dir, problems)).collect()),
        env: doc.env.map(|names| names.into_iter().map(|name| name.value).collect()),
        sources: doc.sources.map(|patterns| patterns.into_iter().filter_map(|pattern| source::pattern(pattern, problems)).collect()),
        limits: limits(doc.limits, problems),
        sandbox: doc.sandbox,
        programs: doc.programs.into_iter().filter(|dir| program_dir(dir, problems)).collect(),
        detach: doc.detach,
        wait_for: doc.wait_for.into_iter().filter_map(|place| asked_place(place, problems)).collect(),
        require_backup: doc.require_backup,
        backup_dir: doc.backup_dir.and_then(|dir| backup_dir(dir, problems)),
        backup_keep: doc.backup_keep.as_ref().and_then(|keep| backup_keep(keep, problems)),
    }
}

/// Whether a directory can stand in PATH.
fn program_dir(dir: &Located<String>, problems: &mut Problems) -> bool {
    host_path(dir, problems);
    let good = !dir.value.contains(':');
    if !good {
        let message = format!("{}: `:` separates the directories of PATH", quote(&dir.value));
        problems.push(error_at(dir, codes::BAD_PATH, message).help("write each directory as an entry of its own"));
    }
    good
}

/// `HOST:PORT`, or `HOST:*`.
fn asked_place(place: Located<String>, problems: &mut Problems) -> Option<String> {
    let is_port = |port: &str| port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0);
    if place.value.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && is_port(port)) {
        return Some(place.value);
    }
    let message = format!("{} is neither `HOST:PORT` nor `HOST:*`", quote(&place.value));
    problems.push(error_at(&place, codes::BAD_VALUE, message));
    None
}

/// For how long a hook waits; it has to wait for something.
pub(super) fn wait_timeout(
    written: Option<Located<DurationText>>,
    waits: bool,
    problems: &mut Problems,
) -> Option<Located<std::time::Duration>> {
    let time = written?.map(|text| text.0);
    if !waits {
        problems.push(error_at(&time, codes::NO_EFFECT, "`wait_timeout` has no effect without `wait_for`").help("remove it"));
    } else if time.value.is_zero() {
        let message = "`wait_timeout = 0` would wait for nothing";
        problems.push(error_at(&time, codes::BAD_VALUE, message).help("leave it out for a minute"));
    }
    Some(time)
}

fn backup_dir(dir: Located<String>, problems: &mut Problems) -> Option<String> {
    if dir.value.starts_with('/') && dir.value.len() > 1 {
        return Some(dir.value);
    }
    let message = format!("{}: backups are kept in a directory with an absolute path", quote(&dir.value));
    problems.push(error_at(&dir, codes::BAD_PATH, message).help("leave it out for the state directory"));
    None
}

fn backup_keep(keep: &Located<u32>, problems: &mut Problems) -> Option<u32> {
    if keep.value > 0 {
        return Some(keep.value);
    }
    let message = "`backup_keep = 0` would remove each backup at once";
    problems.push(error_at(keep, codes::BAD_VALUE, message).help("write at least 1, or leave it out"));
    None
}

/// `backup`: paths as in `dirs`; none at all says nothing.
pub(super) fn backup(written: Option<Located<Vec<Located<String>>>>, problems: &mut Problems) -> Vec<Located<String>> {
    let Some(dirs) = written else { return Vec::new() };
    if dirs.value.is_empty() {
        let message = "`backup` names no directory";
        problems.push(error_at(&dirs, codes::NO_EFFECT, message).help("name the directories to copy before the hook starts, or remove it"));
    }
    dirs.value.iter().for_each(|dir| host_path(dir, problems));
    dirs.value
}

fn policy_dir(doc: PolicyDirDoc, problems: &mut Problems) -> Option<DirAsk> {
    host_path(&doc.path, problems);
    if doc.mode.value == DirMode::Scratch {
        let message = "`scratch` reaches no directory of the host: every hook may have it";
        problems.push(error_at(&doc.mode, codes::NO_EFFECT, message).help("write `read` or `write`, or remove the entry"));
        return None;
    }
    Some(DirAsk { path: doc.path, guest: None, mode: Some(doc.mode) })
}

/// `[host_step.NAME]`.
pub(super) fn host_step(doc: HostStepDoc, name: &Located<String>, problems: &mut Problems) -> Option<HostStepDecl> {
    own_variables(&doc.set, problems);
    asked_variables(&doc.env, &doc.set, problems);
    if doc.cwd.as_deref() == Some("") {
        problems.push(error_at(name, codes::BAD_PATH, "its `cwd` is empty").help("leave it out for the application's root"));
    }
    let asked = LimitsDoc { timeout: doc.timeout, grace: doc.grace, output: doc.output, ..LimitsDoc::default() };
    Some(HostStepDecl {
        run: guest::native(doc.run, doc.shell.as_ref(), problems)?,
        cwd: doc.cwd,
        env: doc.env.into_iter().map(|name| name.value).collect(),
        set: doc.set.0.into_iter().map(|(name, value)| (name.value, value)).collect(),
        limits: limits(asked, problems),
        resume: doc.resume,
    })
}
