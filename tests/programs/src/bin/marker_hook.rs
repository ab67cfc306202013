//! The release hook of the tenant-upgrade seed, written with the SDK: marker, best-effort copy, cleared cache.

use wasmhook_sdk::prelude::*;

fn main() -> Outcome {
    release_hook(|ctx| {
        Marker::for_release(ctx).once(|| {
            println!("Running release tasks for {}...", ctx.environment);
            let json = ctx.app_dir.join("src/app/static/data/new-file.json");
            best_effort("copy new-file.json", || copy_if_changed(json, "/other/deployment/static/data"));
            let cleared = clear_dir(ctx.app_dir.join("cache"))?;
            println!("Cleared {} files", cleared.files);
            Ok(())
        })
    })
}
