//! `[[hook]]` → [`HookDecl`], and the rules between its keys: what nothing would enforce for what it runs is refused.

use super::guest::{self, Written};
use super::schema::{FallbackDoc, HookDoc, SiblingDoc};
use super::{FallbackDecl, GuestDecl, HookDecl, convert};
use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::document::{Problems, error_at};

/// A hook, or `None` if its keys can't be one; everything wrong with it is reported either way.
pub(super) fn hook(doc: Located<HookDoc>, origin: &str, problems: &mut Problems) -> Option<HookDecl> {
    let Located { value: mut doc, at } = doc;
    let table = Written { wasm: doc.wasm.take(), run: doc.run.take(), shell: doc.shell.clone() };
    let written_fallback = doc.fallback.is_some();
    let main = guest::guest(table, "`[[hook]]`", &at, problems);
    let fallback = doc.fallback.take().and_then(|written| fallback(written, &mut doc, problems));
    let written_siblings = usize::from(doc.verify.is_some()) + usize::from(doc.revert.is_some());
    let verify = doc.verify.take().and_then(|written| sibling(written, "`verify`", problems));
    let revert = doc.revert.take().and_then(|written| sibling(written, "`revert`", problems));
    let siblings: Vec<&GuestDecl> = [&verify, &revert].into_iter().flatten().map(|sibling| &sibling.value).collect();
    convert::own_variables(&doc.set, problems);
    convert::asked_variables(&doc.env, &doc.set, problems);
    if let Some(cwd) = &doc.cwd {
        convert::not_empty(cwd, problems);
    }
    // Rules about what runs can only be told where it is known.
    let all_known = fallback.is_some() == written_fallback && siblings.len() == written_siblings;
    if let Some(main) = main.as_ref().filter(|_| all_known) {
        let runs = Runs::of(main, fallback.as_ref(), &siblings);
        enforceable(&doc, runs, problems);
    }
    let dirs = std::mem::take(&mut doc.dirs).into_iter().filter_map(|dir| convert::dir(dir, problems)).collect();
    let limits = convert::limits(std::mem::take(&mut doc.limits), problems);
    let backup = convert::backup(doc.backup.take(), problems);
    let wait_timeout = convert::wait_timeout(doc.wait_timeout.take(), doc.wait_for.is_some(), problems);
    let id = doc.id.take()?;
    let (guest, args) = with_args(main?, std::mem::take(&mut doc.args), fallback.as_ref());
    Some(HookDecl {
        id,
        label: doc.label,
        phase: doc.phase,
        service: doc.service,
        source: doc.source,
        guest,
        args,
        cwd: doc.cwd,
        dirs,
        env: doc.env,
        set: doc.set.0,
        limits,
        once: doc.once,
        on_change: doc.on_change,
        idempotent: doc.idempotent,
        allow_failure: doc.allow_failure,
        enabled: doc.enabled.unwrap_or(true),
        sandbox: doc.sandbox,
        detach: doc.detach.is_some_and(|detach| detach.value),
        fallback,
        effects: doc.effects,
        backup,
        wait_for: doc.wait_for,
        wait_timeout,
        verify,
        revert,
        origin: origin.to_owned(),
    })
}

/// The fallback; its `cpu_time` becomes the hook's, which no other guest has a use for.
fn fallback(written: Located<FallbackDoc>, hook: &mut HookDoc, problems: &mut Problems) -> Option<Located<FallbackDecl>> {
    let Located { value: doc, at } = written;
    let table = Written { wasm: doc.wasm, run: doc.run, shell: doc.shell };
    let guest = guest::guest(table, "`fallback`", &at, problems)?;
    match (doc.cpu_time, &hook.limits.cpu_time) {
        (Some(limit), _) if !guest.value.is_native() => problems.push(useless("cpu_time", &limit.at, "a wasm fallback", "use `fuel`")),
        (Some(limit), Some(_)) => {
            let twice = error_at(&limit, codes::DUPLICATE_NAME, "`cpu_time` is written in the hook and in its fallback");
            problems.push(twice.help("keep one"));
        }
        (Some(limit), None) => hook.limits.cpu_time = Some(limit),
        (None, _) => {}
    }
    Some(Located { value: FallbackDecl { guest: guest.value, when: doc.when }, at })
}

/// What runs beside the hook.
fn sibling(written: Located<SiblingDoc>, table: &str, problems: &mut Problems) -> Option<Located<GuestDecl>> {
    let Located { value: doc, at } = written;
    guest::guest(Written { wasm: doc.wasm, run: doc.run, shell: doc.shell }, table, &at, problems)
}

/// What a hook can turn out to run, itself or beside itself.
#[derive(Clone, Copy)]
struct Runs {
    wasm: bool,
    native: bool,
}

impl Runs {
    fn of(main: &Located<GuestDecl>, fallback: Option<&Located<FallbackDecl>>, siblings: &[&GuestDecl]) -> Self {
        let fallback = fallback.map(|fallback| &fallback.value.guest);
        let guests = || std::iter::once(&main.value).chain(fallback).chain(siblings.iter().copied());
        Self { wasm: guests().any(|guest| !guest.is_native()), native: guests().any(GuestDecl::is_native) }
    }
}

/// Reports every key that nothing would enforce for what this hook runs.
fn enforceable(doc: &HookDoc, runs: Runs, problems: &mut Problems) {
    fn place<T>(key: Option<&Located<T>>) -> Option<&Location> {
        key.map(|located| &located.at)
    }
    let limits = &doc.limits;
    let only_native = [
        ("cpu_time", place(limits.cpu_time.as_ref()), "use `fuel`"),
        ("grace", place(limits.grace.as_ref()), "remove it: a wasm hook is stopped at once"),
        ("sandbox", place(doc.sandbox.as_ref()), "remove it: a wasm hook is always in the sandbox"),
        ("detach", place(doc.detach.as_ref()), "remove it: nothing of a wasm hook is left when it ends"),
        ("cwd", place(doc.cwd.as_ref()), "remove it: a wasm hook has no working directory, only the directories it is granted"),
    ];
    let only_wasm = [
        ("fuel", place(limits.fuel.as_ref()), "use `cpu_time`"),
        ("table_elements", place(limits.table_elements.as_ref()), "remove it"),
        ("module", place(limits.module.as_ref()), "remove it"),
    ];
    for (key, at, help) in only_native.into_iter().filter(|_| !runs.native) {
        problems.found_useless(key, at, "a wasm hook", help);
    }
    for (key, at, help) in only_wasm.into_iter().filter(|_| !runs.wasm) {
        problems.found_useless(key, at, "a native hook", help);
    }
    if let (Some(fuel), None, true, true) = (&limits.fuel, &limits.cpu_time, runs.wasm, runs.native) {
        let message = "`fuel` doesn't limit a native command, and this hook can run one";
        problems.push(error_at(fuel, codes::MISSING_KEY, message).help("state `cpu_time` too: what the native command has in its place"));
    }
    let shell = doc.shell.as_ref().filter(|shell| shell.value && runs.native);
    if let Some(shell) = shell.filter(|_| !doc.args.is_empty()) {
        let message = "`args` can't be added to a line that a shell reads";
        problems.push(error_at(shell, codes::NO_EFFECT, message).help("write them in `run`"));
    }
}

impl Problems {
    fn found_useless(&mut self, key: &str, at: Option<&Location>, whom: &str, help: &str) {
        if let Some(at) = at {
            self.push(useless(key, at, whom, help));
        }
    }
}

fn useless(key: &str, at: &Location, whom: &str, help: &str) -> Diagnostic {
    Diagnostic::error(codes::NO_EFFECT, format!("`{key}` has no effect on {whom}")).at(at.clone()).help(help)
}

/// `args` beside `run` are the command's last words; beside `wasm`, or for a fallback that is wasm, the guest's own.
fn with_args(main: Located<GuestDecl>, args: Vec<String>, fallback: Option<&Located<FallbackDecl>>) -> (Located<GuestDecl>, Vec<String>) {
    let for_wasm = |args: Vec<String>| if fallback.is_some_and(|f| !f.value.guest.is_native()) { args } else { Vec::new() };
    match main.value {
        GuestDecl::Wasm { .. } => (main, args),
        GuestDecl::Native { mut argv, shell } => {
            argv.extend(args.iter().cloned());
            (Located { value: GuestDecl::Native { argv, shell }, at: main.at }, for_wasm(args))
        }
    }
}
