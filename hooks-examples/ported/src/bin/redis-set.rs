//! `redis-cli SET KEY …`. A module has no network: the cache is the folder `cache` of the application, where a key is an empty file.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    println!("[POST-DEPLOY] Warming Redis cache...");
    let cache = Context::from_env()?.app_dir.join("cache");
    let key = std::env::args().nth(1).context("the first argument is the key")?;
    std::fs::create_dir_all(&cache)?;
    write_atomic(cache.join(key), "")?;
    println!("[POST-DEPLOY] ✓ Cache warmed");
    Ok(())
}
