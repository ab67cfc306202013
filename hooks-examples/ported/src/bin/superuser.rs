//! The document's script in `manage.py shell`: creates a superuser, unless there is one. Its password is a variable, and in no text.

use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<Outcome> {
    let db = Context::from_env()?.app_dir.join("db");
    let name = std::env::args().nth(1).context("the first argument is the user's name")?;
    let [_password] = require_env(&["ADMIN_PASSWORD"])?;
    let mut users = fs::read_to_string(db.join("superusers")).unwrap_or_default();
    if users.lines().any(|known| known == name) {
        return Ok(Outcome::skipped("[POST-DEPLOY] Superuser exists"));
    }
    users.push_str(&format!("{name}\n"));
    fs::create_dir_all(&db)?;
    write_atomic(db.join("superusers"), users)?;
    println!("[POST-DEPLOY] ✓ Superuser created");
    Ok(Outcome::Done)
}
