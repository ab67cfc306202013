use wasmhook_sdk::prelude::*;

fn main() -> Outcome {
    release_hook(|ctx| {
        let cleared = clear_dir(ctx.app_dir.join("cache"))?;
        println!("Cleared {} files", cleared.files);
        write_atomic(ctx.app_dir.join("VERSION"), format!("{}\n", ctx.release()))
    })
}
