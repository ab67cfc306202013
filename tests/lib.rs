//! What the tests share: the program under test, and the guests, built when a test first asks for one.

#[path = "support/call.rs"]
pub mod call;
#[path = "support/example.rs"]
pub mod example;
pub mod harness;
#[path = "support/programs.rs"]
pub mod programs;
#[path = "support/project.rs"]
pub mod project;

pub use call::{Place, Ran, Running};
pub use harness::{Output, Wasmhook};
pub use project::Project;
