//! `[given]`, and files of either side: names are checked, paths placed in the tree, and what can't lie beside each other is refused.

use super::place::{self, Roots};
use super::schema::{ExpectedFileDoc, ExpectedFileKeys, FileWord, GivenDoc, GivenFileDoc, GivenFileKeys};
use super::{DEFAULT_APP_DIR, DEFAULT_ENVIRONMENT, ExpectedFile, GivenFile};
use crate::diagnostic::{Located, codes};
use crate::document::{Problems, error_at, quote};
use crate::model::id::{Commit, EnvironmentName, NameError, Tag};
use std::collections::BTreeMap;

/// What is deployed.
pub(super) struct Release {
    pub(super) tag: Option<Tag>,
    pub(super) previous_tag: Option<Tag>,
    pub(super) commit: Option<Commit>,
    pub(super) environment: EnvironmentName,
}

pub(super) fn release(doc: &GivenDoc, problems: &mut Problems) -> Release {
    let written = name(doc.environment.as_ref(), EnvironmentName::new, problems);
    Release {
        tag: name(doc.tag.as_ref(), Tag::new, problems),
        previous_tag: name(doc.previous_tag.as_ref(), Tag::new, problems),
        commit: name(doc.commit.as_ref(), Commit::new, problems),
        environment: written.unwrap_or_else(default_environment),
    }
}

#[expect(clippy::expect_used, reason = "a constant, which the tests read")]
fn default_environment() -> EnvironmentName {
    EnvironmentName::new(DEFAULT_ENVIRONMENT).expect("the default is a name")
}

fn name<T>(text: Option<&Located<String>>, check: fn(String) -> Result<T, NameError>, problems: &mut Problems) -> Option<T> {
    let text = text?;
    check(text.value.clone()).map_err(|error| problems.push(error_at(text, codes::BAD_NAME, error.to_string()))).ok()
}

/// Where the application lies.
pub(super) struct Dirs {
    pub(super) app_dir: String,
    pub(super) data_dir: String,
}

pub(super) fn dirs(doc: &GivenDoc, problems: &mut Problems) -> Dirs {
    let app_dir = root(doc.app_dir.as_ref(), problems).unwrap_or_else(|| DEFAULT_APP_DIR.to_owned());
    let data_dir = root(doc.data_dir.as_ref(), problems).unwrap_or_else(|| app_dir.clone());
    Dirs { app_dir, data_dir }
}

fn root(written: Option<&Located<String>>, problems: &mut Problems) -> Option<String> {
    let written = written?;
    match place::absolute_path(&written.value) {
        Ok(_) => Some(written.value.clone()),
        Err(rule) => {
            problems.push(error_at(written, codes::BAD_PATH, format!("{}: {rule}", quote(&written.value))));
            None
        }
    }
}

/// Files that lie there before.
pub(super) fn files<'a>(
    written: impl Iterator<Item = &'a (Located<String>, Located<GivenFileDoc>)>,
    roots: &Roots<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, GivenFile> {
    let placed = placed(written, roots, problems);
    let mut files = BTreeMap::new();
    for (path, key, doc) in placed {
        if let Some(file) = given_file(doc, problems) {
            let inside = files.keys().find(|outer: &&String| is_inside(&path, outer) && files.get(*outer) != Some(&GivenFile::Dir));
            if let Some(outer) = inside {
                let message = format!("{} lies in /{outer}, which is a file", quote(&key.value));
                problems.push(error_at(key, codes::BAD_PATH, message));
            }
            files.insert(path, file);
        }
    }
    files
}

fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

fn given_file(doc: &Located<GivenFileDoc>, problems: &mut Problems) -> Option<GivenFile> {
    let wrong = "a given file is its text, `{ from = \"a file\" }`, or `{ is = \"dir\" }`";
    match &doc.value {
        GivenFileDoc::Text(text) => return Some(GivenFile::Text(text.clone())),
        GivenFileDoc::Keys(GivenFileKeys { from: Some(from), is: None }) => match place::relative_path(&from.value) {
            Ok(()) => return Some(GivenFile::From(from.clone())),
            Err(rule) => problems.push(error_at(from, codes::BAD_PATH, format!("{}: {rule}", quote(&from.value)))),
        },
        GivenFileDoc::Keys(GivenFileKeys { from: None, is: Some(is) }) if is.value == FileWord::Dir => return Some(GivenFile::Dir),
        GivenFileDoc::Keys(_) => problems.push(error_at(doc, codes::BAD_VALUE, wrong)),
    }
    None
}

/// Files that lie there afterwards.
pub(super) fn expected_files<'a>(
    written: impl Iterator<Item = &'a (Located<String>, Located<ExpectedFileDoc>)>,
    roots: &Roots<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, ExpectedFile> {
    let placed = placed(written, roots, problems);
    placed.into_iter().filter_map(|(path, _, doc)| Some((path, expected_file(doc, problems)?))).collect()
}

fn expected_file(doc: &Located<ExpectedFileDoc>, problems: &mut Problems) -> Option<ExpectedFile> {
    match &doc.value {
        ExpectedFileDoc::Text(text) => Some(ExpectedFile::Text(text.clone())),
        ExpectedFileDoc::Keys(ExpectedFileKeys { contains: Some(pieces), is: None }) if !pieces.is_empty() => {
            for empty in pieces.iter().filter(|piece| piece.value.is_empty()) {
                problems.push(error_at(empty, codes::BAD_VALUE, "an empty piece occurs in every file").help("remove it"));
            }
            Some(ExpectedFile::Contains(pieces.iter().map(|piece| piece.value.clone()).collect()))
        }
        ExpectedFileDoc::Keys(ExpectedFileKeys { contains: None, is: Some(is) }) => Some(ExpectedFile::Is(is.value)),
        ExpectedFileDoc::Keys(_) => {
            let wrong = "an expected file is its text, `{ contains = [\"a piece\"] }`, or `{ is = \"absent\" }`";
            problems.push(error_at(doc, codes::BAD_VALUE, wrong));
            None
        }
    }
}

/// Each entry with its path in the tree, sorted by it: what is outer comes before what lies in it.
fn placed<'a, T>(
    written: impl Iterator<Item = &'a (Located<String>, T)>,
    roots: &Roots<'_>,
    problems: &mut Problems,
) -> Vec<(String, &'a Located<String>, &'a T)> {
    let mut placed: BTreeMap<String, (&Located<String>, &T)> = BTreeMap::new();
    for (key, value) in written {
        match roots.in_tree(&key.value) {
            Ok(path) if placed.contains_key(&path) => {
                let message = format!("{} is the same place as another entry: /{path}", quote(&key.value));
                problems.push(error_at(key, codes::DUPLICATE_NAME, message));
            }
            Ok(path) => drop(placed.insert(path, (key, value))),
            Err(rule) => problems.push(error_at(key, codes::BAD_PATH, format!("{}: {rule}", quote(&key.value)))),
        }
    }
    placed.into_iter().map(|(path, (key, value))| (path, key, value)).collect()
}
