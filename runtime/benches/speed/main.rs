//! How fast it is, beside what people use instead. Both sides of a comparison run in turn in one process, so that the machine's mood hits both:
//! only the ratios mean anything elsewhere.
//!
//! `cargo bench --workspace --bench speed` prints the table of `docs/performance.md`; `-- GROUP…` only some of it; `-- criterion [FILTER]`
//! looks at single hooks more closely. Guests and their native twins are compiled from `benches/guests` and `tests/programs`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark: what goes wrong ends it, and its numbers are what it prints")]

mod closely;
mod guests;
mod measure;
mod ratios;
mod sandbox;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // A fresh process that this one started to measure itself in.
    if args.first().is_some_and(|arg| arg == ratios::memory::CHILD) {
        return ratios::memory::child(&args[1..]);
    }
    // `cargo test --benches` and the like call it without: nothing to do.
    if !args.iter().any(|arg| arg == "--bench") {
        return println!("run it with: cargo bench --workspace --bench speed");
    }
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--bench").collect();
    match words.split_first() {
        Some((&"criterion", rest)) => closely::run(rest.first().copied()),
        _ => ratios::run(&words),
    }
}
