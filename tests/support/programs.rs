//! The guests in `tests/programs/`, compiled on demand: once per process, and once per change of a source over all processes.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What a guest is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A WASI preview1 command module.
    P1,
    /// A WASI 0.2 `wasi:cli/command` component.
    P2,
}

impl Target {
    /// Both, for tests that hold for both.
    pub const ALL: [Self; 2] = [Self::P1, Self::P2];

    /// The compiler's name for it.
    #[must_use]
    pub const fn triple(self) -> &'static str {
        match self {
            Self::P1 => "wasm32-wasip1",
            Self::P2 => "wasm32-wasip2",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.triple())
    }
}

/// The guest `tests/programs/src/bin/<name>.rs`, compiled for `target`.
///
/// # Panics
/// If there is no such guest, or if it can't be compiled; the message says what to install.
#[must_use]
pub fn wasm(name: &str, target: Target) -> PathBuf {
    static BUILT: [OnceLock<Result<(), String>>; 2] = [OnceLock::new(), OnceLock::new()];
    let built = BUILT[usize::from(target == Target::P2)].get_or_init(|| build_rust(target));
    if let Err(why) = built {
        panic!("the guests can't be compiled for {target}: {why}");
    }
    let path = guests_dir().join(target.triple()).join("release").join(format!("{name}.wasm"));
    assert!(path.is_file() && rust_names().iter().any(|known| known == name), "no guest {name:?}; there are {}", rust_names().join(", "));
    path
}

/// The guest `tests/programs/c/<name>.c`, compiled as a preview1 module.
///
/// # Panics
/// If there is no such guest, or if it can't be compiled; the message says what to install.
#[must_use]
pub fn c(name: &str) -> PathBuf {
    match build_c(name) {
        Ok(path) => path,
        Err(why) => panic!("the C guest {name:?} can't be compiled: {why}"),
    }
}

/// The names of all Rust guests, sorted.
#[must_use]
pub fn rust_names() -> Vec<String> {
    stems(&programs_dir().join("src/bin"), "rs")
}

/// The names of all C guests, sorted.
#[must_use]
pub fn c_names() -> Vec<String> {
    stems(&programs_dir().join("c"), "c")
}

/// The root of the repository.
#[must_use]
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

fn programs_dir() -> PathBuf {
    root().join("tests/programs")
}

pub(crate) fn guests_dir() -> PathBuf {
    root().join("target/guests")
}

fn stems(dir: &Path, extension: &str) -> Vec<String> {
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let matching = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut stems: Vec<String> = matching.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    stems.sort();
    stems
}

fn build_rust(target: Target) -> Result<(), String> {
    let _lock = lock().map_err(|error| format!("can't lock {}: {error}", guests_dir().display()))?;
    ensure_target(target)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--target", target.triple(), "--manifest-path"]);
    cargo.arg(programs_dir().join("Cargo.toml")).arg("--target-dir").arg(guests_dir());
    run(for_guests(&mut cargo))
}

/// What was meant for the host's build (coverage, sanitizers, a wrapper) isn't meant for the guests.
pub(crate) fn for_guests(command: &mut Command) -> &mut Command {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(name);
    }
    command
}

/// Adds the target if the compiler lacks it and rustup can be asked.
pub(crate) fn ensure_target(target: Target) -> Result<(), String> {
    if has_target(target) {
        return Ok(());
    }
    // Also wrong if it succeeds for another toolchain than the one in use: what counts is whether the library is there afterwards.
    let added = run(Command::new("rustup").args(["target", "add", target.triple()]));
    if has_target(target) {
        return Ok(());
    }
    let why = added.err().unwrap_or_else(|| "the compiler in use isn't rustup's".to_owned());
    Err(format!("rustc has no standard library for it; run tests/setup.sh, or `rustup target add {target}` ({why})"))
}

fn has_target(target: Target) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", target.triple()]).output();
    output.is_ok_and(|output| output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn build_c(name: &str) -> Result<PathBuf, String> {
    let source = programs_dir().join("c").join(format!("{name}.c"));
    if !source.is_file() {
        return Err(format!("there is no such guest; there are {}", c_names().join(", ")));
    }
    let _lock = lock().map_err(|error| format!("can't lock {}: {error}", guests_dir().display()))?;
    let wasm = guests_dir().join("c").join(format!("{name}.wasm"));
    if is_newer(&wasm, &source) {
        return Ok(wasm);
    }
    let part = guests_dir().join("c").join(format!("{name}.part"));
    fs::create_dir_all(guests_dir().join("c")).map_err(|error| error.to_string())?;
    let mut compiler = c_compiler()?;
    run(compiler.args(["-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&part).arg(&source))?;
    fs::rename(&part, &wasm).map_err(|error| error.to_string())?;
    Ok(wasm)
}

/// Debian's clang, or zig's from the Python package index, in this order.
fn c_compiler() -> Result<Command, String> {
    let mut clang = Command::new("clang-19");
    clang.arg("--target=wasm32-wasi");
    let mut zig = Command::new("python3");
    zig.args(["-m", "ziglang", "cc", "--target=wasm32-wasi"]);
    let there = |program: &str, args: &[&str]| Command::new(program).args(args).output().is_ok_and(|output| output.status.success());
    if there("clang-19", &["--version"]) {
        return Ok(clang);
    }
    if there("python3", &["-m", "ziglang", "version"]) {
        return Ok(zig);
    }
    Err("there is no C compiler for WASI; run tests/setup.sh, or install the packages clang-19 lld-19 wasi-libc \
         libclang-rt-19-dev-wasm32 (or the Python package ziglang)"
        .to_owned())
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    matches!((modified(file), modified(than)), (Ok(file), Ok(than)) if file >= than)
}

/// Held while anything is built: several test processes ask at once. The kernel releases it, however a process ends.
pub(crate) fn lock() -> io::Result<File> {
    fs::create_dir_all(guests_dir())?;
    let file = File::create(guests_dir().join(".lock"))?;
    file.lock()?;
    Ok(file)
}

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{shown} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
