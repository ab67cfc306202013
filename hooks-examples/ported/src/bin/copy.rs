//! `curl -o TO …`, for a file that the repository brings along: a module without network takes it from there.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let [from, to] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| anyhow!("two arguments: FROM TO"))?;
    copy_if_changed(app.join(from), app.join(to)).map(drop)
}
