//! `wasmhook cache`: what the compile cache holds.

use super::{check_format, counted};
use crate::args::{CacheArgs, Format};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::render::line::{Line, text};
use crate::render::table::Table;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use wasmhook::exec::wasm::Cache;
use wasmhook::model::units::show_size;

#[derive(Serialize)]
struct CacheJson {
    schema: u32,
    dir: String,
    entries: Vec<EntryJson>,
}

#[derive(Serialize)]
struct Cleared {
    schema: u32,
    dir: String,
    removed: usize,
}

#[derive(Serialize)]
struct EntryJson {
    digest: String,
    bytes: u64,
}

pub fn run(args: &CacheArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let dir = settings.cache(&args.places)?;
    let cache = Cache::open(&dir)?;
    let entries = cache.entries()?;
    if args.clear {
        cache.clear()?;
        let cleared = Cleared { schema: 1, dir: dir.display().to_string(), removed: entries.len() };
        ui.stdout_text(&match args.format {
            Format::Human | Format::Junit => format!("removed {} from {}\n", counted(entries.len(), "entry", "entries"), dir.display()),
            Format::Json => json::pretty(&cleared)?,
            Format::Jsonl => json::line(&cleared)?,
        })?;
        return Ok(Exit::Done);
    }
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    if args.format == Format::Human {
        let look = ui.stdout_look();
        let mut table = Table::new(look, &["MODULE", "SIZE"]);
        for entry in &entries {
            table.row(vec![Line::new(look).plain(&entry.digest.to_string()), Line::new(look).plain(&show_size(entry.bytes))]);
        }
        ui.stdout_text(&format!("{}: {}, {}\n", dir.display(), counted(entries.len(), "entry", "entries"), show_size(total)))?;
        return Ok(if entries.is_empty() { Exit::Done } else { ui.stdout_text(&text(&table.lines())).map(|()| Exit::Done)? });
    }
    let entries = entries.iter().map(|entry| EntryJson { digest: entry.digest.to_string(), bytes: entry.bytes }).collect();
    let value = CacheJson { schema: 1, dir: dir.display().to_string(), entries };
    ui.stdout_text(&if args.format == Format::Json { json::pretty(&value)? } else { json::line(&value)? })?;
    Ok(Exit::Done)
}
