//! TOML → [`Profile`]: which keys each table has, and what a profile can't say.

use super::{
    Alias, CommandRules, DefaultHook, DiscoveredDir, Discovery, Fact, FactPolicy, ForbiddenPrefix, HostPolicy, Lines, PhaseDialect,
    PhasePolicy, Profile, ProfileLimits, ProfileStep, ProfileStepKind, ProfileWatch, Prompt, RunDialect, Target,
};
use crate::diagnostic::{Diagnostic, codes};
use crate::document::{Fields, Form, Problems, Read, Table, Value, document, quote, suggest, word_form, words};
use crate::model::grant::DirMode;
use crate::model::id::StepName;
use crate::model::policy::{Background, When};
use crate::model::units::{UnitError, parse_duration, parse_size};
use schemars::generate::SchemaSettings;
use serde::Serialize;
use std::collections::HashSet;

document!(Profile, "the profile", {
    schema: version, name: required, description: required, on_locked: required, stale_after: optional, on_unknown: required, env: optional, cwd: optional,
    sandbox: optional, default_mode: required, default_phase: optional, limits: optional, discovery: optional, target: optional,
    marker: optional, commit_file: optional, watch: optional, shell: optional, commands: optional, aliases as "alias": optional, default_hooks as "default_hook": optional,
    dialect: optional, steps as "step": required,
} check profile);

document!(RunDialect, "`[dialect]`", {
    begin: optional, unchanged: optional, success: optional, failed: optional, locked: optional, warning: optional, commit: optional, waiting: optional, response: optional,
    response_failed: optional,
} check run_dialect);

document!(PhaseDialect, "`dialect`" like "{ heading = \"jobs\" }", {
    heading: optional, empty: optional, prefix: optional, begin: optional, done: optional, skipped: optional, exit: optional,
    timed_out: optional, failed: optional, tolerated: optional, aborted: optional, aborted_at_start: optional, interrupted: optional,
} check phase_dialect);

document!(ProfileWatch, "`[watch]`", {
    interval: optional, interval_variable: optional, backoff: optional, fetch_timeout: optional,
} check watch);

document!(CommandRules, "`[commands]`", {
    forbid_word: optional, forbid_prefix: optional, single_line: optional, single_command: optional, expand_env: optional,
    suggest_script: optional, warn_not_executable: optional, prompts: optional,
});

document!(ForbiddenPrefix, "`forbid_prefix`" like "{ prefix = {}, files = [\"app.yaml\"] }", { prefix: required, files: required });

document!(Prompt, "`prompts`" like "{ command = {}, unless = \"--yes\" }", { command: required, unless: required });

document!(DefaultHook, "`[[default_hook]]`", {
    id: required, phase: required, label: optional, run: required, when_file: optional, note: optional, dirs: optional,
} check default_hook);

document!(Alias, "`[[alias]]`", { path: required, dir: required } check alias);

document!(Discovery, "`[discovery]`", {
    folder: required, default_phase: required, extensions: required, dirs: optional, env: optional,
} check discovery);

document!(DiscoveredDir, "`dirs`" like "{ path = {}, mode = \"read\" }", { path: required, mode: required } check discovered_dir);

document!(PhasePolicy, "a phase", {
    title: required, about: optional, defined_in: optional, on_failure: optional, on_timeout: optional, gate: optional, scope: optional,
    files: optional, background: optional, always: optional, when: optional, after_failure: optional, env: optional, dirs: optional, app_read_only: optional, app_wide: optional,
    warn_default_timeout: optional, start_timeout: optional, limits: optional, lines: optional, dialect: optional, left_half_way: optional,
} check phase);

document!(HostPolicy, "a host step", {
    on_failure: optional, always: optional, makes_live: optional, resume: optional, limits: optional, lines: optional,
    left_half_way: optional,
});

document!(FactPolicy, "a fact", { fact: required });

document!(Lines, "`lines`" like "{ done = \"{file} done\" }", { begin: optional, done: optional, failed: optional, tolerated: optional });

impl Read for Target {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        words(&[Self::WorkTree, Self::NewestTag], value, problems)
    }

    fn form(_: Option<&str>) -> Form {
        word_form(&[Self::WorkTree])
    }
}

impl Read for Fact {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        words(&[Self::Fetch, Self::Target], value, problems)
    }

    fn form(_: Option<&str>) -> Form {
        word_form(&[Self::Fetch])
    }
}

/// The word that says what a step is, and so which other keys it has.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Phase,
    Host,
    Fact,
}

impl Read for Kind {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        words(&[Self::Phase, Self::Host, Self::Fact], value, problems)
    }

    fn form(_: Option<&str>) -> Form {
        word_form(&[Self::Phase])
    }
}

impl Read for ProfileStep {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open::<Self>("`[[step]]`", value, problems)?;
        let name: Option<StepName> = table.required("name", problems);
        // Which keys are unknown can't be told of a step of unknown kind.
        let kind = match table.required("kind", problems)? {
            Kind::Phase => PhasePolicy::read_fields(&mut table, problems).map(ProfileStepKind::Phase),
            Kind::Host => HostPolicy::read_fields(&mut table, problems).map(ProfileStepKind::Host),
            Kind::Fact => FactPolicy::read_fields(&mut table, problems).map(ProfileStepKind::Fact),
        };
        table.finish(problems);
        Some(Self { name: name?, kind: kind? })
    }

    fn form(_: Option<&str>) -> Form {
        Form::Header("[[step]]")
    }
}

impl Fields for ProfileLimits {
    const LABEL: &'static str = "`limits`";

    fn read_fields(table: &mut Table<'_>, problems: &mut Problems) -> Option<Self> {
        let limits = Self {
            timeout: table.optional("timeout", problems)?,
            grace: table.optional("grace", problems)?,
            memory: table.optional("memory", problems)?,
            fuel: table.optional("fuel", problems)?,
            output: table.optional("output", problems)?,
        };
        let duration = |text: &str| parse_duration(text).err();
        let size = |text: &str| parse_size(text).err();
        unit(("timeout", limits.timeout.as_deref()), duration, table, problems);
        unit(("grace", limits.grace.as_deref()), duration, table, problems);
        unit(("memory", limits.memory.as_deref()), size, table, problems);
        unit(("output", limits.output.as_deref()), size, table, problems);
        Some(limits)
    }
}

impl Read for ProfileLimits {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open::<Self>(Self::LABEL, value, problems)?;
        let limits = Self::read_fields(&mut table, problems);
        table.finish(problems);
        limits
    }

    fn form(_: Option<&str>) -> Form {
        Form::Value("{ timeout = \"5m\" }".to_owned())
    }
}

fn watch(read: &ProfileWatch, table: &Table<'_>, problems: &mut Problems) {
    for (key, text) in [("interval", &read.interval), ("backoff", &read.backoff), ("fetch_timeout", &read.fetch_timeout)] {
        unit((key, text.as_deref()), |text| parse_duration(text).err(), table, problems);
        if text.as_deref().and_then(|text| parse_duration(text).ok()).is_some_and(|time| time.is_zero()) {
            report(codes::BAD_VALUE, format!("`{key}` is longer than nothing"), key, table, problems);
        }
    }
}

fn unit((key, text): (&str, Option<&str>), wrong: fn(&str) -> Option<UnitError>, table: &Table<'_>, problems: &mut Problems) {
    if let Some(error) = text.and_then(wrong) {
        let bad = Diagnostic::error(codes::BAD_VALUE, format!("`{key}`: {error}"));
        problems.push(bad.at(problems.at(table.place(key))));
    }
}

fn report(code: &'static str, message: String, key: &str, table: &Table<'_>, problems: &mut Problems) {
    problems.push(Diagnostic::error(code, message).at(problems.at(table.place(key))));
}

fn profile(read: &Profile, table: &Table<'_>, problems: &mut Problems) {
    if read.steps.is_empty() {
        report(codes::BAD_VALUE, "a lifecycle has at least one `[[step]]`".to_owned(), "step", table, problems);
    }
    unit(("stale_after", read.stale_after.as_deref()), |text| parse_duration(text).err(), table, problems);
    if read.stale_after().is_some_and(|time| time.is_zero()) {
        let message = "`stale_after = \"0\"` would end each run that another one meets".to_owned();
        report(codes::BAD_VALUE, message, "stale_after", table, problems);
    }
    let mut names = HashSet::new();
    for (name, span) in table.texts("step", "name") {
        if !names.insert(name) {
            let twice = Diagnostic::error(codes::DUPLICATE_NAME, format!("two steps are named {}", quote(name)));
            problems.push(twice.at(problems.at(span)));
        }
    }
    if read.shell.first().is_some_and(|program| !program.starts_with('/')) {
        report(codes::BAD_PATH, "`shell` begins with the absolute path of a program".to_owned(), "shell", table, problems);
    }
    let default_phases = read.default_hooks.iter().map(|hook| ("default_hook", Some(&hook.phase)));
    let mentioned = [("default_phase", read.default_phase.as_ref()), ("discovery", read.discovery.as_ref().map(|d| &d.default_phase))];
    for (key, phase) in mentioned.into_iter().chain(default_phases) {
        if let Some(phase) = phase.filter(|phase| read.phases().all(|(name, _)| name != *phase)) {
            let help = suggest(phase.as_str(), read.phases().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
            let unknown = Diagnostic::error(codes::UNKNOWN_PHASE, format!("the profile has no phase {}", quote(phase.as_str())));
            problems.push(unknown.at(problems.at(table.place(key))).help(help));
        }
    }
    if read.commit_file.as_ref().is_some_and(|file| !file.starts_with('/') || file.ends_with('/')) {
        report(codes::BAD_PATH, "`commit_file` is the absolute path of a file".to_owned(), "commit_file", table, problems);
    }
    if let Some(marker) = &read.marker {
        below_root(marker, "marker", table, problems);
        if !marker.contains("{tag}") {
            report(codes::BAD_VALUE, "`marker` has no `{tag}`: one release would mark all".to_owned(), "marker", table, problems);
        }
    }
}

fn discovery(read: &Discovery, table: &Table<'_>, problems: &mut Problems) {
    below_root(&read.folder, "folder", table, problems);
    if read.extensions.is_empty() || read.extensions.iter().any(|extension| extension.is_empty() || extension.contains(['.', '/'])) {
        let message = "`extensions` lists file name endings without their dot: `[\"wasm\", \"sh\"]`".to_owned();
        report(codes::BAD_VALUE, message, "extensions", table, problems);
    }
}

/// The fields that a report has; a profile knows no reports, so they are named here, and a test compares.
pub(super) const REPORT_FIELDS: &[&str] = &[
    "schema",
    "status",
    "run_id",
    "app",
    "environment",
    "tag",
    "commit",
    "plan_digest",
    "dry_run",
    "new_version_live",
    "first_error",
    "warnings",
    "previous_version",
    "new_version",
    "migrations_run",
    "hooks_executed",
    "backup_path",
    "details",
    "steps",
    "hooks",
    "notices",
    "problems",
    "left_half_way",
    "resumes",
    "trigger",
    "would_change",
    "outside_path_attempts",
    "signal",
    "started_at",
    "ended_at",
];

fn run_dialect(read: &RunDialect, table: &Table<'_>, problems: &mut Problems) {
    templates(read.templates(), table, problems);
    for (key, fields) in [("response", &read.response), ("response_failed", &read.response_failed)] {
        for field in fields.iter().filter(|field| !REPORT_FIELDS.contains(&field.as_str())) {
            let help = suggest(field, REPORT_FIELDS.iter().copied());
            let unknown = Diagnostic::error(codes::BAD_VALUE, format!("a report has no field {}", quote(field)));
            problems.push(unknown.at(problems.at(table.place(key))).help(help));
        }
    }
}

fn phase_dialect(read: &PhaseDialect, table: &Table<'_>, problems: &mut Problems) {
    templates(read.templates(), table, problems);
}

/// Reports words in braces that nothing stands for.
fn templates<'a>(found: impl Iterator<Item = (&'a String, &'static [&'static str])>, table: &Table<'_>, problems: &mut Problems) {
    for (template, words) in found {
        for word in placeholders(template).filter(|word| !words.contains(word)) {
            let message = format!("{} knows {}, not {}", quote(template), words.join(", "), quote(word));
            report(codes::BAD_VALUE, message, "dialect", table, problems);
        }
    }
}

fn default_hook(read: &DefaultHook, table: &Table<'_>, problems: &mut Problems) {
    if read.run.first().is_none_or(String::is_empty) {
        report(codes::BAD_VALUE, "`run` is empty; it names a program".to_owned(), "run", table, problems);
    }
    if let Some(file) = &read.when_file {
        below_root(file, "when_file", table, problems);
    }
}

fn alias(read: &Alias, table: &Table<'_>, problems: &mut Problems) {
    if !read.path.starts_with('/') || read.path.len() < 2 || read.path.ends_with('/') {
        let message = "an alias is an absolute path other than `/`, without a slash at its end".to_owned();
        report(codes::BAD_PATH, message, "path", table, problems);
    }
    if !["$APP_DIR", "$DATA_DIR"]
        .iter()
        .any(|root| read.dir.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        report(
            codes::BAD_PATH,
            "an alias stands for `$APP_DIR`, `$DATA_DIR`, or a path below one of them".to_owned(),
            "dir",
            table,
            problems,
        );
    }
}

fn discovered_dir(read: &DiscoveredDir, table: &Table<'_>, problems: &mut Problems) {
    match read.mode {
        DirMode::Read | DirMode::Write | DirMode::Txn | DirMode::Discard => {}
        DirMode::Scratch => {
            report(
                codes::NO_EFFECT,
                "`scratch` reaches no directory of the host, and `path` names one".to_owned(),
                "mode",
                table,
                problems,
            );
        }
    }
}

fn phase(read: &PhasePolicy, table: &Table<'_>, problems: &mut Problems) {
    if read.always && read.when == When::Succeeded {
        let message = "a phase that runs where everything succeeded can't run after an abort too".to_owned();
        report(codes::BAD_VALUE, message, "always", table, problems);
    }
    if read.background != Background::No && (read.always || read.when == When::Failed) {
        let message = "a phase that runs after an abort is waited for: nothing comes after it that could run meanwhile".to_owned();
        report(codes::BAD_VALUE, message, "background", table, problems);
    }
    unit(("start_timeout", read.start_timeout.as_deref()), |text| parse_duration(text).err(), table, problems);
    if read.start_timeout().is_some_and(|time| time.is_zero()) {
        report(codes::BAD_VALUE, "`start_timeout = \"0\"` lets nothing start".to_owned(), "start_timeout", table, problems);
    }
    let lines = &read.lines;
    for template in [&lines.begin, &lines.done, &lines.failed, &lines.tolerated].into_iter().flatten() {
        for word in placeholders(template).filter(|word| !["title", "file", "cause"].contains(word)) {
            let message = format!("a phase's line knows {{title}}, {{file}} and {{cause}}, not {}", quote(word));
            report(codes::BAD_VALUE, message, "lines", table, problems);
        }
    }
}

/// The words in braces.
fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|after| after.split_once('}')).map(|(word, _)| word)
}

fn below_root(path: &str, key: &str, table: &Table<'_>, problems: &mut Problems) {
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        report(codes::ESCAPES_ROOT, format!("{} does not lie below the application's root", quote(path)), key, table, problems);
    }
}

/// The JSON Schema of a profile.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Profile>().into()
}
