//! Exits with the code that its argument names.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = std::env::args().nth(1).and_then(|code| code.parse().ok());
    println!("exits {code:?}");
    ExitCode::from(code.unwrap_or(2))
}
