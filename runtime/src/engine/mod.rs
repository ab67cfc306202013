//! Drives a plan: the machine decides, the driver does.

pub mod machine;
