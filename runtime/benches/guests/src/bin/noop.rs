//! Does nothing: what is left is the price of a hook.

fn main() {}
