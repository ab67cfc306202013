//! The program: args → settings → command → render → exit code. It uses only the library's public API.

mod args;
mod commands;
mod error;
mod exit;
mod faults;
mod render;
mod settings;
mod terminal;
mod ui;

use args::{Cli, ColorWhen};
use exit::Exit;
use render::given::Given;
use render::look::Colour;
use settings::Settings;
use std::process::ExitCode;
use terminal::Terminal;
use ui::Ui;

fn main() -> ExitCode {
    let settings = Settings::of_this_process();
    let cli = match Cli::read(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(error) => return shown_by_clap(&error),
    };
    let ui = Ui::standard(look(&cli, &settings));
    log_to_stderr(&settings);
    let exit = commands::run(&cli.command, &settings, &ui).unwrap_or_else(|failed| commands::failed(&failed, &cli.command, &ui));
    settings.tell_points();
    ExitCode::from(exit.code())
}

/// Help and version go to standard output with code 0; mistakes to standard error with code 2.
fn shown_by_clap(error: &clap::Error) -> ExitCode {
    // A closed pipe is the reader's business.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done }.code())
}

fn look(cli: &Cli, settings: &Settings) -> ui::UiSettings {
    let terminal = Terminal::observe(|name| settings.env.get(name).cloned());
    let mut look = terminal.settings(commands::format(&cli.command));
    look.given = Given::by(&cli.command);
    match cli.color {
        ColorWhen::Auto => {}
        ColorWhen::Always => (look.stdout.colour, look.stderr.colour) = (Colour::On, Colour::On),
        ColorWhen::Never => (look.stdout.colour, look.stderr.colour) = (Colour::Off, Colour::Off),
    }
    look
}

/// `WASMHOOK_LOG=debug` shows the library's spans and events; without it only its warnings.
fn log_to_stderr(settings: &Settings) {
    let plain = || tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).without_time().with_target(false);
    // There is no other: this is the only place that installs one.
    let _ = match settings.get("WASMHOOK_LOG").map(tracing_subscriber::EnvFilter::try_new) {
        None => plain().with_max_level(tracing::Level::WARN).try_init(),
        Some(Ok(filter)) => plain().with_env_filter(filter).try_init(),
        Some(Err(_)) => return,
    };
}
