//! What differs between two snapshots: what a hook did, or what its second run still did.

use super::tree::FileState;
use std::collections::{BTreeMap, BTreeSet};

/// One path whose state differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path in the tree.
    pub path: String,
    /// What lay there before; none if nothing did.
    pub before: Option<FileState>,
    /// What lies there now; none if nothing does.
    pub after: Option<FileState>,
}

/// Every path whose state differs, sorted.
#[must_use]
pub fn changes(before: &BTreeMap<String, FileState>, after: &BTreeMap<String, FileState>) -> Vec<Change> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |path: &String| Change { path: path.clone(), before: before.get(path).cloned(), after: after.get(path).cloned() };
    paths.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

/// What a second run of a hook changed, though everything was done: a hook that is safe to run twice changes nothing then (S3.29).
#[must_use]
pub fn second_run_changes(after_first: &BTreeMap<String, FileState>, after_second: &BTreeMap<String, FileState>) -> Vec<Change> {
    changes(after_first, after_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> BTreeMap<String, FileState> {
        files.iter().map(|(path, text)| ((*path).to_owned(), FileState::of_bytes(text.as_bytes()))).collect()
    }

    #[test]
    fn created_modified_and_deleted_are_found_and_nothing_else() {
        let found = changes(&tree(&[("a", "1"), ("b", "1"), ("c", "1")]), &tree(&[("a", "1"), ("b", "2"), ("d", "1")]));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/b: modified\n-1\n+2", "/c: deleted", "/d: created\n+1"]);
    }

    #[test]
    fn s3_29_a_second_run_that_changes_something_is_seen() {
        let first = tree(&[("log", "ran\n")]);
        assert_eq!(second_run_changes(&first, &first), []);
        let second = second_run_changes(&first, &tree(&[("log", "ran\nran\n")]));
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].to_string(), "/log: modified\n ran\n+ran");
    }
}
