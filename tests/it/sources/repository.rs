//! Repositories, made in temporary directories.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A repository that hooks come from, or the application's.
pub struct Repository {
    dir: TempDir,
}

impl Repository {
    /// With one commit that holds these files; what ends in `.sh` is executable.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.push(files);
        repository
    }

    /// Commits more files, and gives the commit's name.
    pub fn push(&self, files: &[(&str, &str)]) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, text) in files {
            let path = self.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let mode = if name.contains(".sh") { 0o755 } else { 0o644 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "a change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false"];
        let ran = Command::new("git").args(identity).args(args).current_dir(self.path()).output().unwrap();
        assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// The text of a file that lies there.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }
}
