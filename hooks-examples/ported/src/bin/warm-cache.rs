//! `curl http://localhost:8080/…` for each endpoint that is an argument. A module has no network: what the application would answer lies in
//! its folder `mirror`. An endpoint that has no answer is said, and no failure.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    println!("[POST-DEPLOY] Warming application cache...");
    let mirror = Context::from_env()?.app_dir.join("mirror");
    for endpoint in std::env::args().skip(1) {
        match std::fs::read(mirror.join(endpoint.trim_start_matches('/'))) {
            Ok(_) => println!("[POST-DEPLOY]   ✓ Cached {endpoint}"),
            Err(_) => println!("[POST-DEPLOY]   ⚠ Failed to cache {endpoint} (non-critical)"),
        }
    }
    println!("[POST-DEPLOY] ✓ Cache warming completed");
    Ok(())
}
