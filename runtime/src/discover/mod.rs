//! Facts about the outside: what git knows, which files a release holds, whether a program can be started.
//!
//! Everything here only looks. The exceptions: [`git::Repository::fetch_tags`] and [`follow`] bring objects, the latter's
//! [`advance`](git::Repository::advance) fast-forwards what is checked out, and [`mirror::Mirror`] keeps copies of other repositories in a
//! directory of our own.
//! What is found comes back as the values of [`crate::model::facts`], or as an error that names the path and the rule.
//!
//! Files are read below the application's root only, through [`source::Source`]: a target commit's objects, so that what is planned before a
//! checkout is what runs after it, or the work tree, through handles that follow no symbolic link. A tenant's hooks may write there.
//!
//! What this can't guard: git obeys the repository's own configuration (`.git/config`). A hook that was granted writes to `.git` of the
//! application decides what the operator's next `git` command does, here and in the host steps; don't grant it.

mod command;
pub mod error;
pub mod follow;
pub mod git;
pub mod given;
pub mod mirror;
mod objects;
pub mod preflight;
pub mod release;
pub mod source;
pub mod target;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod version;
mod work_tree;

pub use error::{GitError, MirrorError, Refusal, SourceError};
pub use follow::{Advance, Branch, FollowError, Upstream};
pub use git::{Git, Repository, Tags};
pub use mirror::Mirror;
pub use source::{Entry, EntryKind, Source};
pub use work_tree::WorkTree;
