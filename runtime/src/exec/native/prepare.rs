//! From a job to everything its processes need: private directories, environment, program, rights. All of it before the first fork.

use super::confine::{self, Files, Ground, Rights};
use super::environment::{self, Environment};
use super::launch::{Command, Launch, Leftovers};
use super::mounts::Mounts;
use super::places::{self, Place};
use super::private::Private;
use super::process::{self, Run, Setup};
use super::wire::Failure;
use super::{NativeExecutor, NotRun, program, streams};
use crate::exec::dirs::Handle;
use crate::exec::{ExecError, Surroundings, lease};
use crate::model::job::{Job, NativeGuest};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome};
use crate::model::policy::Sandbox;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A job that is ready to run.
pub(super) struct Prepared {
    command: Arc<Command>,
    rights: Arc<Rights>,
    mounts: Option<Arc<Mounts>>,
    leftovers: Leftovers,
    private: Option<Arc<Private>>,
    program: PathBuf,
    cwd: PathBuf,
}

impl NativeExecutor {
    /// Prepares `job`, whose granted directories are open as `dirs`.
    ///
    /// # Errors
    /// [`NotRun`], with the outcome of a job that can't start.
    pub(super) fn prepare(
        &self,
        job: &Job,
        guest: &NativeGuest,
        dirs: Vec<Option<Handle>>,
        around: &Surroundings,
    ) -> Result<Prepared, NotRun> {
        if around.dry && guest.sandbox.is_none() {
            return Err(NotRun::untriable("the operator's rights, which nothing has in a dry run".to_owned()));
        }
        let mut private = self.private(job, guest)?;
        let places = places(job, guest, dirs, around, private.as_mut())?;
        let mounts = mounts(&places, private.as_ref(), around)?;
        let cwd = working_directory(guest, private.as_mut())?;
        let argv = arguments(guest, private.as_mut())?;
        let env = self.environment(job, guest, private.as_ref());
        let name = argv.first().map(String::as_str).unwrap_or_default();
        let seen = |path: &Path| places::seen_from_here(&places, path);
        let program = program::find(name, environment::path(&env), &cwd, seen).map_err(NotRun::spawn)?;
        let rights = match (guest.sandbox, private.as_ref()) {
            (Some(sandbox), Some(private)) => {
                let files = Files { program: &seen(&program), private, places: &places };
                confine::rights(sandbox, around.dry, &job.limits, &files, &Ground { kernel: self.kernel, system_dirs: &self.system_dirs })?
            }
            _ => Rights::of_operator(&job.limits),
        };
        let command = Command {
            program: c_string("the program's path", program.as_os_str().to_owned())?,
            argv: argv.into_iter().map(|argument| c_string("an argument", argument.into())).collect::<Result<_, _>>()?,
            env: env.into_iter().map(|(name, value)| variable(name, value)).collect::<Result<_, _>>()?,
            cwd: c_string("the working directory", cwd.clone().into())?,
        };
        Ok(Prepared {
            command: Arc::new(command),
            rights: Arc::new(rights),
            mounts: mounts.map(Arc::new),
            leftovers: if guest.detach && !around.dry { Leftovers::Release } else { Leftovers::End },
            private: private.map(Arc::new),
            program,
            cwd,
        })
    }

    /// Hooks always have private directories; a host step has them if it needs a file there.
    fn private(&self, job: &Job, guest: &NativeGuest) -> Result<Option<Private>, ExecError> {
        let needed = guest.sandbox.is_some() || guest.script.is_some() || guest.tree.is_some() || job.collect_outputs;
        if !needed {
            return Ok(None);
        }
        let private = Private::create(&self.scratch)?;
        self.swept.call_once(|| lease::sweep_meanwhile(&self.scratch));
        Ok(Some(private))
    }

    fn environment(&self, job: &Job, guest: &NativeGuest, private: Option<&Private>) -> Environment {
        let mut env = match (guest.sandbox, private) {
            (Some(_), Some(private)) => environment::of_hook(job, private),
            _ => environment::of_step(job, &self.operator_env),
        };
        if let (true, Some(private)) = (job.collect_outputs, private) {
            environment::tell_outputs(&mut env, private);
        }
        env
    }
}

/// Where the hook finds what it was granted. An unconfined one needs no grants to find what is there anyway.
fn places<'a>(
    job: &'a Job,
    guest: &NativeGuest,
    dirs: Vec<Option<Handle>>,
    around: &Surroundings,
    private: Option<&mut Private>,
) -> Result<Vec<Place<'a>>, NotRun> {
    match (guest.sandbox, private) {
        (None, _) | (_, None) => Ok(Vec::new()),
        (Some(Sandbox::None), _) if !around.dry && !places::any_replaces(job, around) => Ok(Vec::new()),
        (Some(_), Some(private)) => Ok(places::find(job, dirs, around, private)?),
    }
}

/// A hook that finds everything where the machine has it needs no mounts of its own.
fn mounts(places: &[Place<'_>], private: Option<&Private>, around: &Surroundings) -> Result<Option<Mounts>, NotRun> {
    let needed = around.dry || places.iter().any(|place| place.replaces);
    let Some(private) = private.filter(|_| needed) else { return Ok(None) };
    Ok(Some(Mounts::of(places, private, around.dry)?))
}

/// Where the command starts: on the machine, or in a private copy of its tree, which is made here.
fn working_directory(guest: &NativeGuest, private: Option<&mut Private>) -> Result<PathBuf, NotRun> {
    match (&guest.tree, private) {
        (Some(tree), Some(private)) => Ok(private.copy(tree)?.join(&guest.cwd)),
        _ if guest.cwd.is_absolute() => Ok(guest.cwd.clone()),
        _ => Err(NotRun::spawn(format!("working directory `{}` is not an absolute path: give one", guest.cwd.display()))),
    }
}

/// The arguments, with the planned bytes of a script in the place of its name.
fn arguments(guest: &NativeGuest, private: Option<&mut Private>) -> Result<Vec<String>, NotRun> {
    let mut argv = guest.argv.clone();
    if let (Some(script), Some(private)) = (&guest.script, private) {
        let placed = private.place(script)?.to_string_lossy().into_owned();
        let count = argv.len();
        let slot = argv.get_mut(script.index).ok_or_else(|| {
            ExecError::new(format!("placing the script {}", script.file_name), format!("it is argument {} of {count}", script.index))
        })?;
        *slot = placed;
    }
    Ok(argv)
}

fn variable(name: OsString, value: OsString) -> Result<CString, NotRun> {
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        return Err(NotRun::spawn(format!(
            "environment variable `{}`: a name has at least one character and no `=`: rename it",
            name.display()
        )));
    }
    let what = format!("environment variable `{}`", name.display());
    let mut entry = name;
    entry.push("=");
    entry.push(value);
    c_string(&what, entry)
}

/// Never shows the text itself: it may be a secret.
fn c_string(what: &str, text: OsString) -> Result<CString, NotRun> {
    CString::new(text.into_vec()).map_err(|_| NotRun::spawn(format!("{what} holds a NUL byte, which no program can be given: remove it")))
}

impl Prepared {
    /// Runs it.
    ///
    /// # Errors
    /// [`ExecError`] if the machinery failed.
    pub(super) async fn run(&self, limits: &Limits, around: &Surroundings) -> Result<Run, ExecError> {
        process::run(self.setup()?, limits, around).await
    }

    fn setup(&self) -> Result<Setup, ExecError> {
        let failed = |error: std::io::Error| ExecError::new("opening the streams of the command", error);
        let (streams, pipes) = streams::open().map_err(failed)?;
        let (control, theirs) = UnixStream::pair().map_err(failed)?;
        let launch = Launch {
            command: Arc::clone(&self.command),
            mounts: self.mounts.clone(),
            rights: Arc::clone(&self.rights),
            streams,
            control: theirs.into(),
            leftovers: self.leftovers,
        };
        Ok(Setup { launch, control, pipes, private: self.private.clone() })
    }

    /// The outcome of a start that failed.
    ///
    /// # Errors
    /// [`ExecError`] if it wasn't the command's fault.
    pub(super) fn explain(&self, failure: Failure) -> Result<Outcome, ExecError> {
        if let Some(cause) = self.mounts.as_deref().and_then(|mounts| mounts.explain(failure)) {
            return Ok(Outcome::Failed { cause });
        }
        if let Some(message) = program::explain(failure, &self.program, &self.cwd) {
            return Ok(Outcome::Failed { cause: Cause::Spawn { message } });
        }
        let error = std::io::Error::from_raw_os_error(failure.errno);
        Err(ExecError::new(format!("starting `{}` ({})", self.program.display(), failure.stage.words()), error))
    }

    /// What the job asked for and this machine can't enforce.
    pub(super) fn unenforced(&self) -> Vec<String> {
        self.rights.unenforced.clone()
    }

    /// Its private directories, if it has any.
    pub(super) fn private(&self) -> Option<&Private> {
        self.private.as_deref()
    }

    /// Removes what was private, unless a process that was abandoned may still use it: then its supervisor does.
    pub(super) async fn remove(self) {
        let Some(private) = self.private.and_then(Arc::into_inner) else { return };
        // Most hooks leave nothing there. Where one did, it may be a large tree; if the runtime is shutting down, it is removed here and now.
        if let Some(full) = private.remove_empty() {
            let _ = tokio::task::spawn_blocking(move || drop(full)).await;
        }
    }
}
