//! Rules for single values, for whoever reads them elsewhere than in a manifest, too: a command line.

use super::JOB_DIR;

/// What a value has to be.
pub type Rule = &'static str;

/// Whether a hook can find a directory at this path.
///
/// # Errors
/// The rule that it breaks.
pub fn guest_path(path: &str) -> Result<(), Rule> {
    if !path.starts_with('/') {
        Err("a guest path is absolute")
    } else if path.split('/').any(|part| part == ".." || part == ".") {
        Err("a guest path has no `.` and no `..`")
    } else if path == JOB_DIR || path.strip_prefix(JOB_DIR).is_some_and(|rest| rest.starts_with('/')) {
        Err("this is where the engine puts the hook's own files")
    } else {
        Ok(())
    }
}

/// Whether a shell and every language can read a variable of this name.
///
/// # Errors
/// The rule that it breaks.
pub fn variable_name(name: &str) -> Result<(), Rule> {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let good = begins && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if good { Ok(()) } else { Err("letters, digits and `_`, not beginning with a digit") }
}

/// Whether anything can run within a budget of fuel, memory or a module's size.
///
/// # Errors
/// The rule that it breaks.
pub const fn budget(limit: u64) -> Result<(), Rule> {
    if limit > 0 { Ok(()) } else { Err("lets nothing run") }
}
