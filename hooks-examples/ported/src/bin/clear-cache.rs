//! `php scripts/clear_cache.php`: empties `cache`. A new instance has none yet.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let cache = std::env::args().nth(1).map_or_else(|| app.join("cache"), Into::into);
    let cleared = if cache.is_dir() { clear_dir(&cache)? } else { Default::default() };
    println!("Cleared {} files", cleared.files);
    Ok(())
}
