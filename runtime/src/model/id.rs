//! Names. Each is checked once, where it comes in, so that nothing downstream has to ask whether a tag can leave a directory.

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// A name that breaks its rule. `Display` names the thing, the rule and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {rule}")]
pub struct NameError {
    /// What kind of name it was meant to be (`tag`, `app`, …).
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// One path component that is safe to put in a file name, a log line and a lock's name.
fn check(what: &'static str, text: &str, max: usize) -> Result<(), NameError> {
    let fail = |rule| Err(NameError { what, text: text.chars().take(80).collect(), rule });
    if text.is_empty() {
        return fail("is empty");
    }
    if text.len() > max {
        return fail("is longer than 200 bytes");
    }
    // Also what is invisible or turns a line's direction: two names that look alike are one to whoever reads them.
    if text.contains(super::text::is_unsafe) {
        return fail("holds a control character: names are printable text on one line");
    }
    if text.contains(['/', '\\']) {
        return fail("holds a slash: a name is one path component");
    }
    if text.contains("..") {
        return fail("holds `..`: a name never leaves its directory");
    }
    if text.starts_with(['-', '.']) {
        return fail("starts with `-` or `.`: begin it with a letter or a digit");
    }
    if text.contains(char::is_whitespace) {
        return fail("holds a space: use `-` or `_`");
    }
    Ok(())
}

/// What all of them can do. They are shared text: every event names its run and its place, and goes to the ledger, the report and the sinks.
macro_rules! as_text {
    ($name:ident) => {
        impl $name {
            /// It as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        as_text!($name);

        impl $name {
            /// Checks and wraps a name.
            ///
            /// # Errors
            /// [`NameError`] if it is empty, longer than 200 bytes, or holds a control character, a space, a slash or `..`.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check($what, &text, 200)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

    };
}

name!(
    /// The application that is deployed.
    AppName, "app"
);
name!(
    /// The environment (tenant, stage) that it is deployed to: `DEPLOY_ENV`.
    EnvironmentName, "environment"
);
name!(
    /// The version tag being deployed: `DEPLOY_TAG`.
    Tag, "tag"
);
name!(
    /// A hook, unique within its phase.
    HookId, "hook id"
);
name!(
    /// A step of a lifecycle: a phase or a host step.
    StepName, "step"
);
name!(
    /// A service of the application.
    ServiceName, "service"
);
name!(
    /// One running instance of a service.
    InstanceName, "instance"
);
name!(
    /// A repository that hooks come from, as a manifest calls it.
    SourceName, "source"
);
name!(
    /// One execution of a plan.
    RunId, "run"
);

/// A git commit, as hexadecimal digits: the object name, or as much of it as was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String")]
pub struct Commit(Arc<str>);

as_text!(Commit);

impl Commit {
    /// Checks and wraps a commit name of 4 (git's shortest) to 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`NameError`] for anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text: String = text.into();
        if (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(NameError { what: "commit", text: text.chars().take(80).collect(), rule: "is not 4 to 64 hexadecimal digits" })
    }
}

impl TryFrom<String> for Commit {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// A SHA-256 of some content, written `sha256:<64 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, schemars::JsonSchema)]
#[serde(from = "String")]
pub struct Digest(Arc<str>);

as_text!(Digest);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_hash(&Sha256::digest(bytes).into())
    }

    /// A digest that was computed before.
    #[must_use]
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        Self(format!("sha256:{}", hex::encode(hash)).into())
    }

    /// The digest of a value's canonical JSON (maps in the order of their type's fields).
    #[must_use]
    pub fn of_json<T: Serialize>(value: &T) -> Self {
        // Plan values hold only strings, numbers, lists and maps with string keys: serialising them cannot fail.
        Self::of(&serde_json::to_vec(value).unwrap_or_default())
    }

    /// The hexadecimal digits alone: a file name.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl From<String> for Digest {
    /// One that was written before, with its `sha256:` prefix.
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_one_harmless_path_component() {
        for good in ["v0.3.28", "2026-11-22", "release_1", "v1+build.5"] {
            assert!(Tag::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "..", "v1..2", "v1\n", "\u{1b}[31m", "-x", ".hidden", "a b", "a\\b"] {
            let error = Tag::new(bad).unwrap_err();
            assert_eq!(error.what, "tag");
            assert!(!error.to_string().contains(['\n', '\u{1b}']), "shown escaped: {error}");
        }
        assert!(Tag::new("x".repeat(201)).is_err());
    }

    #[test]
    fn names_are_checked_when_they_are_read_back() {
        assert!(serde_json::from_str::<Tag>("\"../etc\"").is_err());
        assert!(serde_json::from_str::<Commit>("\"xyz\"").is_err());
        assert_eq!(Commit::new("ABCDEF1").map(String::from), Ok("abcdef1".to_owned()));
    }

    #[test]
    fn digests_name_their_algorithm() {
        assert!(Digest::of(b"").as_str().starts_with("sha256:e3b0c442"));
        assert_eq!(Digest::of(b"x").hex().len(), 64);
    }
}
