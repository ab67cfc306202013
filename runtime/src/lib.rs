//! wasmhook runs deploy hooks compiled to WASI in a sandbox, once per release, in the order of a lifecycle.

pub mod diagnostic;
pub mod engine;
pub mod discover;
mod document;
pub mod exec;
pub mod ledger;
pub mod lint;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod profile;
pub mod report;
#[cfg(feature = "cli")]
pub mod testcase;
