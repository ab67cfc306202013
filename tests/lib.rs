//! What the tests share: the program under test, and the guests, built when a test first asks for one.

pub mod harness;
#[path = "support/programs.rs"]
pub mod programs;

pub use harness::{Output, Wasmhook};
