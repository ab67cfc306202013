//! `bash scripts/prime_cache.sh`: reads every asset once, so that the first request finds it in memory.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let mut primed = 0;
    for entry in std::fs::read_dir(app.join("js"))? {
        std::fs::read(entry?.path())?;
        primed += 1;
    }
    println!("Primed {primed} files");
    Ok(())
}
