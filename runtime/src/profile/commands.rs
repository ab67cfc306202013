//! What a platform says of the commands it runs: rules that refuse, hints that warn, and hooks that it brings along.

use super::DiscoveredDir;
use crate::model::id::{HookId, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules for native commands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRules {
    /// Words that no command begins with: `start` forbids `start web`, and not `startup.sh`.
    #[serde(default)]
    pub forbid_word: Vec<String>,
    /// Beginnings that no command has in certain files.
    #[serde(default)]
    pub forbid_prefix: Vec<ForbiddenPrefix>,
    /// Whether a command stands on one line.
    #[serde(default)]
    pub single_line: bool,
    /// Whether a command is one program with its arguments: no `&&`, `;`, `|` or redirection outside of a line that a shell reads.
    #[serde(default)]
    pub single_command: bool,
    /// Whether `$NAME` and `${NAME}` in the arguments are replaced by the hook's variables; `\$` is left alone. No shell reads them.
    #[serde(default)]
    pub expand_env: bool,
    /// Whether a line that quotes within quotes is warned of: a script says the same and needs no escaping.
    #[serde(default)]
    pub suggest_script: bool,
    /// Whether a script that an interpreter is given (`bash migrate.sh`) is warned of if it isn't executable.
    #[serde(default)]
    pub warn_not_executable: bool,
    /// Commands that ask somebody something; nobody is there to answer.
    #[serde(default)]
    pub prompts: Vec<Prompt>,
}

/// A beginning that no command has in files of these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenPrefix {
    /// The beginning: `start` forbids `startup.sh` too.
    pub prefix: String,
    /// Names of the files it is forbidden in; elsewhere it may stand.
    pub files: Vec<String>,
}

/// A command that asks somebody something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Its first words: `apt-get install`.
    pub command: String,
    /// Words of which any one keeps it from asking: `-y`.
    pub unless: Vec<String>,
}

/// A hook that the platform brings along; one of the author's own in its phase takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultHook {
    /// Its id.
    pub id: HookId,
    /// Its phase.
    pub phase: StepName,
    /// What a person calls it.
    pub label: Option<String>,
    /// The native command.
    pub run: Vec<String>,
    /// It runs only if the release has this file, a path below the application's root.
    pub when_file: Option<String>,
    /// What a person should know about it: a notice of the plan.
    pub note: Option<String>,
    /// Directories that it asks for; those of its phase if there are none.
    #[serde(default)]
    pub dirs: Vec<DiscoveredDir>,
}

/// Another path under which the platform's hooks know a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The absolute path as hooks write it: `/data`.
    pub path: String,
    /// What it stands for: `$APP_DIR`, `$DATA_DIR`, or a path below one of them.
    pub dir: String,
}

impl Alias {
    /// The path that `written` stands for, if it begins with this alias.
    #[must_use]
    pub fn resolve(&self, written: &str) -> Option<String> {
        let rest = written.strip_prefix(&self.path)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_39_an_alias_stands_for_its_directory_and_what_lies_below_it() {
        let data = Alias { path: "/data".into(), dir: "$APP_DIR".into() };
        assert_eq!(data.resolve("/data").as_deref(), Some("$APP_DIR"));
        assert_eq!(data.resolve("/data/js").as_deref(), Some("$APP_DIR/js"));
        assert_eq!(data.resolve("/database"), None);
        assert_eq!(data.resolve("data"), None);
    }
}
