//! Analytics: one line for each deployment, with the commit and the environment, in `analytics/deployments`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let ctx = Context::from_env()?;
    let folder = ctx.app_dir.join("analytics");
    fs::create_dir_all(&folder)?;
    let mut events = OpenOptions::new().create(true).append(true).open(folder.join("deployments"))?;
    writeln!(events, "deployed {} to {}", ctx.commit.as_deref().unwrap_or("unknown"), ctx.environment)?;
    println!("[POST-DEPLOY] ✓ deployment tracked");
    Ok(())
}
