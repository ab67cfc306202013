//! The tests that drive wasmhook from outside, and those of what they share.
#![expect(clippy::unwrap_used, reason = "in a test, and in what only tests call, a panic is the report")]

mod architecture;
mod cli;
mod crash;
mod embed;
mod first_hook;
mod profiles;
mod programs;
mod readme;
mod reference;
mod sandbox;
mod seeds;
mod sources;
mod speed;
mod staging;
mod tenant_upgrade;
mod test_command;
mod watch;
