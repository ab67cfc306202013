//! Preflight: what a hook needs, checked on the tree of the moment just before its phase.

use super::files::MAX_SCRIPT;
use super::within::Bounds;
use crate::discover::preflight::check_program;
use crate::engine::{Checks, Lack};
use crate::exec::dirs;
use crate::model::grant::{DirGrant, EnvSource, Grants};
use crate::model::id::Digest;
use crate::model::job::DEFAULT_PATH;
use crate::plan::{HostCommand, PlanGuest, PlanHook, PlanScript};
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Looks at the machine as it is.
pub(crate) struct Preflight {
    /// Where grants may lead.
    pub(super) bounds: Bounds,
    /// PATH of the app environment, for hooks that get it from there.
    pub(super) app_path: Option<String>,
    /// PATH as host steps find it.
    pub(super) operator_path: Option<String>,
}

impl Preflight {
    /// Checks for grants that may lead anywhere: those of a tree that was made for them.
    #[cfg(feature = "cli")]
    pub(crate) fn anywhere(app_path: Option<String>) -> Self {
        Self { bounds: Bounds::default(), app_path, operator_path: None }
    }
}

impl Checks for Preflight {
    fn check(&self, hook: &PlanHook) -> Vec<Lack> {
        let backed_up: Vec<DirGrant> = hook.backed_up().collect();
        let dirs = || hook.grants.dirs.iter().chain(&backed_up);
        let unusable = |host: &str| Some(Lack::at(host, dirs::unusable(host).map(|denial| format!("{}; {}", denial.what, denial.allow))?));
        let mut findings: Vec<Lack> = dirs().filter_map(|dir| unusable(dir.host.as_deref()?)).collect();
        let refused = dirs().filter_map(|dir| self.bounds.refuse(dir));
        findings.extend(refused.map(|denial| Lack::anywhere(format!("{}; to allow it: {}", denial.what, denial.allow))));
        // What comes from a repository of its own was looked at in its listing; on the machine there is only the program that PATH finds.
        if let PlanGuest::Native { argv, tree: Some(_), .. } = &hook.guest {
            findings.extend(
                argv.first().filter(|program| !program.contains('/')).and_then(|_| program(argv, "/", None, self.path_of(&hook.grants))),
            );
        }
        if let PlanGuest::Native { argv, cwd, script, tree: None, .. } = &hook.guest {
            if !Path::new(cwd).is_dir() {
                let what = format!("the working directory {cwd} is not there: create it in an earlier step, or change the hook's cwd");
                findings.push(Lack::at(cwd, what));
            }
            let path = self.path_of(&hook.grants);
            findings.extend(program(argv, cwd, script.as_ref(), path));
            findings.extend(script.as_ref().and_then(|script| changed(script, &argv[script.index], cwd)));
        }
        findings
    }

    fn check_command(&self, command: &HostCommand) -> Vec<Lack> {
        let HostCommand { argv, cwd, set, .. } = command;
        if !Path::new(cwd).is_dir() {
            return vec![Lack::at(cwd, format!("the working directory {cwd} is not there: create it, or change the step's cwd"))];
        }
        let written = set.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        let named = || self.app_path.as_ref().filter(|_| command.env.iter().any(|name| name == "PATH"));
        let path = written.or_else(named).or(self.operator_path.as_ref());
        program(argv, cwd, None, path.map_or(DEFAULT_PATH, String::as_str)).into_iter().collect()
    }
}

impl Preflight {
    /// PATH as the hook will have it.
    fn path_of<'a>(&'a self, grants: &'a Grants) -> &'a str {
        let granted = grants.env.iter().find(|env| env.name == "PATH");
        let value = granted.and_then(|env| match &env.source {
            EnvSource::Value { value } => Some(value.as_str()),
            _ => self.app_path.as_deref(),
        });
        value.unwrap_or(DEFAULT_PATH)
    }
}

fn program(argv: &[String], cwd: &str, script: Option<&PlanScript>, path: &str) -> Option<Lack> {
    let runs_a_copy = script.is_some_and(|script| script.copied && script.index == 0);
    let program = argv.first().filter(|_| !runs_a_copy)?;
    let problem = check_program(program, Path::new(cwd), OsStr::new(path)).err()?.to_string();
    Some(if program.contains('/') { Lack::at(Path::new(cwd).join(program), problem) } else { Lack::anywhere(problem) })
}

/// A script that runs where it lies must still be what was planned.
fn changed(script: &PlanScript, word: &str, cwd: &str) -> Option<Lack> {
    if script.copied {
        return None;
    }
    let path = Path::new(cwd).join(word);
    match read(&path) {
        Ok(bytes) if Digest::of(&bytes) == script.digest => None,
        Ok(_) => Some(Lack::anywhere(format!("{} changed since the plan was made: run again", script.file))),
        Err(error) => Some(Lack::at(&path, format!("{} can't be read: {error}", path.display()))),
    }
}

/// The bytes of a script, and of nothing that an earlier hook put in its place: a pipe would be waited for, and a device has no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SCRIPT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
