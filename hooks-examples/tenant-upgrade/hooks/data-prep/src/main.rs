//! Pre-migrate: puts the backup step's dumps of the tables that this release's migrations change aside under the release's name, so that
//! a migration that went wrong can be looked at table by table.

use std::fs;
use std::path::Path;
use wasmhook_sdk::prelude::*;

/// The tables that migrations of this release change.
const CHANGED: [&str; 1] = ["segments"];
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
        for table in CHANGED {
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

/// The rows of a dump, its head line left out.
fn rows(dump: &Path) -> Result<usize> {
    let text = fs::read_to_string(dump).with_context(|| format!("can't read {}", dump.display()))?;
    Ok(text.lines().count().saturating_sub(1))
}
