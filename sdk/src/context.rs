//! What is being deployed, and which attempt this is: the variables that the engine sets for every hook, read once and checked.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// What the engine says about this execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The version tag being deployed, where the deployment has one (`DEPLOY_TAG`, empty where it hasn't): `v0.4.0`.
    pub tag: Option<String>,
    /// The environment, tenant or stage that it is deployed to (`DEPLOY_ENV`).
    pub environment: String,
    /// Root of the application (`APP_DIR`), as this hook sees it. Knowing it grants nothing.
    pub app_dir: PathBuf,
    /// Where the application keeps its data (`DATA_DIR`). Knowing it grants nothing.
    pub data_dir: PathBuf,
    /// The run that this execution belongs to (`WASMHOOK_RUN_ID`).
    pub run_id: String,
    /// The phase (`WASMHOOK_PHASE`): `post-pull`.
    pub phase: String,
    /// The hook's id (`WASMHOOK_HOOK`).
    pub hook: String,
    /// Which attempt this is, from 1 (`WASMHOOK_ATTEMPT`).
    pub attempt: u32,
    /// The version that was live before, where one is known (`WASMHOOK_PREVIOUS_TAG`).
    pub previous_tag: Option<String>,
    /// The commit being deployed, where one is known (`WASMHOOK_COMMIT`).
    pub commit: Option<String>,
}

impl Context {
    /// The context of this process.
    ///
    /// # Errors
    /// [`ContextError`] names every variable that is missing or invalid. Outside of wasmhook all of them are missing: run the hook with
    /// `wasmhook run` or `wasmhook test`.
    pub fn from_env() -> Result<Self, ContextError> {
        Self::from_vars(std::env::vars_os())
    }

    /// The context that these variables describe; for a hook's own tests.
    ///
    /// ```
    /// # use wasmhook_sdk::Context;
    /// let error = Context::from_vars([("DEPLOY_TAG", "v0.4.0"), ("APP_DIR", "/app")]).unwrap_err();
    /// assert_eq!(error.problems[0].to_string(), "DEPLOY_ENV is not set");
    /// ```
    ///
    /// # Errors
    /// [`ContextError`] names every variable that is missing or invalid.
    pub fn from_vars<K: Into<OsString>, V: Into<OsString>>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, ContextError> {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut reader = Reader { vars, problems: Vec::new() };
        let context = Self {
            tag: reader.maybe("DEPLOY_TAG", Presence::Set).map(|tag| reader.component("DEPLOY_TAG", tag)),
            environment: reader.text("DEPLOY_ENV"),
            app_dir: reader.absolute("APP_DIR"),
            data_dir: reader.absolute("DATA_DIR"),
            run_id: reader.text("WASMHOOK_RUN_ID"),
            phase: reader.text("WASMHOOK_PHASE"),
            hook: reader.text("WASMHOOK_HOOK"),
            attempt: reader.count("WASMHOOK_ATTEMPT"),
            previous_tag: reader.maybe("WASMHOOK_PREVIOUS_TAG", Presence::Optional),
            commit: reader.maybe("WASMHOOK_COMMIT", Presence::Optional),
        };
        if reader.problems.is_empty() { Ok(context) } else { Err(ContextError { problems: reader.problems }) }
    }

    /// What names this release: its tag, else its commit, else the run itself.
    #[must_use]
    pub fn release(&self) -> &str {
        self.tag.as_deref().or(self.commit.as_deref()).unwrap_or(&self.run_id)
    }
}

/// Everything that is wrong with the variables, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextError {
    /// One per variable, in the order of the fields of [`Context`].
    pub problems: Vec<Problem>,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not an environment that wasmhook gives to a hook: ")?;
        for (index, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        f.write_str(" (run the hook with `wasmhook run` or `wasmhook test`)")
    }
}

impl std::error::Error for ContextError {}

/// What is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It isn't set, or empty where it may not be.
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// It is set to something that it can't be.
    Invalid {
        /// Its name.
        name: &'static str,
        /// What it is set to.
        value: String,
        /// What it must be: `an absolute path`.
        expected: &'static str,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(f, "{name} is not set"),
            Self::Invalid { name, value, expected } => write!(f, "{name} is {value:?}, not {expected}"),
        }
    }
}

/// Whether a variable without a value must at least be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Set,
    Optional,
}

/// Reads variables and remembers what is wrong with them, so that one pass finds everything.
struct Reader {
    vars: BTreeMap<OsString, OsString>,
    problems: Vec<Problem>,
}

impl Reader {
    fn missing(&mut self, name: &'static str) {
        self.problems.push(Problem::Missing { name });
    }

    fn invalid(&mut self, name: &'static str, value: impl Into<String>, expected: &'static str) {
        self.problems.push(Problem::Invalid { name, value: value.into(), expected });
    }

    fn maybe(&mut self, name: &'static str, presence: Presence) -> Option<String> {
        let Some(value) = self.vars.get(OsString::from(name).as_os_str()) else {
            if presence == Presence::Set {
                self.missing(name);
            }
            return None;
        };
        match value.clone().into_string() {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(raw) => {
                self.invalid(name, raw.to_string_lossy(), "UTF-8 text");
                None
            }
        }
    }

    fn text(&mut self, name: &'static str) -> String {
        let problems = self.problems.len();
        let text = self.maybe(name, Presence::Set);
        if text.is_none() && self.problems.len() == problems {
            self.missing(name);
        }
        text.unwrap_or_default()
    }

    fn component(&mut self, name: &'static str, text: String) -> String {
        if text.contains(['/', '\\']) || text.contains("..") || text.chars().any(char::is_control) {
            self.invalid(name, text.as_str(), "one path component (no slash, no `..`, no control character)");
        }
        text
    }

    fn absolute(&mut self, name: &'static str) -> PathBuf {
        let text = self.text(name);
        if !text.is_empty() && !text.starts_with('/') {
            self.invalid(name, text.as_str(), "an absolute path");
        }
        PathBuf::from(text)
    }

    fn count(&mut self, name: &'static str) -> u32 {
        let text = self.text(name);
        match text.parse() {
            Ok(count) if count > 0 => count,
            _ if text.is_empty() => 0,
            _ => {
                self.invalid(name, text, "a whole number from 1");
                0
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const VARS: [(&str, &str); 8] = [
        ("DEPLOY_TAG", "v0.4.0"),
        ("DEPLOY_ENV", "testsite"),
        ("APP_DIR", "/app"),
        ("DATA_DIR", "/app/db"),
        ("WASMHOOK_RUN_ID", "run-1"),
        ("WASMHOOK_PHASE", "post-pull"),
        ("WASMHOOK_HOOK", "v0.4.0.wasm"),
        ("WASMHOOK_ATTEMPT", "2"),
    ];

    #[test]
    fn every_variable_has_its_field() {
        let more = [("WASMHOOK_PREVIOUS_TAG", "v0.3.28"), ("WASMHOOK_COMMIT", "abc1234")];
        let context = Context::from_vars(VARS.into_iter().chain(more)).unwrap();
        assert_eq!(context.tag.as_deref(), Some("v0.4.0"));
        assert_eq!(context.environment, "testsite");
        assert_eq!(context.app_dir, PathBuf::from("/app"));
        assert_eq!(context.data_dir, PathBuf::from("/app/db"));
        assert_eq!((context.run_id.as_str(), context.phase.as_str(), context.hook.as_str()), ("run-1", "post-pull", "v0.4.0.wasm"));
        assert_eq!(context.attempt, 2);
        assert_eq!(context.previous_tag.as_deref(), Some("v0.3.28"));
        assert_eq!(context.commit.as_deref(), Some("abc1234"));
    }

    #[test]
    fn everything_missing_or_invalid_is_listed_at_once() {
        let vars = [("DEPLOY_TAG", "../v1"), ("APP_DIR", "app"), ("DATA_DIR", ""), ("WASMHOOK_ATTEMPT", "0"), ("WASMHOOK_HOOK", "x")];
        let error = Context::from_vars(vars).unwrap_err();
        let shown: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "DEPLOY_TAG is \"../v1\", not one path component (no slash, no `..`, no control character)",
                "DEPLOY_ENV is not set",
                "APP_DIR is \"app\", not an absolute path",
                "DATA_DIR is not set",
                "WASMHOOK_RUN_ID is not set",
                "WASMHOOK_PHASE is not set",
                "WASMHOOK_ATTEMPT is \"0\", not a whole number from 1",
            ]
        );
        assert!(shown.iter().all(|problem| error.to_string().contains(problem.as_str())));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_invalid_not_missing() {
        use std::os::unix::ffi::OsStringExt as _;
        let raw = OsString::from_vec(vec![b'v', 0xff]);
        let vars = VARS.iter().map(|(k, v)| (OsString::from(k), if *k == "DEPLOY_ENV" { raw.clone() } else { OsString::from(v) }));
        let error = Context::from_vars(vars).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{error}");
        assert!(error.to_string().contains("DEPLOY_ENV is \"v\u{fffd}\", not UTF-8 text"), "{error}");
    }

    #[test]
    fn a_release_without_a_tag_is_named_by_its_commit_else_by_its_run() {
        let untagged = |extra: &[(&'static str, &'static str)]| {
            let vars = VARS.into_iter().map(|(k, v)| if k == "DEPLOY_TAG" { (k, "") } else { (k, v) });
            Context::from_vars(vars.chain(extra.iter().copied())).unwrap()
        };
        assert_eq!(untagged(&[("WASMHOOK_COMMIT", "abc1234")]).release(), "abc1234");
        assert_eq!(untagged(&[]).release(), "run-1");
        assert_eq!(Context::from_vars(VARS).unwrap().release(), "v0.4.0");
    }
}
