//! `python manage.py migrate`, `npx prisma migrate deploy`: applies what the folder in the first argument holds and the database doesn't know
//! yet, in the order of its names.
//!
//! The database is the folder `db` of the application; the list of what was applied stands in `db/applied`.

use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let folder = std::env::args().nth(1).context("the first argument is the folder of migrations")?;
    let applied_list = app.join("db/applied");
    let mut applied = fs::read_to_string(&applied_list).unwrap_or_default();
    let pending: Vec<String> = names(&app.join(&folder))?.into_iter().filter(|name| !applied.lines().any(|known| known == name)).collect();
    println!("Running migrations:");
    for name in &pending {
        println!("  Applying {name}... OK");
        applied.push_str(&format!("{name}\n"));
    }
    if pending.is_empty() {
        println!("  No migrations to apply.");
    } else {
        fs::create_dir_all(app.join("db"))?;
        write_atomic(&applied_list, &applied)?;
    }
    // Handed on only where somebody named it: without the grant there is nothing to write to.
    if std::env::var_os("WASMHOOK_OUTPUT").is_some() {
        output("SCHEMA", applied.lines().last().unwrap_or("empty"))?;
    }
    Ok(())
}

/// What a folder holds, without endings, sorted.
fn names(folder: &std::path::Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().trim_end_matches(".sql").to_owned()));
    let mut names: Vec<String> = names.collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}
