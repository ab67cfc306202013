//! BlueKing's post-build command: a file with a fixed name.

use super::draft::dir;
use crate::diagnostic::{Located, Location};
use crate::manifest::HookDecl;
use crate::model::grant::DirMode;
use crate::model::id::{HookId, NameError, StepName};

/// Where the file lies, below the application's root.
pub const POST_COMPILE: &str = "bin/post-compile";

/// The hook that runs it, right after the build, in the build's own tree.
///
/// # Errors
/// Never for these names; they are checked like any other.
pub fn post_compile() -> Result<HookDecl, NameError> {
    let mut hook = HookDecl::native(HookId::new("post-compile")?, StepName::new("post-build")?, [format!("./{POST_COMPILE}")]);
    hook.guest = Located { at: Location::nowhere(), ..hook.guest };
    // What the build left there is what it works on.
    hook.dirs.push(dir(".", Some(DirMode::Write), &Location::nowhere()));
    POST_COMPILE.clone_into(&mut hook.origin);
    Ok(hook)
}
