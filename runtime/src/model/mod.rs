//! The words of the project (design: "one word, one meaning"). Values only: nothing here does anything but describe.

pub mod backup;
pub mod event;
pub mod facts;
pub mod files;
pub mod grant;
pub mod id;
pub mod job;
pub mod limits;
pub mod outcome;
pub mod policy;
pub mod reach;
pub mod source;
pub(crate) mod text;
pub mod tree;
pub mod units;
pub mod wait;
