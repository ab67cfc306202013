//! The only place where a native hook's rights come to exist: Landlock for files and TCP, no-new-privileges, resource limits.
//!
//! A confined hook may
//! - read and execute below the system directories (see [`SYSTEM_DIRS`]) and those that the operator added, its own program file, and its script;
//! - read the harmless devices of [`DEVICES`] (and write to them), and the facts about the machine in [`MACHINE_FACTS`];
//! - read and execute in `read` grants; do anything but make device nodes in `write` grants, its private HOME and TMPDIR;
//! - connect to and listen on no TCP port; and, where the kernel knows scopes (Landlock ABI 6), signal no process and reach no abstract
//!   Unix socket outside itself.
//!
//! Not restricted, since the kernel can't say it this way: UDP and other non-TCP sockets, Unix sockets that have a path (before Landlock
//! ABI 9), metadata (`stat` of any path), and what root may do to processes or the network by other means than files. `/proc` isn't granted:
//! as root it holds the kernel's memory.

use super::kernel::Kernel;
use super::private::Private;
use crate::exec::ExecError;
use crate::exec::dirs::Handle;
use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use crate::model::limits::Limits;
use crate::model::policy::Sandbox;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags,
};
use rustix::process::{Resource, Rlimit};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where programs, libraries and their configuration lie on any Linux system. `/opt`, `/srv`, `/var` and home directories are granted by name.
pub const SYSTEM_DIRS: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"];

/// Devices without memory.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What runtimes ask about the machine: its memory and processors, never another process.
const MACHINE_FACTS: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/version",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
];

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
const DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate | IoctlDev});
/// No `MakeChar`, no `MakeBlock`: a device node made by root reaches the disk below every grant.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    Execute | ReadFile | ReadDir | WriteFile | Truncate | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSock | MakeFifo | MakeSym | Refer | ResolveUnix
});

/// What the executor knows of its machine and was given by its operator.
pub(super) struct Ground<'a> {
    /// What the kernel can enforce.
    pub kernel: Kernel,
    /// More directories that every hook may read and execute.
    pub system_dirs: &'a [PathBuf],
}

/// What a process may do and use, ready to be applied by system calls alone.
pub(super) struct Rights {
    ruleset: Option<OwnedFd>,
    no_new_privileges: bool,
    rlimits: Vec<(Resource, Rlimit)>,
    /// What was asked for and can't be enforced here.
    pub unenforced: Vec<String>,
}

/// Why there are no rights.
pub(super) enum Unconfined {
    /// The hook is refused.
    Denied(Denial),
    /// The machinery failed.
    Broken(ExecError),
}

impl Rights {
    /// The operator's own rights, with the operator's own limits, for a host step.
    pub(super) fn of_operator(limits: &Limits) -> Self {
        let rlimits = cpu_limit(limits).into_iter().collect();
        Self { ruleset: None, no_new_privileges: false, rlimits, unenforced: vec!["unconfined".to_owned()] }
    }

    /// Applies the limits to the calling process. System calls only.
    pub(super) fn limit(&self) -> io::Result<()> {
        self.rlimits.iter().try_for_each(|(resource, limit)| Ok(rustix::process::setrlimit(*resource, *limit)?))
    }

    /// Gives up everything else, for ever. System calls only.
    pub(super) fn confine(&self) -> io::Result<()> {
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
        }
        match &self.ruleset {
            Some(ruleset) => super::sys::restrict_self(ruleset.as_fd()),
            None => Ok(()),
        }
    }
}

/// The rights of a hook under `sandbox`.
///
/// # Errors
/// [`Unconfined::Denied`] if a grant can't be given, or if `sandbox` is strict and this kernel can't enforce it.
pub(super) fn rights(sandbox: Sandbox, limits: &Limits, files: &Files<'_>, ground: &Ground<'_>) -> Result<Rights, Unconfined> {
    let rlimits = hook_limits(limits);
    let missing = ground.kernel.missing();
    let unenforced = match sandbox {
        Sandbox::None => {
            return Ok(Rights { ruleset: None, no_new_privileges: false, rlimits, unenforced: vec!["unconfined".to_owned()] });
        }
        Sandbox::Strict if !missing.is_empty() => return Err(Unconfined::Denied(cannot_enforce(&missing))),
        Sandbox::Strict | Sandbox::BestEffort => missing.into_iter().map(str::to_owned).collect(),
    };
    let ruleset = if ground.kernel.files { ruleset(files, ground)? } else { None };
    Ok(Rights { ruleset, no_new_privileges: true, rlimits, unenforced })
}

fn cannot_enforce(missing: &[&str]) -> Denial {
    Denial {
        capability: Capability::Import,
        what: format!("this kernel can't enforce `sandbox = \"strict\"`: it lacks {}", missing.join(", ")),
        allow: "sandbox = \"best-effort\"".to_owned(),
    }
}

/// The files and directories that a hook may touch, besides those of the system.
pub(super) struct Files<'a> {
    /// The program's own file.
    pub program: &'a Path,
    /// Its private directories.
    pub private: &'a Private,
    /// Its granted directories.
    pub dirs: &'a [DirGrant],
    /// Those directories, as they were opened and decided about.
    pub handles: &'a [Option<Handle>],
}

fn ruleset(files: &Files<'_>, ground: &Ground<'_>) -> Result<Option<OwnedFd>, Unconfined> {
    let broken = |error: RulesetError| Unconfined::Broken(ExecError::new("building the Landlock ruleset", error));
    let mut rules = handled(ground.kernel).map_err(broken)?;
    let system = SYSTEM_DIRS.iter().map(Path::new).chain(ground.system_dirs.iter().map(PathBuf::as_path));
    let readable = system.chain(MACHINE_FACTS.iter().map(Path::new)).chain([files.program]);
    for path in readable {
        allow_if_there(&mut rules, path, READ).map_err(broken)?;
    }
    for device in DEVICES {
        allow_if_there(&mut rules, Path::new(device), DEVICE).map_err(broken)?;
    }
    allow_if_there(&mut rules, files.private.home(), WRITE).map_err(broken)?;
    if let Some(script) = files.private.script() {
        allow_if_there(&mut rules, script, READ).map_err(broken)?;
    }
    for (grant, handle) in files.dirs.iter().zip(files.handles) {
        let (dir, access) = granted(grant, handle.as_ref(), files.private)?;
        (&mut rules).add_rule(PathBeneath::new(dir, access)).map_err(broken)?;
    }
    Ok(rules.into())
}

/// A ruleset that denies everything this kernel can deny. Landlock's rights are named one by one: what a later kernel adds is not ours yet.
fn handled(kernel: Kernel) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default();
    (&mut rules).handle_access(AccessFs::from_all(ABI::V9))?.scope(Scope::from_all(ABI::V6))?;
    if kernel.tcp {
        (&mut rules).handle_access(AccessNet::from_all(ABI::V4))?;
    }
    rules.create()
}

/// Not every system has each of these paths; what isn't there needs no right.
fn allow_if_there(rules: &mut RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<(), RulesetError> {
    let Ok(file) = PathFd::new(path) else { return Ok(()) };
    let is_dir = rustix::fs::fstat(&file).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    let access = if is_dir { access } else { access & AccessFs::from_file(ABI::V9) };
    rules.add_rule(PathBeneath::new(file, access)).map(drop)
}

fn granted<'a>(
    grant: &DirGrant,
    handle: Option<&'a Handle>,
    private: &Private,
) -> Result<(BorrowedFd<'a>, BitFlags<AccessFs>), Unconfined> {
    let access = match grant.mode {
        DirMode::Read => READ,
        DirMode::Write => WRITE,
        DirMode::Txn | DirMode::Discard | DirMode::Scratch => return Err(Unconfined::Denied(unsupported(grant))),
    };
    let handle = handle.ok_or_else(|| Unconfined::Denied(unsupported(grant)))?;
    if private.home().starts_with(handle.real_path()) {
        return Err(Unconfined::Denied(reaches_private(grant, private.home())));
    }
    Ok((handle.as_fd(), access))
}

/// Refuses what a native hook can't be given on any kernel. It sees the host's own paths, and nothing is staged for it.
///
/// # Errors
/// The first such grant, with the line that would do instead.
pub(super) fn check(dirs: &[DirGrant]) -> Result<(), Denial> {
    dirs.iter().try_for_each(|grant| match (grant.mode, &grant.host) {
        (DirMode::Txn | DirMode::Discard | DirMode::Scratch, _) | (_, None) => Err(unsupported(grant)),
        (DirMode::Read | DirMode::Write, Some(host)) if Path::new(host) != Path::new(&grant.guest) => Err(moved(grant, host)),
        (DirMode::Read | DirMode::Write, Some(_)) => Ok(()),
    })
}

fn unsupported(grant: &DirGrant) -> Denial {
    let path = grant.host.as_deref().unwrap_or(&grant.guest);
    let (why, allow) = match grant.mode {
        DirMode::Scratch => {
            ("a native hook has no file system of its own to place it in", "leave it out: TMPDIR and HOME are private already".to_owned())
        }
        _ => ("not available in this version for native hooks", format!("dirs = [{{ path = \"{path}\", mode = \"write\" }}]")),
    };
    Denial { capability: Capability::Dir, what: format!("directory `{path}` with mode `{}`: {why}", grant.mode), allow }
}

fn moved(grant: &DirGrant, host: &str) -> Denial {
    Denial {
        capability: Capability::Dir,
        what: format!("directory `{host}` as `{}`: a native hook sees directories at their own paths only", grant.guest),
        allow: format!("dirs = [{{ path = \"{host}\", mode = \"{}\" }}]", grant.mode),
    }
}

fn reaches_private(grant: &DirGrant, private: &Path) -> Denial {
    let path = grant.host.as_deref().unwrap_or(&grant.guest);
    Denial {
        capability: Capability::Dir,
        what: format!("directory `{path}` holds wasmhook's own private directories ({})", private.display()),
        allow: format!("a directory below `{path}`, or another scratch directory for wasmhook"),
    }
}

fn hook_limits(limits: &Limits) -> Vec<(Resource, Rlimit)> {
    let mut all = vec![
        (Resource::Core, at_most(Resource::Core, 0)),
        (Resource::As, at_most(Resource::As, limits.memory_bytes)),
        (Resource::Nofile, at_most(Resource::Nofile, limits.handles.into())),
    ];
    all.extend(cpu_limit(limits));
    all
}

/// Whole seconds, rounded up; one second after the signal that a program may handle (XCPU) comes the one that it can't (KILL).
fn cpu_limit(limits: &Limits) -> Option<(Resource, Rlimit)> {
    let seconds = limits.cpu_time_ms?.div_ceil(1_000).max(1);
    let hard = at_most(Resource::Cpu, seconds.saturating_add(1));
    let soft = hard.maximum.map_or(seconds, |maximum| seconds.min(maximum));
    Some((Resource::Cpu, Rlimit { current: Some(soft), maximum: hard.maximum }))
}

/// `value`, or the lower limit that this process is under itself: a limit can't be raised without privileges.
fn at_most(resource: Resource, value: u64) -> Rlimit {
    let value = rustix::process::getrlimit(resource).maximum.map_or(value, |maximum| value.min(maximum));
    Rlimit { current: Some(value), maximum: Some(value) }
}
