//! Prints what its arguments say, in order: `lines N` · `bytes N` (one line without its end) · `err TEXT` (to standard error) · `raw` (bytes
//! that are no text) · anything else as a line.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut rest = args.iter();
    let mut out = io::BufWriter::new(io::stdout().lock());
    while let Some(word) = rest.next() {
        let mut count = || rest.next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        match word.as_str() {
            "lines" => (1..=count()).try_for_each(|n| writeln!(out, "line {n}"))?,
            "bytes" => io::copy(&mut io::Read::take(io::repeat(b'x'), count()), &mut out).map(drop)?,
            "raw" => out.write_all(b"caf\xe9\n\xff\xfe\n")?,
            "err" => {
                out.flush()?;
                eprintln!("{}", rest.next().map_or("", String::as_str));
            }
            line => writeln!(out, "{line}")?,
        }
    }
    out.flush()
}
