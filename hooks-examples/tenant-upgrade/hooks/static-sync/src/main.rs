//! Post-pull: what the release script of old did with `cp … || true` and `rm -rf "$APP_DIR/cache/*"`, done so that it works: new static
//! files go to the other deployment (its absence is a warning, not silence), and the cache is really empty afterwards.

use std::path::Path;
use wasmhook_sdk::prelude::*;

/// Where the other deployment's data directory is mounted by `wasmhook.toml`.
const OTHER: &str = "/other/deployment/static/data";

fn main() -> Outcome {
    release_hook(|ctx| {
        let new_file = ctx.app_dir.join("src/app/static/data/new-file.json");
        best_effort("sync new-file.json", || copy_if_changed(&new_file, Path::new(OTHER).join("new-file.json")));
        let cache = ctx.app_dir.join("cache");
        if let Some(cleared) = best_effort("clear the cache", || clear_dir(&cache)) {
            println!("Cleared the cache: {} files", cleared.files);
        }
        Ok(())
    })
}
