//! What a job reports through its `WASMHOOK_OUTPUT` file: `KEY=value` lines. The guest wrote them, so nothing here trusts them.

use crate::model::text::is_unsafe;
use crate::model::units::show_size;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file's name inside the job's private directory.
pub const FILE: &str = "output";

/// The variable that holds its path.
pub const VARIABLE: &str = "WASMHOOK_OUTPUT";

/// How much of it is read, in bytes; what comes after is dropped, from the last whole line on.
pub const MAX_BYTES: usize = 64 * 1024;

/// How many dropped lines are named, each with at most [`MAX_SHOWN`] of its characters.
const MAX_NAMED: usize = 5;

/// How much of a dropped line is shown, in characters.
const MAX_SHOWN: usize = 60;

/// What a job reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Its `KEY=value` pairs, in order, repeated keys included.
    pub pairs: Vec<(String, String)>,
    /// What of the file counts for nothing, and by which rule: a sentence each, bounded and harmless to show.
    pub dropped: Vec<String>,
}

/// Reads what a job left in `file`. A missing file is no output; anything that isn't a regular file is none either, and is said.
#[must_use]
pub fn collect(file: &Path) -> Reported {
    match read_bounded(file) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Reported::default(),
        Err(error) => Reported { pairs: Vec::new(), dropped: vec![format!("{VARIABLE} was not read: {error}")] },
    }
}

/// Parses `KEY=value` lines.
///
/// A key is a letter or `_`, then letters, digits, `_`, `.` or `-`; a value is the rest of its line. Empty lines are nothing; lines of another form
/// are dropped, and so are keys that would change how a program is found, loaded or told where it is (`PATH`, `LD_*`, `DYLD_*`, `DEPLOY_*`,
/// `WASMHOOK_*`, `APP_DIR`, `DATA_DIR`).
#[must_use]
pub fn parse(bytes: &[u8]) -> Reported {
    let is_cut = bytes.len() > MAX_BYTES;
    let kept = if is_cut { whole_lines(&bytes[..MAX_BYTES]) } else { bytes };
    let mut pairs = Vec::new();
    let mut named = Vec::new();
    let mut unnamed = 0u64;
    for (index, line) in kept.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match pair(line) {
            _ if line.is_empty() => {}
            Ok(pair) => pairs.push(pair),
            Err(rule) if named.len() < MAX_NAMED => {
                named.push(format!("line {} of {VARIABLE}, `{}`, was dropped: {rule}", index + 1, shown(line)));
            }
            Err(_) => unnamed += 1,
        }
    }
    if unnamed > 0 {
        named.push(format!("{unnamed} more lines of {VARIABLE} were dropped"));
    }
    if is_cut {
        let first = &bytes[kept.len()..];
        let first = first.strip_prefix(b"\n").unwrap_or(first);
        let first = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let limit = show_size(MAX_BYTES as u64);
        named.push(format!("{VARIABLE} holds more than {limit}: `{}` and everything after it was dropped", shown(first)));
    }
    Reported { pairs, dropped: named }
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    &bytes[..end]
}

/// The pair that a line is, or the rule that it breaks.
fn pair(line: &[u8]) -> Result<(String, String), &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
    match line.split_once('=') {
        None => Err("it is not KEY=value"),
        Some((key, _)) if !is_key(key) => Err("a key is a letter or `_`, then letters, digits, `_`, `.` or `-`"),
        Some((key, _)) if is_reserved(key) => Err("its key would steer other programs: give it another name"),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
    }
}

/// The beginning of a line that the guest wrote, harmless to whatever shows it.
fn shown(line: &[u8]) -> String {
    // A character has at most four bytes.
    let line = String::from_utf8_lossy(&line[..line.len().min(4 * MAX_SHOWN + 4)]);
    let mut text: String =
        line.chars().take(MAX_SHOWN).flat_map(|c| if is_unsafe(c) { c.escape_unicode().collect() } else { vec![c] }).collect();
    if line.chars().nth(MAX_SHOWN).is_some() {
        text.push('…');
    }
    text
}

fn is_key(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_reserved(key: &str) -> bool {
    matches!(key, "PATH" | "APP_DIR" | "DATA_DIR") || ["LD_", "DYLD_", "DEPLOY_", "WASMHOOK_"].iter().any(|prefix| key.starts_with(prefix))
}

/// Neither a link nor a pipe that the job left there is followed or waited for.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file: File = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // Enough of what is too much to name its first line.
    file.take((MAX_BYTES + 4 * MAX_SHOWN) as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).pairs
    }

    #[test]
    fn keys_repeat_and_values_keep_their_equal_signs() {
        let found = parse(b"migration=1\nmigration=2\r\nurl=a=b\n\r\n\nempty=\nlast=x");
        let expected = [("migration", "1"), ("migration", "2"), ("url", "a=b"), ("empty", ""), ("last", "x")];
        assert_eq!(found.pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(found.dropped, [""; 0], "an empty line is nothing");
    }

    #[test]
    fn what_is_no_pair_or_would_steer_other_programs_is_dropped() {
        assert_eq!(pairs("no pair\n=x\n1a=x\na b=x\nPATH=/evil\nLD_PRELOAD=x\nDEPLOY_TAG=x\nWASMHOOK_X=y\nDATA_DIR=/\n"), []);
        assert_eq!(parse(b"a=\xff\nb=1").pairs, [("b".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn each_dropped_line_is_named_with_the_rule_it_breaks() {
        let dropped = parse(b"a=1\nbad line\nPATH=/x\nback up=2\nb=\xff\n").dropped;
        assert_eq!(
            dropped,
            [
                "line 2 of WASMHOOK_OUTPUT, `bad line`, was dropped: it is not KEY=value",
                "line 3 of WASMHOOK_OUTPUT, `PATH=/x`, was dropped: its key would steer other programs: give it another name",
                "line 4 of WASMHOOK_OUTPUT, `back up=2`, was dropped: a key is a letter or `_`, then letters, digits, `_`, `.` or `-`",
                "line 5 of WASMHOOK_OUTPUT, `b=\u{fffd}`, was dropped: it is not UTF-8",
            ]
        );
    }

    #[test]
    fn what_is_named_is_bounded_and_harmless() {
        let dropped = parse(format!("\u{1b}[31m{}\n{}", "x".repeat(10_000), "bad\n".repeat(1_000)).as_bytes()).dropped;
        assert!(dropped[0].starts_with("line 1 of WASMHOOK_OUTPUT, `\\u{1b}[31mxxx") && dropped[0].contains("x…`"), "{}", dropped[0]);
        assert!(dropped.iter().all(|line| line.len() < 300));
        assert_eq!((dropped.len(), dropped.last().unwrap().as_str()), (6, "996 more lines of WASMHOOK_OUTPUT were dropped"));
    }

    #[test]
    fn past_the_limit_only_whole_lines_count_and_the_first_that_is_lost_is_named() {
        let text = format!("a=1\nb={}\n", "x".repeat(MAX_BYTES));
        assert_eq!(pairs(&text), [("a".to_owned(), "1".to_owned())]);
        let dropped = parse(text.as_bytes()).dropped;
        assert_eq!(dropped.len(), 1);
        assert!(dropped[0].starts_with("WASMHOOK_OUTPUT holds more than 64 KiB: `b=xxx"), "{}", dropped[0]);
    }

    #[test]
    fn a_link_that_the_job_planted_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        std::fs::write(dir.path().join("secret"), "key=secret\n").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), &file).unwrap();
        let found = collect(&file);
        assert_eq!(found.pairs, []);
        assert!(found.dropped[0].starts_with("WASMHOOK_OUTPUT was not read: "), "{:?}", found.dropped);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(collect(&file), Reported::default());
        std::fs::write(&file, "key=value\n").unwrap();
        assert_eq!(collect(&file).pairs, [("key".to_owned(), "value".to_owned())]);
    }
}
