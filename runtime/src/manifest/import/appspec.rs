//! An App Platform spec: variables at the top and under each component, which may describe jobs, and the platform's own `jobs`.

use super::draft::{Draft, below_root, dir};
use super::job::{PROFILE, Variables, is_command, jobs};
use super::shell::shell_line;
use super::{Given, Imported, recognise};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::yaml::{Key, Yaml, YamlValue};
use crate::document::{quote, suggest};
use crate::model::id::ServiceName;
use std::collections::BTreeMap;

/// The lists of components that a spec may have.
const COMPONENTS: &[&str] = &["services", "workers", "static_sites", "functions"];
/// The kinds of the platform's jobs, with their phases; a job without one runs after the deploy.
const KINDS: &[(&str, &str)] = &[
    ("PRE_DEPLOY", "pre-deploy"),
    ("POST_DEPLOY", "post-deploy"),
    ("FAILED_DEPLOY", "on-failure"),
    ("UNSPECIFIED", "post-deploy"),
    ("", "post-deploy"),
];
/// Kinds that no phase stands for.
const OTHER_KINDS: &[&str] = &["SCHEDULED"];

/// Reads an app spec.
pub(super) fn read(root: &Yaml, given: Given<'_>, mut draft: Draft) -> Imported {
    draft.profile(PROFILE);
    if let Some(neighbour) = recognise::not_an_app_spec(root) {
        draft.error(&(0..0), codes::FOREIGN_FORMAT, neighbour.refusal(), neighbour.help);
        return draft.finish();
    }
    let spec = root.get("spec").unwrap_or(root);
    if spec.map().is_none() {
        if !spec.is_unset() {
            spec.wrong_type("the spec", "a map", &mut draft.problems);
        }
        return draft.finish();
    }
    if let Some(name) = spec.get("name") {
        draft.app(name);
    }
    Reader { given, draft }.spec(spec)
}

struct Reader<'a> {
    given: Given<'a>,
    draft: Draft,
}

/// A component with its variables.
struct Component {
    key: Key,
    variables: Variables,
}

impl Reader<'_> {
    fn spec(mut self, spec: &Yaml) -> Imported {
        let top = self.variables(spec);
        let mut components: Vec<Component> = COMPONENTS.iter().flat_map(|list| self.components(spec, list)).collect();
        if let Some(wanted) = self.given.module {
            self.only(&mut components, wanted);
        }
        self.platform_jobs(spec);
        self.described_jobs(&top, &components);
        self.app_environment(&top, &components);
        self.hints(&top, &components);
        self.draft.finish()
    }

    /// The components of one list.
    fn components(&mut self, spec: &Yaml, list: &str) -> Vec<Component> {
        let Some(written) = spec.get(list).filter(|written| !written.is_unset()) else { return Vec::new() };
        let Some(items) = written.list() else {
            written.wrong_type(list, "a list", &mut self.draft.problems);
            return Vec::new();
        };
        let mut components = Vec::new();
        for item in items {
            let name = item.get("name").and_then(|name| Some(Key { name: name.text()?.to_owned(), span: name.span.clone() }));
            match name {
                Some(key) => components.push(Component { key, variables: self.variables(item) }),
                None => self.draft.error(
                    &item.span,
                    codes::MISSING_KEY,
                    format!("a component of {} lacks its `name`", quote(list)),
                    "name it: `- name: web`",
                ),
            }
        }
        components
    }

    fn only(&mut self, components: &mut Vec<Component>, wanted: &str) {
        let known: Vec<String> = components.iter().map(|component| component.key.name.clone()).collect();
        components.retain(|component| component.key.name == wanted);
        if components.is_empty() {
            let help = suggest(wanted, known.iter().map(String::as_str));
            self.draft.error(&(0..0), codes::UNKNOWN_SERVICE, format!("the spec has no component {}", quote(wanted)), help);
        }
    }

    /// `envs`: a list of `{key, value}`.
    fn variables(&mut self, holder: &Yaml) -> Variables {
        let mut variables = Variables::default();
        let Some(written) = holder.get("envs").filter(|written| !written.is_unset()) else { return variables };
        let Some(items) = written.list() else {
            written.wrong_type("envs", "a list of `{key, value}`", &mut self.draft.problems);
            return variables;
        };
        for item in items {
            let Some(key) = item.get("key").and_then(Yaml::text) else {
                self.draft.error(&item.span, codes::MISSING_KEY, "a variable lacks its `key`", "write `- {key: NAME, value: \"…\"}`");
                continue;
            };
            let is_secret = item.get("type").and_then(Yaml::text).is_some_and(|kind| kind.eq_ignore_ascii_case("SECRET"));
            match item.get("value") {
                _ if is_secret => self.draft.lost(
                    &item.span,
                    format!("{} is a secret of the platform and is left out", quote(key)),
                    "give it with --env-file or --from-env",
                ),
                None => self.draft.lost(
                    &item.span,
                    format!("{} has no value here and is left out", quote(key)),
                    "give it with --env-file or --from-env",
                ),
                Some(value) => match &value.value {
                    YamlValue::Text(text) => {
                        if let Some(filled) = self.filled(key, text, value) {
                            variables.0.insert(key.to_owned(), value.located(filled, &self.draft.problems));
                        }
                    }
                    YamlValue::Null => _ = variables.0.insert(key.to_owned(), value.located(String::new(), &self.draft.problems)),
                    YamlValue::List(_) | YamlValue::Map(_) => value.wrong_type(key, "one value", &mut self.draft.problems),
                },
            }
        }
        variables
    }

    /// A value with its placeholders filled in from the environment; `None` and a report if one can't be. A command's are its shell's.
    fn filled(&mut self, key: &str, text: &str, value: &Yaml) -> Option<String> {
        let is_command = is_command(key);
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            filled.push_str(before);
            let is_shell_name = crate::manifest::rules::variable_name(name).is_ok();
            match self.given.environment.and_then(|environment| environment.get(name)) {
                _ if is_command && is_shell_name => filled.extend(["${", name, "}"]),
                Some(known) if !is_command => filled.push_str(known),
                _ => {
                    let message = format!(
                        "{} holds {}, which only the platform fills in: it is left out",
                        quote(key),
                        quote(&format!("${{{name}}}"))
                    );
                    self.draft.lost(&value.span, message, "give the variable with --env-file, or the placeholder's value with --from-env");
                    return None;
                }
            }
            rest = behind;
        }
        Some(filled + rest)
    }

    /// The platform's own jobs.
    fn platform_jobs(&mut self, spec: &Yaml) {
        let Some(written) = spec.get("jobs").filter(|written| !written.is_unset()) else { return };
        let Some(items) = written.list() else { return written.wrong_type("jobs", "a list", &mut self.draft.problems) };
        for item in items {
            self.platform_job(item);
        }
    }

    fn platform_job(&mut self, item: &Yaml) {
        let kind = item.get("kind").and_then(Yaml::text).unwrap_or_default();
        let name = item.get("name").and_then(Yaml::text).unwrap_or("job");
        let Some((_, phase)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            let at = item.get("kind").map_or(&item.span, |kind| &kind.span);
            if OTHER_KINDS.contains(&kind) {
                return self.draft.lost(
                    at,
                    format!("the job {} is of the kind {kind}, which no phase stands for: it doesn't run", quote(name)),
                    "run it from a timer of the system",
                );
            }
            let known = KINDS.iter().map(|(known, _)| *known).chain(OTHER_KINDS.iter().copied()).filter(|known| !known.is_empty());
            return self.draft.error(
                at,
                codes::BAD_VALUE,
                format!("{} is no kind of job", quote(kind)),
                suggest(kind, known.collect::<Vec<_>>()),
            );
        };
        let Some(command) = item.get("run_command").filter(|command| !command.is_unset()) else {
            return self.draft.lost(
                &item.span,
                format!("the job {} has no `run_command`: its image would say what it runs", quote(name)),
                "write a hook for it",
            );
        };
        let Some(line) = command.text() else {
            return command.wrong_type("run_command", "one command, as a text", &mut self.draft.problems);
        };
        let Some(cwd) = self.source_dir(item) else { return };
        let set = self.variables(item);
        let set: Vec<(Located<String>, String)> = self.as_set(&set);
        let enabled = item.get("instance_count").and_then(Yaml::text) != Some("0");
        let at = self.draft.problems.at(command.span.clone());
        let guest = Located { value: shell_line(line.trim()), at: at.clone() };
        let Some(hook) = self.draft.hook(name, phase, guest) else { return };
        hook.label = Some(name.to_owned());
        hook.cwd = cwd;
        hook.set = set;
        hook.enabled = enabled;
        hook.dirs.push(dir(".", None, &at));
    }

    #[expect(clippy::option_option, reason = "refused, absent, present")]
    fn source_dir(&mut self, item: &Yaml) -> Option<Option<Located<String>>> {
        let Some(written) = item.get("source_dir").filter(|written| !written.is_unset()) else { return Some(None) };
        let folder = written.text().and_then(below_root);
        if folder.is_none() {
            self.draft.error(
                &written.span,
                codes::ESCAPES_ROOT,
                "the job's folder lies outside of the repository",
                "name a folder below it",
            );
        }
        Some(Some(written.located(folder?, &self.draft.problems)).filter(|folder| !folder.value.is_empty()))
    }

    /// The jobs that variables describe: those of each component that describes its own, and those of the whole spec.
    fn described_jobs(&mut self, top: &Variables, components: &[Component]) {
        let own: Vec<&Component> = components.iter().filter(|component| component.variables.describe_jobs()).collect();
        if own.is_empty() || (own.len() < components.len() && top.describe_jobs()) {
            jobs(&joined(top, (components.len() == 1).then_some(components).into_iter().flatten()), None, &mut self.draft);
        }
        for component in own {
            let service = self.service(component, components.len());
            let first = self.draft.manifest.hooks.len();
            jobs(&joined(top, [component]), service.as_ref(), &mut self.draft);
            let set = if components.len() > 1 { self.as_set(&component.variables) } else { Vec::new() };
            for hook in &mut self.draft.manifest.hooks[first..] {
                hook.set.clone_from(&set);
            }
        }
    }

    /// A component's name as a service, where there are several.
    fn service(&mut self, component: &Component, count: usize) -> Option<Located<ServiceName>> {
        if count < 2 {
            return None;
        }
        let service = self.draft.service(&component.key)?;
        self.draft.manifest.services.push(service.clone());
        Some(service)
    }

    /// The variables of the whole application: those at the top, and those of its only component.
    fn app_environment(&mut self, top: &Variables, components: &[Component]) {
        let only = (components.len() == 1).then_some(components).into_iter().flatten();
        let mut all: Vec<_> = joined(top, only).0.into_iter().collect();
        all.sort_by_key(|(_, value)| value.at.span.start);
        for (name, value) in all {
            self.draft.variable(Located { value: name, at: value.at }, value.value);
        }
    }

    fn as_set(&mut self, variables: &Variables) -> Vec<(Located<String>, String)> {
        let named: Vec<_> =
            variables.0.iter().map(|(name, value)| (Located { value: name.clone(), at: value.at.clone() }, value.value.clone())).collect();
        named.into_iter().filter(|(name, _)| self.draft.can_be_variable(name)).collect()
    }

    /// What belongs to whoever follows the repository and starts the application.
    fn hints(&mut self, top: &Variables, components: &[Component]) {
        let all = joined(top, components);
        let hint = |name: &str| all.0.get(name).filter(|value| !value.value.trim().is_empty());
        let mut hints = Vec::new();
        if let Some(url) = hint("GITHUB_REPO_URL") {
            hints.push(format!("GITHUB_REPO_URL is {}: hooks run in a working copy of it, given with -C", quote(&url.value)));
        }
        if let Some(start) = hint("DEV_START_COMMAND") {
            let line = shell_words::join(["sh", "-c", start.value.trim()]);
            hints.push(format!("DEV_START_COMMAND starts the application: `wasmhook watch -- {line}`"));
        }
        for hint in hints {
            self.draft.remark(crate::diagnostic::visible(&hint).to_string());
        }
        if !self.draft.manifest.hooks.is_empty() {
            self.draft.remark("its commands are shell lines, as on the platform: `shell = true`");
        }
    }
}

/// The variables of the spec with those of components over them.
fn joined<'a>(top: &Variables, components: impl IntoIterator<Item = &'a Component>) -> Variables {
    let own = components.into_iter().flat_map(|component| component.variables.0.clone());
    Variables(top.0.clone().into_iter().chain(own).collect::<BTreeMap<_, _>>())
}

/// Says of each folder that holds jobs by convention, and that nothing names, that nothing in it runs.
#[must_use]
pub(crate) fn unused_job_folders(hooks: &[crate::manifest::HookDecl], folders: &[&str]) -> Vec<Diagnostic> {
    let is_used = |folder: &str| hooks.iter().filter_map(|hook| hook.cwd.as_ref()).any(|cwd| cwd.value == folder);
    let unused = folders.iter().filter(|folder| !is_used(folder));
    unused
        .map(|folder| {
            Diagnostic::warning(codes::NO_EFFECT, format!("nothing in {} runs: no job names that folder", quote(folder)))
                .help("set PRE_DEPLOY_FOLDER and PRE_DEPLOY_COMMAND, or POST_DEPLOY_FOLDER and POST_DEPLOY_COMMAND")
        })
        .collect()
}
