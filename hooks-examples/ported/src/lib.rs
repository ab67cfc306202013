//! What several of the modules do. The database is the folder `db` of the application; the list of what was applied stands in `db/applied`.

use std::fs;
use std::path::Path;
use wasmhook_sdk::prelude::*;

/// Applies what `folder` holds and the database doesn't know yet, in the order of its names. Gives everything that is applied, a line each.
///
/// # Errors
/// If the folder or the database can't be read or written.
pub fn apply(app: &Path, folder: &str) -> Result<String> {
    let list = app.join("db/applied");
    let mut applied = fs::read_to_string(&list).unwrap_or_default();
    let pending: Vec<String> = names(&app.join(folder))?.into_iter().filter(|name| !applied.lines().any(|known| known == name)).collect();
    println!("Running migrations:");
    for name in &pending {
        println!("  Applying {name}... OK");
        applied.push_str(&format!("{name}\n"));
    }
    if pending.is_empty() {
        println!("  No migrations to apply.");
    } else {
        fs::create_dir_all(app.join("db"))?;
        write_atomic(&list, &applied)?;
    }
    Ok(applied)
}

/// Copies every file of a folder to another one, which is made if it isn't there. Gives their names, sorted.
///
/// # Errors
/// If one can't be read or written.
pub fn copy_all(from: &Path, to: &Path) -> Result<Vec<String>> {
    fs::create_dir_all(to)?;
    let mut copied = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("can't list {}", from.display()))? {
        let entry = entry?;
        copy_if_changed(entry.path(), to)?;
        copied.push(entry.file_name().to_string_lossy().into_owned());
    }
    copied.sort();
    Ok(copied)
}

/// What a folder holds, without endings, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().trim_end_matches(".sql").to_owned()));
    let mut names: Vec<String> = names.collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}
