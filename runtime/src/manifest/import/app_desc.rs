//! BlueKing's `app_desc.yaml`: one pre-release command a module. Versions 1 and 2 write it as `scripts.pre_release_hook`, version 3 as
//! `spec.hooks.preRelease`; the same application gives the same hooks in both.

use super::draft::{Draft, below_root, dir};
use super::shell::single_command;
use super::{Given, Imported};
use crate::diagnostic::{Located, codes};
use crate::document::yaml::{Key, Yaml, YamlValue};
use crate::document::{nearest, quote};
use crate::manifest::GuestDecl;

const PROFILE: &str = "blueking";
const PHASE: &str = "pre-release";
/// The longest name of a module, and of a process.
const MAX_MODULE: usize = 16;
const MAX_PROCESS: usize = 12;

/// A module, under the name by which it is asked for; `module:` has none.
struct Module<'a> {
    key: Option<Key>,
    body: &'a Yaml,
}

/// Reads an `app_desc.yaml`.
pub(super) fn read(root: &Yaml, given: Given<'_>, mut draft: Draft) -> Imported {
    draft.profile(PROFILE);
    if root.map().is_none() {
        root.wrong_type("the application's description", "a map", &mut draft.problems);
        return draft.finish();
    }
    let Some(version) = version(root, &mut draft) else { return draft.finish() };
    if let Some(app) = root.get("app").and_then(|app| either(app, "bk_app_code", "bkAppCode")).or_else(|| root.get("app_code")) {
        draft.app(app);
    }
    let modules = modules(root, version, &mut draft);
    let several = modules.len() > 1;
    let Some(wanted) = wanted(modules, given.module, &mut draft) else { return draft.finish() };
    for module in wanted {
        self::module(&module, several, version, &mut draft);
    }
    if draft.manifest.hooks.is_empty() {
        draft.remark("The Pre-release command is not configured, skip the Pre-release phase.");
    }
    draft.finish()
}

/// The value under either spelling of a key.
fn either<'a>(map: &'a Yaml, snake: &str, camel: &str) -> Option<&'a Yaml> {
    map.get(snake).or_else(|| map.get(camel))
}

/// `spec_version`: 1, 2 or 3.
fn version(root: &Yaml, draft: &mut Draft) -> Option<u8> {
    const HELP: &str = "write `spec_version: 2` (one `module`, or a map of `modules`) or `specVersion: 3` (a list of `modules`)";
    let Some(written) = either(root, "spec_version", "specVersion").filter(|written| !written.is_unset()) else {
        // Before there were versions, descriptions had a code and no modules.
        if root.get("app_code").is_some() {
            return Some(1);
        }
        draft.error(&root.span, codes::MISSING_KEY, "the description lacks `spec_version`", HELP);
        return None;
    };
    match written.text() {
        Some("1") => Some(1),
        Some("2") => Some(2),
        Some("3") => Some(3),
        Some(other) => {
            draft.error(&written.span, codes::BAD_VALUE, format!("`spec_version` is 1, 2 or 3, and not {}", quote(other)), HELP);
            None
        }
        None => {
            written.wrong_type("spec_version", "1, 2 or 3", &mut draft.problems);
            None
        }
    }
}

/// Every module: those of `modules`, be it a map or a list, then `module`.
fn modules<'a>(root: &'a Yaml, version: u8, draft: &mut Draft) -> Vec<Module<'a>> {
    let mut modules = Vec::new();
    match root.get("modules").map(|modules| (modules, &modules.value)) {
        None | Some((_, YamlValue::Null)) => {}
        Some((_, YamlValue::Map(keys))) => modules.extend(keys.iter().map(|(key, body)| Module { key: Some(key.clone()), body })),
        Some((_, YamlValue::List(items))) => {
            for body in items {
                match body.get("name").and_then(|name| Some((name.text()?, name.span.clone()))) {
                    Some((name, span)) => modules.push(Module { key: Some(Key { name: name.to_owned(), span }), body }),
                    None => draft.error(&body.span, codes::MISSING_KEY, "a module lacks its `name`", "name it: `- name: web`"),
                }
            }
        }
        Some((written, YamlValue::Text(_))) => written.wrong_type("modules", "a map or a list of modules", &mut draft.problems),
    }
    for module in &modules {
        module_name(module, draft);
    }
    if let Some(body) = root.get("module").filter(|body| !body.is_unset()) {
        modules.push(Module { key: None, body });
    }
    // The first version had no modules, and no hooks.
    if modules.is_empty() && version > 1 {
        draft.error(&root.span, codes::MISSING_KEY, "the description has no module", "write `module:`, or `modules:` with one of them");
    }
    modules
}

fn module_name(module: &Module<'_>, draft: &mut Draft) {
    let Some(key) = module.key.as_ref().filter(|key| key.name.is_empty() || key.name.chars().count() > MAX_MODULE) else { return };
    let message = format!("the module name {} is not of 1 to {MAX_MODULE} characters", quote(&key.name));
    draft.error(&key.span, codes::BAD_NAME, message, "shorten it");
}

/// The module that was asked for: by its name in `modules`, else `module`; all of them if none was asked for.
fn wanted<'a>(mut modules: Vec<Module<'a>>, name: Option<&str>, draft: &mut Draft) -> Option<Vec<Module<'a>>> {
    let Some(name) = name else { return Some(modules) };
    let named = |module: &Module<'_>| module.key.as_ref().is_some_and(|key| key.name == name);
    let found = modules.iter().position(named).or_else(|| modules.iter().position(|module| module.key.is_none()));
    let Some(found) = found else {
        let known: Vec<_> = modules.iter().filter_map(|module| Some(quote(&module.key.as_ref()?.name))).collect();
        let message = format!("there is no module {}, and no `module` that stands for all", quote(name));
        draft.error(&(0..0), codes::UNKNOWN_SERVICE, message, format!("its modules are: {}", known.join(", ")));
        return None;
    };
    Some(vec![modules.swap_remove(found)])
}

/// One module: its hook, where it starts, and its variables.
fn module(module: &Module<'_>, several: bool, version: u8, draft: &mut Draft) {
    if module.body.map().is_none() {
        if !module.body.is_unset() {
            module.body.wrong_type("the module", "a map", &mut draft.problems);
        }
        return;
    }
    processes(module.body, draft);
    let variables = variables(module.body, draft);
    let source = source_dir(module.body, draft);
    let service = module.key.as_ref().filter(|_| several).map(|key| draft.service(key));
    if let Some(Some(service)) = &service {
        draft.manifest.services.push(service.clone());
    }
    let (Some(command), Some(source)) = (command(module.body, version, draft), source) else {
        // Without a hook they are the application's business.
        return;
    };
    let at = command.at.clone();
    let id = module.key.as_ref().filter(|_| several).map_or_else(|| PHASE.to_owned(), |key| format!("{}-{PHASE}", key.name));
    let cwd = Some(source).filter(|folder| !folder.is_empty()).map(|folder| Located { value: folder, at: at.clone() });
    for (name, value) in variables.iter().filter(|_| !several) {
        draft.variable(name.clone(), value.clone());
    }
    let set: Vec<_> = variables.into_iter().filter(|(name, _)| several && draft.can_be_variable(name)).collect();
    let Some(hook) = draft.hook(&id, PHASE, command) else { return };
    hook.label = Some("Pre-release command".to_owned());
    hook.service = service.flatten();
    hook.cwd = cwd;
    hook.set = set;
    hook.dirs.push(dir(".", None, &at));
}

/// Where the module's code lies: it must not leave the repository.
fn source_dir(module: &Yaml, draft: &mut Draft) -> Option<String> {
    let Some(written) = either(module, "source_dir", "sourceDir").filter(|written| !written.is_unset()) else { return Some(String::new()) };
    let Some(text) = written.text() else {
        written.wrong_type("source_dir", "a folder", &mut draft.problems);
        return None;
    };
    let folder = Some(text).filter(|text| !text.starts_with('/')).and_then(below_root);
    if folder.is_none() {
        let message = format!("the source directory {} leaves the repository", quote(text));
        draft.error(&written.span, codes::ESCAPES_ROOT, message, "name a folder below it");
    }
    folder
}

/// The names of processes, by the platform's rule.
fn processes(module: &Yaml, draft: &mut Draft) {
    let written = module.get("processes").or_else(|| module.get("spec").and_then(|spec| spec.get("processes")));
    let names: Vec<(String, std::ops::Range<usize>)> = match written.map(|written| &written.value) {
        Some(YamlValue::Map(keys)) => keys.iter().map(|(key, _)| (key.name.clone(), key.span.clone())).collect(),
        Some(YamlValue::List(items)) => {
            items.iter().filter_map(|item| item.get("name")).filter_map(|name| Some((name.text()?.to_owned(), name.span.clone()))).collect()
        }
        _ => Vec::new(),
    };
    for (name, span) in names {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name = name.starts_with(good) && name.chars().all(|c| good(c) || c == '-') && name.len() <= MAX_PROCESS;
        if !is_name {
            let message = format!(
                "the process name {} breaks the platform's rule: at most {MAX_PROCESS} of a-z, 0-9 and `-`, not beginning with `-`",
                quote(&name)
            );
            draft.error(&span, codes::BAD_NAME, message, "rename the process");
        }
    }
}

/// The module's own variables, without those of a single environment.
fn variables(module: &Yaml, draft: &mut Draft) -> Vec<(Located<String>, String)> {
    let spec = module.get("spec");
    let lists = [
        either(module, "env_variables", "envVariables"),
        spec.and_then(|spec| spec.get("configuration")).and_then(|configuration| configuration.get("env")),
    ];
    let mut variables = Vec::new();
    for item in lists.into_iter().flatten().filter_map(Yaml::list).flatten() {
        let name = item.get("key").or_else(|| item.get("name"));
        let (Some(name), Some(value)) =
            (name.and_then(|name| Some(name.located(name.text()?.to_owned(), &draft.problems))), item.get("value"))
        else {
            draft.lost(&item.span, "a variable without a name and a value is left out", "write `- {key: NAME, value: VALUE}`");
            continue;
        };
        match either(item, "environment_name", "environmentName").and_then(Yaml::text).filter(|stage| *stage != "_global_") {
            Some(stage) => {
                let message = format!("{} is for the environment {} alone and is left out", quote(&name.value), quote(stage));
                draft.lost(&item.span, message, "give it with --env-file where that environment is deployed");
            }
            None => variables.push((name, value.text().unwrap_or_default().to_owned())),
        }
    }
    for item in spec
        .and_then(|spec| spec.get("envOverlay"))
        .and_then(|overlay| overlay.get("envVariables"))
        .and_then(Yaml::list)
        .unwrap_or_default()
    {
        let name = item.get("name").and_then(Yaml::text).unwrap_or_default();
        draft.lost(
            &item.span,
            format!("{} is for a single environment and is left out", quote(name)),
            "give it with --env-file where that environment is deployed",
        );
    }
    variables
}

/// The pre-release command, where the version writes it.
fn command(module: &Yaml, version: u8, draft: &mut Draft) -> Option<Located<GuestDecl>> {
    let scripts = module.get("scripts").filter(|scripts| !scripts.is_unset());
    let hooks = module.get("spec").and_then(|spec| spec.get("hooks")).filter(|hooks| !hooks.is_unset());
    let (here, elsewhere, way) = if version == 3 {
        (hooks, scripts, "version 3 writes it as `spec.hooks.preRelease`")
    } else {
        (scripts, hooks, "versions 1 and 2 write it as `scripts.pre_release_hook`")
    };
    if let Some(elsewhere) = elsewhere {
        draft.error(&elsewhere.span, codes::UNKNOWN_KEY, "the platform doesn't read hooks from here", way);
    }
    let here = here?;
    let known = if version == 3 { "preRelease" } else { "pre_release_hook" };
    let Some(keys) = here.map() else {
        here.wrong_type(if version == 3 { "hooks" } else { "scripts" }, "a map", &mut draft.problems);
        return None;
    };
    for (key, _) in
        keys.iter().filter(|(key, _)| key.name != known && nearest(&key.name.to_lowercase(), [known.to_lowercase().as_str()]).is_some())
    {
        let message = format!("{} looks like a hook and is none: nothing of it runs", quote(&key.name));
        draft.warning(&key.span, codes::UNKNOWN_KEY, message, format!("did you mean `{known}`?"));
    }
    let written = here.get(known).filter(|written| !written.is_unset())?;
    if version == 3 { structured(written, draft) } else { text_command(known, written, draft) }
}

/// `preRelease`: `procCommand`, or `command` and `args`.
fn structured(written: &Yaml, draft: &mut Draft) -> Option<Located<GuestDecl>> {
    if written.map().is_none() {
        written.wrong_type("preRelease", "a map with `procCommand`, or with `command` and `args`", &mut draft.problems);
        return None;
    }
    let part = |key: &str| written.get(key).filter(|part| !part.is_unset());
    match (part("procCommand"), part("command"), part("args")) {
        (Some(line), None, None) => text_command("procCommand", line, draft),
        (None, command, rest) if command.or(rest).is_some() => {
            let mut argv = words("command", command, draft)?;
            argv.extend(words("args", rest, draft)?);
            let at = command.or(rest).unwrap_or(written);
            let refused = argv.first().filter(|program| program.starts_with("start")).map(|_| START);
            let several = argv.iter().any(|word| word.contains(['\n', '\r'])).then_some("an argument holds several lines");
            match refused.or(several).or(argv.is_empty().then_some("the command is empty")) {
                Some(rule) => {
                    draft.error(
                        &at.span,
                        codes::BAD_VALUE,
                        format!("`preRelease`: {rule}"),
                        "name another program, or put it into a script",
                    );
                    None
                }
                None => Some(at.located(GuestDecl::Native { argv, shell: false }, &draft.problems)),
            }
        }
        (Some(line), ..) => {
            draft.error(
                &line.span,
                codes::GUEST_CHOICE,
                "`preRelease` has both `procCommand` and `command` or `args`",
                "keep one of the two",
            );
            None
        }
        _ => {
            let message = "`preRelease` has neither `procCommand` nor `command`";
            draft.error(&written.span, codes::GUEST_CHOICE, message, "write `procCommand: \"…\"`, or remove `preRelease`");
            None
        }
    }
}

/// A list of words; nothing is none.
fn words(key: &str, written: Option<&Yaml>, draft: &mut Draft) -> Option<Vec<String>> {
    let Some(written) = written else { return Some(Vec::new()) };
    let words = written.list().map(|items| items.iter().map(|item| item.text().map(str::to_owned)).collect::<Option<Vec<_>>>());
    if let Some(Some(words)) = words {
        return Some(words);
    }
    written.wrong_type(key, "a list of words", &mut draft.problems);
    None
}

const START: &str = "it begins with `start`, which the platform keeps for its own processes";

/// A command in one text.
fn text_command(key: &str, written: &Yaml, draft: &mut Draft) -> Option<Located<GuestDecl>> {
    let Some(text) = written.text().map(str::trim) else {
        written.wrong_type(key, "one command, as a text", &mut draft.problems);
        return None;
    };
    let read = if text.starts_with("start") {
        Err((START.to_owned(), "name another program, or put it into a script"))
    } else {
        single_command(text)
    };
    match read {
        Ok(guest) => Some(written.located(guest, &draft.problems)),
        Err((rule, help)) => {
            draft.error(&written.span, codes::BAD_VALUE, format!("{}: {rule}", quote(key)), help);
            None
        }
    }
}
