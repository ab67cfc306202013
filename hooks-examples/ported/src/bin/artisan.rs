//! `php artisan migrate` and `php artisan db:seed`: says what it applies. The code of an instance can only be read.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let (folder, word) = match std::env::args().nth(1).as_deref() {
        Some("migrate") => ("migrations", "Migrated"),
        Some("db:seed") => ("seeds", "Seeded"),
        other => bail!("artisan knows migrate and db:seed, not {other:?}"),
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(app.join(folder)).with_context(|| format!("can't list {folder}"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        println!("{word}: {name}");
    }
    Ok(())
}
