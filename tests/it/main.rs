//! The tests that drive wasmhook from outside, and those of what they share.

mod first_hook;
mod programs;
mod reference;
mod test_command;
