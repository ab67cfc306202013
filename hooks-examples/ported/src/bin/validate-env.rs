//! The document's environment validation: every variable that is missing is named, and then the hook fails.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    println!("[PRE-DEPLOY] Validating environment...");
    validate_env(&["DATABASE_URL", "REDIS_URL", "API_KEY"])?;
    println!("[PRE-DEPLOY] ✓ Environment validation passed");
    Ok(())
}
