//! Granted directories: what the hook is given for each one, and where it finds it. The handles are those that were decided about.

use super::NotRun;
use super::private::Private;
use crate::exec::dirs::{self, Handle};
use crate::exec::{ExecError, Surroundings};
use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use crate::model::job::Job;
use rustix::fs::{CWD, Mode, OFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One granted directory.
pub(super) struct Place<'a> {
    /// The grant.
    pub grant: &'a DirGrant,
    /// What the hook is given: the host's directory, the view of a stage, or a private directory.
    pub dir: Arc<OwnedFd>,
    /// Where the hook finds it: an absolute path without links.
    pub at: PathBuf,
    /// Whether another directory lies there on the machine, so that this one has to be put over it.
    pub replaces: bool,
    /// The user namespace that owns the view, if it was made without privileges.
    pub user_namespace: Option<Arc<OwnedFd>>,
}

impl Place<'_> {
    /// Whether the hook's writes there are staged.
    pub(super) fn is_staged(&self) -> bool {
        matches!(self.grant.mode, DirMode::Txn | DirMode::Discard)
    }
}

/// Whether the job finds a directory where the machine has another one.
pub(super) fn any_replaces(job: &Job, around: &Surroundings) -> bool {
    job.dirs.iter().any(|grant| replaces(grant, around))
}

/// What may only be read is a view where somebody else's writes to it are staged.
fn replaces(grant: &DirGrant, around: &Surroundings) -> bool {
    let is_view = grant.mode == DirMode::Read && around.view(&grant.guest).is_some();
    is_view || !matches!(grant.mode, DirMode::Read | DirMode::Write) || is_moved(grant)
}

fn is_moved(grant: &DirGrant) -> bool {
    grant.host.as_deref().is_none_or(|host| Path::new(host) != Path::new(&grant.guest))
}

/// Finds the place of every granted directory; `handles` are theirs, in the order of the job's grants.
///
/// # Errors
/// [`NotRun`], with the grant and the line that would do instead.
pub(super) fn find<'a>(
    job: &'a Job,
    handles: Vec<Option<Handle>>,
    around: &Surroundings,
    private: &mut Private,
) -> Result<Vec<Place<'a>>, NotRun> {
    let mut places: Vec<Place<'a>> = Vec::with_capacity(job.dirs.len());
    for (grant, handle) in job.dirs.iter().zip(handles) {
        let place = place(grant, handle, around, private)?;
        if let Some(other) = places.iter().find(|other| other.at == place.at && (other.replaces || place.replaces)) {
            return Err(same_place(grant, other.grant).into());
        }
        places.push(place);
    }
    Ok(places)
}

fn place<'a>(grant: &'a DirGrant, handle: Option<Handle>, around: &Surroundings, private: &mut Private) -> Result<Place<'a>, NotRun> {
    let real_path = handle.as_ref().map(|handle| handle.real_path().to_owned());
    if let (Some(host), Some(real_path)) = (&grant.host, &real_path)
        && private.lies_in(real_path)
    {
        return Err(reaches_private(grant, host, private.home()).into());
    }
    let (dir, user_namespace) = match (grant.mode, handle) {
        (DirMode::Write, Some(_)) if around.dry => return Err(dirs::live_in_a_dry_run(grant).into()),
        (DirMode::Read | DirMode::Txn | DirMode::Discard, Some(handle)) => match around.view(&grant.guest) {
            Some(view) => (Arc::clone(&view.dir), view.user_namespace.clone()),
            None if grant.mode == DirMode::Read => (Arc::new(handle.into()), None),
            None => return Err(dirs::not_staged(grant).into()),
        },
        (DirMode::Write, Some(handle)) => (Arc::new(handle.into()), None),
        (DirMode::Scratch, _) => (Arc::new(open_private(private.add_dir()?)?), None),
        (_, None) => return Err(no_host(grant).into()),
    };
    let replaces = replaces(grant, around);
    Ok(Place { grant, dir, at: mount_point(grant, real_path, private, replaces)?, replaces, user_namespace })
}

fn open_private(dir: &Path) -> Result<OwnedFd, ExecError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, dir, flags, Mode::empty()).map_err(|errno| ExecError::new(format!("opening {}", dir.display()), errno))
}

/// Where the grant is found. What isn't moved lies where its handle says; a directory to put another one over is never made: the machine is not
/// ours.
fn mount_point(grant: &DirGrant, real_path: Option<PathBuf>, private: &Private, replaces: bool) -> Result<PathBuf, Denial> {
    let at = match real_path.filter(|_| !is_moved(grant)) {
        Some(real_path) => real_path,
        None => Path::new(&grant.guest).canonicalize().map_err(|error| no_mount_point(grant, &error))?,
    };
    if !replaces {
        return Ok(at);
    }
    if at == Path::new("/") {
        return Err(at_root(grant));
    }
    if !at.is_dir() {
        return Err(no_mount_point(grant, &io::ErrorKind::NotADirectory.into()));
    }
    if private.lies_in(&at) {
        return Err(reaches_private(grant, &grant.guest, private.home()));
    }
    Ok(at)
}

/// Where this process finds what the hook will find at `path`.
pub(super) fn seen_from_here(places: &[Place<'_>], path: &Path) -> PathBuf {
    let inside = |place: &Place<'_>| {
        let below = path.strip_prefix(&place.grant.guest).or_else(|_| path.strip_prefix(&place.at)).ok()?.to_owned();
        Some((place.at.components().count(), handle(&place.dir).join(below)))
    };
    places.iter().filter_map(inside).max_by_key(|(depth, _)| *depth).map_or_else(|| path.to_owned(), |(_, path)| path)
}

/// A path to an open directory, for this process.
pub(super) fn handle(dir: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}

fn denial(what: String, allow: String) -> Denial {
    Denial { capability: Capability::Dir, what, allow }
}

fn no_host(grant: &DirGrant) -> Denial {
    denial(
        format!("grant `{}` has the mode `{}` but no directory on the host", grant.guest, grant.mode),
        "name the directory, or use the mode scratch".to_owned(),
    )
}

fn no_mount_point(grant: &DirGrant, error: &io::Error) -> Denial {
    let guest = &grant.guest;
    let what = grant.host.as_deref().map_or_else(|| "a private directory".to_owned(), |host| format!("directory `{host}`"));
    let instead = match grant.host.as_deref() {
        Some(host) => format!("dirs = [{{ path = \"{host}\", mode = \"{}\" }}]", grant.mode),
        None => "leave it out: TMPDIR and HOME are private already".to_owned(),
    };
    denial(
        format!("{what} as `{guest}`: {error}; a native hook finds a directory elsewhere only over one that is there"),
        format!("mkdir -p {guest}, or {instead}"),
    )
}

fn at_root(grant: &DirGrant) -> Denial {
    denial(
        format!("grant `{}` with the mode `{}`: a native hook's root is the machine's", grant.guest, grant.mode),
        "grant the directories below it that the hook needs".to_owned(),
    )
}

fn same_place(one: &DirGrant, other: &DirGrant) -> Denial {
    denial(
        format!("grants `{}` and `{}` lead to the same place, where a native hook finds only one of them", one.guest, other.guest),
        "give one of them another guest path".to_owned(),
    )
}

fn reaches_private(grant: &DirGrant, path: &str, private: &Path) -> Denial {
    let path = if grant.mode == DirMode::Scratch { &grant.guest } else { path };
    denial(
        format!("directory `{path}` holds wasmhook's own private directories ({})", private.display()),
        if grant.mode == DirMode::Scratch {
            "leave it out: TMPDIR and HOME are private already".to_owned()
        } else {
            format!("a directory below `{path}`, or another scratch directory for wasmhook")
        },
    )
}
