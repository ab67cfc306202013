//! The document's job of a Python application: `manage.py migrate`, then `manage.py collectstatic`.

use ported::{apply, copy_all};
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    println!("[PRE-DEPLOY] Running Django migrations...");
    let app = Context::from_env()?.app_dir;
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [migrations, assets] = arguments.try_into().map_err(|_| anyhow!("two arguments: MIGRATIONS ASSETS"))?;
    apply(&app, &migrations)?;
    let copied = copy_all(&app.join(assets), &app.join("static"))?;
    println!("{} static files copied", copied.len());
    println!("[PRE-DEPLOY] ✓ Migrations completed");
    Ok(())
}
