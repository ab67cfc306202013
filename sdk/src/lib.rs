//! What a wasmhook deploy hook written in Rust wants at hand.
//!
//! A hook is an ordinary program: it is done when it ends with code 0, and failed when it doesn't. Nothing here is needed for that; it is
//! here so that the usual parts of a hook (who am I deploying, did I do this already, which variable is missing, what may fail) are one
//! line each, and say the same things in the same words in every hook.
//!
//! ```no_run
//! use wasmhook_sdk::prelude::*;
//!
//! fn main() -> Outcome {
//!     release_hook(|ctx| {
//!         Marker::for_release(ctx).once(|| {
//!             let to = ctx.app_dir.join("static/new-file.json");
//!             best_effort("copy new-file.json", || copy_if_changed(ctx.app_dir.join("src/new-file.json"), to));
//!             clear_dir(ctx.app_dir.join("cache"))?;
//!             Ok(())
//!         })
//!     })
//! }
//! ```
//!
//! It compiles for `wasm32-wasip1` and `wasm32-wasip2`, and natively: a hook's own unit tests need no sandbox.
//!
//! What a hook tells the engine besides its exit code goes through the file that `WASMHOOK_OUTPUT` names. The variable is granted like
//! any other (`env = ["WASMHOOK_OUTPUT"]`); where it isn't, [`output()`] is an error, while skip reasons and warnings are only printed.

mod attempt;
mod banner;
mod checks;
mod context;
mod files;
mod marker;
mod outcome;
mod output;
mod require;
mod say;

pub use anyhow;
pub use attempt::{best_effort, record_warning};
pub use banner::{begin, complete, release_hook};
pub use checks::{Check, CheckResult, Checks, ChecksFailed};
pub use context::{Context, ContextError, Problem};
pub use files::{Cleared, Copied, clear_dir, copy_if_changed, write_atomic};
pub use marker::{Marker, once};
pub use outcome::Outcome;
pub use output::{MAX_OUTPUT_BYTES, OUTPUT_VARIABLE, OutputError, OutputFile, output};
pub use require::{Absent, MissingVariables, require_env, validate_env};

/// What most hooks use: `use wasmhook_sdk::prelude::*;`
pub mod prelude {
    pub use crate::{
        Checks, Context, Marker, Outcome, best_effort, clear_dir, copy_if_changed, once, output, release_hook, require_env, validate_env,
        write_atomic,
    };
    pub use anyhow::{Context as _, Result, anyhow, bail, ensure};
}
