//! What the tests share: the guests, built when a test first asks for one, and the program as a user calls it.

#[path = "support/call.rs"]
pub mod call;
#[path = "support/programs.rs"]
pub mod programs;
#[path = "support/project.rs"]
pub mod project;

pub use call::{Place, Ran, Running};
pub use project::Project;
