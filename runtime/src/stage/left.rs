//! What a decided commit leaves to somebody else, who was there after the decision: theirs came later, so theirs stays. What the hook wrote for it
//! is kept for a person.

use super::tree;
use super::values::Kind;
use crate::model::text::shown;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::path::PathBuf;

/// So many are told one by one.
const TOLD: usize = 20;

/// One path that was left as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// On the host.
    #[serde(with = "tree::path_text")]
    pub path: PathBuf,
    pub found: Found,
    /// Where what the hook wrote for it lies; empty if it wrote nothing.
    #[serde(with = "tree::path_text")]
    pub kept: PathBuf,
}

/// What somebody else did there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Found {
    /// They put this where a file or a directory was to come.
    InTheWay { kind: Kind },
    /// They wrote to it, or put another one in its place.
    Changed,
    /// They removed what was to be replaced.
    Gone,
    /// They put something in the directory that was to be removed.
    NotEmpty,
    /// They removed the directory that it was to come in, or put something else in its place.
    NoDirectory,
    /// Another directory stands in the granted one's place, or none.
    Replaced,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InTheWay { kind } => write!(f, "a {kind} stands there since"),
            Self::Changed => f.write_str("it was changed since"),
            Self::Gone => f.write_str("it was removed since"),
            Self::NotEmpty => f.write_str("something was put into it since"),
            Self::NoDirectory => f.write_str("its directory was removed since"),
            Self::Replaced => f.write_str("it isn't the directory that was staged"),
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", shown(&self.path), self.found)?;
        if !self.kept.as_os_str().is_empty() {
            write!(f, "; the hook's lies in {}", shown(&self.kept))?;
        }
        f.write_str(")")
    }
}

/// What a person is told of it.
#[derive(Debug)]
pub(super) struct Told {
    pub text: String,
    /// Whether the stage holds something for them.
    pub is_kept: bool,
}

/// All of it in a sentence; none if nothing was left.
pub(super) fn told(left: &[Left]) -> Option<Told> {
    if left.is_empty() {
        return None;
    }
    let first: Vec<_> = left.iter().take(TOLD).map(Left::to_string).collect();
    let mut told = format!("somebody else was there after the commit was decided: {}", first.join(", "));
    if left.len() > TOLD {
        let _ = write!(told, ", and {} more", left.len() - TOLD);
    }
    Some(Told { text: told, is_kept: left.iter().any(|left| !left.kept.as_os_str().is_empty()) })
}
