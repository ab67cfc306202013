//! The tests that drive wasmhook from outside, and those of what they share.

mod architecture;
mod embed;
mod programs;
mod reference;
