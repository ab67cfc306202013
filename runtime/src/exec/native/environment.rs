//! The environment of a native command: exactly what the job holds, and the few variables without which nothing works.

use super::private::Private;
use crate::model::job::{DEFAULT_PATH, Job};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

const DEFAULT_LANG: &str = "C.UTF-8";

/// A complete environment.
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// A hook's: its own PATH and LANG hold, HOME and TMPDIR are always the private directory.
pub(super) fn of_hook(job: &Job, private: &Private) -> Environment {
    let mut env = defaults();
    env.extend(job_env(job));
    env.insert("HOME".into(), private.home().into());
    env.insert("TMPDIR".into(), private.home().into());
    env
}

/// A host step's: the operator's variables, and above them the job's.
pub(super) fn of_step(job: &Job, operator: &[(String, String)]) -> Environment {
    let mut env = defaults();
    env.extend(operator.iter().map(pair));
    env.extend(job_env(job));
    env
}

/// Tells the command where its `KEY=value` lines go.
pub(super) fn tell_outputs(env: &mut Environment, private: &Private) {
    env.insert("WASMHOOK_OUTPUT".into(), private.outputs().into());
}

/// The value of PATH.
pub(super) fn path(env: &Environment) -> &OsStr {
    env.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str)
}

fn defaults() -> Environment {
    [("PATH", DEFAULT_PATH), ("LANG", DEFAULT_LANG)].map(|(name, value)| (name.into(), value.into())).into()
}

fn job_env(job: &Job) -> impl Iterator<Item = (OsString, OsString)> + '_ {
    job.env.iter().map(pair)
}

fn pair((name, value): &(String, String)) -> (OsString, OsString) {
    (name.into(), value.into())
}
