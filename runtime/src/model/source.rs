//! Repositories that hooks come from, apart from the application's own.

use super::id::{Commit, SourceName, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest address or branch, in bytes.
const MAX: usize = 1_000;

/// The address of a git repository, without credentials: it may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct GitUrl(String);

/// Why a text is no address that hooks can come from. Never shows the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It holds a name or a password.
    #[error("the address holds credentials, and what is written here is stored and shown")]
    Credentials,
    /// A ceiling that ends at a folder would say nothing.
    #[error("the address holds `.`, `..` or an encoded dot as a part of its path")]
    Dots,
    /// Git would ask another repository than the one that is shown, or none.
    #[error("this is no address of a git repository")]
    Form,
}

impl UrlError {
    /// The way out.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Credentials => {
                "write it without them: git asks the operator's credential helper, or the program in GIT_ASKPASS; a key of ssh needs neither"
            }
            Self::Dots => "write the path as it is",
            Self::Form => {
                "write `https://host/path`, `ssh://user@host/path`, `user@host:path`, `file:///path` or an absolute path, without spaces, `?` and `#`"
            }
        }
    }
}

impl GitUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// [`UrlError`] if it isn't one, or holds credentials.
    pub fn new(text: impl Into<String>) -> Result<Self, UrlError> {
        let text = text.into();
        let is_plain =
            text.len() <= MAX && !text.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '\\') || super::text::is_unsafe(c));
        let path = match text.split_once("://") {
            Some((scheme, rest)) => of_scheme(scheme, rest)?,
            None if text.starts_with('/') => text.as_str(),
            None => of_ssh(&text)?,
        };
        if !is_plain {
            return Err(UrlError::Form);
        }
        let is_dots = |part: &str| part == "." || part == ".." || part.to_ascii_lowercase().contains("%2e");
        if path.split('/').any(is_dots) { Err(UrlError::Dots) } else { Ok(Self(text)) }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody on the way could put other files in the place of the repository's.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.0.starts_with("http://")
    }
}

/// The path of an address with a scheme.
fn of_scheme<'a>(scheme: &str, rest: &'a str) -> Result<&'a str, UrlError> {
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    match scheme {
        // Also a lone user name: hosts take tokens in its place.
        "https" | "http" if rest.contains('@') => Err(UrlError::Credentials),
        "ssh" if user.contains(':') => Err(UrlError::Credentials),
        "https" | "http" | "ssh" if !host.is_empty() && !host.starts_with('-') && !path.is_empty() => Ok(path),
        "file" if authority.is_empty() && !path.is_empty() => Ok(path),
        _ => Err(UrlError::Form),
    }
}

/// The path of `user@host:path`.
fn of_ssh(text: &str) -> Result<&str, UrlError> {
    let (user, rest) = text.rsplit_once('@').map_or(("", text), |(user, rest)| (user, rest));
    if user.contains(':') {
        return Err(UrlError::Credentials);
    }
    let (host, path) = rest.split_once(':').ok_or(UrlError::Form)?;
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let is_host = !host.is_empty() && !host.starts_with('-') && is_name(host);
    let is_sound = is_host && is_name(user) && !user.starts_with('-') && !path.is_empty() && !path.starts_with(['-', ':']);
    if is_sound { Ok(path) } else { Err(UrlError::Form) }
}

impl TryFrom<String> for GitUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, UrlError> {
        Self::new(text)
    }
}

impl From<GitUrl> for String {
    fn from(url: GitUrl) -> Self {
        url.0
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A branch's name: `main`, `feature/x`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

/// A text that git has no branch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a branch: git allows no spaces, none of `~^:?*[\\`, no `..` and no `@{{` in one")]
pub struct BranchError;

impl BranchName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BranchError`] if git could have no branch of that name.
    pub fn new(text: impl Into<String>) -> Result<Self, BranchError> {
        let text = text.into();
        let bad = |c: char| c.is_whitespace() || super::text::is_unsafe(c) || "~^:?*[\\".contains(c);
        let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.strip_suffix(".lock").is_some() || part.ends_with('.');
        let is_bad =
            text.len() > MAX || text == "@" || text.starts_with('-') || text.contains(bad) || text.contains("..") || text.contains("@{");
        if is_bad || text.split('/').any(bad_part) { Err(BranchError) } else { Ok(Self(text)) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BranchName {
    type Error = BranchError;
    fn try_from(text: String) -> Result<Self, BranchError> {
        Self::new(text)
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> Self {
        name.0
    }
}

/// What of a repository hooks come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Revision {
    /// The newest commit of the branch that the repository itself shows first.
    #[default]
    Head,
    /// The newest commit of a branch.
    Branch(BranchName),
    /// A tag, wherever it points.
    Tag(Tag),
    /// One commit, by its full name.
    Commit(Commit),
}

impl Revision {
    /// What git calls it at the remote.
    #[must_use]
    pub fn remote_ref(&self) -> String {
        match self {
            Self::Head => "HEAD".to_owned(),
            Self::Branch(branch) => format!("refs/heads/{}", branch.as_str()),
            Self::Tag(tag) => format!("refs/tags/{tag}"),
            Self::Commit(commit) => commit.to_string(),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("its default branch"),
            Self::Branch(branch) => write!(f, "branch {}", branch.as_str()),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Commit(_) => f.write_str("pinned"),
        }
    }
}

/// Where a hook comes from that isn't the application's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookSource {
    /// What the manifest calls it.
    pub name: SourceName,
    /// The repository.
    pub git: GitUrl,
    /// What of it.
    pub revision: Revision,
    /// The commit that was read; null if none was.
    pub commit: Option<Commit>,
}

impl fmt::Display for HookSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commit = self.commit.as_ref().map_or_else(|| "not read".to_owned(), |commit| format!("{commit:.12}"));
        write!(f, "{} ({}, {commit})", self.git, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_12_addresses_of_every_kind_are_taken_as_they_are_written() {
        for good in [
            "https://github.com/user/job-repo",
            "http://127.0.0.1:8080/jobs.git",
            "ssh://git@host:2222/a/b.git",
            "git@github.com:user/job-repo.git",
            "host:jobs",
            "file:///srv/jobs.git",
            "/srv/jobs.git",
        ] {
            assert_eq!(GitUrl::new(good).map(String::from).as_deref(), Ok(good));
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_without_being_shown() {
        for bad in [
            "https://user:s3cret@host/a",
            "https://s3cret@host/a",
            "http://x:s3cret@127.0.0.1/a",
            "https://user:s3/cret@host/a",
            "ssh://git:s3cret@host/a",
            "git:s3cret@host:a",
        ] {
            let error = GitUrl::new(bad).unwrap_err();
            assert_eq!(error, UrlError::Credentials, "{bad}");
            assert!(!format!("{error} {error:?} {}", error.help()).contains("s3cret"));
        }
    }

    #[test]
    fn what_git_would_read_otherwise_than_it_looks_is_refused() {
        for bad in [
            "",
            "jobs",
            "../jobs",
            "ext::sh -c id",
            "git://host/a",
            "https://",
            "https://host",
            "https:///a",
            "file://host/a",
            "-oProxy=x:a",
            "ssh://-oProxy=x/a",
            "host:-a",
            "https://host/a b",
            "https://host/a?token=x",
            "https://host/a#b",
            "https://host/a\\b",
            "a\n:b",
        ] {
            assert_eq!(GitUrl::new(bad), Err(UrlError::Form), "{bad}");
        }
        for bad in ["https://host/a/../b", "https://host/./a", "/srv/..", "git@host:../a", "https://host/%2E%2e/a"] {
            assert_eq!(GitUrl::new(bad), Err(UrlError::Dots), "{bad}");
        }
    }

    #[test]
    fn branches_are_named_as_git_names_them() {
        for good in ["main", "feature/x", "v1.2", "a@b"] {
            assert!(BranchName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "a b", "a..b", "a~1", "a:b", "/a", "a/", "a//b", ".a", "a.lock", "a.", "@", "a@{1}", "a\\b", "a\nb"] {
            assert_eq!(BranchName::new(bad), Err(BranchError), "{bad}");
        }
    }
}
