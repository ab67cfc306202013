//! Whether a program can be started: a look before the start, so that a hook fails with words instead of an errno.

use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Why a program can't be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramProblem {
    /// Nothing to start.
    #[error("the command is empty: its first word names a program")]
    Empty,
    /// A path at which there is nothing.
    #[error("`{argv0}` doesn't exist: there is no file `{}`; write the path relative to the working directory, or commit the file", path.display())]
    Missing {
        /// As written.
        argv0: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A name that PATH doesn't hold.
    #[error(
        "`{argv0}` is not in PATH ({path_var}); install it, name its directory in `[policy] programs`, or write `./{argv0}` for a file of the application"
    )]
    NotInPath {
        /// As written.
        argv0: String,
        /// What was searched.
        path_var: String,
    },
    /// A file without execute permission.
    #[error("`{argv0}` is not executable: run `chmod +x {argv0}`, and commit that (`git update-index --chmod=+x {argv0}`)")]
    NotExecutable {
        /// As written.
        argv0: String,
    },
    /// Something else than a file.
    #[error("`{argv0}` is a folder or a special file, not a program")]
    NotAFile {
        /// As written.
        argv0: String,
    },
    /// A script whose interpreter isn't there.
    #[error("`{argv0}` can't be started: its first line names `{interpreter}`, which doesn't exist{}", if *carriage_return { "; its lines end in CR LF, save it with LF" } else { "" })]
    NoInterpreter {
        /// As written.
        argv0: String,
        /// What the `#!` line names.
        interpreter: String,
        /// Whether the line ends in CR LF.
        carriage_return: bool,
    },
    /// The system refused to say.
    #[error("`{argv0}` can't be looked at: {message}")]
    Unreadable {
        /// As written.
        argv0: String,
        /// What the system said.
        message: String,
    },
}

/// The file that `argv0` starts: a path (with a `/`) is relative to `cwd`, a name is looked for in `path_var`, whose empty and relative
/// entries are passed over.
///
/// # Errors
/// [`ProgramProblem`], whose text names the file, the rule and the fix.
pub fn check_program(argv0: &str, cwd: &Path, path_var: &OsStr) -> Result<PathBuf, ProgramProblem> {
    if argv0.trim().is_empty() {
        return Err(ProgramProblem::Empty);
    }
    if argv0.contains('/') {
        return check_file(argv0, cwd.join(argv0));
    }
    let mut first_problem = None;
    for folder in std::env::split_paths(path_var).filter(|folder| folder.is_absolute()) {
        match check_file(argv0, folder.join(argv0)) {
            Ok(path) => return Ok(path),
            // As a shell would: a name that can't be executed here may be executable further on.
            Err(ProgramProblem::Missing { .. } | ProgramProblem::NotAFile { .. }) => {}
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    let not_in_path = || ProgramProblem::NotInPath { argv0: shown(argv0), path_var: path_var.to_string_lossy().into_owned() };
    Err(first_problem.unwrap_or_else(not_in_path))
}

/// A program as messages show it: what nobody would type isn't repeated in full.
fn shown(argv0: &str) -> String {
    const LONGEST: usize = 400;
    let end = argv0.floor_char_boundary(LONGEST);
    if end < argv0.len() { format!("{}…", &argv0[..end]) } else { argv0.to_owned() }
}

fn check_file(argv0: &str, path: PathBuf) -> Result<PathBuf, ProgramProblem> {
    let argv0 = shown(argv0);
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Err(ProgramProblem::Missing { argv0, path }),
        Err(error) => return Err(ProgramProblem::Unreadable { argv0, message: error.to_string() }),
    };
    if !metadata.is_file() {
        return Err(ProgramProblem::NotAFile { argv0 });
    }
    // The bits are asked for besides, since everything is accessible to root.
    if metadata.permissions().mode() & 0o111 == 0 || access(&path, Access::EXEC_OK).is_err() {
        return Err(ProgramProblem::NotExecutable { argv0 });
    }
    match missing_interpreter(&path) {
        Some((interpreter, carriage_return)) => Err(ProgramProblem::NoInterpreter { argv0, interpreter, carriage_return }),
        None => Ok(path),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The interpreter of a script, if there is no such file. A program that may be executed and not read is given the benefit of the doubt.
fn missing_interpreter(path: &Path) -> Option<(String, bool)> {
    let mut head = Vec::new();
    std::fs::File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next()?;
    let is_missing = interpreter.starts_with('/') && Path::new(interpreter).metadata().is_err_and(|error| is_absent(&error));
    is_missing.then(|| (interpreter.trim_end().to_owned(), interpreter.ends_with('\r')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Bed {
        dir: tempfile::TempDir,
    }

    impl Bed {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn file(&self, name: &str, mode: u32, text: &str) -> &Self {
            let path = self.dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            self
        }

        fn check(&self, argv0: &str) -> Result<PathBuf, ProgramProblem> {
            check_program(argv0, self.dir.path(), self.dir.path().join("bin").as_os_str())
        }
    }

    #[test]
    fn s1_10_a_missing_program_is_named_with_the_place_where_it_was_looked_for() {
        let bed = Bed::new();
        let problem = bed.check("./bin/pre-release").unwrap_err();
        assert!(matches!(problem, ProgramProblem::Missing { .. }));
        assert!(problem.to_string().contains("`./bin/pre-release` doesn't exist"), "{problem}");
        assert!(matches!(bed.check("no-such-program"), Err(ProgramProblem::NotInPath { .. })));
        assert_eq!(bed.check(" "), Err(ProgramProblem::Empty));
        let long = bed.check(&"ä".repeat(100_000)).unwrap_err().to_string();
        assert!(long.len() < 1_000 && long.starts_with("`äää"), "{} bytes", long.len());
    }

    #[test]
    fn s1_30_a_file_without_execute_permission_is_named_with_the_fix() {
        let bed = Bed::new();
        bed.file("bin/pre-release", 0o644, "#!/bin/sh\n");
        let problem = bed.check("bin/pre-release").unwrap_err();
        assert!(problem.to_string().contains("run `chmod +x bin/pre-release`"), "{problem}");
        assert!(matches!(bed.check("pre-release"), Err(ProgramProblem::NotExecutable { .. })));
        bed.file("bin/pre-release", 0o755, "#!/bin/sh\n");
        assert_eq!(bed.check("bin/pre-release").unwrap(), bed.dir.path().join("bin/pre-release"));
        assert_eq!(bed.check("pre-release").unwrap(), bed.dir.path().join("bin/pre-release"));
    }

    #[test]
    fn a_folder_is_no_program_and_a_script_needs_its_interpreter() {
        let bed = Bed::new();
        bed.file("bin/x", 0o755, "#!/no/such/shell -e\n").file("bin/crlf", 0o755, "#!/bin/sh\r\necho\r\n");
        assert!(matches!(bed.check("./bin"), Err(ProgramProblem::NotAFile { .. })));
        assert!(matches!(bed.check("x"), Err(ProgramProblem::NoInterpreter { carriage_return: false, .. })));
        assert!(matches!(bed.check("x/y/z"), Err(ProgramProblem::Missing { .. })));
        assert!(bed.check("crlf").unwrap_err().to_string().contains("save it with LF"));
    }

    #[test]
    fn relative_entries_of_path_find_nothing() {
        let bed = Bed::new();
        bed.file("evil", 0o755, "#!/bin/sh\n");
        assert!(check_program("evil", bed.dir.path(), OsStr::new(":.:")).is_err());
    }
}
