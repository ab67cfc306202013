//! What a hook's bytes are, by their first few: nothing is parsed here, and nothing that isn't WebAssembly gets further.

use crate::model::outcome::Cause;
use wasmtime::{CodeBuilder, CodeHint, Engine};

/// The two forms that a hook comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A core module.
    Module,
    /// A component.
    Component,
}

impl Form {
    /// A letter for file names.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Module => 'm',
            Self::Component => 'c',
        }
    }
}

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Binary WebAssembly.
    Binary(Form),
    /// WebAssembly text, by the file's name.
    Text,
}

const WASM: &[u8] = b"\0asm";
const ELF: &[u8] = b"\x7fELF";

/// Looks at the first bytes and at the file's ending.
///
/// # Errors
/// The cause for which it is refused.
pub(super) fn sniff(file: &str, bytes: &[u8], limit: u64) -> Result<Bytes, Cause> {
    if bytes.len() as u64 > limit {
        return Err(Cause::TooLarge { limit });
    }
    if bytes.starts_with(ELF) || Engine::detect_precompiled(bytes).is_some() {
        return not_a_hook("a precompiled artefact: precompiled artefacts are native code and never loaded");
    }
    if bytes.starts_with(WASM) {
        return form(bytes);
    }
    if std::path::Path::new(file).extension().is_some_and(|ending| ending == "wat") {
        return Ok(Bytes::Text);
    }
    not_a_hook(describe(bytes))
}

/// Bytes 4 and 5 are the version, 6 and 7 say whether it is a module or a component.
fn form(bytes: &[u8]) -> Result<Bytes, Cause> {
    match bytes.get(4..8) {
        Some([_, _, 0, 0]) => Ok(Bytes::Binary(Form::Module)),
        Some([_, _, 1, 0]) => Ok(Bytes::Binary(Form::Component)),
        Some(_) => Err(Cause::BrokenModule { message: "it is neither a module nor a component: its header is unknown".to_owned() }),
        None => Err(Cause::BrokenModule { message: format!("it ends after {} bytes, in the middle of its header", bytes.len()) }),
    }
}

fn describe(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [b'#', b'!', ..] => "a script",
        _ if std::str::from_utf8(&bytes[..bytes.len().min(512)]).is_ok_and(|text| !text.contains('\0')) => {
            "a text file (WebAssembly text is read from files that end in .wat)"
        }
        _ => "a file of another kind",
    }
}

fn not_a_hook<T>(found: &str) -> Result<T, Cause> {
    Err(Cause::NotAHook { found: found.to_owned() })
}

/// The form of what [`sniff`] let through; a text has to be parsed for it.
///
/// # Errors
/// [`Cause::BrokenModule`] with the place of the mistake in a text.
pub(super) fn form_of(engine: &Engine, file: &str, kind: Bytes, bytes: &[u8]) -> Result<Form, Cause> {
    match kind {
        Bytes::Binary(form) => Ok(form),
        Bytes::Text => match source(engine, file, kind, bytes)?.hint() {
            Some(CodeHint::Component) => Ok(Form::Component),
            Some(CodeHint::Module) | None => Ok(Form::Module),
        },
    }
}

/// What the compiler is given.
///
/// # Errors
/// As [`form_of`].
pub(super) fn source<'a>(engine: &'a Engine, file: &str, kind: Bytes, bytes: &'a [u8]) -> Result<CodeBuilder<'a>, Cause> {
    let mut builder = CodeBuilder::new(engine);
    let given = match kind {
        Bytes::Binary(_) => builder.wasm_binary(bytes, None),
        Bytes::Text => builder.wasm_binary_or_text(bytes, None),
    };
    given.map_err(|error| Cause::BrokenModule { message: in_one_line(file, &format!("{error:#}")) })?;
    Ok(builder)
}

/// What is wrong with a text, and where: the parser writes several lines, with the place (` --> <anon>:LINE:COLUMN`) in one and a picture below.
fn in_one_line(file: &str, error: &str) -> String {
    let what = error.lines().next().unwrap_or_default();
    match error.lines().find_map(|line| line.trim_start().strip_prefix("--> <anon>:")) {
        Some(place) => format!("{file}:{place}: {what}"),
        None => what.to_owned(),
    }
}
