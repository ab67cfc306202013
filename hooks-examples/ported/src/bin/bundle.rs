//! `bundle install`: locks the gems that `gemfile` names, and puts them into `vendor/bundle`.

use std::fs;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let gemfile = fs::read_to_string(app.join("gemfile")).context("can't read gemfile")?;
    let gems: Vec<String> = gemfile.lines().filter_map(gem).collect();
    fs::create_dir_all(app.join("vendor/bundle"))?;
    for gem in &gems {
        write_atomic(app.join("vendor/bundle").join(gem), format!("{gem}\n"))?;
        println!("Installing {gem}");
    }
    write_atomic(app.join("gemfile.lock"), gems.iter().map(|gem| format!("{gem}\n")).collect::<String>())?;
    println!("Bundle complete! {} gems", gems.len());
    Ok(())
}

/// `gem 'rack', '1.5.2'` → `rack-1.5.2`.
fn gem(line: &str) -> Option<String> {
    let mut quoted = line.strip_prefix("gem ")?.split('\'');
    Some(format!("{}-{}", quoted.nth(1)?, quoted.nth(1)?))
}
