//! What the tests share: the guests, built when a test first asks for one.

#[path = "support/programs.rs"]
pub mod programs;
