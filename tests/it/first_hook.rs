//! Follows `hooks-examples/first-hook/README.md` word by word: writes each file that it shows, types each command, and compares what it says.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a helper of these tests fails the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmhook_tests::harness::program;
use wasmhook_tests::programs;

/// A step of the document.
#[derive(Debug)]
enum Step {
    /// A file is written.
    Write { path: String, text: String },
    /// A command is typed, and this is what it prints.
    Type { command: String, prints: String },
}

/// The fenced blocks: a `console` block holds commands, any other is the file that the line before it names.
fn steps(document: &str) -> Vec<Step> {
    let (mut steps, mut named) = (Vec::new(), None);
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            match (kind, named.take()) {
                ("console", _) => steps.extend(commands(&block)),
                (_, Some(path)) => steps.push(Step::Write { path, text: block.join("\n") + "\n" }),
                (_, None) => panic!("a block that is no file and no command: {block:?}"),
            }
        } else if let Some(path) = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:")) {
            named = Some(path.to_owned());
        }
    }
    steps
}

fn commands(block: &[&str]) -> Vec<Step> {
    let mut commands = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push(Step::Type { command: command.to_owned(), prints: String::new() }),
            (None, Some(Step::Type { prints, .. })) => prints.extend([line, "\n"]),
            (None, _) => panic!("output before the first command: {line}"),
        }
    }
    commands
}

/// What is the same on every machine and in every run: figures and their units aren't, nor are names of runs, nor where lines are broken.
fn settled(text: &str) -> Vec<String> {
    let word = |word: &str| match word.trim_start_matches(['(', '[']) {
        figure if figure.starts_with(|c: char| c.is_ascii_digit()) => "#".to_owned(),
        unit if matches!(unit.trim_end_matches([',', ';', ')', ']']), "ms" | "s" | "B" | "KiB" | "MiB") => "unit".to_owned(),
        _ => word.to_owned(),
    };
    text.split_whitespace().map(word).collect()
}

/// A place to work, with the clone beside it, as the document says; and an environment like that of a person.
struct Desk {
    root: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let desk = Self { root };
        symlink(programs::root(), desk.root.path().join("wasmhook")).unwrap();
        fs::create_dir(desk.dir()).unwrap();
        // The versions that were tried: nothing newer is looked for.
        fs::copy(example("Cargo.lock"), desk.dir().join("Cargo.lock")).unwrap();
        desk
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("first-hook")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Types a command; both streams, as a terminal shows them, and the exit code.
    fn type_in(&self, line: &str) -> (String, Option<i32>) {
        let path = format!("{}:{}", program().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec 2>&1; {line}")).current_dir(self.dir()).env("PATH", path).env("LC_ALL", "C.UTF-8");
        shell.env("XDG_STATE_HOME", self.root.path().join("state")).env("XDG_CACHE_HOME", self.root.path().join("cache"));
        for name in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"]
        {
            shell.env_remove(name);
        }
        let output = shell.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }
}

fn example(file: &str) -> PathBuf {
    programs::root().join("hooks-examples/first-hook").join(file)
}

#[test]
fn from_an_empty_directory_to_a_failing_then_passing_hook_and_a_deploy() {
    // The target is there once a guest was built: the document names it as a precondition.
    let _ = programs::wasm("exits", programs::Target::P1);
    let desk = Desk::new();
    let mut codes = Vec::new();
    for step in steps(&fs::read_to_string(example("README.md")).unwrap()) {
        match step {
            Step::Write { path, text } => desk.write(&path, &text),
            Step::Type { command, prints } => {
                let (printed, code) = desk.type_in(&command);
                assert_eq!(settled(&printed), settled(&prints), "`{command}` printed:\n{printed}");
                codes.push((command, code));
            }
        }
    }
    let of = |program: &str| codes.iter().filter(|(command, _)| command.starts_with(program)).map(|(_, code)| *code).collect::<Vec<_>>();
    assert_eq!(of("wasmhook test"), [Some(1), Some(0)], "it fails first, and passes when it is mended");
    assert_eq!(of("wasmhook run"), [Some(0), Some(0)]);
    assert!(desk.dir().join("cache").is_dir() && !desk.dir().join("cache/page.html").exists());
    assert_is_the_example(&desk.dir());
}

/// What the steps leave is what lies in the repository.
fn assert_is_the_example(dir: &Path) {
    for file in ["Cargo.toml", "src/main.rs", "clear-cache.test.toml", "wasmhook.toml"] {
        let written = fs::read_to_string(dir.join(file)).unwrap().replace("../wasmhook/sdk", "../../sdk");
        assert_eq!(written, fs::read_to_string(example(file)).unwrap(), "{file}");
    }
}
