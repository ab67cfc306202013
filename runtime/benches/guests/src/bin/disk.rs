//! `disk write FILE MIB` · `disk read FILE` · `disk stat DIR COUNT`: prints what it did, and on a second line how many microseconds it took.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::time::Instant;

const CHUNK: usize = 64 << 10;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let done = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", file, mebibytes] => write(file, number(mebibytes)?)?,
        ["read", file] => read(file)?,
        ["stat", dir, count] => stat(dir, number(count)?)?,
        _ => return Err(io::Error::other("write FILE MIB, read FILE or stat DIR COUNT")),
    };
    println!("{done}\n{}", start.elapsed().as_micros());
    Ok(())
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn write(file: &str, mebibytes: u64) -> io::Result<u64> {
    let chunk: Vec<u8> = (0..CHUNK).map(|at| (at % 251) as u8).collect();
    let mut file = File::create(file)?;
    let chunks = (mebibytes << 20) / CHUNK as u64;
    (0..chunks).try_for_each(|_| file.write_all(&chunk))?;
    Ok(chunks * CHUNK as u64)
}

/// The bytes read, and a look at each chunk: one that never arrived would be seen.
fn read(file: &str) -> io::Result<u64> {
    let mut file = File::open(file)?;
    let mut chunk = vec![0; CHUNK];
    let mut sum = 0;
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sum),
            read => sum += read as u64 + u64::from(chunk[read - 1]),
        }
    }
}

fn stat(dir: &str, count: u64) -> io::Result<u64> {
    (0..count).map(|n| fs::metadata(format!("{dir}/{n}")).map(|meta| meta.len())).sum()
}
