//! The profiles that come with the program.

use super::Profile;
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{error_at, quote, suggest};

macro_rules! builtins {
    ($($name:literal),+ $(,)?) => {
        const BUILTINS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../profiles/", $name, ".toml")))),+];

        /// Their names; the first is what a manifest without `profile` gets.
        pub const BUILTIN_NAMES: &[&str] = &[$($name),+];
    };
}

builtins!("default", "blueking", "blueking-image", "commit-sync", "divio", "pagoda", "tenant-upgrade");

/// The text of a built-in profile: what a profile of one's own can start from.
#[must_use]
pub fn builtin_text(name: &str) -> Option<&'static str> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A built-in profile.
#[must_use]
pub fn builtin(name: &str) -> Option<Profile> {
    Profile::parse(&format!("{name}.toml"), builtin_text(name)?).ok()
}

/// The finding that no built-in profile has this name.
#[must_use]
pub fn unknown(name: &Located<String>) -> Diagnostic {
    let message = format!("{} is no built-in profile", quote(&name.value));
    let help = suggest(&name.value, BUILTIN_NAMES.iter().copied());
    error_at(name, codes::UNKNOWN_PROFILE, message)
        .help(format!("{help} a profile of your own is named by its path: `./{}.toml`", "profile"))
}
