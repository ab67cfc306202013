//! `python manage.py migrate`, `npx prisma migrate deploy`, `migrate … up`: applies what the folder in the first argument holds.

use ported::apply;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let folder = std::env::args().nth(1).context("the first argument is the folder of migrations")?;
    let applied = apply(&app, &folder)?;
    // Handed on only where somebody named it: without the grant there is nothing to write to.
    if std::env::var_os("WASMHOOK_OUTPUT").is_some() {
        output("SCHEMA", applied.lines().last().unwrap_or("empty"))?;
    }
    Ok(())
}
