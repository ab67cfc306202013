//! Reading a foreign file, or a directory that holds one, opens nothing outside of it: the kernel is asked about every file out there.

use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use std::ffi::CStr;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tempfile::TempDir;
use wasmhook_tests::Place;

/// What stands in every file outside.
const CANARY: &str = "canary-7f3a";

/// The formats: the file that a directory is known by, a text of it that names the file `../outside/job.sh` in every way that it can, and how
/// it is asked for where its name doesn't say.
const FORMATS: &[(&str, &str, &[&str])] = &[
    (
        "app_desc.yaml",
        "spec_version: 2\nmodule: {language: Python, source_dir: ../outside, scripts: {pre_release_hook: bash ../outside/job.sh}}\n",
        &[],
    ),
    ("app_desc.yaml", "spec_version: 2\nmodule: {scripts: {pre_release_hook: bash ../outside/job.sh}}\n", &[]),
    ("app_desc.yaml", "spec_version: 2\nmodule: {scripts: {pre_release_hook: bash OUTSIDE/job.sh}}\n", &[]),
    ("Boxfile", "build: {exec: [bash ../outside/job.sh]}\nweb1: {before_deploy: [bash OUTSIDE/job.sh], network_dirs: [../outside]}\n", &[]),
    ("appspec.yaml", "envs:\n  - {key: PRE_DEPLOY_COMMAND, value: bash job.sh}\n  - {key: PRE_DEPLOY_FOLDER, value: ../outside}\n", &[]),
    ("appspec.yaml", "envs:\n  - {key: PRE_DEPLOY_COMMAND, value: bash OUTSIDE/job.sh}\n", &[]),
    (".do/app.yaml", "jobs: [{name: a, kind: PRE_DEPLOY, run_command: bash ../outside/job.sh, source_dir: ../outside}]\n", &[]),
    ("commands.list", "Out\tbash ../outside/job.sh\nOut\tbash OUTSIDE/job.sh\n", &["--as", "command-list"]),
    ("release/v1.0.0.sh", "#!/bin/sh\n. ../outside/job.sh\n", &[]),
    ("bin/post-compile", "#!/bin/sh\n. ../outside/job.sh\n", &[]),
];

/// A directory to import from, and one beside it that nothing may look into.
struct Yard {
    dir: TempDir,
    watch: OwnedFd,
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        for (file, ..) in FORMATS {
            let path = outside.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("# {CANARY}\n{CANARY}: [bash {CANARY}]\n")).unwrap();
        }
        fs::write(outside.join("job.sh"), format!("#!/bin/sh\necho {CANARY}\n")).unwrap();
        fs::create_dir(dir.path().join("inside")).unwrap();
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for folder in ["", ".do", "release", "bin"] {
            add_watch(&watch, outside.join(folder), WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
        }
        Self { dir, watch }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path("inside").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("OUTSIDE", &self.path("outside").display().to_string())).unwrap();
    }

    /// Puts a link to what lies outside in the place of a path.
    fn link(&self, to: impl AsRef<Path>, at: &str) {
        let path = self.path("inside").join(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
    }

    /// Imports the directory and the file, and uses the file as a manifest.
    fn read_in_every_way(&self, file: &str, asked: &[&str]) {
        let calls: [(&[&str], &[&str]); 5] = [
            (&["import", "."], &[]),
            (&["import", file], asked),
            (&["plan", "--app", "shop", "--manifest", file], asked),
            (&["check", "--app", "shop", "--manifest", file], asked),
            (&["list", "--app", "shop", "--manifest", file], asked),
        ];
        for (call, asked) in calls {
            let ran = Place::new().args(call.iter().chain(asked)).current_dir(self.path("inside")).run();
            assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "{call:?}: {}{}", ran.stdout, ran.stderr);
            assert_eq!(self.opened(), [""; 0], "{call:?} of {file}: {}{}", ran.stdout, ran.stderr);
        }
    }

    /// The names of what was opened outside since this was asked last.
    fn opened(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut buffer);
        let mut found = Vec::new();
        while let Ok(event) = reader.next() {
            found.push(event.file_name().map(CStr::to_string_lossy).unwrap_or_default().into_owned());
        }
        found
    }
}

#[test]
fn the_watch_sees_what_it_is_for() {
    let yard = Yard::new();
    let _ = fs::read(yard.path("outside/release/v1.0.0.sh")).unwrap();
    assert!(yard.opened().contains(&"v1.0.0.sh".to_owned()));
    assert_eq!(yard.opened(), [""; 0]);
}

#[test]
fn what_a_foreign_file_names_outside_is_not_opened() {
    for (file, text, asked) in FORMATS {
        let yard = Yard::new();
        yard.write(file, text);
        yard.read_in_every_way(file, asked);
    }
}

#[test]
fn a_foreign_file_that_is_a_link_out_is_not_opened() {
    for (file, _, asked) in FORMATS {
        let depth = "../".repeat(file.matches('/').count() + 1);
        for to in [format!("{depth}outside/{file}"), "OUTSIDE".to_owned()] {
            let yard = Yard::new();
            let to = to.replace("OUTSIDE", &yard.path("outside").join(file).display().to_string());
            yard.link(&to, file);
            yard.read_in_every_way(file, asked);
        }
    }
}

/// Whoever names a path through a link has chosen it; whoever names a directory has not chosen the links in it.
#[test]
fn a_folder_that_is_a_link_out_is_not_looked_into() {
    for (file, ..) in FORMATS.iter().filter(|(file, ..)| file.contains('/')) {
        let yard = Yard::new();
        let folder = Path::new(file).parent().unwrap();
        yard.link(yard.path("outside").join(folder), folder.to_str().unwrap());
        let ran = Place::new().args(["import", "."]).current_dir(yard.path("inside")).run();
        assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(yard.opened(), [""; 0], "{file}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn beside_a_foreign_file_links_out_are_not_followed() {
    for (file, text, asked) in FORMATS {
        let yard = Yard::new();
        yard.write(file, text);
        for at in ["bin/post-compile", "scripts/pre-deploy", "release", ".do", "job.sh"] {
            if !yard.path("inside").join(at).exists() && !file.starts_with(at.split('/').next().unwrap()) {
                yard.link(yard.path("outside").join(at), at);
            }
        }
        yard.read_in_every_way(file, asked);
    }
}
