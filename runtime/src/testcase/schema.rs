//! The tables of a test case as they are written: the one list of keys, which the reader reads and the JSON Schema is made from.

use crate::diagnostic::Located;
use crate::document::{DurationText, Form, Pairs, Problems, Read, SizeText, Value, document, word_form, words};
use crate::manifest::shared::{CommandLine, DirDoc, LimitsDoc};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Serialize;
use std::borrow::Cow;
use toml::de::DeValue;

/// A `*.test.toml`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CaseDoc {
    /// The version of this format: 1.
    #[schemars(extend("const" = 1))]
    #[expect(dead_code, reason = "reading it was the check")]
    pub(super) schema: u32,
    /// What a person calls the case; its file's name if absent.
    pub(super) label: Option<String>,
    /// What is there before the hook runs.
    #[schemars(default)]
    pub(super) given: GivenDoc,
    /// What runs, and with which rights.
    #[schemars(default)]
    pub(super) hook: HookDoc,
    /// What must come of it; that it succeeds if absent.
    #[schemars(default)]
    pub(super) expected: ExpectedDoc,
}
document!(CaseDoc, "the test case", { schema: version, label: optional, given: optional, hook: optional, expected: optional });

/// `[given]`.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GivenDoc {
    /// The tag being deployed; none if absent.
    pub(super) tag: Option<Located<String>>,
    /// The version that was live before.
    pub(super) previous_tag: Option<Located<String>>,
    /// The commit being deployed.
    pub(super) commit: Option<Located<String>>,
    /// The environment that it is deployed to; `test` if absent.
    pub(super) environment: Option<Located<String>>,
    /// Root of the application, an absolute path; `/app` if absent.
    pub(super) app_dir: Option<Located<String>>,
    /// Where the application keeps its data, an absolute path; the application's root if absent.
    pub(super) data_dir: Option<Located<String>>,
    /// The app environment.
    #[schemars(default)]
    pub(super) env: Pairs<String>,
    /// Files, by path.
    #[schemars(default)]
    pub(super) files: Pairs<Located<GivenFileDoc>>,
}
document!(GivenDoc, "`[given]`", {
    tag: optional, previous_tag: optional, commit: optional, environment: optional, app_dir: optional, data_dir: optional, env: optional,
    files: optional,
});

/// `[hook]`: the keys of `[[hook]]` in `wasmhook.toml` that say what runs and with which rights.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct HookDoc {
    /// A module or component, relative to this file's directory; the one with the same stem if absent.
    pub(super) wasm: Option<Located<String>>,
    /// A native command.
    pub(super) run: Option<Located<CommandLine>>,
    /// Whether `/bin/sh` reads `run`, which is then a string.
    pub(super) shell: Option<Located<bool>>,
    /// Arguments.
    #[schemars(default)]
    pub(super) args: Vec<String>,
    /// Where a native command starts, relative to the application's root.
    pub(super) cwd: Option<Located<String>>,
    /// Directories that it is given.
    #[schemars(default)]
    pub(super) dirs: Vec<Located<DirDoc>>,
    /// Names of variables that it is given.
    #[schemars(default)]
    pub(super) env: Vec<Located<String>>,
    /// Variables written here.
    #[schemars(default)]
    pub(super) set: Pairs<String>,
    /// What it may use.
    #[schemars(flatten)]
    pub(super) limits: LimitsDoc,
}
document!(HookDoc, "`[hook]`", {
    wasm: optional, run: optional, shell: optional, args: optional, cwd: optional, dirs: optional, env: optional, set: optional, limits: flat,
});

/// `[expected]`.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ExpectedDoc {
    /// How it ends; `succeeded` if absent.
    pub(super) outcome: Option<Located<OutcomeWord>>,
    /// Why it failed, or which limit of time ended it.
    pub(super) cause: Option<Located<CauseWord>>,
    /// Why it was skipped.
    pub(super) skip_reason: Option<Located<String>>,
    /// The code it exits with.
    pub(super) exit_code: Option<Located<u32>>,
    /// All lines of standard output.
    pub(super) stdout: Option<Vec<String>>,
    /// Pieces of lines of standard output, in this order.
    #[schemars(default)]
    pub(super) stdout_contains: Vec<Located<String>>,
    /// All lines of standard error.
    pub(super) stderr: Option<Vec<String>>,
    /// Pieces of lines of standard error, in this order.
    #[schemars(default)]
    pub(super) stderr_contains: Vec<Located<String>>,
    /// Values it hands on through `WASMHOOK_OUTPUT`.
    #[schemars(default)]
    pub(super) outputs: Pairs<String>,
    /// What lies there afterwards, by path.
    #[schemars(default)]
    pub(super) files: Pairs<Located<ExpectedFileDoc>>,
    /// Whether a change of a path that `files` doesn't name is a mismatch.
    #[schemars(default)]
    pub(super) nothing_else_changes: bool,
    /// Largest use of fuel, in units.
    pub(super) fuel_max: Option<u64>,
    /// Largest linear memory.
    pub(super) memory_max: Option<SizeText>,
    /// Longest wall time.
    pub(super) wall_max: Option<DurationText>,
}
document!(ExpectedDoc, "`[expected]`", {
    outcome: optional, cause: optional, skip_reason: optional, exit_code: optional, stdout: optional, stdout_contains: optional,
    stderr: optional, stderr_contains: optional, outputs: optional, files: optional, nothing_else_changes: optional, fuel_max: optional,
    memory_max: optional, wall_max: optional,
});

/// A string, or a table of which one key is written.
macro_rules! text_or_table {
    ($name:ident, $keys:ident, $label:literal, { $($(#[$doc:meta])* $key:ident: $type:ty),+ $(,)? }) => {
        #[derive(Debug, Default, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $keys {
            $($(#[$doc])* pub(super) $key: Option<$type>),+
        }
        document!($keys, $label, { $($key: optional),+ });

        #[derive(Debug, JsonSchema)]
        #[serde(untagged)]
        pub(super) enum $name {
            /// A file with this content.
            Text(String),
            /// Anything else.
            Keys($keys),
        }

        impl Read for $name {
            fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
                match value.toml.get_ref() {
                    DeValue::String(_) => String::read(value, problems).map(Self::Text),
                    _ => $keys::read(value, problems).map(Self::Keys),
                }
            }

            fn form(written: Option<&str>) -> Form {
                String::form(written)
            }
        }
    };
}

text_or_table!(GivenFileDoc, GivenFileKeys, "a given file", {
    /// A file of the case's own directory, to be copied.
    from: Located<String>,
    /// `dir`: a directory.
    is: Located<FileWord>,
});

text_or_table!(ExpectedFileDoc, ExpectedFileKeys, "an expected file", {
    /// Pieces of text that occur in it.
    contains: Vec<Located<String>>,
    /// What it is, whatever it holds.
    is: Located<FileWord>,
});

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word as it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl Read for $name {
            fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
                words(Self::ALL, value, problems)
            }

            fn form(_: Option<&str>) -> Form {
                word_form(Self::ALL)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}

word_enum!(
    /// How a hook under test ends. What a test can't bring about (`cancelled`, `unknown`) can't be expected.
    #[derive(Default)]
    OutcomeWord {
        /// It succeeded.
        #[default]
        Succeeded = "succeeded",
        /// It said that there was nothing to do.
        Skipped = "skipped",
        /// It failed.
        Failed = "failed",
        /// A limit of time ended it.
        TimedOut = "timed-out",
    }
);

word_enum!(
    /// Why a hook under test failed, in the words of reports.
    CauseWord {
        /// Its exit code.
        Exit = "exit",
        /// A signal.
        Signal = "signal",
        /// A trap.
        Trap = "trap",
        /// The limit of memory.
        OutOfMemory = "out-of-memory",
        /// The engine refused to start it.
        Denied = "denied",
        /// It exports nothing to run.
        NotAHook = "not-a-hook",
        /// It can't be read or compiled.
        BrokenModule = "broken-module",
        /// It has more bytes than its limit.
        TooLarge = "too-large",
        /// It would take too much to compile.
        TooComplex = "too-complex",
        /// It needs what this host lacks.
        Unsupported = "unsupported",
        /// A check before the start.
        Preflight = "preflight",
        /// Its program could not be started.
        Spawn = "spawn",
        /// The CPU budget; of `timed-out`.
        Fuel = "fuel",
        /// Wall time; of `timed-out`.
        Deadline = "deadline",
        /// The CPU time of a native command; of `timed-out`.
        CpuTime = "cpu-time",
    }
);

word_enum!(
    /// What lies at a path.
    FileWord {
        /// Nothing.
        Absent = "absent",
        /// A file, whatever it holds.
        File = "file",
        /// A directory.
        Dir = "dir",
        /// What lay there before.
        Unchanged = "unchanged",
    }
);

/// The JSON Schema of a `*.test.toml`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<CaseDoc>().into()
}
