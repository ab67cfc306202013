//! Opening a stage: a place for each directory, then the first back end that works there.

use super::error::{At, StageError, WhyNot};
use super::overlay::{self, Failure, Layers, Nested};
use super::place::{self, Place};
use super::tree::{self, Meta, Node, Time};
use super::{Backend, Base, Ends, Part, Request, Stage, Staged, copy};
use rustix::fs::{OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

impl Stage {
    /// Stages all directories of the request, or none.
    ///
    /// # Errors
    /// Which directory can't be staged, and why. What was made for the others is removed again.
    pub fn open(request: &Request<'_>) -> Result<Self, StageError> {
        let mut begun = Vec::new();
        let mut why_not = Vec::new();
        match begin_all(request, &mut begun).and_then(|()| stage_all(request, &begun, &mut why_not)) {
            Ok(trees) => {
                let parts = begun.into_iter().zip(trees).map(|(begun, tree)| begun.into_part(tree)).collect();
                Ok(Self { label: request.label.to_owned(), disk: request.disk.clone(), parts, views: AtomicU32::new(0), why_not })
            }
            Err(error) => {
                // The first error stays the first: what can't be removed now is removed by `recover`.
                for place in begun.into_iter().map(|begun| begun.place) {
                    let _ = place.vanish(&request.disk);
                }
                Err(error)
            }
        }
    }
}

/// A directory that has a place, and no tree yet.
struct Begun {
    base: PathBuf,
    root: OwnedFd,
    ends: Ends,
    place: Place,
    /// Whether the place lies beside the directory.
    is_beside: bool,
    nested: Vec<Nested>,
}

impl Begun {
    fn into_part(self, (tree, meta): (Staged, Meta)) -> Part {
        let Self { base, root, ends, place, nested, .. } = self;
        Part { base, root, ends, place, landing: None, meta, tree, nested }
    }
}

fn begin_all(request: &Request<'_>, begun: &mut Vec<Begun>) -> Result<(), StageError> {
    let mounts = mount_points()?;
    for (number, base) in request.bases.iter().enumerate() {
        let next = begin(request, base, number, begun.first().map(|home| home.place.path.as_path()), &mounts)?;
        begun.push(next);
    }
    Ok(())
}

fn begin(request: &Request<'_>, base: &Base, number: usize, home: Option<&Path>, mounts: &[PathBuf]) -> Result<Begun, StageError> {
    let host = resolve(&base.host)?;
    let root = tree::open_root(&host).at("open", &host)?;
    let read_only = rustix::fs::fstatvfs(&root).at("open", &host)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    if read_only && base.ends == Ends::Txn {
        return Err(StageError::ReadOnly { base: host });
    }
    let nested = nested(&host, &base.live)?;
    let is_inside = |mount: &&PathBuf| mount.starts_with(&host) && **mount != host;
    let is_live = |mount: &&PathBuf| nested.iter().any(|live| mount.starts_with(&live.host));
    if let Some(mounted) = mounts.iter().find(|mount| is_inside(mount) && !is_live(mount)) {
        return Err(StageError::MountedInside { base: host, mounted: mounted.clone() });
    }
    let id = format!("{}-{number}", request.id);
    let create = |parent: &Path| Place::create(&request.disk, parent, &id, request.label, home);
    let beside = host.parent().filter(|parent| is_same_file_system(&root, parent)).map(create);
    let (place, is_beside) = match beside {
        Some(Ok(place)) => (place, true),
        None | Some(Err(Errno::ACCESS | Errno::PERM | Errno::ROFS)) => {
            (create(request.scratch).at("make a stage in", request.scratch)?, false)
        }
        Some(Err(error)) => return Err(error).at("make a stage beside", &host),
    };
    Ok(Begun { base: host, root, ends: base.ends, place, is_beside, nested })
}

/// The path without links; a stage works with directories as they are now.
fn resolve(path: &Path) -> Result<PathBuf, StageError> {
    path.canonicalize().map_err(|source| StageError::Io { doing: "open", path: path.to_owned(), source })
}

fn is_same_file_system(root: &OwnedFd, parent: &Path) -> bool {
    let parent = tree::open_root(parent).and_then(Node::open);
    matches!((Node::open(root), parent), (Ok(root), Ok(parent)) if root.dev == parent.dev)
}

fn nested(base: &Path, live: &[PathBuf]) -> Result<Vec<Nested>, StageError> {
    let mut nested = Vec::new();
    for path in live {
        let host = resolve(path)?;
        if let Ok(at) = host.strip_prefix(base) {
            let identity = tree::open_root(&host).and_then(Node::open).at("open", &host)?.identity();
            nested.push(Nested { at: at.to_owned(), granted: path.clone(), identity, host });
        }
    }
    Ok(nested)
}

/// Every mount point of this process's view, as the kernel lists them.
fn mount_points() -> Result<Vec<PathBuf>, StageError> {
    let table = Path::new("/proc/self/mountinfo");
    let text = std::fs::read(table).map_err(|source| StageError::Io { doing: "read", path: table.to_owned(), source })?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescaped).collect())
}

/// The kernel writes blanks and backslashes as `\` and three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        let escaped = digits.filter(|_| *first == b'\\');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

/// The directory of a staged tree in its place, with the attributes of the base: it is the root that the hook sees.
fn make_root(begun: &Begun, name: &str) -> Result<Meta, StageError> {
    let path = begun.place.path.join(name);
    let make = || {
        let base = Meta::of(&begun.root, &Node::open(&begun.root)?)?;
        rustix::fs::mkdirat(&begun.place.dir, name, rustix::fs::Mode::RWXU)?;
        let root = tree::open_below(&begun.place.dir, Path::new(name), OFlags::PATH | OFlags::DIRECTORY)?;
        let own = Node::open(&root)?;
        let is_root = rustix::process::geteuid().is_root();
        let meta = if is_root { base } else { Meta { uid: own.uid, gid: own.gid, ..base } };
        meta.set(&root)?;
        Meta::of(&root, &Node::open(&root)?)
    };
    make().at("make", &path)
}

fn stage_all(request: &Request<'_>, begun: &[Begun], why_not: &mut Vec<WhyNot>) -> Result<Vec<(Staged, Meta)>, StageError> {
    let mut trees: Vec<Option<(Staged, Meta)>> = begun.iter().map(|_| None).collect();
    for backend in request.backends {
        let left: Vec<usize> = (0..begun.len()).filter(|index| trees[*index].is_none()).collect();
        if left.is_empty() {
            break;
        }
        let todo: Vec<&Begun> = left.iter().map(|index| &begun[*index]).collect();
        let made = match backend {
            Backend::Overlay => {
                overlays(&todo, |all| all.iter().map(|layers| (overlay::mount_as_caller(layers), overlay::Owner::Caller)).collect())
            }
            Backend::UserOverlay => overlays(&todo, overlays_in_namespace),
            Backend::Copy => todo.iter().map(|begun| copied(request, begun, why_not)).collect(),
        };
        for (index, made) in left.into_iter().zip(made) {
            match made? {
                Ok(tree) => trees[index] = Some(tree),
                Err(reason) => why_not.push(WhyNot { index, backend: *backend, reason }),
            }
        }
    }
    let missing = trees.iter().position(Option::is_none);
    match missing {
        Some(index) => Err(StageError::NoBackend { base: begun[index].base.clone(), why: why_not.clone() }),
        None => Ok(trees.into_iter().flatten().collect()),
    }
}

/// A tree, or why this back end doesn't work here; an error where no back end would.
type Made = Result<Result<(Staged, Meta), String>, StageError>;
type Mounted = (overlay::Made, overlay::Owner);

fn overlays(todo: &[&Begun], mount: impl FnOnce(&[&Layers]) -> Vec<Mounted>) -> Vec<Made> {
    // Without a place beside it, a commit couldn't rename.
    let fits = |begun: &Begun| begun.is_beside || begun.ends == Ends::Discard;
    let layers: Vec<Result<(Layers, Meta, Time), StageError>> =
        todo.iter().filter(|begun| fits(begun)).map(|begun| layers(begun)).collect();
    let mut mounted = mount(&layers.iter().flatten().map(|(layers, ..)| layers).collect::<Vec<_>>()).into_iter();
    let mut layers = layers.into_iter();
    todo.iter()
        .map(|begun| {
            if !fits(begun) {
                return Ok(Err("its parent directory isn't writable, or on another file system".to_owned()));
            }
            let Some(layers) = layers.next() else { return Ok(Err(String::new())) };
            let (layers, meta, begun_at) = layers?;
            match mounted.next() {
                Some((Ok(mounted), owner)) => Ok(Ok((Staged::Overlay { layers, mounted, owner, begun: begun_at }, meta))),
                Some((Err(Failure::Mount(errno)), _)) => {
                    clear(begun)?;
                    Ok(Err(std::io::Error::from(errno).to_string()))
                }
                Some((Err(failure), _)) => Err(refused(&begun.base, failure)),
                None => Ok(Err(String::new())),
            }
        })
        .collect()
}

fn overlays_in_namespace(all: &[&Layers]) -> Vec<Mounted> {
    let failed = |errno| all.iter().map(|_| (Err(Failure::Mount(errno)), overlay::Owner::Caller)).collect();
    let (namespace, mounts) = match overlay::mount_in_namespace(all) {
        Ok(made) => made,
        Err(errno) => return failed(errno),
    };
    mounts
        .into_iter()
        .map(|mount| match rustix::io::dup(&namespace) {
            Ok(namespace) => (mount, overlay::Owner::Namespace(namespace)),
            Err(errno) => (Err(Failure::Mount(errno)), overlay::Owner::Caller),
        })
        .collect()
}

fn layers(begun: &Begun) -> Result<(Layers, Meta, Time), StageError> {
    let meta = make_root(begun, "upper")?;
    let which = |dir: &OwnedFd, path: &Path| Ok((path.to_owned(), Node::open(dir).at("read", path)?.identity()));
    let layers =
        Layers { base: which(&begun.root, &begun.base)?, stage: which(&begun.place.dir, &begun.place.path)?, nested: begun.nested.clone() };
    let moment = begun.place.moment().at("stage", &begun.base)?;
    Ok((layers, meta, moment))
}

/// Removes what an attempt left, for the next.
fn clear(begun: &Begun) -> Result<(), StageError> {
    for name in ["upper", "work0"] {
        place::remove(&begun.place.dir, OsStr::new(name)).at("remove", begun.place.path.join(name))?;
    }
    Ok(())
}

fn copied(request: &Request<'_>, begun: &Begun, why: &[WhyNot]) -> Made {
    let meta = make_root(begun, "tree")?;
    let to = tree::open_below(&begun.place.dir, Path::new("tree"), OFlags::PATH | OFlags::DIRECTORY).at("copy to", &begun.place.path)?;
    match copy::copy(begun.root.as_fd(), to.as_fd(), &begun.nested, request.limits) {
        Ok(snapshot) => {
            // From here on, whatever changes in the copy has another time.
            let moment = begun.place.moment().at("stage", &begun.base)?;
            Ok(Ok((Staged::Copy { snapshot, begun: moment }, meta)))
        }
        Err(copy::Failure::TooMuch(limit)) => Err(StageError::TooLarge { base: begun.base.clone(), limit, why: why.to_vec() }),
        Err(copy::Failure::At(at, errno @ (Errno::ACCESS | Errno::PERM))) => Err(StageError::NotCopied {
            base: begun.base.clone(),
            path: if at.as_os_str().is_empty() { begun.base.clone() } else { begun.base.join(at) },
            user: rustix::process::geteuid().as_raw(),
            why: why.to_vec(),
            source: errno.into(),
        }),
        Err(copy::Failure::At(at, errno)) => Err(errno).at("copy", begun.base.join(at)),
    }
}

pub(super) fn refused(base: &Path, failure: Failure) -> StageError {
    match failure {
        Failure::Mount(errno) => StageError::Io { doing: "mount a stage over", path: base.to_owned(), source: errno.into() },
        Failure::Replaced(base) => StageError::Replaced { base },
        Failure::Below(below, errno) => StageError::NotInStage { path: base.join(below), source: errno.into() },
        Failure::Nested(nested, errno) => StageError::NestedLive { base: base.to_owned(), nested, source: errno.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::unescaped;
    use std::path::Path;

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c"), Path::new(r"/mnt/a b\c"));
        assert_eq!(unescaped(br"/mnt/plain"), Path::new("/mnt/plain"));
    }
}
