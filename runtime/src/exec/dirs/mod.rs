//! Directory grants as the host sees them: opened once, and decided about by their handles. Which lies in which, after links and bind mounts, and
//! what no grant may reach. Nothing is opened for a guest here but what it was granted.
//!
//! A right belongs to the handle that a guest came through. So a wide grant around a narrow one makes the narrow one worthless, whatever the
//! two are called: such a pair is refused, never half enforced.

mod handle;
mod mounts;
mod place;

pub use handle::Handle;

use crate::model::grant::{Capability, Denial, DirGrant};
use handle::Stat;
use mounts::{Mounts, Watch};
use place::Place;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A directory that no hook may touch.
pub struct Protected {
    name: String,
    path: PathBuf,
    /// What to change, other than the grant.
    instead: String,
    /// Where it is, found once it exists and kept until the mount table changes: nobody but its owner could move it or what is above it (a hook
    /// that could was granted something that contains it, and such a grant is refused), and the owner is the engine that runs.
    place: Mutex<Option<(Arc<Mounts>, Arc<Place>)>>,
}

impl Protected {
    /// The directory at `path`, which a message calls `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let name = name.into();
        Self { instead: format!("use --{name}"), name, path: path.into(), place: Mutex::default() }
    }

    /// The same, where something else than an option named like it moves it.
    #[must_use]
    pub fn moved_by(self, instead: impl Into<String>) -> Self {
        Self { instead: instead.into(), ..self }
    }

    /// Where it is, or will be.
    fn place(&self, mounts: &Arc<Mounts>) -> io::Result<Arc<Place>> {
        let mut kept = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, place)) = &*kept
            && Arc::ptr_eq(then, mounts)
        {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(Place::planned(&self.path, mounts)?);
        *kept = place.is_there().then(|| (Arc::clone(mounts), Arc::clone(&place)));
        Ok(place)
    }
}

/// Decides about the directories of jobs, and opens them.
#[derive(Default)]
pub struct Guard {
    protected: Vec<Protected>,
    mounts: Watch,
}

impl Guard {
    /// One that keeps every grant away from `protected`.
    #[must_use]
    pub fn new(protected: Vec<Protected>) -> Self {
        Self { protected, mounts: Watch::default() }
    }

    /// Refuses grants that can't hold together (an inner one narrower than its outer, two for one guest path), and grants that contain, or lie
    /// in, a directory that no hook may touch. A prediction: directories that don't exist yet are left to [`open`](Self::open).
    ///
    /// # Errors
    /// The [`Denial`] names the grants and the way out.
    pub fn check(&self, dirs: &[DirGrant]) -> Result<(), Denial> {
        let handles: Vec<_> = hosts(dirs).map(|host| host.and_then(|host| Handle::open(Path::new(host)).ok())).collect();
        self.decide(dirs, &handles)
    }

    /// Opens the directory of each grant, and decides as [`check`](Self::check) does about exactly what was opened. A handle for each grant that
    /// has a directory on the host, in their order.
    ///
    /// # Errors
    /// The [`Denial`] names the grants and the way out.
    pub fn open(&self, dirs: &[DirGrant]) -> Result<Vec<Option<Handle>>, Denial> {
        let handles = hosts(dirs).map(|host| host.map(open).transpose()).collect::<Result<Vec<_>, _>>()?;
        self.decide(dirs, &handles)?;
        Ok(handles)
    }

    fn decide(&self, dirs: &[DirGrant], handles: &[Option<Handle>]) -> Result<(), Denial> {
        check_guest_paths(dirs)?;
        let opened = dirs.iter().zip(handles).filter_map(|(dir, handle)| Some(Opened::new(dir, handle.as_ref()?)));
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        if opened.is_empty() {
            return Ok(());
        }
        let mounts = self.mounts_under(&opened);
        let places = opened.iter().map(|opened| opened.place(&mounts)).collect::<Result<Vec<_>, _>>()?;
        check_nesting(&places, &mounts)?;
        places.iter().try_for_each(|(dir, place)| self.check_reach(dir, place, &mounts))
    }

    /// The mount table as it is now, with the mounts that the directories lie on.
    fn mounts_under(&self, opened: &[Opened<'_>]) -> Arc<Mounts> {
        let mounts = self.mounts.now();
        if opened.iter().all(|opened| opened.lies_on(&mounts)) { mounts } else { self.mounts.anew() }
    }

    fn check_reach(&self, dir: &DirGrant, place: &Place, mounts: &Arc<Mounts>) -> Result<(), Denial> {
        for protected in &self.protected {
            // What can't even be looked for lies nowhere yet.
            let Ok(ours) = protected.place(mounts) else { continue };
            if place.touches(&ours, mounts) {
                return Err(Denial {
                    capability: Capability::Dir,
                    what: format!("grant {} reaches the {}", host(dir), protected.name),
                    allow: format!("{} or narrow it", protected.instead),
                });
            }
        }
        Ok(())
    }
}

/// A grant, its open directory, and which directory that is.
struct Opened<'a> {
    dir: &'a DirGrant,
    handle: &'a Handle,
    stat: Stat,
}

impl<'a> Opened<'a> {
    fn new(dir: &'a DirGrant, handle: &'a Handle) -> Result<Self, Denial> {
        let stat = handle.stat().map_err(|error| cannot_open(host(dir), &error))?;
        Ok(Self { dir, handle, stat })
    }

    fn lies_on(&self, mounts: &Mounts) -> bool {
        mounts.source_of(self.handle.real_path(), self.stat.mount).is_some()
    }

    fn place(&self, mounts: &Mounts) -> Result<(&'a DirGrant, Place), Denial> {
        let place = Place::known(self.handle.real_path().to_owned(), self.stat.identity, self.stat.mount, mounts);
        place.map(|place| (self.dir, place)).map_err(|error| cannot_open(host(self.dir), &error))
    }
}

fn hosts(dirs: &[DirGrant]) -> impl Iterator<Item = Option<&str>> {
    dirs.iter().map(|dir| dir.host.as_deref())
}

fn host(dir: &DirGrant) -> &str {
    dir.host.as_deref().unwrap_or_default()
}

fn open(host: &str) -> Result<Handle, Denial> {
    Handle::open(Path::new(host)).map_err(|error| unusable(host).unwrap_or_else(|| cannot_open(host, &error)))
}

fn check_nesting(places: &[(&DirGrant, Place)], mounts: &Mounts) -> Result<(), Denial> {
    for (outer, around) in places {
        for (inner, within) in places {
            if inner.mode.width() < outer.mode.width() && around.contains(within, mounts) {
                return Err(narrower(outer, inner));
            }
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
            _ => Some(cannot_open(host, &error)),
        },
    }
}

fn cannot_open(host: &str, error: &io::Error) -> Denial {
    let allow = "make it readable, or correct the path of the grant".to_owned();
    Denial { capability: Capability::Dir, what: format!("directory {host} can't be opened: {error}"), allow }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::grant::DirMode;
    use std::os::unix::fs::symlink;

    fn grant(host: &Path, mode: DirMode) -> DirGrant {
        DirGrant { host: Some(host.display().to_string()), guest: host.display().to_string(), mode }
    }

    fn check(dirs: &[DirGrant]) -> Result<(), Denial> {
        Guard::default().check(dirs)
    }

    fn away_from(protected: Protected, dirs: &[DirGrant]) -> Result<(), Denial> {
        Guard::new(vec![protected]).check(dirs)
    }

    #[test]
    fn an_inner_grant_may_be_wider_but_never_narrower() {
        let tree = tempfile::tempdir().unwrap();
        let (outer, inner) = (tree.path().join("app"), tree.path().join("app/data"));
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(check(&[grant(&outer, DirMode::Read), grant(&inner, DirMode::Write)]), Ok(()));
        let denial = check(&[grant(&inner, DirMode::Read), grant(&outer, DirMode::Write)]).unwrap_err();
        assert!(denial.what.contains(&inner.display().to_string()), "{denial:?}");
        assert_eq!(check(&[grant(&outer, DirMode::Write), grant(&inner, DirMode::Write)]), Ok(()));
    }

    #[test]
    fn a_link_does_not_hide_that_one_grant_lies_in_another() {
        let tree = tempfile::tempdir().unwrap();
        let (outer, alias) = (tree.path().join("app"), tree.path().join("alias"));
        fs::create_dir_all(outer.join("data")).unwrap();
        symlink(outer.join("data"), &alias).unwrap();
        assert!(check(&[grant(&outer, DirMode::Write), grant(&alias, DirMode::Read)]).is_err());
    }

    #[test]
    fn siblings_with_a_common_prefix_are_strangers() {
        let tree = tempfile::tempdir().unwrap();
        let (one, two) = (tree.path().join("app"), tree.path().join("app-data"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        assert_eq!(check(&[grant(&one, DirMode::Write), grant(&two, DirMode::Read)]), Ok(()));
    }

    #[test]
    fn one_guest_path_is_one_directory() {
        let tree = tempfile::tempdir().unwrap();
        let scratch = DirGrant { host: None, guest: "/tmp".to_owned(), mode: DirMode::Scratch };
        let other = DirGrant { guest: "/tmp".to_owned(), ..grant(tree.path(), DirMode::Read) };
        assert!(check(&[scratch, other]).unwrap_err().what.contains("/tmp"));
    }

    #[test]
    fn a_grant_may_neither_hold_nor_lie_in_a_protected_directory() {
        let tree = tempfile::tempdir().unwrap();
        let cache = tree.path().join("x/cache");
        fs::create_dir_all(cache.join("deep")).unwrap();
        fs::create_dir_all(tree.path().join("y")).unwrap();
        symlink(&cache, tree.path().join("link")).unwrap();
        for bad in ["", "x", "x/cache", "x/cache/deep", "link"] {
            let denial = away_from(Protected::new("cache", &cache), &[grant(&tree.path().join(bad), DirMode::Read)]).unwrap_err();
            assert!(denial.what.ends_with("reaches the cache"), "{denial:?}");
        }
        assert_eq!(away_from(Protected::new("cache", &cache), &[grant(&tree.path().join("y"), DirMode::Write)]), Ok(()));
    }

    #[test]
    fn a_protected_directory_is_protected_before_it_is_there() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("home")).unwrap();
        let state = tree.path().join("home/state/wasmhook");
        for bad in ["", "home"] {
            let denial = away_from(Protected::new("state", &state), &[grant(&tree.path().join(bad), DirMode::Write)]).unwrap_err();
            assert!(denial.what.ends_with("reaches the state"), "{denial:?}");
        }
        fs::create_dir(tree.path().join("home/other")).unwrap();
        assert_eq!(away_from(Protected::new("state", &state), &[grant(&tree.path().join("home/other"), DirMode::Write)]), Ok(()));
    }

    #[test]
    fn a_directory_that_became_a_link_after_the_plan_is_decided_about_anew() {
        let tree = tempfile::tempdir().unwrap();
        let (granted, cache) = (tree.path().join("granted"), tree.path().join("x/cache"));
        fs::create_dir(&granted).unwrap();
        fs::create_dir_all(&cache).unwrap();
        let guard = Guard::new(vec![Protected::new("cache", &cache)]);
        let grants = [grant(&granted, DirMode::Write)];
        assert_eq!(guard.check(&grants), Ok(()));
        assert!(guard.open(&grants).is_ok());
        for target in [cache.as_path(), &tree.path().join("x"), tree.path()] {
            let _ = fs::remove_dir(&granted);
            let _ = fs::remove_file(&granted);
            symlink(target, &granted).unwrap();
            let denial = guard.open(&grants).unwrap_err();
            assert!(denial.what.ends_with("reaches the cache"), "{denial:?}");
        }
    }

    #[test]
    fn a_link_above_a_granted_directory_is_resolved_too() {
        let tree = tempfile::tempdir().unwrap();
        let cache = tree.path().join("x/cache");
        fs::create_dir_all(cache.join("sub")).unwrap();
        symlink(&cache, tree.path().join("way")).unwrap();
        let guard = Guard::new(vec![Protected::new("cache", &cache)]);
        assert!(guard.open(&[grant(&tree.path().join("way/sub"), DirMode::Read)]).is_err());
        assert!(guard.open(&[grant(&tree.path().join("way/../../y"), DirMode::Read)]).is_err(), "it isn't there");
        fs::create_dir(tree.path().join("y")).unwrap();
        assert!(guard.open(&[grant(&tree.path().join("way/../../y"), DirMode::Read)]).is_ok());
    }

    #[test]
    fn each_grant_with_a_directory_has_its_handle() {
        let tree = tempfile::tempdir().unwrap();
        let scratch = DirGrant { host: None, guest: "/tmp".to_owned(), mode: DirMode::Scratch };
        let handles = Guard::default().open(&[scratch, grant(tree.path(), DirMode::Read)]).unwrap();
        assert_eq!(handles.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
        let absent = Guard::default().open(&[grant(&tree.path().join("absent"), DirMode::Read)]).unwrap_err();
        assert!(absent.what.contains("does not exist"), "{absent:?}");
    }

    /// Runs the test `name` of this file again, in a mount namespace of its own. `None` if this machine has none for us; `Some(true)` in there.
    #[cfg(target_os = "linux")]
    fn in_a_mount_namespace(name: &str) -> Option<bool> {
        use std::process::Command;
        const INSIDE: &str = "WASMHOOK_TEST_IN_A_MOUNT_NAMESPACE";
        if std::env::var_os(INSIDE).is_some() {
            return Some(true);
        }
        let namespace = || {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--mount", "--propagation", "private"]);
            unshare
        };
        if !namespace().arg("true").status().is_ok_and(|status| status.success()) {
            return None;
        }
        let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
        let again = namespace().arg(std::env::current_exe().unwrap()).args(["--exact", &test]).env(INSIDE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&again.stderr));
        Some(false)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn bind_mounts_made_after_the_plan_are_seen_through() {
        use rustix::mount::{UnmountFlags, mount_bind, unmount};
        if in_a_mount_namespace("bind_mounts_made_after_the_plan_are_seen_through") != Some(true) {
            return;
        }
        let tree = tempfile::tempdir().unwrap();
        let dir = |name: &str| tree.path().join(name);
        for name in ["x/cache/part", "app/data", "alias", "holds/alias", "apart"] {
            fs::create_dir_all(dir(name)).unwrap();
        }
        let guard = Guard::new(vec![Protected::new("cache", dir("x/cache"))]);
        let open = |name: &str| guard.open(&[grant(&dir(name), DirMode::Read)]).map(drop);
        // What is mounted, and what can then no longer be granted: the mount itself, and what it lies in.
        for bound in ["x/cache", "x/cache/part", "x"] {
            for point in ["alias", "holds/alias"] {
                assert_eq!(open(point), Ok(()), "{bound} on {point}: not yet");
                mount_bind(dir(bound), dir(point)).unwrap();
                for name in [point, point.split('/').next().unwrap()] {
                    assert!(open(name).unwrap_err().what.ends_with("reaches the cache"), "{bound} on {point}: {name}");
                }
                assert_eq!(open("apart"), Ok(()));
                unmount(dir(point), UnmountFlags::empty()).unwrap();
            }
        }
        mount_bind(dir("app/data"), dir("alias")).unwrap();
        let narrower = [grant(&dir("app"), DirMode::Write), grant(&dir("alias"), DirMode::Read)];
        assert!(guard.open(&narrower).unwrap_err().what.contains("lies in grant"));
        unmount(dir("alias"), UnmountFlags::empty()).unwrap();
        assert!(guard.open(&narrower).is_ok());
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
