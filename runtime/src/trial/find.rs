//! Which test cases are meant: all below a directory, those of a hook, or one by its name.

use super::read::guest_file;
use crate::testcase::SUFFIX;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Directories that nobody keeps test cases in: builds, version control, other people's packages.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// Why there is nothing to test.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A directory can't be read.
    #[error("cannot look for test cases in {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing has this name.
    #[error("there is no {}: name a test case (*{SUFFIX}), a hook (.wasm, .wat) with cases beside it, or a directory", .0.display())]
    Nothing(PathBuf),
    /// It is there, and is neither a case nor a hook.
    #[error("{} is neither a test case (*{SUFFIX}) nor a hook (.wasm, .wat): test a native command by a case with `run`", .0.display())]
    NoHook(PathBuf),
    /// There are no cases.
    #[error(
        "there are no test cases {place} {}: write one, for example {}, that begins with `schema = 1` \
         (every key: docs/test-cases.md)", path.display(), example.display()
    )]
    NoCases {
        /// `in` or `beside`.
        place: &'static str,
        /// Where they were looked for.
        path: PathBuf,
        /// A name for one.
        example: PathBuf,
    },
}

/// The files of all cases that `asked` names, each once, in the order asked; those of a directory sorted by path.
///
/// # Errors
/// [`FindError`] if one of them names no case: a test that doesn't run must not look like one that passes.
pub fn find(asked: &[PathBuf]) -> Result<Vec<PathBuf>, FindError> {
    let mut found = Vec::new();
    for path in asked {
        found.extend(cases_of(path)?);
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn cases_of(path: &Path) -> Result<Vec<PathBuf>, FindError> {
    if path.is_dir() {
        return below(path);
    }
    // The name under which results show a case names it too: `hooks/warm-cache`.
    let named = with_suffix(path);
    if !path.exists() {
        return if named.is_file() { Ok(vec![named]) } else { Err(FindError::Nothing(path.to_owned())) };
    }
    if is_case(path) {
        return Ok(vec![path.to_owned()]);
    }
    if path.extension().is_none_or(|extension| extension != "wasm" && extension != "wat") {
        return Err(FindError::NoHook(path.to_owned()));
    }
    beside(path)
}

fn below(dir: &Path) -> Result<Vec<PathBuf>, FindError> {
    let (mut found, mut pending) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = pending.pop() {
        for (path, kind) in entries(&dir)? {
            let skipped = path.file_name().is_some_and(|name| SKIPPED.iter().any(|skipped| name == *skipped));
            if kind.is_dir() && !skipped {
                pending.push(path);
            } else if is_case(&path) && !path.is_dir() {
                // A link to nowhere and a pipe are found, too: what can't be read must not look like what passed.
                found.push(plain(&path));
            }
        }
    }
    found.sort();
    let none = || FindError::NoCases { place: "in", path: dir.to_owned(), example: plain(&dir.join(format!("hook{SUFFIX}"))) };
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// The cases in the hook's own directory that test it.
fn beside(hook: &Path) -> Result<Vec<PathBuf>, FindError> {
    let dir = hook.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found: Vec<PathBuf> = entries(dir)?.into_iter().map(|(path, _)| plain(&path)).filter(|path| is_case(path)).collect();
    found.retain(|case| guest_file(case).is_some_and(|guest| same_file(&guest, hook)));
    found.sort();
    let none = || FindError::NoCases { place: "beside", path: hook.to_owned(), example: with_suffix(&hook.with_extension("")) };
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

fn entries(dir: &Path) -> Result<Vec<(PathBuf, std::fs::FileType)>, FindError> {
    let failed = |source| FindError::Io { path: dir.to_owned(), source };
    let entries = std::fs::read_dir(dir).map_err(failed)?;
    entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))).map_err(failed)).collect()
}

fn is_case(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.len() > SUFFIX.len() && name.ends_with(SUFFIX))
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// Without the `.` that the search began with: the path as a person would write it.
fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[PathBuf], root: &Path) -> Vec<String> {
        found.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_directory_a_hook_and_a_name_all_name_cases() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for dir in ["hooks/deep", "target/x", ".git", "node_modules"] {
            std::fs::create_dir_all(at(dir)).unwrap();
            std::fs::write(at(dir).join("a.test.toml"), "schema = 1\n").unwrap();
        }
        std::fs::write(at("hooks/a.wasm"), "").unwrap();
        std::fs::write(at("hooks/other.test.toml"), "schema = 1\nhook.wasm = \"a.wasm\"\n").unwrap();
        std::fs::write(at("hooks/b.test.toml"), "schema = 1\nhook.run = [\"true\"]\n").unwrap();
        std::fs::write(at("hooks/a.test.toml"), "schema = 1\n").unwrap();
        std::fs::write(at("hooks/.test.toml"), "no stem, no case").unwrap();

        let all = ["hooks/a.test.toml", "hooks/b.test.toml", "hooks/deep/a.test.toml", "hooks/other.test.toml"];
        assert_eq!(names(&find(&[at("")]).unwrap(), root.path()), all);
        assert_eq!(names(&find(&[at("hooks/a.wasm")]).unwrap(), root.path()), ["hooks/a.test.toml", "hooks/other.test.toml"]);
        let twice = [at("hooks/b"), at("hooks/b.test.toml")];
        assert_eq!(names(&find(&twice).unwrap(), root.path()), ["hooks/b.test.toml"]);
    }

    #[test]
    fn what_names_no_case_is_an_error_with_a_way_out() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("lonely.wasm"), "").unwrap();
        std::fs::write(root.path().join("notes.txt"), "").unwrap();
        std::fs::create_dir(root.path().join("empty")).unwrap();
        for (name, part) in [
            ("empty", "no test cases in "),
            ("lonely.wasm", "lonely.test.toml"),
            ("notes.txt", "neither a test case"),
            ("gone", "name a test case"),
        ] {
            let error = find(&[root.path().join(name)]).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
    }
}
