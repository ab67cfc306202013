//! `[hook]`: what runs and with which rights, read as `[[hook]]` is, and placed in the case's tree.

use super::HookUnderTest;
use super::place::Roots;
use super::schema::HookDoc;
use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::document::{Problems, error_at, quote};
use crate::manifest::shared::{Written, asked_variables, dir, guest, limits, own_variables};
use crate::manifest::{DirAsk, GuestDecl};
use crate::model::grant::DirMode;

pub(super) fn hook(doc: HookDoc, roots: &Roots<'_>, problems: &mut Problems) -> HookUnderTest {
    asked_variables(&doc.env, &doc.set, problems);
    own_variables(&doc.set, problems);
    if let Some(shell) = doc.shell.as_ref().filter(|shell| shell.value && !doc.args.is_empty()) {
        let message = "`args` can't be added to a line that a shell reads";
        problems.push(error_at(shell, codes::NO_EFFECT, message).help("write them in `run`"));
    }
    let guest = chosen(Written { wasm: doc.wasm, run: doc.run, shell: doc.shell }, problems);
    let native = guest.as_ref().is_some_and(|guest| guest.value.is_native());
    let dirs: Vec<DirAsk> = doc.dirs.into_iter().filter_map(|doc| granted(dir(doc, problems)?, roots, problems)).collect();
    if native {
        host_paths_only(&dirs, problems);
    }
    let hook =
        HookUnderTest { guest, args: doc.args, cwd: doc.cwd, dirs, env: doc.env, set: doc.set.0, limits: limits(doc.limits, problems) };
    without_effect(&hook, problems);
    hook
}

/// The guest that was written; none is the module beside the case.
fn chosen(written: Written, problems: &mut Problems) -> Option<Located<GuestDecl>> {
    let at = written.wasm.as_ref().map(|wasm| wasm.at.clone()).or_else(|| written.run.as_ref().map(|run| run.at.clone()));
    if let Some(at) = at {
        return guest(written, "`[hook]`", &at, problems);
    }
    if let Some(shell) = &written.shell {
        let message = "`shell` says how `run` is read, and there is no `run`";
        problems.push(error_at(shell, codes::NO_EFFECT, message).help("remove it"));
    }
    None
}

/// A directory of the tree, with a mode.
fn granted(asked: DirAsk, roots: &Roots<'_>, problems: &mut Problems) -> Option<DirAsk> {
    let mode = asked.mode.unwrap_or_else(|| Located { value: DirMode::Write, at: asked.path.at.clone() });
    // `.` is how a manifest writes the application's root.
    let has_path = mode.value != DirMode::Scratch && asked.path.value != ".";
    if let Some(rule) = roots.in_tree(&asked.path.value).err().filter(|_| has_path) {
        problems.push(error_at(&asked.path, codes::BAD_PATH, format!("{}: {rule}", quote(&asked.path.value))));
        return None;
    }
    Some(DirAsk { mode: Some(mode), ..asked })
}

/// A case has a tree of its own and makes nothing outside it: there, nothing is that a native command's directory could be put over.
fn host_paths_only(dirs: &[DirAsk], problems: &mut Problems) {
    for dir in dirs {
        if dir.mode.as_ref().is_some_and(|mode| mode.value == DirMode::Scratch) {
            let message = "`mode = \"scratch\"` has no effect in a case: a native command has a private TMPDIR";
            problems.push(error_at(&dir.path, codes::NO_EFFECT, message).help("remove the entry"));
        } else if dir.guest.is_some() {
            let message = "`guest` has no effect in a case: a native command sees the directory in the case's own tree, and nothing could give it another path";
            problems.push(error_at(&dir.path, codes::NO_EFFECT, message).help("remove `guest`"));
        }
    }
}

/// Reports every key that nothing would enforce for what this case runs.
fn without_effect(hook: &HookUnderTest, problems: &mut Problems) {
    fn place<T>(key: Option<&Located<T>>) -> Option<&Location> {
        key.map(|key| &key.at)
    }
    let limits = &hook.limits;
    let (useless, on) = if hook.guest.as_ref().is_some_and(|guest| guest.value.is_native()) {
        let of_modules = [
            ("fuel", place(limits.fuel.as_ref())),
            ("table_elements", place(limits.table_elements.as_ref())),
            ("module", place(limits.module.as_ref())),
        ];
        (of_modules, "a native command")
    } else {
        let of_processes =
            [("cpu_time", place(limits.cpu_time.as_ref())), ("grace", place(limits.grace.as_ref())), ("cwd", place(hook.cwd.as_ref()))];
        (of_processes, "a module")
    };
    for (key, at) in useless {
        if let Some(at) = at {
            let found = Diagnostic::error(codes::NO_EFFECT, format!("`{key}` has no effect on {on}"));
            problems.push(found.at(at.clone()).help("remove it"));
        }
    }
}
