//! Values → text. Everything here is pure: no stream, no clock, no environment. What a guest, a manifest or a file system said goes through
//! [`line::Line`], which lets no control character out; only [`crate::ui`] prints.

pub mod dialect;
pub mod error;
pub mod explain;
pub mod figures;
pub mod given;
pub mod human;
pub mod json;
pub mod jsonl;
pub mod line;
pub mod look;
pub mod plan;
pub mod refusal;
pub mod status;
pub mod table;
pub mod test;
#[cfg(test)]
pub mod testing;
pub mod typed;
