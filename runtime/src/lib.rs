//! wasmhook runs deploy hooks compiled to WASI in a sandbox, once per release, in the order of a lifecycle.
//!
//! An embedder needs [`Engine`], [`Request`], [`Stop`] and the values of [`model`] and [`report`]; the other modules are what the engine is
//! made of, in the layers that `ARCHITECTURE.md` draws.

pub mod diagnostic;
pub mod discover;
mod document;
#[cfg(feature = "wasm")]
pub mod embed;
mod endpoint;
pub mod engine;
pub mod exec;
pub mod ledger;
pub mod lint;
pub mod load;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod profile;
pub mod report;
mod salt;
#[cfg_attr(not(target_os = "linux"), path = "stage/elsewhere.rs")]
pub mod stage;
#[cfg(feature = "cli")]
pub mod testcase;
#[cfg(feature = "cli")]
pub mod trial;

#[cfg(feature = "wasm")]
pub use embed::{Builder, Engine, Error, Preview, ResolveError, Resolved, Told, Watch, history, pending};
pub use engine::Stop;
pub use load::Request;
