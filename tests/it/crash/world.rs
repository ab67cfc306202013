//! A release in which everything happens that a crash could leave half done, and what it looks like before and after.

use rustix::fs::XattrFlags;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wasmhook_tests::call::program;
use wasmhook_tests::programs::{self, Target};

const MANIFEST: &str = r#"
schema = 1
app = "shop"
profile = "./mine.toml"

[host_step.stop]
run = "sh -c 'echo stop >> log/log'"
[host_step.start]
run = "sh -c 'echo start >> log/log'"

[[hook]]
id = "native"
phase = "release"
run = "./native.sh"
idempotent = true
dirs = [{ path = "native", mode = "txn" }]

[[hook]]
id = "guest"
phase = "release"
wasm = "files.wasm"
args = ["write", "/g/created", "new", "append", "/g/count", "x", "write", "/g/modified", "new", "remove", "/g/deleted",
    "rename", "/g/from", "/g/to", "mkdir", "/g/sub", "write", "/g/sub/file", "new", "link", "created", "/g/link"]
dirs = [{ path = "guest", guest = "/g", mode = "txn" }]

[[hook]]
id = "live"
phase = "release"
run = "sh -c 'echo live >> log/log'"
dirs = [{ path = "log", mode = "write" }]

[[hook]]
id = "one"
phase = "batch"
run = "sh -c 'printf x >> batch/count; rm batch/deleted; printf new > batch/modified'"
idempotent = true
dirs = [{ path = "batch" }]

[[hook]]
id = "two"
phase = "batch"
wasm = "files.wasm"
args = ["read", "/b/count", "write", "/b/created", "new"]
dirs = [{ path = "batch", guest = "/b" }]

[[hook]]
id = "last"
phase = "late"
run = "true"
idempotent = true
"#;

const PROFILE: &str = r#"
schema = 1
name = "mine"
description = "Every kind of step"
on_locked = "wait"
on_unknown = "stop"
env = "named"
default_mode = "write"
marker = ".release-{tag}-done"

[[step]]
name = "stop"
kind = "host"
resume = "rerun"

[[step]]
name = "release"
kind = "phase"
title = "Release"
gate = "once"

[[step]]
name = "batch"
kind = "phase"
title = "Batch"
gate = "once"
files = "commit"

[[step]]
name = "late"
kind = "phase"
title = "Late"
gate = "once"

[[step]]
name = "start"
kind = "host"
always = true
"#;

const NATIVE: &str = "#!/bin/sh
set -e
cd native
printf new > created
printf x >> count
printf new > modified
rm deleted
mv from to
chmod 600 mode
ln -s modified link
mkdir -p sub/dir
printf new > sub/dir/file
rm -r gone
";

/// The directories that are committed, each with the hooks whose success they show.
pub const COMMITTED: &[(&str, &[&str])] = &[("native", &["native"]), ("guest", &["guest"]), ("batch", &["one", "two"])];

/// Paths with what lies there: the mode, and a content or where a link points.
pub type Tree = BTreeMap<String, String>;

/// A release that nobody has deployed, with a state directory of its own. The compile cache is shared.
pub struct World {
    dir: TempDir,
    cache: PathBuf,
}

impl World {
    /// A fresh one whose compile cache is made in the given directory, in memory if overlayfs works there: the tests are about what is written, not about how long a disk takes to sync.
    pub fn new(cache: &Path) -> Self {
        let takes_attributes = |dir: &TempDir| rustix::fs::setxattr(dir.path(), "user.test", b"", XattrFlags::empty()).is_ok();
        let memory = tempfile::tempdir_in("/dev/shm").ok().filter(takes_attributes);
        let world = Self { dir: memory.unwrap_or_else(|| tempfile::tempdir().unwrap()), cache: cache.join("cache") };
        world.fill();
        world
    }

    fn fill(&self) {
        let app = self.app();
        for dir in ["native/gone", "guest", "batch", "log"] {
            fs::create_dir_all(app.join(dir)).unwrap();
        }
        for (dir, names) in [
            ("native", &["count", "modified", "deleted", "from", "mode", "gone/file"][..]),
            ("guest", &["count", "modified", "deleted", "from"]),
            ("batch", &["count", "modified", "deleted"]),
        ] {
            for name in names {
                fs::write(app.join(dir).join(name), if *name == "count" { "" } else { "old" }).unwrap();
            }
        }
        symlink("modified", app.join("native/gone/link")).unwrap();
        fs::write(app.join("wasmhook.toml"), MANIFEST).unwrap();
        fs::write(app.join("mine.toml"), PROFILE).unwrap();
        fs::write(app.join("native.sh"), NATIVE).unwrap();
        fs::set_permissions(app.join("native.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        fs::copy(programs::wasm("files", Target::P1), app.join("files.wasm")).unwrap();
        fs::create_dir(self.path().join("tmp")).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn app(&self) -> PathBuf {
        self.path().join("app")
    }

    /// The release's marker file.
    pub fn marker(&self) -> PathBuf {
        self.app().join(".release-v1-done")
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// What stands in `log`.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.app().join("log/log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often a line stands there.
    pub fn logged(&self, word: &str) -> usize {
        self.log().iter().filter(|line| *line == word).count()
    }

    /// The program, with this state; one way of staging if `stage` is given.
    pub fn command(&self, args: &[&str], stage: &str) -> Command {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.path());
        command.env("WASMHOOK_STAGE", stage).env("TMPDIR", self.path().join("tmp"));
        command.args(args).arg("--state").arg(self.state()).arg("--cache").arg(&self.cache).current_dir(self.app());
        command
    }

    /// What is in a directory of the app.
    pub fn tree(&self, dir: &str) -> Tree {
        let mut tree = Tree::new();
        walk(&self.app().join(dir), Path::new("."), &mut tree);
        tree
    }
}

fn walk(root: &Path, at: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(root.join(at)).unwrap() {
        let name = at.join(entry.unwrap().file_name());
        let path = root.join(&name);
        let meta = path.symlink_metadata().unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if meta.is_dir() {
            walk(root, &name, tree);
            format!("{:o}", meta.permissions().mode())
        } else {
            format!("{:o} {}", meta.permissions().mode(), fs::read_to_string(&path).unwrap())
        };
        tree.insert(name.display().to_string(), what);
    }
}
