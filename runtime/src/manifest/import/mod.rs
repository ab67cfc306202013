//! Foreign formats, read as manifests: text → [`Manifest`], and nothing is opened on the way. What a format says that a manifest can't is
//! reported, and a file that only shares a name with one of them is refused by the name of what it is.

mod app_desc;
mod appspec;
mod boxfile;
mod command_list;
mod draft;
mod job;
mod post_compile;
mod recognise;
mod shell;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use appspec::unused_job_folders;
pub use job::{from_environment, job_variables};
pub use post_compile::{POST_COMPILE, post_compile};
pub use recognise::{Recognised, neighbour_by_path, recognise};
pub use write::to_toml;

use super::Manifest;
use crate::diagnostic::{Diagnostic, Located};
use crate::document::yaml;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// BlueKing's `app_desc.yaml`.
    AppDesc,
    /// Pagoda Box's `Boxfile`.
    Boxfile,
    /// An App Platform spec with `PRE_DEPLOY_*` and `POST_DEPLOY_*`.
    AppSpec,
    /// Labelled commands, one a line or as YAML.
    CommandList,
    /// A folder of `<tag>[.<phase>].<ext>`.
    ReleaseFolder,
}

impl Kind {
    /// Every format.
    pub const ALL: &[Self] = &[Self::AppDesc, Self::Boxfile, Self::AppSpec, Self::CommandList, Self::ReleaseFolder];

    /// What `--as` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppDesc => "app-desc",
            Self::Boxfile => "boxfile",
            Self::AppSpec => "app-spec",
            Self::CommandList => "command-list",
            Self::ReleaseFolder => "release-folder",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|kind| kind.name());
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| crate::document::suggest(text, known().collect::<Vec<_>>()))
    }
}

/// What a reading may need besides the text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The module or service whose hooks are wanted; all if absent.
    pub module: Option<&'a str>,
    /// Values for placeholders; absent: nothing may be filled in.
    pub environment: Option<&'a BTreeMap<String, String>>,
}

/// A foreign file as it was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// What it says.
    pub manifest: Manifest,
    /// What is wrong with it, and what of it a manifest can't say.
    pub found: Vec<Diagnostic>,
    /// How it was understood where that isn't obvious, with the place.
    pub notes: Vec<Located<String>>,
}

/// Reads a text of a known kind. `name` is what messages call it, and the origin of its hooks.
///
/// The manifest of a text with errors among what was found must not be run. A release folder is no text: it reads as nothing here.
#[must_use]
pub fn import(kind: Kind, name: &str, text: &str, given: Given<'_>) -> Imported {
    let readable = text.len() <= super::MAX_BYTES;
    if kind == Kind::CommandList && readable && !command_list::is_yaml(text) {
        return command_list::lines(name, text);
    }
    let (root, problems) = yaml::read(name, text);
    let draft = draft::Draft::new(name, problems);
    let Some(root) = root else { return draft.finish() };
    match kind {
        Kind::AppDesc => app_desc::read(&root, given, draft),
        Kind::Boxfile => boxfile::read(&root, text, draft),
        Kind::AppSpec => appspec::read(&root, given, draft),
        Kind::CommandList => command_list::entries(&root, draft),
        Kind::ReleaseFolder => draft.finish(),
    }
}
