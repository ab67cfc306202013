//! `wasmhook explain`: what a code means and what to do about it; what a profile does, and what holds in one of its phases.

use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::explain;
use crate::ui::Ui;
use wasmhook::diagnostic::codes;
use wasmhook::model::id::StepName;
use wasmhook::profile::{BUILTIN_NAMES, Profile, builtin};

pub fn run(args: &ExplainArgs, ui: &Ui) -> Result<Exit, CliError> {
    if let (Some(text), None) = (codes::explain(&args.name), &args.profile) {
        ui.stdout_text(&format!("{}\n", text.trim_end()))?;
        return Ok(Exit::Done);
    }
    let look = ui.stdout_look();
    if args.profile.is_none() && is_profile(&args.name) {
        ui.stdout_text(&explain::profile(look, &wasmhook::load::profile(&args.dir, &args.name)?))?;
        return Ok(Exit::Done);
    }
    let profiles = candidates(args)?;
    let step = StepName::new(args.name.as_str()).ok();
    let shown: Vec<String> = profiles.iter().filter_map(|profile| explain::step(look, profile, step.as_ref()?)).collect();
    if shown.is_empty() {
        let where_from = args.profile.as_ref().map_or_else(String::new, |profile| format!(" of the profile {profile}"));
        return Err(CliError::usage(format!(
            "there is no code, no profile and no phase or step{where_from} {:?}: codes stand in brackets after `error` or `warning`; profiles are {}",
            args.name,
            BUILTIN_NAMES.join(", ")
        )));
    }
    ui.stdout_text(&shown.join("\n"))?;
    Ok(Exit::Done)
}

fn is_profile(name: &str) -> bool {
    BUILTIN_NAMES.contains(&name) || name.contains('/') || std::path::Path::new(name).extension().is_some_and(|ending| ending == "toml")
}

/// The profiles in which the name is looked for.
fn candidates(args: &ExplainArgs) -> Result<Vec<Profile>, CliError> {
    match &args.profile {
        Some(profile) => Ok(vec![wasmhook::load::profile(&args.dir, profile)?]),
        None => Ok(BUILTIN_NAMES.iter().filter_map(|name| builtin(name)).collect()),
    }
}
