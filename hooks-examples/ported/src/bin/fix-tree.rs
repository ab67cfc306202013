//! `python manage.py cms fix-tree`: gives each page without a parent to the root. Pages are lines `id,parent` of `content/tree.csv`.

use std::collections::BTreeSet;
use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    // One sandbox for the whole list: the migration before this one left its mark.
    ensure!(app.join("db/applied").is_file(), "the database isn't migrated");
    let text = fs::read_to_string(app.join("content/tree.csv"))?;
    let ids: BTreeSet<&str> = text.lines().filter_map(|line| Some(line.split_once(',')?.0)).collect();
    let (mut fixed, mut lines) = (0, String::new());
    for (id, parent) in text.lines().filter_map(|line| line.split_once(',')) {
        let lost = parent != "root" && !ids.contains(parent);
        fixed += usize::from(lost);
        lines.push_str(&format!("{id},{}\n", if lost { "root" } else { parent }));
    }
    write_atomic(app.join("content/tree.csv"), lines)?;
    println!("fixed {fixed} pages");
    Ok(())
}
