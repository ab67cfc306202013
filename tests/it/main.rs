//! The tests that drive wasmhook from outside, and those of what they share.

mod cli;
mod programs;
mod reference;
mod sandbox;
