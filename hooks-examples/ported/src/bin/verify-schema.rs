//! `npx prisma validate`, after the migrations: every one of them is applied. It looks, and changes nothing.

use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let applied = fs::read_to_string(app.join("db/applied")).context("the database knows of no migration")?;
    for entry in fs::read_dir(app.join("prisma/migrations"))? {
        let name = entry?.file_name().to_string_lossy().trim_end_matches(".sql").to_owned();
        ensure!(applied.lines().any(|known| known == name), "{name} is not applied");
    }
    println!("The schema is valid");
    Ok(())
}
