//! The tests that drive wasmhook from outside, and those of what they share.

mod architecture;
mod embed;
mod first_hook;
mod programs;
mod reference;
mod tenant_upgrade;
mod test_command;
