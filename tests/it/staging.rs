//! Directories of the modes `txn` and `discard`: what a hook writes there is committed with its success, or was never there.

mod discard;
mod dry_run;
mod guest;
mod killed;
mod phase;
mod traces;
mod txn;

use std::path::Path;
use wasmhook_tests::Project;
use wasmhook_tests::programs::{self, Target};

/// A project whose hooks may use the guest `files.wasm`; what they are granted lies in `app`, so that nothing else is beside it.
fn project(lines: &str) -> Project {
    Project::empty()
        .file("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{lines}"))
        .file("app/data/old.txt", "old\n")
        .guest("app/files.wasm", programs::wasm("files", Target::P1))
        .guest("app/files-p2.wasm", programs::wasm("files", Target::P2))
}

/// Everything that lies in the project, but for what tells nothing: sorted paths.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.strip_prefix(root).unwrap().display().to_string());
        if path.is_dir() && !path.is_symlink() {
            walk(root, &path, found);
        }
    }
}

/// What every test ends with: nothing of a stage is left, in the tree or in the mount table.
fn assert_nothing_left(project: &Project) {
    let left: Vec<String> = tree(project.path()).into_iter().filter(|path| path.contains(".wasmhook-")).collect();
    assert_eq!(left, [""; 0]);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&project.path().display().to_string()), "{mounts}");
}
