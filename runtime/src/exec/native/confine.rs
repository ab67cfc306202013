//! The only place where a native hook's rights come to exist: Landlock for files and TCP, no-new-privileges, resource limits.
//!
//! A confined hook may
//! - read and execute below the system directories (see [`SYSTEM_DIRS`]) and those that the operator added, its own program file, and its script or the tree that it comes from;
//! - read the harmless devices of [`DEVICES`] (and write to them), and the facts about the machine in [`MACHINE_FACTS`];
//! - read and execute in `read` grants; do anything but make device nodes in its other grants (for a staged one: in the view of its stage, never
//!   in the directory), its private HOME and TMPDIR;
//! - connect to and listen on no TCP port; and, where the kernel knows scopes (Landlock ABI 6), signal no process and reach no abstract
//!   Unix socket outside itself.
//!
//! Not restricted, since the kernel can't say it this way: UDP and other non-TCP sockets, Unix sockets that have a path (before Landlock
//! ABI 9), metadata (`stat` of any path), and what root may do to processes or the network by other means than files. `/proc` isn't granted:
//! as root it holds the kernel's memory.
//!
//! In a dry run every hook is confined, whatever its `sandbox` says: where that says `none`, it may read everything, but write no more than others,
//! and root keeps no rights but those over files. It makes no Unix sockets either (seccomp): one with a path leads out of any network namespace,
//! to a database for instance.

use super::kernel::Kernel;
use super::places::Place;
use super::private::Private;
use crate::exec::ExecError;
use crate::model::grant::{Capability, Denial, DirMode};
use crate::model::limits::Limits;
use crate::model::policy::Sandbox;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags,
};
use rustix::process::{Resource, Rlimit};
use rustix::thread::CapabilitySet;
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

/// What root may still do in a dry run: what it needs to work with files, and to become somebody else.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

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
    /// Whether it is only tried: root's rights over anything but files end with the start of the program, and no socket leads out.
    dry: bool,
    rlimits: Vec<(Resource, Rlimit)>,
    /// What was asked for and can't be enforced here.
    pub unenforced: Vec<String>,
}

/// Why there are no rights.
pub(super) enum Unconfined {
    /// The hook is refused.
    Denied(Denial),
    /// This machine can't try it in a dry run: it lacks this.
    Untriable(String),
    /// The machinery failed.
    Broken(ExecError),
}

impl Rights {
    /// The open ruleset, if there is one.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.ruleset.as_ref().map(AsFd::as_fd)
    }

    /// The operator's own rights, with the operator's own limits, for a host step.
    pub(super) fn of_operator(limits: &Limits) -> Self {
        let rlimits = cpu_limit(limits).into_iter().collect();
        Self { ruleset: None, no_new_privileges: false, dry: false, rlimits, unenforced: vec!["unconfined".to_owned()] }
    }

    /// Applies the limits to the calling process. System calls only.
    pub(super) fn limit(&self) -> io::Result<()> {
        self.rlimits.iter().try_for_each(|(resource, limit)| Ok(rustix::process::setrlimit(*resource, *limit)?))
    }

    /// Gives up everything else, for ever. System calls only.
    pub(super) fn confine(&self) -> io::Result<()> {
        if self.dry {
            keep_only_rights_over_files()?;
        }
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
        }
        if self.dry {
            super::sys::refuse_sockets_that_lead_out()?;
        }
        match &self.ruleset {
            Some(ruleset) => super::sys::restrict_self(ruleset.as_fd()),
            None => Ok(()),
        }
    }
}

/// The bounding set limits what root gets when it executes a program. The kernel refuses the first number that it doesn't know.
fn keep_only_rights_over_files() -> io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if KEPT.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// The rights of a hook under `sandbox`; `dry` if it is only tried.
///
/// # Errors
/// [`Unconfined`]: if `sandbox` is strict and this kernel can't enforce it, or if it can't keep the promises of a dry run.
pub(super) fn rights(sandbox: Sandbox, dry: bool, limits: &Limits, files: &Files<'_>, ground: &Ground<'_>) -> Result<Rights, Unconfined> {
    let missing = ground.kernel.missing();
    if sandbox == Sandbox::Strict && !missing.is_empty() {
        return Err(Unconfined::Denied(cannot_enforce(&missing)));
    }
    if dry && !(ground.kernel.files && ground.kernel.truncation) {
        return Err(Unconfined::Untriable("the confinement of files (Landlock ABI 3, Linux 6.2)".to_owned()));
    }
    if dry && super::sys::CALLS.is_none() {
        return Err(Unconfined::Untriable("a filter of system calls for this kind of processor".to_owned()));
    }
    let confined = sandbox != Sandbox::None;
    let mut unenforced = if confined { missing.into_iter().map(str::to_owned).collect() } else { vec!["unconfined".to_owned()] };
    let landlocked = ground.kernel.files && (confined || dry);
    if !landlocked && files.places.iter().any(Place::is_staged) {
        unenforced.push("that it can't go round its stage: who may mount can also unmount".to_owned());
    }
    let readable = if confined { Readable::System } else { Readable::Everything };
    let ruleset = if landlocked { ruleset(files, readable, ground)? } else { None };
    Ok(Rights { ruleset, no_new_privileges: confined || dry, dry, rlimits: hook_limits(limits), unenforced })
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
    /// The program's own file, as this process finds it.
    pub program: &'a Path,
    /// Its private directories.
    pub private: &'a Private,
    /// Its granted directories.
    pub places: &'a [Place<'a>],
}

/// What may be read without a grant.
#[derive(Clone, Copy)]
enum Readable {
    /// What any program needs of a system.
    System,
    /// Everything.
    Everything,
}

fn ruleset(files: &Files<'_>, readable: Readable, ground: &Ground<'_>) -> Result<Option<OwnedFd>, Unconfined> {
    build(files, readable, ground).map_err(|error| Unconfined::Broken(ExecError::new("building the Landlock ruleset", error)))
}

fn build(files: &Files<'_>, readable: Readable, ground: &Ground<'_>) -> Result<Option<OwnedFd>, RulesetError> {
    let mut rules = handled(ground.kernel)?;
    let system = SYSTEM_DIRS.iter().map(Path::new).chain(ground.system_dirs.iter().map(PathBuf::as_path));
    for path in system.chain(MACHINE_FACTS.iter().map(Path::new)).chain([files.program]) {
        allow_if_there(&mut rules, path, READ)?;
    }
    if let Readable::Everything = readable {
        allow_if_there(&mut rules, Path::new("/"), READ)?;
    }
    for device in DEVICES {
        allow_if_there(&mut rules, Path::new(device), DEVICE)?;
    }
    allow_if_there(&mut rules, files.private.home(), WRITE)?;
    for planned in files.private.script().into_iter().chain(files.private.tree()) {
        allow_if_there(&mut rules, planned, READ)?;
    }
    for place in files.places {
        let access = if place.grant.mode == DirMode::Read { READ } else { WRITE };
        (&mut rules).add_rule(PathBeneath::new(place.dir.as_fd(), access))?;
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
