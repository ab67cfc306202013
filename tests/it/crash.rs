//! Runs that die, and runs that meet each other: what stands in the tree and in the ledger afterwards.

mod checks;
mod clock;
mod cut;
mod points;
mod said;
mod taken_back;
mod twice;
mod verify;
mod world;
