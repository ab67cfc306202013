//! What the tests share: the program under test, and the guests, built when a test first asks for one.

#[path = "support/example.rs"]
pub mod example;
pub mod harness;
#[path = "support/programs.rs"]
pub mod programs;

pub use harness::{Output, Wasmhook};
