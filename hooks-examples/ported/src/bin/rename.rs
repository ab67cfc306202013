//! `mv FROM TO`, in the application's directory.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let [from, to] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| anyhow!("two arguments: FROM TO"))?;
    std::fs::rename(app.join(&from), app.join(&to)).with_context(|| format!("can't rename {from} to {to}"))
}
