//! Generates `config.json` from the variables that are named as arguments.

use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let mut fields = Vec::new();
    for name in std::env::args().skip(1) {
        let [value] = require_env(&[name.as_str()])?;
        fields.push(format!("  {}: {}", quoted(&name.to_lowercase()), quoted(&value)));
    }
    write_atomic(app.join("config.json"), format!("{{\n{}\n}}\n", fields.join(",\n")))?;
    println!("[PRE-DEPLOY] ✓ config.json has {} values", fields.len());
    Ok(())
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
