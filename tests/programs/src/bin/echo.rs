//! Says what it was given: `arg`, `env`, `stdin` and `root` lines on standard output, sorted where the order means nothing.
//!
//! Arguments that begin with `/` are listed as directories too: `entry <directory>/<name>`.

use std::io::Read as _;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    for arg in &args {
        println!("arg {arg}");
    }
    let mut vars: Vec<(String, String)> = std::env::vars().collect();
    vars.sort();
    for (name, value) in vars {
        println!("env {name}={value}");
    }
    let mut stdin = Vec::new();
    std::io::stdin().read_to_end(&mut stdin)?;
    println!("stdin {} bytes", stdin.len());
    for dir in std::iter::once("/").chain(args.iter().map(String::as_str).filter(|arg| arg.starts_with('/'))) {
        list(dir);
    }
    Ok(())
}

fn list(dir: &str) {
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            println!("dir {dir} {} entries", names.len());
            for name in names {
                println!("entry {}/{name}", dir.trim_end_matches('/'));
            }
        }
        Err(error) => println!("dir {dir} {:?}", error.kind()),
    }
}
