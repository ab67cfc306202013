//! The tables of `wasmhook.toml` as they are written: the one list of keys, which the reader reads and the JSON Schema is made from.
//! What a combination of keys means is decided where they become a [`Manifest`](super::Manifest).

use super::leaf::CommandLine;
use crate::diagnostic::Located;
use crate::document::{DurationText, Form, Pairs, Problems, Read, SizeText, Table, Value, document};
use crate::model::backup::LastingEffect;
use crate::model::grant::DirMode;
use crate::model::id::{AppName, HookId, ServiceName, SourceName, StepName};
use crate::model::policy::{FallbackWhen, OnChange, Resume, Sandbox};
use crate::model::wait::WaitFor;
use schemars::{JsonSchema, generate::SchemaSettings};

/// `wasmhook.toml`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "wasmhook.toml")]
pub(super) struct ManifestDoc {
    /// The version of this format: 1.
    #[schemars(extend("const" = 1))]
    #[expect(dead_code, reason = "reading it was the check")]
    pub(super) schema: u32,
    /// The application.
    pub(super) app: Option<Located<AppName>>,
    /// A built-in profile's name, or the path of a profile file.
    pub(super) profile: Option<Located<String>>,
    /// Root of the application, relative to this file's directory; `.` if absent.
    pub(super) app_dir: Option<Located<String>>,
    /// Where the application keeps its data, relative to this file's directory.
    pub(super) data_dir: Option<Located<String>>,
    /// App environment.
    #[schemars(default)]
    pub(super) env: Pairs<String>,
    /// A file of `KEY=value` lines with more of it.
    pub(super) env_file: Option<Located<String>>,
    /// Services.
    #[schemars(default)]
    pub(super) services: Pairs<ServiceDoc>,
    /// Repositories that hooks come from, apart from the application's own.
    #[schemars(default)]
    pub(super) source: Pairs<SourceDoc>,
    /// The operator's ceiling, where one file serves both.
    pub(super) policy: Option<Located<PolicyDoc>>,
    /// The operator's commands, where one file serves both.
    #[schemars(default)]
    pub(super) host_step: Pairs<HostStepDoc>,
    /// Hooks, in order.
    #[schemars(default)]
    pub(super) hook: Vec<Located<HookDoc>>,
}
document!(ManifestDoc, "the manifest", {
    schema: version, app: optional, profile: optional, app_dir: optional, data_dir: optional, env: optional, env_file: optional,
    services: optional, source: optional, policy: optional, host_step: optional, hook: optional,
});

/// A policy file: what an operator allows, apart from what a repository asks for.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Policy file")]
pub(super) struct PolicyFileDoc {
    /// The version of this format: 1.
    #[schemars(extend("const" = 1))]
    #[expect(dead_code, reason = "reading it was the check")]
    pub(super) schema: u32,
    /// The ceiling.
    pub(super) policy: Option<Located<PolicyDoc>>,
    /// The operator's commands.
    #[schemars(default)]
    pub(super) host_step: Pairs<HostStepDoc>,
}
document!(PolicyFileDoc, "the policy file", { schema: version, policy: optional, host_step: optional });

/// `[[hook]]`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Hook")]
pub(super) struct HookDoc {
    /// Unique within its phase.
    #[schemars(required)]
    pub(super) id: Option<Located<HookId>>,
    /// What a person calls it; the id if absent.
    pub(super) label: Option<String>,
    /// The phase; the profile's default phase if absent.
    pub(super) phase: Option<Located<StepName>>,
    /// The service it belongs to.
    pub(super) service: Option<Located<ServiceName>>,
    /// The `[source.NAME]` that its files come from; the application's own repository if absent.
    pub(super) source: Option<Located<SourceName>>,
    /// A module or component, relative to this file's directory, or to the root of its source.
    pub(super) wasm: Option<Located<String>>,
    /// A native command: its arguments, or one string that is split by shell-word rules.
    pub(super) run: Option<Located<CommandLine>>,
    /// Whether `/bin/sh` reads `run`, which is then a string.
    #[schemars(default)]
    pub(super) shell: Option<Located<bool>>,
    /// Arguments.
    #[schemars(default)]
    pub(super) args: Vec<String>,
    /// Where a native command starts, relative to the application's root, or to that of its source.
    pub(super) cwd: Option<Located<String>>,
    /// Directories that it asks for.
    #[schemars(default)]
    pub(super) dirs: Vec<Located<DirDoc>>,
    /// Names of variables that it asks for.
    #[schemars(default)]
    pub(super) env: Vec<Located<String>>,
    /// Variables written here.
    #[schemars(default)]
    pub(super) set: Pairs<String>,
    /// What it may use.
    #[schemars(flatten)]
    pub(super) limits: LimitsDoc,
    /// Whether it runs once per release; the phase's gate if absent.
    pub(super) once: Option<bool>,
    /// What happens if it changed since it was done.
    pub(super) on_change: Option<OnChange>,
    /// Whether it may restart by itself after a crash.
    #[schemars(default)]
    pub(super) idempotent: bool,
    /// Whether its failure is only a warning.
    #[schemars(default)]
    pub(super) allow_failure: bool,
    /// Whether it runs at all; `true` if absent.
    pub(super) enabled: Option<bool>,
    /// How a native command is confined; the profile's way if absent.
    pub(super) sandbox: Option<Located<Sandbox>>,
    /// Whether processes that a native command leaves behind when it succeeds may outlive the run, still confined.
    pub(super) detach: Option<Located<bool>>,
    /// What runs in its place.
    pub(super) fallback: Option<Located<FallbackDoc>>,
    /// What it changes that nothing here can take back.
    #[schemars(default)]
    pub(super) effects: Vec<LastingEffect>,
    /// Directories that are copied before it starts; paths as in `dirs`.
    pub(super) backup: Option<Located<Vec<Located<String>>>>,
    /// Where somebody has to answer before it starts: `http://HOST[:PORT][/PATH]`, or `tcp://HOST:PORT`.
    pub(super) wait_for: Option<Located<WaitFor>>,
    /// For how long it waits; a minute if absent.
    pub(super) wait_timeout: Option<Located<DurationText>>,
    /// What says whether it took: it sees what the hook wrote before that is committed, and can change nothing.
    pub(super) verify: Option<Located<SiblingDoc>>,
    /// What takes it back when the run, or the deployment that it is part of, fails.
    pub(super) revert: Option<Located<SiblingDoc>>,
}
document!(HookDoc, "`[[hook]]`", {
    id: expected, label: optional, phase: sound, service: optional, source: sound, wasm: sound, run: sound, shell: optional, args: optional,
    cwd: optional, dirs: optional, env: optional, set: optional, limits: flat, once: optional, on_change: optional, idempotent: optional,
    allow_failure: optional, enabled: optional, sandbox: optional, detach: optional, fallback: sound, effects: optional, backup: sound,
    wait_for: sound, wait_timeout: sound, verify: sound, revert: sound,
} later {
    "net": "network access (`net`)", "secrets": "`secrets`",
});

/// Limits, in the table of what they limit.
#[derive(Debug, Default, JsonSchema)]
pub(crate) struct LimitsDoc {
    /// CPU budget of a wasm hook, in fuel units.
    pub(super) fuel: Option<Located<u64>>,
    /// Deadline; 0 is none.
    pub(super) timeout: Option<Located<DurationText>>,
    /// Time between TERM and KILL for a native command.
    pub(super) grace: Option<Located<DurationText>>,
    /// Linear memory, or address space of each native process.
    pub(super) memory: Option<Located<SizeText>>,
    /// CPU time of each native process; 0 is no limit.
    pub(super) cpu_time: Option<Located<DurationText>>,
    /// Bytes of output that are kept.
    pub(super) output: Option<Located<SizeText>>,
    /// Open handles, or open files.
    pub(super) handles: Option<Located<u32>>,
    /// Table elements of a wasm hook.
    pub(super) table_elements: Option<Located<u64>>,
    /// Size of a wasm module.
    pub(super) module: Option<Located<SizeText>>,
}
document!(LimitsDoc, "limits", {
    fuel: optional, timeout: optional, grace: optional, memory: optional, cpu_time: optional, output: optional, handles: optional,
    table_elements: optional, module: optional,
});

/// `{ path, guest, mode }`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Dir")]
pub(crate) struct DirDoc {
    /// A host path; may begin with `$APP_DIR` or `$DATA_DIR`. Absent for `scratch`.
    pub(super) path: Option<Located<String>>,
    /// The path that the guest sees; the host path if absent.
    pub(super) guest: Option<Located<String>>,
    /// What may be done there; the profile's default if absent.
    pub(super) mode: Option<Located<DirMode>>,
}
document!(DirDoc, "`dirs`" like "{ path = {}, mode = \"read\" }", { path: sound, guest: sound, mode: sound });

/// `fallback = { run | wasm, when }`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Fallback")]
pub(super) struct FallbackDoc {
    /// A module or component.
    pub(super) wasm: Option<Located<String>>,
    /// A native command.
    pub(super) run: Option<Located<CommandLine>>,
    /// Whether `/bin/sh` reads `run`.
    pub(super) shell: Option<Located<bool>>,
    /// When it runs; `missing` if absent.
    #[schemars(default)]
    pub(super) when: FallbackWhen,
    /// CPU time of each process of a native fallback: what it has in the place of `fuel`.
    pub(super) cpu_time: Option<Located<DurationText>>,
}
document!(FallbackDoc, "`fallback`" like "{ run = [\"./migrate.sh\"], when = \"missing\" }", { wasm: sound, run: sound, shell: optional, when: sound, cpu_time: optional });

/// `{ run | wasm }`: what runs beside a hook, under its grants and limits.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Sibling")]
pub(super) struct SiblingDoc {
    /// A module or component.
    pub(super) wasm: Option<Located<String>>,
    /// A native command.
    pub(super) run: Option<Located<CommandLine>>,
    /// Whether `/bin/sh` reads `run`.
    pub(super) shell: Option<Located<bool>>,
}
document!(SiblingDoc, "what runs beside a hook" like "{ run = [\"./look.sh\"] }", { wasm: sound, run: sound, shell: optional });

/// `[source.NAME]`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Source")]
pub(super) struct SourceDoc {
    /// The address of a git repository, without credentials.
    pub(super) git: Located<String>,
    /// The branch whose newest commit is read; the repository's default branch if nothing is named.
    pub(super) branch: Option<Located<String>>,
    /// The tag that is read.
    pub(super) tag: Option<Located<String>>,
    /// The commit that is read: all of its name.
    pub(super) commit: Option<Located<String>>,
    /// The part of the repository that hooks see as its root; all of it if absent.
    pub(super) folder: Option<Located<String>>,
}
document!(SourceDoc, "`[source.NAME]`", { git: required, branch: sound, tag: sound, commit: sound, folder: sound });

/// `[services.NAME]`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Service")]
pub(super) struct ServiceDoc {}

impl Read for ServiceDoc {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open::<Self>("`[services.NAME]`", value, problems)?;
        table.later("env", "an environment for each service (`env` in `[services.NAME]`)", problems);
        table.later("env_file", "an environment for each service (`env_file` in `[services.NAME]`)", problems);
        table.finish(problems);
        Some(Self {})
    }

    fn form(_: Option<&str>) -> Form {
        Form::Header("[services.NAME]")
    }
}

/// `[policy]`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Policy")]
pub(super) struct PolicyDoc {
    /// Directories that may be granted, with the widest mode; as asked if absent.
    pub(super) dirs: Option<Vec<PolicyDirDoc>>,
    /// Names of variables that may be granted, `*` at the end for any rest; as asked if absent.
    pub(super) env: Option<Vec<Located<String>>>,
    /// Addresses of repositories that hooks may come from, `*` at the end for any rest; none if absent in a policy file.
    pub(super) sources: Option<Vec<Located<String>>>,
    /// The largest limits.
    #[schemars(flatten)]
    pub(super) limits: LimitsDoc,
    /// The weakest confinement that a hook may ask for.
    pub(super) sandbox: Option<Sandbox>,
    /// Directories of programs that native hooks find first in PATH, and may read and execute; may begin with `$APP_DIR` or `$DATA_DIR`.
    #[schemars(default)]
    pub(super) programs: Vec<Located<String>>,
    /// Whether a hook may leave processes behind (`detach`); not, if absent, in a file of its own.
    pub(super) detach: Option<bool>,
    /// Where else than on this machine `wait_for` may ask: `HOST:PORT`, or `HOST:*`.
    #[schemars(default)]
    pub(super) wait_for: Vec<Located<String>>,
    /// Whether a hook with `effects` needs a `backup`.
    #[schemars(default)]
    pub(super) require_backup: bool,
    /// Where backups are kept: an absolute path that no hook is granted; the state directory if absent.
    pub(super) backup_dir: Option<Located<String>>,
    /// Of how many runs of an application in an environment backups are kept; 10 if absent.
    #[schemars(range(min = 1))]
    pub(super) backup_keep: Option<Located<u32>>,
}
document!(PolicyDoc, "`[policy]`", {
    dirs: optional, env: optional, sources: sound, limits: flat, sandbox: optional, programs: optional, detach: optional,
    wait_for: optional, require_backup: optional, backup_dir: optional, backup_keep: optional,
});

/// `{ path, mode }` of a policy.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "PolicyDir")]
pub(super) struct PolicyDirDoc {
    /// The directory; may begin with `$APP_DIR` or `$DATA_DIR`.
    pub(super) path: Located<String>,
    /// The widest mode.
    pub(super) mode: Located<DirMode>,
}
document!(PolicyDirDoc, "`dirs` of a policy" like "{ path = {}, mode = \"read\" }", { path: required, mode: required });

/// `[host_step.NAME]`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "HostStep")]
pub(super) struct HostStepDoc {
    /// The command: its arguments, or one string that is split by shell-word rules.
    pub(super) run: Located<CommandLine>,
    /// Whether `/bin/sh` reads `run`.
    pub(super) shell: Option<Located<bool>>,
    /// Where it starts; the application's root if absent.
    pub(super) cwd: Option<String>,
    /// Names of app environment variables that it gets.
    #[schemars(default)]
    pub(super) env: Vec<Located<String>>,
    /// Variables written here.
    #[schemars(default)]
    pub(super) set: Pairs<String>,
    /// Deadline; 0 is none.
    pub(super) timeout: Option<Located<DurationText>>,
    /// Time between TERM and KILL.
    pub(super) grace: Option<Located<DurationText>>,
    /// Bytes of output that are kept.
    pub(super) output: Option<Located<SizeText>>,
    /// What `run --resume` does with it; the profile's way if absent.
    pub(super) resume: Option<Resume>,
}
document!(HostStepDoc, "`[host_step.NAME]`", {
    run: required, shell: optional, cwd: optional, env: optional, set: optional, timeout: optional, grace: optional, output: optional,
    resume: optional,
});

/// The JSON Schema of `wasmhook.toml`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    generate::<ManifestDoc>()
}

/// The JSON Schema of the file given to `--policy`.
#[must_use]
pub fn policy_json_schema() -> serde_json::Value {
    generate::<PolicyFileDoc>()
}

fn generate<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::agree::{agree, validate};
    use std::path::{Path, PathBuf};

    fn json(text: &str) -> serde_json::Value {
        serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
    }

    #[test]
    fn reader_and_schema_know_the_same_keys() {
        agree::<ManifestDoc>();
        agree::<PolicyFileDoc>();
        agree::<HookDoc>();
        agree::<LimitsDoc>();
        agree::<DirDoc>();
        agree::<FallbackDoc>();
        agree::<SiblingDoc>();
        agree::<SourceDoc>();
        agree::<PolicyDoc>();
        agree::<PolicyDirDoc>();
        agree::<HostStepDoc>();
    }

    #[test]
    fn good_manifests_keep_to_the_schema() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/manifest/good");
        let schema = json_schema();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(validate(&schema, &json(&std::fs::read_to_string(&path).unwrap())), Ok(()), "{}", path.display());
        }
        assert_eq!(validate(&policy_json_schema(), &json("schema = 1\n[policy]\ntimeout = '5m'\n[host_step.a]\nrun = ['a']")), Ok(()));
    }

    /// Every TOML file of the project, but for what is built and for fixtures that are meant to be wrong.
    fn shipped(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let is_left_out = name == "target" || name == ".git" || name.to_string_lossy().starts_with("bad");
            if entry.file_type().unwrap().is_dir() && !is_left_out {
                shipped(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }

    /// The schema of a shipped file: by its name, or, of what an import writes, by its first line.
    fn schema_of(path: &Path, text: &str) -> Option<serde_json::Value> {
        match path.file_name()?.to_str()? {
            "wasmhook.toml" => Some(json_schema()),
            "policy.toml" => Some(policy_json_schema()),
            _ => text.starts_with("# Written by `wasmhook import`").then(json_schema),
        }
    }

    #[test]
    fn every_shipped_manifest_and_policy_keeps_to_the_schema() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        shipped(&root, &mut files);
        let texts = files.iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()));
        let checked: Vec<_> =
            files.iter().zip(texts).filter_map(|(path, (name, text))| Some((name, schema_of(path, &text)?, text))).collect();
        assert!(checked.len() >= 20, "{}", checked.len());
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        let shown: Vec<_> = readme.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect();
        let shown =
            shown.into_iter().filter(|text| text.starts_with("schema = 1")).map(|text| ("README.md".to_owned(), json_schema(), text));
        for (name, schema, text) in checked.into_iter().chain(shown) {
            assert_eq!(validate(&schema, &json(&text)), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_the_reader_refuses_the_schema_refuses() {
        for text in [
            "app = 'a'",
            "schema = 2",
            "schema = 1\nnonsense = 1",
            "schema = 1\n[[hook]]\nrun = 'a'",
            "schema = 1\n[[hook]]\nid = 'a'\nrun = 'a'\nnet = []",
            "schema = 1\n[[hook]]\nid = 'a'\nrun = 'a'\ntimeout = true",
            "schema = 1\n[[hook]]\nid = 'a'\nrun = 'a'\ndirs = [{ path = 'a', mode = 'rw' }]",
            "schema = 1\n[host_step.a]\nrun = 'a'\nresume = 'never'",
            "schema = 1\n[services.web]\nenv = {}",
            "schema = 1\n[source.a]\nbranch = 'main'",
        ] {
            assert!(validate(&json_schema(), &json(text)).is_err(), "{text}");
            assert!(crate::diagnostic::has_errors(&super::super::parse("m", text).1), "{text}");
        }
        assert!(validate(&policy_json_schema(), &json("schema = 1\n[[hook]]\nid = 'a'")).is_err());
    }
}
