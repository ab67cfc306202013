//! `wasmhook watch` against real repositories and real processes.

mod application;
mod bed;
mod gate;
mod lines;
mod remote;
mod signals;
mod start;
