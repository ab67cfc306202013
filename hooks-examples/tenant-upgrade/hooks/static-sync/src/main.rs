//! Post-pull: what the release script of old did with `cp … || true` and `rm -rf "$APP_DIR/cache/*"`, done so that it works: new static
//! files go to the other deployment (its absence is a warning, not silence), and the cache is really empty afterwards.

use std::path::PathBuf;
use wasmhook_sdk::prelude::*;

fn main() -> Outcome {
    release_hook(|ctx| {
        let other = std::env::args_os().nth(1).map(PathBuf::from).context("the first argument is the other deployment's data directory")?;
        let new_file = ctx.app_dir.join("src/app/static/data/new-file.json");
        best_effort("sync new-file.json", || copy_if_changed(&new_file, other.join("new-file.json")));
        let cache = ctx.app_dir.join("cache");
        if let Some(cleared) = best_effort("clear the cache", || clear_dir(&cache)) {
            println!("Cleared the cache: {} files", cleared.files);
        }
        Ok(())
    })
}
