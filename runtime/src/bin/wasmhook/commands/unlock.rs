//! `wasmhook unlock`: who holds the lock; with `--force` it is taken away.

use super::{target, who};
use crate::args::UnlockArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::Ui;
use wasmhook::diagnostic::codes;
use wasmhook::ledger::lock::Lock;

pub fn run(args: &UnlockArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    let target = target(&args.selectors, settings)?;
    let name = format!("{}/{}", target.app, target.environment);
    let places = &args.selectors.places;
    let state = settings.state(places)?;
    let Some(holder) = Lock::holder(&state, &target)? else {
        ui.stdout_text(&format!("{name} is not locked\n"))?;
        return Ok(Exit::Done);
    };
    if !args.force {
        let help = "wait for its end, or end its process: its lock falls with it. `wasmhook unlock --force` takes the lock away; a run that is \
                    still on stops when it next records something, and hooks of both may run at the same time until then";
        let message = format!("{name} is locked by {}", who(&holder));
        return Err(CliError::finding(Exit::Locked, codes::LOCKED, message).help(help));
    }
    let engine = settings.engine(places)?.build()?;
    let text = match engine.unlock(&target)? {
        Some(holder) => format!("{name}: the lock was taken away from {}\n", who(&holder)),
        None => format!("{name} is not locked any more\n"),
    };
    ui.stdout_text(&text)?;
    Ok(Exit::Done)
}
