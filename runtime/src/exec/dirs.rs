//! Directory grants as the host sees them: which one lies in which, after links and bind mounts are resolved. Opens nothing for a guest.
//!
//! A right belongs to the handle that a guest came through. So a wide grant around a narrow one makes the narrow one worthless, whatever the
//! two are called: such a pair is refused, never half enforced.

use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Refuses grants that can't hold together: an inner one narrower than its outer, or two for one guest path.
///
/// Directories that don't exist are left to whoever opens them.
///
/// # Errors
/// The [`Denial`] names both grants and the way out.
pub fn check_nesting(dirs: &[DirGrant]) -> Result<(), Denial> {
    if dirs.len() < 2 {
        return Ok(());
    }
    check_guest_paths(dirs)?;
    let widths = || dirs.iter().filter(|dir| dir.host.is_some()).map(|dir| width(dir.mode));
    if widths().min() == widths().max() {
        // None is narrower than another, wherever they lie.
        return Ok(());
    }
    let mounts = Mounts::read();
    let places: Vec<(&DirGrant, Place)> =
        dirs.iter().filter_map(|dir| Some((dir, Place::of(Path::new(dir.host.as_deref()?)).ok()?))).collect();
    for (outer, around) in &places {
        for (inner, within) in &places {
            if width(inner.mode) < width(outer.mode) && around.contains(within, &mounts) {
                return Err(narrower(outer, inner));
            }
        }
    }
    Ok(())
}

/// A directory that no hook may touch.
pub struct Protected {
    name: String,
    path: PathBuf,
    /// Found once it exists, and then kept: nobody but its owner could move it, and the owner is the engine that runs.
    place: OnceLock<Place>,
}

impl Protected {
    /// The directory at `path`, which a message calls `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), place: OnceLock::new() }
    }

    /// Whether it contains `theirs`, or lies in it: where it is, or where it will be.
    fn is_reached_by(&self, theirs: &Place) -> bool {
        let touches = |ours: &Place| theirs.encloses(ours) || ours.encloses(theirs);
        match self.place.get() {
            Some(place) => touches(place),
            None => match Place::of(&self.path) {
                Ok(place) => touches(self.place.get_or_init(|| place)),
                Err(_) => Place::planned(&self.path).is_ok_and(|place| touches(&place)),
            },
        }
    }
}

/// Refuses a grant that contains, or lies in, one of the directories that no hook may touch.
///
/// # Errors
/// The [`Denial`] names the grant and the protected directory: `grant /srv reaches the cache`.
pub fn reaches(dirs: &[DirGrant], protected: &[Protected]) -> Result<(), Denial> {
    for host in dirs.iter().filter_map(|dir| dir.host.as_deref()) {
        // Looked at anew for each job: what was a directory may be a link by now.
        let Ok(theirs) = Place::of(Path::new(host)) else { continue };
        let reached = protected.iter().find(|ours| ours.is_reached_by(&theirs));
        if let Some(Protected { name, .. }) = reached {
            return Err(Denial {
                capability: Capability::Dir,
                what: format!("grant {host} reaches the {name}"),
                allow: format!("use --{name} or narrow it"),
            });
        }
    }
    Ok(())
}

/// Why the directory of a grant can't be opened; `None` if it can.
#[must_use]
pub fn unusable(host: &str) -> Option<Denial> {
    let denial = |what: String, allow: &str| Some(Denial { capability: Capability::Dir, what, allow: allow.to_owned() });
    match fs::read_dir(host) {
        Ok(_) => None,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => denial(format!("directory {host} does not exist"), "create it, or correct the path of the grant"),
            io::ErrorKind::NotADirectory => denial(format!("{host} is not a directory"), "grant the directory that holds it"),
            io::ErrorKind::PermissionDenied => {
                denial(format!("directory {host} may not be read by this user"), "run as a user who may, or change its permissions")
            }
            _ => denial(format!("directory {host} can't be opened: {error}"), "make it readable, or correct the path of the grant"),
        },
    }
}

/// Refuses a grant whose writes would have to be staged, where nothing is: it never becomes a live one instead.
#[must_use]
pub fn not_staged(grant: &DirGrant) -> Denial {
    Denial {
        capability: Capability::Dir,
        what: format!(
            "the writes of grant {} (mode {}) would have to be staged, and nobody opened a stage for it",
            grant.guest, grant.mode
        ),
        allow: "use the mode read, write or scratch".to_owned(),
    }
}

/// Refuses a live grant in a dry run.
#[must_use]
pub fn live_in_a_dry_run(grant: &DirGrant) -> Denial {
    Denial {
        capability: Capability::Dir,
        what: format!("grant {} (mode {}) writes live, which nothing does in a dry run", grant.guest, grant.mode),
        allow: "stage it: use the mode txn or discard".to_owned(),
    }
}

fn check_guest_paths(dirs: &[DirGrant]) -> Result<(), Denial> {
    for (index, dir) in dirs.iter().enumerate() {
        if dirs[..index].iter().any(|earlier| earlier.guest == dir.guest) {
            return Err(Denial {
                capability: Capability::Dir,
                what: format!("two grants for the guest path {}", dir.guest),
                allow: "give one of them another guest path".to_owned(),
            });
        }
    }
    Ok(())
}

fn narrower(outer: &DirGrant, inner: &DirGrant) -> Denial {
    let name = |dir: &DirGrant| dir.host.clone().unwrap_or_default();
    Denial {
        capability: Capability::Dir,
        what: format!(
            "grant {} ({}) lies in grant {} ({}), through which the hook could write there all the same",
            name(inner),
            inner.mode,
            name(outer),
            outer.mode
        ),
        allow: "grant both in the same mode, or narrow the outer one".to_owned(),
    }
}

/// How much a mode lets happen to the host's files: more is wider.
const fn width(mode: DirMode) -> u8 {
    match mode {
        DirMode::Read => 0,
        DirMode::Discard => 1,
        DirMode::Txn => 2,
        DirMode::Write => 3,
        DirMode::Scratch => 4,
    }
}

/// Where a directory really is.
struct Place {
    /// Its path without links.
    path: PathBuf,
    /// Its device and inode; `None` if it isn't there yet.
    identity: Option<(u64, u64)>,
    /// Those of it and of everything above it that is there.
    identities: Vec<(u64, u64)>,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let identities =
            path.ancestors().map(|above| fs::metadata(above).map(|meta| (meta.dev(), meta.ino()))).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { path, identity: identities.first().copied(), identities })
    }

    /// Where a directory is, or will be: whoever may write above it could make it first.
    fn planned(path: &Path) -> io::Result<Self> {
        let (mut there, mut rest) = (path, PathBuf::new());
        loop {
            match Self::of(there) {
                Ok(place) if rest.as_os_str().is_empty() => return Ok(place),
                Ok(place) => return Ok(Self { path: place.path.join(rest), identity: None, ..place }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let (Some(above), Some(name)) = (there.parent(), there.file_name()) else { return Err(error) };
                    rest = if rest.as_os_str().is_empty() { PathBuf::from(name) } else { Path::new(name).join(rest) };
                    there = above;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether `inner` is this directory or lies in it, by its path or by the identity of something above it.
    fn encloses(&self, inner: &Self) -> bool {
        inner.path.starts_with(&self.path) || self.identity.is_some_and(|ours| inner.identities.contains(&ours))
    }

    /// As [`encloses`](Self::encloses), and also where a bind mount shows the same files under another path.
    fn contains(&self, inner: &Self, mounts: &Mounts) -> bool {
        let Some(target) = mounts.source_of(&inner.path) else { return self.encloses(inner) };
        self.encloses(inner)
            || mounts.visible_from(&self.path).any(|seen| seen.device == target.device && target.path.starts_with(&seen.path))
    }
}

/// A directory as its own file system knows it: the same wherever it is mounted.
struct Source {
    device: String,
    path: PathBuf,
}

/// The mount table; empty where there is none to read.
struct Mounts(Vec<(PathBuf, Source)>);

impl Mounts {
    fn read() -> Self {
        Self(fs::read_to_string("/proc/self/mountinfo").map(|table| table.lines().filter_map(mount).collect()).unwrap_or_default())
    }

    fn source_of(&self, path: &Path) -> Option<Source> {
        // The last of several mounts on one point is the one that is seen.
        let (point, source) =
            self.0.iter().filter(|(point, _)| path.starts_with(point)).max_by_key(|(point, _)| point.components().count())?;
        let below = path.strip_prefix(point).ok()?;
        Some(Source { device: source.device.clone(), path: source.path.join(below) })
    }

    /// Everything that a guest can walk to from `path`: the directory itself, and what is mounted below it.
    fn visible_from<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = Source> + 'a {
        let below = self.0.iter().filter(move |(point, _)| point.starts_with(path));
        let below = below.map(|(_, source)| Source { device: source.device.clone(), path: source.path.clone() });
        self.source_of(path).into_iter().chain(below)
    }
}

/// One line of the table: `id parent major:minor root point options …`.
fn mount(line: &str) -> Option<(PathBuf, Source)> {
    let mut fields = line.split(' ').skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    Some((unescape(point), Source { device: device.to_owned(), path: unescape(root) }))
}

/// The table writes spaces, tabs, line ends and backslashes as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let plain = field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn grant(host: &Path, mode: DirMode) -> DirGrant {
        DirGrant { host: Some(host.display().to_string()), guest: host.display().to_string(), mode }
    }

    #[test]
    fn an_inner_grant_may_be_wider_but_never_narrower() {
        let tree = tempfile::tempdir().unwrap();
        let (outer, inner) = (tree.path().join("app"), tree.path().join("app/data"));
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(check_nesting(&[grant(&outer, DirMode::Read), grant(&inner, DirMode::Write)]), Ok(()));
        let denial = check_nesting(&[grant(&inner, DirMode::Read), grant(&outer, DirMode::Write)]).unwrap_err();
        assert!(denial.what.contains(&inner.display().to_string()), "{denial:?}");
        assert_eq!(check_nesting(&[grant(&outer, DirMode::Write), grant(&inner, DirMode::Write)]), Ok(()));
    }

    #[test]
    fn a_link_does_not_hide_that_one_grant_lies_in_another() {
        let tree = tempfile::tempdir().unwrap();
        let (outer, alias) = (tree.path().join("app"), tree.path().join("alias"));
        fs::create_dir_all(outer.join("data")).unwrap();
        symlink(outer.join("data"), &alias).unwrap();
        assert!(check_nesting(&[grant(&outer, DirMode::Write), grant(&alias, DirMode::Read)]).is_err());
    }

    #[test]
    fn siblings_with_a_common_prefix_are_strangers() {
        let tree = tempfile::tempdir().unwrap();
        let (one, two) = (tree.path().join("app"), tree.path().join("app-data"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        assert_eq!(check_nesting(&[grant(&one, DirMode::Write), grant(&two, DirMode::Read)]), Ok(()));
    }

    #[test]
    fn one_guest_path_is_one_directory() {
        let tree = tempfile::tempdir().unwrap();
        let scratch = DirGrant { host: None, guest: "/tmp".to_owned(), mode: DirMode::Scratch };
        let other = DirGrant { guest: "/tmp".to_owned(), ..grant(tree.path(), DirMode::Read) };
        assert!(check_nesting(&[scratch, other]).unwrap_err().what.contains("/tmp"));
    }

    #[test]
    fn a_bind_mount_is_seen_through() {
        let table = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:1 /srv/app/data /mnt/da\\040ta rw - ext4 a rw";
        let mounts = Mounts(table.lines().filter_map(mount).collect());
        let place = |path: &str| Place { path: PathBuf::from(path), identity: None, identities: Vec::new() };
        assert!(place("/srv/app").contains(&place("/mnt/da ta/x"), &mounts), "the alias lies outside by its path only");
        assert!(place("/mnt").contains(&place("/srv/app/data"), &mounts), "what is mounted below a grant is reached through it");
        assert!(!place("/srv/app").contains(&place("/srv/other"), &mounts));
    }

    #[test]
    fn a_grant_may_neither_hold_nor_lie_in_a_protected_directory() {
        let tree = tempfile::tempdir().unwrap();
        let cache = tree.path().join("x/cache");
        fs::create_dir_all(cache.join("deep")).unwrap();
        fs::create_dir_all(tree.path().join("y")).unwrap();
        symlink(&cache, tree.path().join("link")).unwrap();
        for bad in ["", "x", "x/cache", "x/cache/deep", "link"] {
            let denial = reaches(&[grant(&tree.path().join(bad), DirMode::Read)], &[Protected::new("cache", &cache)]).unwrap_err();
            assert!(denial.what.ends_with("reaches the cache"), "{denial:?}");
        }
        assert_eq!(reaches(&[grant(&tree.path().join("y"), DirMode::Write)], &[Protected::new("cache", &cache)]), Ok(()));
    }

    #[test]
    fn a_protected_directory_is_protected_before_it_is_there() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("home")).unwrap();
        let state = tree.path().join("home/state/wasmhook");
        for bad in ["", "home"] {
            let denial = reaches(&[grant(&tree.path().join(bad), DirMode::Write)], &[Protected::new("state", &state)]).unwrap_err();
            assert!(denial.what.ends_with("reaches the state"), "{denial:?}");
        }
        fs::create_dir(tree.path().join("home/other")).unwrap();
        assert_eq!(reaches(&[grant(&tree.path().join("home/other"), DirMode::Write)], &[Protected::new("state", &state)]), Ok(()));
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "").unwrap();
        let name = |file: &str| tree.path().join(file).display().to_string();
        assert!(unusable(&name("absent")).unwrap().what.contains("does not exist"));
        assert!(unusable(&name("file")).unwrap().what.contains("is not a directory"));
        assert_eq!(unusable(&name("")), None);
    }
}
