//! Pre-migrate: puts the table dumps of the backup step aside under the release's name, so that a migration that went wrong can be looked
//! at table by table.

use std::fs;
use std::path::Path;
use wasmhook_sdk::prelude::*;

/// The list of what was kept.
const LIST: &str = "TABLES";

fn main() -> Outcome {
    release_hook(|ctx| {
        let (dumps, kept) = (ctx.data_dir.join("dumps"), ctx.data_dir.join("before").join(ctx.release()));
        if !dumps.is_dir() {
            return Ok(Outcome::skipped("no table dumps"));
        }
        // Written last: a run that comes after the migrations must not put what they made in the place of what was before.
        if kept.join(LIST).is_file() {
            return Ok(Outcome::skipped("the tables are kept already"));
        }
        fs::create_dir_all(&kept).with_context(|| format!("can't make {}", kept.display()))?;
        let mut list = String::from("table,rows\n");
        for table in tables(&dumps)? {
            let file = format!("{table}.csv");
            copy_if_changed(dumps.join(&file), kept.join(&file))?;
            let rows = rows(&kept.join(&file))?;
            println!("Kept table {table}: {rows} rows");
            list.push_str(&format!("{table},{rows}\n"));
        }
        write_atomic(kept.join(LIST), list)?;
        Ok(Outcome::Done)
    })
}

fn tables(dumps: &Path) -> Result<Vec<String>> {
    let mut tables = Vec::new();
    for entry in fs::read_dir(dumps).with_context(|| format!("can't list {}", dumps.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        tables.extend(name.strip_suffix(".csv").map(str::to_owned));
    }
    tables.sort();
    Ok(tables)
}

/// The rows of a dump, its head line left out.
fn rows(dump: &Path) -> Result<usize> {
    let text = fs::read_to_string(dump).with_context(|| format!("can't read {}", dump.display()))?;
    Ok(text.lines().count().saturating_sub(1))
}
