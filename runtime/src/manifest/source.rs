//! `[source.NAME]` → [`SourceDecl`], and the addresses that a policy allows.

use super::SourceDecl;
use super::schema::SourceDoc;
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{Problems, error_at, quote};
use crate::model::id::{Commit, Tag};
use crate::model::source::{BranchName, GitUrl, Revision, UrlError};
use std::fmt::Display;

/// The lengths of a commit's whole name: SHA-1 and SHA-256.
const WHOLE: &[usize] = &[40, 64];

/// A source, or `None` if its keys can't be one; everything wrong with it is reported either way.
pub(super) fn source(doc: SourceDoc, problems: &mut Problems) -> Option<SourceDecl> {
    let revision = revision(doc.branch, doc.tag, doc.commit, problems);
    let folder = doc.folder.filter(|folder| folder.value != ".");
    let is_below = folder.as_ref().is_none_or(|folder| is_below(folder, problems));
    Some(SourceDecl { git: url(doc.git, problems)?, revision: revision?, folder: folder.filter(|_| is_below) }).filter(|_| is_below)
}

/// An address, or a report that doesn't show it.
pub(super) fn url(written: Located<String>, problems: &mut Problems) -> Option<Located<GitUrl>> {
    match GitUrl::new(written.value.trim()) {
        Ok(url) => Some(Located { value: url, at: written.at }),
        Err(error) => {
            problems.push(bad_url(&written, error));
            None
        }
    }
}

fn bad_url(written: &Located<String>, error: UrlError) -> Diagnostic {
    error_at(written, codes::BAD_SOURCE, error.to_string()).help(error.help())
}

/// At most one of the three.
fn revision(
    branch: Option<Located<String>>,
    tag: Option<Located<String>>,
    commit: Option<Located<String>>,
    problems: &mut Problems,
) -> Option<Revision> {
    match (branch, tag, commit) {
        (None, None, None) => Some(Revision::Head),
        (Some(branch), None, None) => checked(&branch, BranchName::new(&branch.value), problems).map(Revision::Branch),
        (None, Some(tag), None) => {
            // Git reads more into a tag's name than a file system does: what it allows in branches it allows in tags.
            let is_ref = checked(&tag, BranchName::new(&tag.value), problems).is_some();
            checked(&tag, Tag::new(&tag.value), problems).filter(|_| is_ref).map(Revision::Tag)
        }
        (None, None, Some(commit)) if !WHOLE.contains(&commit.value.len()) => {
            let message = format!("{} is not the whole name of a commit, and the beginning of one can be another's", quote(&commit.value));
            problems
                .push(error_at(&commit, codes::BAD_NAME, message).help("write all 40 (or 64) digits: `git rev-parse HEAD` prints them"));
            None
        }
        (None, None, Some(commit)) => checked(&commit, Commit::new(&commit.value), problems).map(Revision::Commit),
        (branch, tag, commit) => {
            let last = commit.or(tag).or(branch)?;
            let twice = error_at(&last, codes::DUPLICATE_NAME, "a source has one of `branch`, `tag` and `commit`, and this has several");
            problems.push(twice.help("keep one: a commit never moves, a tag seldom, a branch always"));
            None
        }
    }
}

fn checked<T, E: Display>(written: &Located<String>, checked: Result<T, E>, problems: &mut Problems) -> Option<T> {
    checked.map_err(|error| problems.push(error_at(written, codes::BAD_NAME, format!("{}: {error}", quote(&written.value))))).ok()
}

fn is_below(folder: &Located<String>, problems: &mut Problems) -> bool {
    let is_below = folder.value.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if !is_below {
        let message = format!("{} is no folder below the repository's root", quote(&folder.value));
        problems.push(error_at(folder, codes::ESCAPES_ROOT, message).help("write it as `a/b`, or leave it out for the whole repository"));
    }
    is_below
}

/// An address of `[policy] sources`, or the beginning of several. A `*` amid a name would allow other hosts than it seems to.
pub(super) fn pattern(written: Located<String>, problems: &mut Problems) -> Option<String> {
    let (stem, is_open) = written.value.strip_suffix('*').map_or((written.value.as_str(), false), |stem| (stem, true));
    if written.value == "*" {
        return Some(written.value);
    }
    if is_open && !stem.ends_with(['/', ':']) {
        let message = format!("{}: a `*` stands at the end, after a `/` or `:`", quote(&written.value));
        problems.push(error_at(&written, codes::BAD_SOURCE, message).help("write `https://host/group/*`, or `*` for every address"));
        return None;
    }
    match GitUrl::new(if is_open { format!("{stem}x") } else { stem.to_owned() }) {
        Ok(_) => Some(written.value),
        Err(error) => {
            problems.push(bad_url(&written, error));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, parse, parse_policy};

    fn read(lines: &str) -> (Manifest, Vec<&'static str>) {
        let (manifest, found) = parse("m", &format!("schema = 1\n[source.jobs]\n{lines}\n"));
        (manifest, found.iter().map(|problem| problem.code).collect())
    }

    #[test]
    fn s4_12_a_source_is_a_repository_and_what_of_it() {
        let whole = "a".repeat(40);
        for (lines, revision, folder) in [
            (String::new(), Revision::Head, None),
            (
                "branch = 'feature/x'\nfolder = 'ops/jobs'".to_owned(),
                Revision::Branch(BranchName::new("feature/x").unwrap()),
                Some("ops/jobs"),
            ),
            ("tag = 'v2'\nfolder = '.'".to_owned(), Revision::Tag(Tag::new("v2").unwrap()), None),
            (format!("commit = '{whole}'"), Revision::Commit(Commit::new(whole.as_str()).unwrap()), None),
        ] {
            let (manifest, found) = read(&format!("git = 'https://host/jobs'\n{lines}"));
            assert_eq!(found, [""; 0], "{lines}");
            let (name, source) = &manifest.sources[0];
            assert_eq!((name.value.as_str(), source.git.value.as_str()), ("jobs", "https://host/jobs"));
            assert_eq!((&source.revision, source.folder.as_ref().map(|at| at.value.as_str())), (&revision, folder));
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for (lines, code) in [
            ("branch = 'a'\ntag = 'b'", codes::DUPLICATE_NAME),
            ("branch = 'a..b'", codes::BAD_NAME),
            ("tag = 'a~1'", codes::BAD_NAME),
            ("commit = 'abcdef1'", codes::BAD_NAME),
            ("folder = '../x'", codes::ESCAPES_ROOT),
            ("folder = '/x'", codes::ESCAPES_ROOT),
            ("rev = 'x'", codes::UNKNOWN_KEY),
        ] {
            assert_eq!(read(&format!("git = 'https://host/jobs'\n{lines}")).1, [code], "{lines}");
        }
        assert_eq!(read("git = 'jobs'").1, [codes::BAD_SOURCE]);
        assert_eq!(read("branch = 'a'").1, [codes::MISSING_KEY]);
    }

    #[test]
    fn an_address_with_credentials_is_refused_and_never_shown() {
        let (_, found) = parse("m", "schema = 1\n[source.jobs]\ngit = 'https://user:s3cret@host/a'\n");
        assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), [codes::BAD_SOURCE]);
        let shown = crate::diagnostic::render(&found, crate::diagnostic::Style::default());
        assert!(!shown.contains("s3cret") && !shown.contains("user") && shown.contains("https://***********@host/a"), "{shown}");
        assert!(shown.contains("GIT_ASKPASS"), "{shown}");
    }

    #[test]
    fn a_policy_names_addresses_and_never_half_a_host() {
        let read = |patterns: &str| {
            let (file, found) = parse_policy("p", &format!("schema = 1\n[policy]\nsources = [{patterns}]\n"));
            (file.policy.and_then(|policy| policy.value.sources), found.iter().map(|problem| problem.code).collect::<Vec<_>>())
        };
        let (good, found) = read("'https://host/ops/*', 'git@host:*', 'https://host/a', '*'");
        assert_eq!((good.map(|all| all.len()), found), (Some(4), vec![]));
        for bad in ["'https://host*'", "'host'", "'https://u:p@host/*'", "'https://host/a/../*'"] {
            assert_eq!(read(bad).1, [codes::BAD_SOURCE], "{bad}");
        }
    }
}
