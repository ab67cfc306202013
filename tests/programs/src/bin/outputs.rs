//! Hands each of its `KEY=value` arguments to the engine, with the SDK.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    for arg in std::env::args().skip(1) {
        let (key, value) = arg.split_once('=').context("arguments have the form KEY=value")?;
        output(key, value)?;
        println!("output {key}");
    }
    Ok(())
}
