//! `KEY=value` lines for the engine, in the file that `WASMHOOK_OUTPUT` names. It takes them only if the hook succeeds.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The variable that names the file.
pub const OUTPUT_VARIABLE: &str = "WASMHOOK_OUTPUT";

/// How much the engine reads of the file, in bytes.
pub const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// The key under which a skip reason travels.
pub(crate) const SKIPPED_KEY: &str = "skipped";

/// The key under which warnings travel, one line each.
pub(crate) const WARNING_KEY: &str = "warning";

/// Hands a value to later hooks and steps, which name it as `phase.hook.KEY`.
///
/// ```no_run
/// # fn main() -> wasmhook_sdk::anyhow::Result<()> {
/// wasmhook_sdk::output("STATIC_VERSION", "2026-11-22")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`OutputError`], which says what to change.
pub fn output(key: &str, value: &str) -> Result<(), OutputError> {
    OutputFile::from_env()?.write(key, value)
}

/// The file itself; [`output()`] is the short way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    path: PathBuf,
}

impl OutputFile {
    /// The file of this hook.
    ///
    /// # Errors
    /// [`OutputError::NotGranted`].
    pub fn from_env() -> Result<Self, OutputError> {
        let path = std::env::var_os(OUTPUT_VARIABLE).filter(|path| !path.is_empty()).ok_or(OutputError::NotGranted)?;
        Ok(Self::at(PathBuf::from(path)))
    }

    /// A file of your own; for a hook's own tests.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `key=value`.
    ///
    /// # Errors
    /// [`OutputError`] for a key or value that the engine would refuse, and if the file can't be written.
    pub fn write(&self, key: &str, value: &str) -> Result<(), OutputError> {
        check_key(key)?;
        self.append(key, value)
    }

    /// Appends a line under a key that is known to be right.
    pub(crate) fn append(&self, key: &str, value: &str) -> Result<(), OutputError> {
        if value.contains(['\n', '\r', '\0']) {
            return Err(OutputError::BadValue { key: key.to_owned() });
        }
        let line = format!("{key}={value}\n");
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len() + line.len() as u64;
        if size > MAX_OUTPUT_BYTES {
            return Err(OutputError::TooLarge { key: key.to_owned(), size });
        }
        file.write_all(line.as_bytes()).map_err(io)
    }
}

fn check_key(key: &str) -> Result<(), OutputError> {
    let letters = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if key.is_empty() || !letters || key.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(OutputError::BadKey { key: key.to_owned() });
    }
    let taken = ["PATH", "APP_DIR", "DATA_DIR", SKIPPED_KEY, WARNING_KEY];
    if taken.contains(&key) || ["LD_", "DYLD_", "DEPLOY_", "WASMHOOK_"].iter().any(|prefix| key.starts_with(prefix)) {
        return Err(OutputError::ReservedKey { key: key.to_owned() });
    }
    Ok(())
}

/// A value that can't be handed on.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutputError {
    /// `WASMHOOK_OUTPUT` isn't set.
    NotGranted,
    /// The key isn't a name.
    BadKey {
        /// The key.
        key: String,
    },
    /// The key has a meaning of its own.
    ReservedKey {
        /// The key.
        key: String,
    },
    /// The value isn't one line.
    BadValue {
        /// Its key.
        key: String,
    },
    /// The file would become larger than the engine reads.
    TooLarge {
        /// The key of the value that was too much.
        key: String,
        /// How large the file would be, in bytes.
        size: u64,
    },
    /// The file can't be written.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => {
                write!(f, "{OUTPUT_VARIABLE} is not granted; to allow it, write in the hook's entry: env = [\"{OUTPUT_VARIABLE}\"]")
            }
            Self::BadKey { key } => write!(f, "output key {key:?} is not a name: use letters, digits and `_`, and no digit first"),
            Self::ReservedKey { key } => write!(
                f,
                "output key {key} has a meaning of its own: PATH, APP_DIR, DATA_DIR, LD_*, DYLD_*, DEPLOY_*, WASMHOOK_*, skipped and warning are \
                 refused; use another name"
            ),
            Self::BadValue { key } => write!(f, "the value of output {key} is not one line: encode line ends, or write it to a file"),
            Self::TooLarge { key, size } => {
                write!(f, "with {key} the outputs would take {size} bytes, and {MAX_OUTPUT_BYTES} is the limit: write the value to a file")
            }
            Self::Io { path, .. } => write!(f, "can't write the outputs to {}", path.display()),
        }
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, OutputFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = OutputFile::at(dir.path().join("output"));
        (dir, file)
    }

    #[test]
    fn lines_are_appended() {
        let (_dir, file) = file();
        file.write("A", "1").unwrap();
        file.write("_b2", "x=y z").unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "A=1\n_b2=x=y z\n");
    }

    #[test]
    fn what_the_engine_would_refuse_is_refused_before_it_is_written() {
        let (_dir, file) = file();
        for key in ["", "a b", "1A", "A=B", "ä", "A\nB"] {
            assert!(matches!(file.write(key, "x"), Err(OutputError::BadKey { .. })), "{key:?}");
        }
        for key in ["PATH", "LD_PRELOAD", "DYLD_X", "DEPLOY_TAG", "WASMHOOK_X", "APP_DIR", "skipped", "warning"] {
            assert!(matches!(file.write(key, "x"), Err(OutputError::ReservedKey { .. })), "{key}");
        }
        for value in ["a\nb", "a\rb", "a\0b"] {
            assert!(matches!(file.write("A", value), Err(OutputError::BadValue { .. })), "{value:?}");
        }
        assert!(!file.path().exists());
    }

    #[test]
    fn more_than_the_engine_reads_is_refused_whole() {
        let (_dir, file) = file();
        file.write("A", &"x".repeat(60_000)).unwrap();
        let error = file.write("B", &"x".repeat(6_000)).unwrap_err();
        assert!(matches!(&error, OutputError::TooLarge { key, .. } if key == "B"), "{error}");
        assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 60_003);
    }

    #[test]
    fn an_ungranted_file_comes_with_the_line_that_grants_it() {
        // Nothing sets the variable for this process.
        let error = output("A", "1").unwrap_err();
        assert!(error.to_string().ends_with("env = [\"WASMHOOK_OUTPUT\"]"), "{error}");
    }
}
