//! What a job reports through its `WASMHOOK_OUTPUT` file: `KEY=value` lines. The guest wrote them, so nothing here trusts them.

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

/// Reads what a job left in its private directory `dir`. A missing file is no output; so is anything that isn't a regular file.
#[must_use]
pub fn collect(dir: &Path) -> Vec<(String, String)> {
    match read_bounded(&dir.join(FILE)) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "the job's {VARIABLE} file was not read");
            Vec::new()
        }
    }
}

/// Parses `KEY=value` lines, in order, repeated keys included.
///
/// A key is a letter or `_`, then letters, digits, `_`, `.` or `-`; a value is the rest of its line. Lines of another form are dropped, and so
/// are keys that would change how a program is found, loaded or told where it is (`PATH`, `LD_*`, `DYLD_*`, `DEPLOY_*`, `WASMHOOK_*`,
/// `APP_DIR`, `DATA_DIR`).
#[must_use]
pub fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    let bytes = if bytes.len() > MAX_BYTES { whole_lines(&bytes[..MAX_BYTES]) } else { bytes };
    bytes.split(|byte| *byte == b'\n').filter_map(pair).collect()
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    &bytes[..end]
}

fn pair(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
    let (key, value) = line.split_once('=')?;
    (is_key(key) && !is_reserved(key)).then(|| (key.to_owned(), value.to_owned()))
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
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes())
    }

    #[test]
    fn keys_repeat_and_values_keep_their_equal_signs() {
        let found = pairs("migration=1\nmigration=2\r\nurl=a=b\nempty=\nlast=x");
        let expected = [("migration", "1"), ("migration", "2"), ("url", "a=b"), ("empty", ""), ("last", "x")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_no_pair_or_would_steer_other_programs_is_dropped() {
        assert_eq!(pairs("no pair\n=x\n1a=x\na b=x\nPATH=/evil\nLD_PRELOAD=x\nDEPLOY_TAG=x\nWASMHOOK_X=y\nDATA_DIR=/\n"), []);
        assert_eq!(parse(b"a=\xff\nb=1"), [("b".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn past_the_limit_only_whole_lines_count() {
        let text = format!("a=1\nb={}\n", "x".repeat(MAX_BYTES));
        assert_eq!(pairs(&text), [("a".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_link_that_the_job_planted_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "key=secret\n").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join(FILE)).unwrap();
        assert_eq!(collect(dir.path()), []);
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert_eq!(collect(dir.path()), []);
        std::fs::write(dir.path().join(FILE), "key=value\n").unwrap();
        assert_eq!(collect(dir.path()), [("key".to_owned(), "value".to_owned())]);
    }
}
