//! `wasm` or `run` (+ `shell`) → [`GuestDecl`]. Of a hook, a fallback and a host step alike.

use super::GuestDecl;
use super::leaf::CommandLine;
use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::document::{Problems, error_at, quote};
use std::path::Path;

/// What was written about a guest.
pub(crate) struct Written {
    /// `wasm`.
    pub(crate) wasm: Option<Located<String>>,
    /// `run`.
    pub(crate) run: Option<Located<CommandLine>>,
    /// `shell`.
    pub(crate) shell: Option<Located<bool>>,
}

impl GuestDecl {
    /// Whether it is a native command.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        matches!(self, Self::Native { .. })
    }
}

/// Exactly one guest, or a report. `table` names what holds it, and `at` is its place.
pub(crate) fn guest(written: Written, table: &str, at: &Location, problems: &mut Problems) -> Option<Located<GuestDecl>> {
    match (written.wasm, written.run) {
        (Some(path), None) => wasm(path, written.shell.as_ref(), problems),
        (None, Some(run)) => native(run, written.shell.as_ref(), problems),
        (Some(_), Some(run)) => {
            let both = error_at(&run, codes::GUEST_CHOICE, format!("{table} has both `wasm` and `run`; it runs exactly one"));
            problems.push(both.help("keep one; a native twin of a wasm hook is its `fallback = { run = […] }`"));
            None
        }
        (None, None) => {
            let neither = Diagnostic::error(codes::GUEST_CHOICE, format!("{table} has neither `wasm` nor `run`; it runs exactly one"));
            problems.push(neither.at(at.clone()).help("write `wasm = \"path\"`, or `run = [\"program\", \"argument\"]`"));
            None
        }
    }
}

fn wasm(path: Located<String>, shell: Option<&Located<bool>>, problems: &mut Problems) -> Option<Located<GuestDecl>> {
    if let Some(shell) = shell {
        problems.push(error_at(shell, codes::NO_EFFECT, "`shell` says how `run` is read, and there is only `wasm`").help("remove `shell`"));
    }
    if path.value.is_empty() {
        problems.push(error_at(&path, codes::BAD_PATH, "`wasm` is empty; it names a module or component"));
        return None;
    }
    if Path::new(&path.value).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("cwasm")) {
        let message = format!("{} is precompiled: native code, which no sandbox could hold", quote(&path.value));
        problems.push(error_at(&path, codes::PRECOMPILED, message).help("name the .wasm file it was made from"));
        return None;
    }
    Some(path.map(|path| GuestDecl::Wasm { path }))
}

/// A native command. Also what a host step runs.
pub(super) fn native(run: Located<CommandLine>, shell: Option<&Located<bool>>, problems: &mut Problems) -> Option<Located<GuestDecl>> {
    let shell = shell.is_some_and(|shell| shell.value);
    let argv = match (&run.value, shell) {
        (CommandLine::List(argv), false) => Ok(argv.clone()),
        (CommandLine::List(_), true) => Err("with `shell = true`, `run` is one string that the shell reads; this is a list"),
        (CommandLine::Text(text), true) if text.trim().is_empty() => Err("`run` is empty; it names a program"),
        (CommandLine::Text(text), true) => Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()]),
        (CommandLine::Text(text), false) => shell_words::split(text).map_err(|_| "`run` has a quote that isn't closed"),
    };
    match argv {
        Ok(argv) if argv.first().is_some_and(|program| !program.is_empty()) => Some(run.map(|_| GuestDecl::Native { argv, shell })),
        Ok(_) => {
            problems.push(error_at(&run, codes::BAD_VALUE, "`run` is empty; it names a program"));
            None
        }
        Err(message) => {
            problems.push(error_at(&run, codes::BAD_VALUE, message));
            None
        }
    }
}
