//! The document's job of a Node.js application: `npx prisma migrate deploy`, then `npx prisma generate`.

use ported::apply;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    println!("[PRE-DEPLOY] Running Prisma migrations...");
    let app = Context::from_env()?.app_dir;
    let folder = std::env::args().nth(1).context("the first argument is the folder of migrations")?;
    let schema = apply(&app, &folder)?;
    std::fs::create_dir_all(app.join("generated"))?;
    write_atomic(app.join("generated/client"), schema)?;
    println!("[PRE-DEPLOY] ✓ Migrations completed");
    Ok(())
}
