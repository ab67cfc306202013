//! Staged directories between the plan and the executors: opens stages, hands out views of them, and commits or drops them once it is known how
//! what ran in them ended. It knows grants and labels; what a stage is, `stage` knows.

use crate::exec::Staged;
use crate::ledger::Target;
use crate::model::event::Place;
use crate::model::files::{FileChanges, StagedDir};
use crate::model::grant::{DirGrant, DirMode};
use crate::model::id::{AppName, EnvironmentName, RunId, StepName};
use crate::model::outcome::Cause;
use crate::model::text;
use crate::salt::salt;
use crate::stage::{self, Applied, Backend, Base, Changes, CommitError, Disk, Ends, Limits, Stage, StageError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// How stages are made on this machine.
#[derive(Debug, Clone)]
pub struct Stages {
    /// The back ends that may be used, in this order.
    pub backends: Vec<Backend>,
    /// How much may be copied for one directory.
    pub limits: Limits,
    /// A private directory for copies of directories beside which nothing can be written.
    pub scratch: PathBuf,
    /// Where backups are kept, if the operator doesn't say.
    pub backups: PathBuf,
    /// The disk.
    pub disk: Disk,
}

/// How the directory of backups is called.
pub const BACKUPS: &str = "backups";

impl Stages {
    /// Every back end, and copies of at most 1 GiB or 100,000 entries; backups beside them.
    #[must_use]
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        let limits = Limits { bytes: 1 << 30, files: 100_000 };
        let scratch = scratch.into();
        Self { backends: Backend::ALL.to_vec(), limits, backups: scratch.join(BACKUPS), scratch, disk: Disk::default() }
    }
}

/// Whose a stage is: what recovery needs to know of a run that died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The application; null without a run (`exec`).
    pub app: Option<AppName>,
    /// The environment; null without a run.
    pub environment: Option<EnvironmentName>,
    /// The run; null without one.
    pub run: Option<RunId>,
    /// Whose writes it holds.
    pub of: Of,
}

/// Whose writes a stage holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Of {
    /// One hook's.
    Hook {
        /// The hook.
        place: Place,
    },
    /// Those of all hooks of a phase.
    Phase {
        /// The phase.
        step: StepName,
    },
    /// Those of a whole dry run.
    DryRun,
    /// Those of one guest without a run.
    Guest,
}

impl Label {
    /// A stage of a run.
    #[must_use]
    pub fn of_run(target: &Target, run: &RunId, of: Of) -> Self {
        Self { app: Some(target.app.clone()), environment: Some(target.environment.clone()), run: Some(run.clone()), of }
    }

    /// A stage of a guest without a run.
    #[must_use]
    pub const fn of_guest() -> Self {
        Self { app: None, environment: None, run: None, of: Of::Guest }
    }

    /// Whether it belongs to a run of this target.
    #[must_use]
    pub fn is_of(&self, target: &Target) -> bool {
        self.app.as_ref() == Some(&target.app) && self.environment.as_ref() == Some(&target.environment)
    }
}

/// One staged directory and whatever other granted directories lie in it.
struct Area {
    base: Base,
    /// Its position in the stage.
    index: usize,
}

/// Directories staged together: of a hook, of a phase, or of a dry run. Opened when the first view is taken.
pub struct Staging {
    stages: Stages,
    label: String,
    areas: Vec<Area>,
    open: Mutex<Option<Stage>>,
    /// How the staged files stood when the last execution ended, for telling what the next one changes.
    seen: Mutex<Seen>,
    /// What only a failed execution changed, where a real run would have dropped it.
    undone: Mutex<BTreeSet<(usize, PathBuf)>>,
}

/// Files that a stage changes, with what tells one content from another.
type Seen = BTreeMap<(usize, PathBuf), (Was, Option<Stamp>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Was {
    Created,
    Modified,
    Deleted,
}

/// Size, and when the inode last changed.
type Stamp = (u64, i64, i64);

/// Where something lies in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    index: usize,
    path: PathBuf,
}

/// What one execution did in the stage, and how the stage itself stands.
#[derive(Debug, Default)]
pub struct Observed {
    /// What it changed.
    pub files: FileChanges,
    /// How each of its directories is staged.
    pub stages: Vec<StagedDir>,
}

impl Staging {
    /// The staging of these grants; `None` if nothing in them is staged.
    ///
    /// # Errors
    /// [`Cause::Stage`] if they can't be staged together.
    pub fn of(dirs: &[DirGrant], label: &Label, stages: &Stages) -> Result<Option<Self>, Cause> {
        let mut areas: Vec<Area> = Vec::new();
        let mut wanted: Vec<(&Path, DirMode)> = dirs.iter().filter(|dir| is_staged(dir.mode)).filter_map(host).collect();
        // The outermost first: what lies in it is a part of its view.
        wanted.sort_by_key(|(path, _)| *path);
        for (path, mode) in wanted {
            match areas.iter().find(|area| path.starts_with(&area.base.host)) {
                Some(outer) if outer.base.ends == ends(mode) => {}
                Some(outer) => return Err(mixed(&outer.base.host, path)),
                None => {
                    let live = dirs.iter().filter(|dir| dir.mode == DirMode::Write).filter_map(host).map(|(live, _)| live);
                    let live = live.filter(|live| live.starts_with(path)).map(Path::to_owned).collect();
                    areas.push(Area { base: Base { host: path.to_owned(), ends: ends(mode), live }, index: areas.len() });
                }
            }
        }
        if areas.is_empty() {
            return Ok(None);
        }
        let label = serde_json::to_string(label).map_err(|error| Cause::Stage { message: error.to_string() })?;
        Ok(Some(Self { stages: stages.clone(), label, areas, open: Mutex::default(), seen: Mutex::default(), undone: Mutex::default() }))
    }

    /// A view for each staged grant of a job. Blocks.
    ///
    /// # Errors
    /// [`Cause::Stage`] if a directory can't be staged.
    pub fn views(&self, dirs: &[DirGrant]) -> Result<Vec<Staged>, Cause> {
        let mut open = lock(&self.open);
        if open.is_none() {
            *open = Some(self.begin().map_err(|error| staging(&error))?);
        }
        let Some(stage) = open.as_ref() else { return Ok(Vec::new()) };
        // Who may only read sees what others wrote to the same stage.
        let shown = dirs.iter().filter(|dir| is_staged(dir.mode) || dir.mode == DirMode::Read);
        shown.filter_map(|dir| self.view(stage, dir)).collect()
    }

    /// What the execution that has just ended changed. What it wrote below `dropped` wouldn't be there after a real run. Blocks.
    ///
    /// # Errors
    /// [`Cause::Stage`] if the stage can't be read.
    pub fn observe(&self, dropped: &[PathBuf]) -> Result<Observed, Cause> {
        let open = lock(&self.open);
        let Some(stage) = open.as_ref() else { return Ok(Observed::default()) };
        let changes = stage.changes().map_err(|error| staging(&error))?;
        let now = seen(stage, &changes);
        let before = std::mem::replace(&mut *lock(&self.seen), now.clone());
        let by_this = difference(&before, &now);
        let mut undone = lock(&self.undone);
        for (path, _) in &by_this {
            if dropped.iter().any(|host| self.areas[path.0].base.host.join(&path.1).starts_with(host)) {
                undone.extend((!before.contains_key(path)).then(|| path.clone()));
            } else {
                undone.remove(path);
            }
        }
        Ok(Observed { files: self.shown(by_this), stages: self.stages(stage) })
    }

    fn stages(&self, stage: &Stage) -> Vec<StagedDir> {
        let of = |area: &Area| {
            let tried = stage.why_not().iter().filter(|why| why.index == area.index);
            Some(StagedDir {
                dir: area.base.host.display().to_string(),
                how: stage.backend(area.index)?.word().to_owned(),
                why: tried.map(ToString::to_string).collect(),
            })
        };
        self.areas.iter().filter_map(of).collect()
    }

    /// Everything that the stage changes so far, and where each of it lies, by the path that it is shown with. Blocks.
    ///
    /// # Errors
    /// [`Cause::Stage`] if the stage can't be read.
    pub fn changes(&self) -> Result<(FileChanges, BTreeMap<String, At>), Cause> {
        let open = lock(&self.open);
        let Some(stage) = open.as_ref() else { return Ok(Default::default()) };
        let changes = stage.changes().map_err(|error| staging(&error))?;
        let mut now = seen(stage, &changes);
        let undone = lock(&self.undone);
        now.retain(|path, _| !undone.contains(path));
        let at = now.keys().map(|(index, path)| (self.shown_at(*index, path), At { index: *index, path: path.clone() })).collect();
        Ok((self.shown(difference(&Seen::new(), &now)), at))
    }

    /// A file as it was and as it is staged; none where there is no regular file.
    #[must_use]
    pub fn sides(&self, at: &At) -> Option<(Option<std::fs::File>, Option<std::fs::File>)> {
        lock(&self.open).as_ref()?.sides(at.index, &at.path).ok()
    }

    /// Decides the commit and does it. Blocks. What comes back is forgotten once the outcome is recorded.
    ///
    /// # Errors
    /// [`NotCommitted`]; in any case but its last, nothing was changed.
    pub fn commit(&self) -> Result<Option<Applied>, NotCommitted> {
        let Some(stage) = lock(&self.open).take() else { return Ok(None) };
        let mut prepared = match stage.prepare() {
            Ok(prepared) => prepared,
            Err(not) => return Err(refused(*not)),
        };
        // A decided commit is carried out: what stops it once may have passed.
        if prepared.apply().is_err() {
            prepared.apply().map_err(|error| NotCommitted::Broken(error.to_string()))?;
        }
        Ok(Some(prepared.applied()))
    }

    /// Drops everything. Blocks.
    ///
    /// # Errors
    /// What is left, and why; the next run in these directories removes it.
    pub fn discard(&self) -> Result<(), StageError> {
        lock(&self.open).take().map_or(Ok(()), Stage::discard)
    }

    fn begin(&self) -> Result<Stage, StageError> {
        let bases: Vec<Base> = self.areas.iter().map(|area| area.base.clone()).collect();
        let id = unique();
        Stage::open(&stage::Request {
            id: &id,
            label: &self.label,
            bases: &bases,
            backends: &self.stages.backends,
            limits: self.stages.limits,
            scratch: &self.stages.scratch,
            disk: self.stages.disk.clone(),
        })
    }

    /// `None` for a grant that is staged elsewhere.
    fn view(&self, stage: &Stage, dir: &DirGrant) -> Option<Result<Staged, Cause>> {
        let (host, _) = host(dir)?;
        let area = self.areas.iter().find(|area| host.starts_with(&area.base.host))?;
        let below = host.strip_prefix(&area.base.host).ok()?;
        let view = stage.view(area.index, below).map_err(|error| staging(&error));
        Some(view.map(|view| Staged {
            guest: dir.guest.clone(),
            dir: Arc::new(view.dir),
            user_namespace: view.user_namespace.map(Arc::new),
            of: stage.identity(area.index, below),
            live: stage.live(area.index).map(|(path, identity)| (path.to_owned(), identity)).collect(),
        }))
    }

    fn shown(&self, changed: Vec<((usize, PathBuf), Was)>) -> FileChanges {
        let mut files = FileChanges::default();
        for ((index, path), was) in changed {
            let list = match was {
                Was::Created => &mut files.created,
                Was::Modified => &mut files.modified,
                Was::Deleted => &mut files.deleted,
            };
            list.push(self.shown_at(index, &path));
        }
        for list in [&mut files.created, &mut files.modified, &mut files.deleted] {
            list.sort();
        }
        files
    }

    /// As a person reads it: relative to the one staged directory, or below each one's path if there are several.
    fn shown_at(&self, index: usize, path: &Path) -> String {
        match self.areas.get(index) {
            Some(area) if self.areas.len() > 1 => text::shown(&in_its_directory(&area.base.host, path)),
            _ => text::shown(path),
        }
    }
}

/// Why a stage wasn't committed.
#[derive(Debug)]
pub enum NotCommitted {
    /// It was refused, and nothing was changed.
    Refused(Cause),
    /// It is decided, or nobody knows whether it is, and can't be finished now: the run can't go on.
    Broken(String),
}

fn refused(not: stage::NotPrepared) -> NotCommitted {
    let message = not.error.to_string();
    let Some(stage) = not.stage else { return NotCommitted::Broken(message) };
    if let CommitError::Conflict { .. } = not.error {
        let kept = stage.keep(&message).map(|paths| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "));
        return NotCommitted::Refused(match kept {
            Ok(kept) => Cause::Conflict { message, kept },
            Err(error) => Cause::Stage { message: format!("{message}; what the hook wrote could not be kept: {error}") },
        });
    }
    // The first error stays the first: what can't be removed now is removed by the next run.
    let _ = stage.discard();
    NotCommitted::Refused(Cause::Stage { message })
}

/// Makes the directory for copies, for nobody but its owner.
///
/// # Errors
/// What the system says.
pub fn make_scratch(stages: &Stages) -> std::io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700).create(&stages.scratch)
}

/// What runs that died left in these directories, brought to one of two states. Under the lock.
///
/// # Errors
/// What can't be finished: nothing may work on the directories before.
pub fn recover(bases: &[PathBuf], stages: &Stages) -> Result<Vec<(Label, stage::Recovered)>, StageError> {
    let found = stage::recover(bases, &stages.scratch, &stages.disk)?;
    Ok(found.into_iter().filter_map(|found| Some((serde_json::from_str(&found.label).ok()?, found))).collect())
}

/// Whose commits in these directories are decided and not finished, or not recorded; looked at only.
pub(super) fn decided(bases: &[PathBuf], stages: &Stages) -> Vec<Label> {
    stage::decided(bases, &stages.scratch).iter().filter_map(|label| serde_json::from_str(label).ok()).collect()
}

/// Changes as a person reads them: relative to the one staged directory, or below each one's path if there are several.
#[must_use]
pub fn shown(changes: &[Changes]) -> FileChanges {
    let several = changes.len() > 1;
    let text =
        |changes: &Changes, path: &PathBuf| if several { text::shown(&in_its_directory(&changes.base, path)) } else { text::shown(path) };
    let all = |list: fn(&Changes) -> &Vec<PathBuf>| {
        let mut paths: Vec<String> = changes.iter().flat_map(|changes| list(changes).iter().map(move |path| text(changes, path))).collect();
        paths.sort();
        paths
    };
    FileChanges { created: all(|it| &it.created), modified: all(|it| &it.modified), deleted: all(|it| &it.deleted) }
}

/// The staged directories among these grants.
pub fn bases<'a>(dirs: impl IntoIterator<Item = &'a DirGrant>) -> Vec<PathBuf> {
    dirs.into_iter().filter(|dir| is_staged(dir.mode)).filter_map(host).map(|(path, _)| path.to_owned()).collect()
}

const fn is_staged(mode: DirMode) -> bool {
    matches!(mode, DirMode::Txn | DirMode::Discard)
}

const fn ends(mode: DirMode) -> Ends {
    match mode {
        DirMode::Txn => Ends::Txn,
        _ => Ends::Discard,
    }
}

fn host(dir: &DirGrant) -> Option<(&Path, DirMode)> {
    Some((Path::new(dir.host.as_deref()?), dir.mode))
}

/// A path of one of several staged directories; `.` is that directory itself.
fn in_its_directory(host: &Path, path: &Path) -> PathBuf {
    if path == Path::new(".") { host.to_owned() } else { host.join(path) }
}

fn staging(error: &StageError) -> Cause {
    Cause::Stage { message: error.to_string() }
}

fn mixed(outer: &Path, inner: &Path) -> Cause {
    Cause::Stage {
        message: format!(
            "the grants {} and {}, which lies in it, end in different ways: give both the mode txn, or both discard",
            outer.display(),
            inner.display()
        ),
    }
}

fn seen(stage: &Stage, changes: &[Changes]) -> Seen {
    let mut seen = Seen::new();
    for (index, changes) in changes.iter().enumerate() {
        let stamped = |path: &PathBuf| {
            let (_, after) = stage.sides(index, path).ok()?;
            let meta = after?.metadata().ok()?;
            Some((meta.len(), std::os::unix::fs::MetadataExt::ctime(&meta), std::os::unix::fs::MetadataExt::ctime_nsec(&meta)))
        };
        let lists = [(Was::Created, &changes.created), (Was::Modified, &changes.modified), (Was::Deleted, &changes.deleted)];
        for (was, paths) in lists {
            seen.extend(paths.iter().map(|path| ((index, path.clone()), (was, stamped(path)))));
        }
    }
    seen
}

/// What changed between two looks at a stage, as somebody sees it who saw the first.
fn difference(before: &Seen, now: &Seen) -> Vec<((usize, PathBuf), Was)> {
    let mut changed = Vec::new();
    for (path, (was, stamp)) in now {
        let change = match (before.get(path), was) {
            (None, was) => Some(*was),
            (Some((Was::Deleted, _)), Was::Deleted) => None,
            (Some((Was::Deleted, _)), _) => Some(Was::Created),
            (Some(_), Was::Deleted) => Some(Was::Deleted),
            (Some((_, earlier)), _) => (earlier != stamp).then_some(Was::Modified),
        };
        changed.extend(change.map(|change| (path.clone(), change)));
    }
    for (path, (was, _)) in before.iter().filter(|(path, _)| !now.contains_key(*path)) {
        // As it was before anything was staged.
        let change = match was {
            Was::Created => Was::Deleted,
            Was::Modified => Was::Modified,
            Was::Deleted => Was::Created,
        };
        changed.push((path.clone(), change));
    }
    changed
}

/// A name that no other stage has. Without the kernel's randomness the second stage beside a directory is refused, never mixed with the first.
fn unique() -> String {
    hex::encode(salt())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is a stage all the same.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
