//! `wasmhook status`: the runs of an application, and who holds its lock.

use super::kept::{self, Kept};
use super::{check_format, names_one, target};
use crate::args::{Format, Selectors, StatusArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::given::Given;
use crate::render::json;
use crate::render::look::LongLines;
use crate::render::status::{self, Open, Owner, RunRow, RunState, Then, render};
use crate::render::typed::{RESOLUTIONS, Typed};
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use std::path::{Path, PathBuf};
use wasmhook::Request;
use wasmhook::engine::LastCommit;
use wasmhook::engine::open::Was;
use wasmhook::engine::pending::{Pending, TakingBack, Unresolved};
use wasmhook::ledger::lock::{Holder, Lock};
use wasmhook::ledger::{Key, Ledger, Memory, RunRecord, Target};
use wasmhook::model::event::{Place, Trigger};
use wasmhook::model::id::{Commit, RunId, StepName, Tag};
use wasmhook::model::reach::Reach;
use wasmhook::report::Report;

/// How many runs are shown.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct StatusJson<'a> {
    schema: u32,
    /// Null where there was no run yet.
    app: Option<&'a str>,
    environment: Option<&'a str>,
    locked_by: Option<wasmhook::ledger::lock::Owner>,
    locked: bool,
    /// When the owner of the lock last gave a sign of life; null if nobody holds it.
    last_sign: Option<jiff::Timestamp>,
    runs: Vec<RunJson<'a>>,
    /// The commit that the next one is compared with; null if nothing has succeeded.
    last_commit: Option<Commit>,
    /// The file that holds it; null where the ledger does.
    commit_file: Option<&'a Path>,
    /// Why the newest run ran; null if there was none.
    trigger: Option<Trigger>,
    /// What nobody knows the end of.
    unresolved: Vec<UnresolvedJson>,
    /// What a dead run decided to commit: the next run finishes that first.
    decided: Vec<DecidedJson>,
    /// What is still to be taken back of the newest run that succeeded; null if nothing is.
    taking_back: Option<TakingBackJson>,
    /// `always` steps that a dead run owes: the next run runs them first.
    owed: Vec<StepName>,
    /// The run that `run --resume` would go on with.
    resumable: Option<RunId>,
    /// What hooks wrote, could not be committed, and still lies there.
    kept: &'a [Kept],
}

impl StatusJson<'_> {
    /// No run of anything yet.
    const fn nothing() -> Self {
        Self {
            schema: 1,
            app: None,
            environment: None,
            locked_by: None,
            locked: false,
            last_sign: None,
            runs: Vec::new(),
            last_commit: None,
            commit_file: None,
            trigger: None,
            unresolved: Vec::new(),
            decided: Vec::new(),
            taking_back: None,
            owed: Vec::new(),
            resumable: None,
            kept: &[],
        }
    }
}

/// Several targets, where neither a manifest nor `--app` says which is meant.
#[derive(Serialize)]
struct SeveralJson<'a> {
    schema: u32,
    targets: &'a [StatusJson<'a>],
}

#[derive(Serialize)]
struct UnresolvedJson {
    place: String,
    release: String,
    run_id: RunId,
    attempts: u32,
    /// How far its rights went; null if its plan doesn't name it.
    may_have_touched: Option<Reach>,
    /// Whether nothing runs before a person said what became of it; otherwise it runs again by itself.
    waits: bool,
    /// Whether it had itself ended with success, and its verify was under way.
    verifying: bool,
    /// Whether it had succeeded, and its revert was cut off or failed.
    half_taken_back: bool,
    /// Whether the next run asks its verify, and runs it again only if that doesn't say that it took.
    asks_verify: bool,
    /// The command that settles it, but for the word that says what became of it.
    resolve: String,
}

/// An execution whose commit a dead run decided.
#[derive(Serialize)]
struct DecidedJson {
    place: String,
    release: String,
    run_id: RunId,
}

/// What is still to be taken back of a run whose deployment failed.
#[derive(Serialize)]
struct TakingBackJson {
    run_id: RunId,
    places: Vec<String>,
    /// The command that takes it back.
    resolve: String,
}

#[derive(Serialize)]
struct RunJson<'a> {
    run_id: &'a str,
    status: Option<wasmhook::model::event::Status>,
    state: &'static str,
    tag: Option<&'a str>,
    commit: Option<&'a str>,
    started_at: jiff::Timestamp,
}

pub fn run(args: &StatusArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let state = settings.state(&args.selectors.places)?;
    let targets = match (wasmhook::history(&state)?, names_one(&args.selectors)) {
        (Some(ledger), false) => ledger.targets()?,
        (None, false) => Vec::new(),
        (_, true) => vec![target(&args.selectors, settings)?],
    };
    let known = targets.into_iter().map(|target| Known::of(target, &state, args, settings, ui.given())).collect::<Result<Vec<_>, _>>()?;
    let values = || if known.is_empty() { vec![StatusJson::nothing()] } else { known.iter().map(Known::value).collect() };
    match args.format {
        Format::Human | Format::Junit if known.is_empty() => ui.stdout_text("No run yet.\n")?,
        Format::Human | Format::Junit => known.iter().try_for_each(|known| ui.stdout_text(&known.text(ui)))?,
        Format::Json => ui.stdout_text(&match &values()[..] {
            [one] => json::pretty(one)?,
            targets => json::pretty(&SeveralJson { schema: 1, targets })?,
        })?,
        Format::Jsonl => {
            for value in values() {
                ui.stdout_text(&json::line(&value)?)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What is known of a target.
struct Known {
    target: Target,
    runs: Vec<RunRecord>,
    compared: Compared,
    pending: Pending,
    kept: Vec<Kept>,
    holder: Option<Holder>,
    last_sign: Option<jiff::Timestamp>,
    /// What commands about it name: where its manifest lies, if this call doesn't say so.
    given: Given,
}

/// What the commit of the next run is compared with, and why the last one ran.
struct Compared {
    commit: Option<Commit>,
    file: Option<PathBuf>,
    trigger: Option<Trigger>,
}

fn compared(
    args: &StatusArgs,
    settings: &Settings,
    ledger: Option<&dyn Ledger>,
    target: &Target,
    newest: Option<&RunRecord>,
) -> Result<Compared, CliError> {
    let request = settings.request(&args.selectors)?;
    // Without a manifest that can be read only the option could name a file.
    let profile = wasmhook::load::declare(&request).ok().map(|declared| declared.profile);
    let (commit, file) = match wasmhook::load::last_commit(profile.as_ref(), &request)? {
        LastCommit::InFile { path, commit } => (commit, Some(path)),
        LastCommit::InLedger => (ledger.map(|ledger| ledger.last_success(target)).transpose()?.flatten().and_then(|run| run.commit), None),
    };
    let events = match (ledger, newest) {
        (Some(ledger), Some(newest)) => ledger.events(&newest.run)?,
        _ => Vec::new(),
    };
    Ok(Compared { commit, file, trigger: Report::fold(&events).trigger })
}

impl Known {
    fn of(target: Target, state: &Path, args: &StatusArgs, settings: &Settings, given: &Given) -> Result<Self, CliError> {
        let ledger = wasmhook::history(state)?;
        let runs = ledger.as_ref().map(|ledger| ledger.runs(&target, SHOWN)).transpose()?.unwrap_or_default();
        let holder = Lock::holder(state, &target)?;
        let compared = compared(args, settings, ledger.as_deref(), &target, runs.first())?;
        let kept = ledger.as_deref().map(|ledger| kept::of(ledger, &runs)).transpose()?.unwrap_or_default();
        let elsewhere = ledger.as_deref().filter(|_| !finds_manifest(&args.selectors)).and_then(|ledger| manifest(ledger, &target, &runs));
        let given = elsewhere.map_or_else(|| given.clone(), |dir| given.in_dir(&dir));
        // What a run is doing isn't pending.
        let pending = match ledger.filter(|_| holder.is_none()) {
            Some(ledger) => wasmhook::pending(&*ledger, state, &target)?,
            None => Pending::default(),
        };
        let last_sign = holder.as_ref().map(|_| Lock::last_sign(state, &target)).transpose()?.flatten();
        Ok(Self { target, runs, compared, pending, kept, holder, last_sign, given })
    }

    /// How one of its runs stands.
    fn state(&self, index: usize, run: &RunRecord) -> RunState {
        match run.status {
            Some(status) => RunState::Ended(status),
            None if index == 0 && self.holder.is_some() => RunState::Running,
            None => RunState::Died,
        }
    }

    fn text(&self, ui: &Ui) -> String {
        let look = ui.stdout_look();
        // In a file `grep` must find it.
        let commit = |commit: &Commit| if look.long_lines == LongLines::Keep { commit.to_string() } else { format!("{commit:.12}") };
        let version = |run: &RunRecord| run.tag.as_ref().map(ToString::to_string).or_else(|| run.commit.as_ref().map(commit));
        let versions: Vec<_> = self.runs.iter().map(version).collect();
        let rows: Vec<_> = self
            .runs
            .iter()
            .enumerate()
            .map(|(index, run)| RunRow {
                run: run.run.as_str(),
                version: versions[index].as_deref(),
                started: run.started,
                state: self.state(index, run),
            })
            .collect();
        let owner = match &self.holder {
            Some(Holder::Known(owner)) => {
                Some(Owner { who: &owner.user, host: &owner.host, pid: owner.pid, since: owner.since, what: &owner.command })
            }
            Some(Holder::Unknown) | None => None,
        };
        let name = format!("{}/{}", self.target.app, self.target.environment);
        let kept = self.kept.iter().map(|kept| (kept.place.clone(), kept.run_id.to_string(), kept.path.clone())).collect();
        let pending = status::Pending { kept, ..shown(&self.target, &self.compared, &self.pending, &self.given) };
        render(look, &name, owner.as_ref(), &rows, &pending)
    }

    fn value(&self) -> StatusJson<'_> {
        let Self { target, compared, pending, given, .. } = self;
        let row = |(index, run)| {
            let state = match self.state(index, run) {
                RunState::Ended(_) => "ended",
                RunState::Running => "running",
                RunState::Died => "died",
            };
            let (tag, commit) = (run.tag.as_ref().map(Tag::as_str), run.commit.as_ref().map(Commit::as_str));
            RunJson { run_id: run.run.as_str(), status: run.status, state, tag, commit, started_at: run.started }
        };
        let locked_by = match &self.holder {
            Some(Holder::Known(owner)) => Some(owner.clone()),
            Some(Holder::Unknown) | None => None,
        };
        StatusJson {
            app: Some(target.app.as_str()),
            environment: Some(target.environment.as_str()),
            locked: self.holder.is_some(),
            last_sign: self.last_sign,
            locked_by,
            runs: self.runs.iter().enumerate().map(row).collect(),
            last_commit: compared.commit.clone(),
            commit_file: compared.file.as_deref(),
            trigger: compared.trigger.clone(),
            unresolved: pending.unresolved.iter().map(|open| unresolved(target, open, given)).collect(),
            decided: pending.decided.iter().map(decided).collect(),
            taking_back: pending.taking_back.as_ref().map(|back| TakingBackJson {
                run_id: back.run.clone(),
                places: back.places.iter().map(Place::to_string).collect(),
                resolve: takes_back(target, back, given).join(" "),
            }),
            owed: pending.owed.clone(),
            resumable: pending.resumable.clone(),
            kept: &self.kept,
            ..StatusJson::nothing()
        }
    }
}

/// Whether commands that name what this call named find a manifest.
fn finds_manifest(selectors: &Selectors) -> bool {
    !selectors.manifests.is_empty() || selectors.dir.join("wasmhook.toml").symlink_metadata().is_ok()
}

/// The directory of the target's manifest, if the root of its newest run holds it.
fn manifest(ledger: &dyn Ledger, target: &Target, runs: &[RunRecord]) -> Option<PathBuf> {
    let plan = wasmhook::engine::plan_of(ledger, &runs.first()?.run).ok()?;
    let declared = wasmhook::load::declare(&Request::new(&plan.app_dir, target.environment.clone())).ok()?;
    (declared.app == target.app).then(|| plan.app_dir.into())
}

fn unresolved(target: &Target, open: &Unresolved, given: &Given) -> UnresolvedJson {
    UnresolvedJson {
        place: open.key.place.to_string(),
        release: open.key.release.clone(),
        run_id: open.memory.run.clone(),
        attempts: open.memory.attempts,
        may_have_touched: open.may_have_touched.clone(),
        waits: open.waits,
        verifying: matches!(open.was, Was::Verifying(_)),
        half_taken_back: open.was == Was::HalfTakenBack,
        asks_verify: open.asks,
        resolve: command(target, open, &[], given).join(" "),
    }
}

/// The command that settles it, where a person says what became of it but for that word; it names again what this call was `given`.
fn command(target: &Target, open: &Unresolved, word: &[&str], given: &Given) -> Vec<String> {
    let name = open.key.place.to_string();
    let what: &[&str] = &["resolve", &shell_words::quote(&name)];
    given.command(&[what, word].concat(), None, Some(target.environment.as_str()))
}

/// The command that takes back what is left.
fn takes_back(target: &Target, back: &TakingBack, given: &Given) -> Vec<String> {
    let run = shell_words::quote(back.run.as_str());
    given.command(&["resolve", "--deploy-failed", &run], None, Some(target.environment.as_str()))
}

fn decided((key, memory): &(Key, Memory)) -> DecidedJson {
    DecidedJson { place: key.place.to_string(), release: key.release.clone(), run_id: memory.run.clone() }
}

fn shown(target: &Target, compared: &Compared, pending: &Pending, given: &Given) -> status::Pending {
    let settles = |open: &Unresolved, word: &[&str], purpose: &str| Typed::new(command(target, open, word, given), purpose);
    let unresolved = pending.unresolved.iter().map(|open| {
        let then = match open {
            Unresolved { waits: true, .. } => Then::Waits(RESOLUTIONS.map(|(word, means)| settles(open, &[word], means)).to_vec()),
            Unresolved { asks: true, .. } => Then::AsksVerify,
            Unresolved { .. } => Then::RunsAgain,
        };
        let was = match open.was {
            Was::Running => "was running when run {} died",
            Was::Verifying(_) => "ended with success, and its verify was under way when run {} died",
            Was::HalfTakenBack => "was to be taken back in run {}, and its revert was cut off or failed",
        };
        let touched = open.may_have_touched.as_ref().map(|reach| format!(": {}", reach.sentences().join("; "))).unwrap_or_default();
        Open { was: format!("{} {}{touched}", open.key.place, was.replace("{}", open.memory.run.as_str())), then }
    });
    let taking_back = pending.taking_back.as_ref().map(|back| {
        let names = back.places.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
        let words = Typed::new(takes_back(target, back, given), "what is left is taken back");
        (format!("Of run {}, whose deployment failed, still to be taken back: {names}.", back.run), words)
    });
    let resumes = |run: &RunId| {
        let words = given.command(&["run", "--resume"], None, Some(target.environment.as_str()));
        Typed::new(words, format!("goes on with run {run}"))
    };
    let kept = compared.file.as_ref().map_or_else(|| "the ledger".to_owned(), |file| file.display().to_string());
    status::Pending {
        last_commit: compared.commit.as_ref().map(|commit| (commit.to_string(), kept)),
        trigger: compared.trigger.as_ref().map(ToString::to_string),
        unresolved: unresolved.collect(),
        decided: pending.decided.iter().map(|(key, memory)| (key.place.to_string(), memory.run.to_string())).collect(),
        taking_back,
        owed: pending.owed.iter().map(ToString::to_string).collect(),
        resumable: pending.resumable.as_ref().map(resumes),
        kept: Vec::new(),
    }
}
