//! Why a stage can't be had, and why it can't be committed.

use super::{Backend, Kind};
use crate::model::text::shown;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a stage can't be had or read. Nothing outside it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The system refused something.
    #[error("cannot {doing} {}: {source}", shown(path))]
    Io {
        /// What was tried (`read`).
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Its file system is read-only, so nothing could be committed.
    #[error("{} lies on a read-only file system: nothing can be committed there; grant it with mode discard or read", shown(base))]
    ReadOnly {
        /// The granted directory.
        base: PathBuf,
    },
    /// Another file system is mounted in it: a stage holds one.
    #[error(
        "{} is a mount inside {}: a stage holds one file system; grant the mounted directory by itself, with mode write or read",
        shown(mounted),
        shown(base)
    )]
    MountedInside {
        /// The granted directory.
        base: PathBuf,
        /// The first mount in it.
        mounted: PathBuf,
    },
    /// Another directory stands where the staged one stood.
    #[error(
        "{} was replaced while it was staged, so that what stands there now isn't what was granted; run again, and find out who moves it",
        shown(base)
    )]
    Replaced {
        /// The granted directory.
        base: PathBuf,
    },
    /// A granted directory isn't in the stage of the one that holds it.
    #[error("cannot open {} in its stage: {source}; create it, or correct the grant", shown(path))]
    NotInStage {
        /// The granted directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A live grant nested in it can't be shown where it stands.
    #[error(
        "the grant {} inside {} can't be mounted into the stage: {source} (it takes Linux 6.15); stage both, or neither",
        shown(nested),
        shown(base)
    )]
    NestedLive {
        /// The granted directory.
        base: PathBuf,
        /// The live one in it.
        nested: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is more than may be copied.
    #[error("{} can't be staged by copying: more than {limit}; {}", shown(base), way_out(why))]
    TooLarge {
        /// The granted directory.
        base: PathBuf,
        /// What would be exceeded: `100000 files`, `1073741824 bytes`.
        limit: String,
        /// Why it would be copied at all.
        why: Vec<WhyNot>,
    },
    /// It has to be copied, and this user can't read some of it.
    #[error(
        "user {user} can't copy {}: {source}, and what a stage of {} holds is a copy of all that lies there; let that user read it (`chmod`, `chown`), run as its owner or as root, {}",
        shown(path),
        shown(base),
        way_out(why)
    )]
    NotCopied {
        /// The granted directory.
        base: PathBuf,
        /// What can't be copied: itself, or something in it.
        path: PathBuf,
        /// Who copies.
        user: u32,
        /// Why it is copied at all.
        why: Vec<WhyNot>,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What a crash left in a stage can't be brought to its end now.
    #[error("{source}; that belongs to the stage {}: {}or move that stage away, which leaves undone what isn't done of it", shown(stage), mended(source, *user))]
    NotEnded {
        /// The stage directory.
        stage: PathBuf,
        /// Who tried.
        user: u32,
        /// What stopped it.
        #[source]
        source: Box<Self>,
    },
    /// A stage that a crash left can't be read.
    #[error("the unfinished commit in {} can't be read: {why}; run the wasmhook that wrote it, or move it away", shown(path))]
    NotUnderstood {
        /// The stage directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A stage that a crash left wants to change a directory that isn't known to belong to it.
    #[error(
        "the unfinished commit in {} would change {}, which this run doesn't grant, or which holds no part of that stage; grant it again to finish the commit, or move the stage away",
        shown(path),
        shown(base)
    )]
    Stranger {
        /// The stage directory.
        path: PathBuf,
        /// The directory.
        base: PathBuf,
    },
    /// None of the allowed back ends works here.
    #[error("{} can't be staged: {}", shown(base), list(why))]
    NoBackend {
        /// The granted directory.
        base: PathBuf,
        /// What each of them said.
        why: Vec<WhyNot>,
    },
}

impl StageError {
    /// The same, of a stage that is to be brought to its end: what the system said alone names neither it nor the way out.
    pub(super) fn of_stage(self, stage: &Path, user: u32) -> Self {
        match self {
            Self::Io { .. } => Self::NotEnded { stage: stage.to_owned(), user, source: Box::new(self) },
            named => named,
        }
    }
}

/// How what the system said is mended.
fn mended(error: &StageError, user: u32) -> String {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let StageError::Io { source, .. } = error else { return String::new() };
    match source.kind() {
        PermissionDenied => {
            format!("let user {user} do it (`chown`, `chmod`; `chattr -ia` where it has such attributes), run as its owner or as root, ")
        }
        StorageFull | QuotaExceeded => "make room there, ".to_owned(),
        ReadOnlyFilesystem => "mount it for writing, ".to_owned(),
        _ => "mend that, ".to_owned(),
    }
}

/// Why one back end isn't used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyNot {
    /// Which directory of the request it wasn't used for.
    pub index: usize,
    /// The back end.
    pub backend: Backend,
    /// What the system said, or the rule.
    pub reason: String,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.backend, self.reason)
    }
}

fn list(why: &[WhyNot]) -> String {
    if why.is_empty() { "no back end is allowed".to_owned() } else { why.iter().map(WhyNot::to_string).collect::<Vec<_>>().join("; ") }
}

fn way_out(why: &[WhyNot]) -> String {
    let instead = "grant a smaller directory, or this one with the mode write";
    if why.is_empty() {
        instead.to_owned()
    } else {
        format!("{instead}, or mend what keeps it from being staged without a copy ({})", list(why))
    }
}

/// Why a stage wasn't committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The stage can't be read.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Somebody else changed what the hook changed. Nothing was committed.
    #[error("not committed: somebody else changed {}", conflicts.iter().map(Conflict::to_string).collect::<Vec<_>>().join(", "))]
    Conflict {
        /// Each of them, sorted.
        conflicts: Vec<Conflict>,
    },
    /// The hook made something that a stage doesn't carry over. Nothing was committed.
    #[error(
        "not committed: {} is a {}, and a stage holds files, directories, links and pipes; let the hook remove it, or grant the directory with mode write",
        shown(path),
        kind
    )]
    NotStageable {
        /// Its path on the host.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// The hook put something in the place of what its stage didn't show, or removed the directory that it is in. Nothing was committed.
    #[error(
        "not committed: {} is a {what}, which its stage didn't show, so that the hook replaced it, or removed the directory that it is in, without knowing of it; move it away, or grant the directory with mode write",
        shown(path)
    )]
    Unseen {
        /// Its path on the host.
        path: PathBuf,
        /// What it is (`socket`).
        what: &'static str,
    },
    /// The hook changed something that belongs to somebody else, and this user can't give it back to them. Nothing was committed.
    #[error("not committed: {} belongs to {}, and the hook's version would belong to {}; run as {} or as root, or grant the directory with mode write", shown(path), whose(*old, *new), whose(*new, *old), whose(*old, *new))]
    OthersFile {
        /// Its path on the host.
        path: PathBuf,
        /// Whose it is: user and group.
        old: (u32, u32),
        /// Whose it would be.
        new: (u32, u32),
    },
    /// The file system won't let this user do what the hook did. Nothing was committed.
    #[error("not committed: {} {forbidden}", shown(path))]
    Forbidden {
        /// Its path on the host.
        path: PathBuf,
        /// How.
        forbidden: Forbidden,
    },
    /// The hook changed, through the staged directory, what another grant makes live. Nothing was committed.
    #[error(
        "not committed: {} belongs to the live grant {}, and was changed through the staged one around it; go through the live one",
        shown(path),
        shown(nested)
    )]
    InLiveGrant {
        /// Its path on the host.
        path: PathBuf,
        /// The live grant.
        nested: PathBuf,
    },
    /// Decided, but not finished. [`recover`](super::recover) finishes it; nothing may work on the directories before.
    #[error("the commit was decided, but isn't finished: {source}; the next start finishes it")]
    Unfinished {
        /// What stopped it.
        #[source]
        source: StageError,
    },
    /// Nobody knows whether it is decided: the disk failed in that moment. [`recover`](super::recover) will tell.
    #[error("the disk failed in the moment of the commit: {source}; the next start tells how it ended")]
    InDoubt {
        /// What the disk said.
        #[source]
        source: StageError,
    },
}

/// The user, or the group where only that differs.
fn whose((user, group): (u32, u32), other: (u32, u32)) -> String {
    if user == other.0 { format!("group {group}") } else { format!("user {user}") }
}

/// What a file system forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// Every change of it (`chattr +i`).
    Immutable,
    /// Every change of it but adding to its end (`chattr +a`).
    AppendOnly,
    /// Every change of this directory but adding entries (`chattr +a`).
    AppendOnlyDirectory,
    /// This user may not add and remove entries of it.
    Directory {
        /// Who commits.
        user: u32,
    },
    /// It stands in a directory in which only its owner may remove it (`chmod +t`).
    Sticky {
        /// Who commits.
        user: u32,
        /// Whose it is.
        owner: u32,
    },
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Immutable => f.write_str("is immutable, so that no hook could change it live either; `chattr -i` takes that away"),
            Self::AppendOnly => f.write_str(
                "may only be added to (`chattr +a`), which a hook could do live, but a commit puts a new file in the place of one that was \
                 written to; `chattr -a` takes that away, or grant the directory with mode write",
            ),
            Self::AppendOnlyDirectory => f.write_str(
                "is a directory that entries may only be added to (`chattr +a`): live, a hook could also write to those that are there, but a \
                 commit puts new ones in their place, and sets the directory's own attributes; `chattr -a` takes that away, or grant the \
                 directory with mode write",
            ),
            Self::Directory { user } => {
                write!(
                    f,
                    "is a directory in which user {user} may neither add nor remove anything; run as its owner or as root, or change its mode"
                )
            }
            Self::Sticky { user, owner } => {
                write!(
                    f,
                    "belongs to user {owner}, and in that directory (chmod +t) user {user} may not replace it; run as user {owner} or as root"
                )
            }
        }
    }
}

/// Something that changed while a hook had it staged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// Its path on the host.
    pub path: PathBuf,
    /// How it was changed by somebody else.
    pub how: ConflictKind,
    /// How the hook changed it.
    pub by_hook: ConflictKind,
}

/// How something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// It wasn't there when the hook began.
    Created,
    /// It isn't what it was.
    Modified,
    /// It is gone.
    Deleted,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, how, by_hook } = self;
        if how == by_hook {
            write!(f, "{} ({how} by both)", shown(path))
        } else {
            write!(f, "{} ({how}; the hook {by_hook} it)", shown(path))
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        })
    }
}

/// Says what was tried and on what.
pub(super) trait At<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StageError>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StageError> {
        self.map_err(|errno| StageError::Io { doing, path: path.as_ref().to_owned(), source: errno.into() })
    }
}
