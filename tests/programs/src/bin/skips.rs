//! Validates its environment, seeds `$DATA_DIR/users.csv`, and skips if there is data already.

use wasmhook_sdk::prelude::*;

fn main() -> Result<Outcome> {
    validate_env(&["DEPLOY_ENV", "DATA_DIR"])?;
    let users = std::env::var("DATA_DIR").map(|dir| std::path::PathBuf::from(dir).join("users.csv"))?;
    let rows = std::fs::read_to_string(&users).map_or(0, |text| text.lines().count());
    if rows > 0 {
        return Ok(Outcome::skipped(format!("Data exists ({rows} rows)")));
    }
    write_atomic(&users, "admin\n")?;
    println!("Database seeded");
    Ok(Outcome::Done)
}
