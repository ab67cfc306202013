//! The program `wasmhook`: args → settings → command → render → exit code.
#![expect(dead_code, reason = "no command prints anything yet")]

mod render;
mod terminal;
mod ui;

fn main() {}
