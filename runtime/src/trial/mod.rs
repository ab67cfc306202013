//! Tries hooks: finds test cases, lays each one's tree out in an empty directory of its own, runs its hook as a run would, and compares.
//!
//! Composition only: a case is read by `testcase`, planned by `plan`, made into a job by `engine::job` and run by an executor; the words in
//! which rights and limits are written mean here what they mean in a run, because the same functions read them.

mod find;
mod lay;
mod own;
mod plan;
mod read;
mod run;

pub use find::{FindError, find};
pub use read::{CaseFile, read};
pub use run::{Runs, Second, TrialError, Trials, Tried};
