//! The document's seeding job: sample data, unless there is data already.

use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<Outcome> {
    let db = Context::from_env()?.app_dir.join("db");
    let users = fs::read_to_string(db.join("users")).map_or(0, |text| text.lines().count());
    if users > 0 {
        return Ok(Outcome::skipped(format!("[POST-DEPLOY] Data already exists ({users} users)")));
    }
    write_atomic(db.join("users"), numbered("user", 10))?;
    write_atomic(db.join("products"), numbered("product", 25))?;
    println!("[POST-DEPLOY] ✓ Seeding completed");
    Ok(Outcome::Done)
}

fn numbered(what: &str, count: usize) -> String {
    (1..=count).map(|number| format!("{what}-{number}\n")).collect()
}
