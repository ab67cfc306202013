//! `runtime/ARCHITECTURE.md` against the source: principles without a check erode.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use wasmhook_tests::programs::root;

/// What the document says.
struct Rules {
    layer: BTreeMap<String, u32>,
    /// Who may name whom in the same layer.
    beside: BTreeSet<(String, String)>,
    /// Who may not name whom in a lower one.
    never: BTreeSet<(String, String)>,
}

/// The words in backticks.
fn words(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rules() -> Rules {
    let text = fs::read_to_string(root().join("runtime/ARCHITECTURE.md")).unwrap();
    let mut rules = Rules { layer: BTreeMap::new(), beside: BTreeSet::new(), never: BTreeSet::new() };
    for line in text.lines() {
        if let Some(row) = line.strip_prefix("| L") {
            let cells: Vec<&str> = row.split('|').collect();
            let layer: u32 = cells[0].trim().parse().unwrap();
            rules.layer.extend(words(cells[1]).into_iter().map(|module| (module, layer)));
            rules.beside.extend(cells[3].split(',').filter(|pair| pair.contains('→')).map(|pair| {
                let pair = words(pair);
                (pair[0].clone(), pair[1].clone())
            }));
        }
        if let Some((who, rest)) = line.strip_prefix("- ").and_then(|line| line.split_once(" never names ")) {
            let whom = words(rest.split_once(':').unwrap().0);
            rules.never.extend(whom.into_iter().map(|whom| (words(who)[0].clone(), whom)));
        }
    }
    rules
}

/// Every source file of the library and the program, by its path below `runtime/src`, without comments and tests.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    collect(&root().join("runtime/src"), &mut found);
    found
}

fn collect(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| ["tests", "testing", "crash", "suite"].iter().any(|name| stem == *name));
        if is_test {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
            found.insert(path.strip_prefix(root().join("runtime/src")).unwrap().to_owned(), code.join("\n"));
        }
    }
}

/// The module that a file belongs to.
fn module(path: &Path) -> String {
    path.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The modules that a text names by `crate::…`.
fn named(text: &str) -> BTreeSet<String> {
    let ident = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    text.match_indices("crate::").map(|(at, found)| ident(&text[at + found.len()..])).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_module_stands_in_one_layer() {
    let modules: BTreeSet<String> = sources().keys().map(|path| module(path)).filter(|module| module != "lib").collect();
    let table: BTreeSet<String> = rules().layer.into_keys().collect();
    assert_eq!(modules, table, "runtime/src and the layer table of runtime/ARCHITECTURE.md");
}

#[test]
fn no_module_names_one_that_it_must_not_know() {
    let rules = rules();
    assert!(rules.beside.len() >= 5 && rules.never.len() >= 15, "the lists are read: {:?} {:?}", rules.beside, rules.never);
    let mut broken = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !path.starts_with("bin") && module(path) != "lib") {
        let from = module(path);
        for to in named(text).into_iter().filter(|to| *to != from && rules.layer.contains_key(to)) {
            let pair = (from.clone(), to.clone());
            let allowed = rules.layer[&to] < rules.layer[&from] || rules.beside.contains(&pair);
            if !allowed || rules.never.contains(&pair) {
                broken.push(format!("{} names crate::{to}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Fails if any file but those below `home` holds one of `needles`.
fn only_in(home: &[&str], needles: &[&str]) {
    let sources = sources();
    let holds = |text: &str| needles.iter().find(|needle| text.contains(**needle)).copied();
    let at_home = |path: &Path| home.iter().any(|home| path.starts_with(home));
    let elsewhere: Vec<String> = sources
        .iter()
        .filter(|(path, _)| !at_home(path))
        .filter_map(|(path, text)| Some(format!("{}: {}", path.display(), holds(text)?)))
        .collect();
    assert!(elsewhere.is_empty(), "only in {home:?}: {elsewhere:#?}");
    assert!(
        sources.iter().any(|(path, text)| at_home(path) && holds(text).is_some()),
        "{home:?} has none of {needles:?}: is the test blind?"
    );
}

#[test]
fn wasmtime_is_named_in_one_module_and_taken_apart_in_one_file() {
    only_in(&["exec/wasm"], &["wasmtime", "wiggle"]);
    only_in(&["exec/wasm/classify.rs"], &["downcast"]);
}

#[test]
fn what_a_commit_changes_can_be_made_to_fail() {
    // All else that changes a disk is called so by `Disk`, whose every call is a point at which the crash suite lets the program die.
    let raw =
        ["renameat(", "unlinkat(", "mkdirat(", "symlinkat(", "mkfifoat(", "CREATE", "fsync(", "std::fs::", "io::write(", "content::copy("];
    let files = ["commit", "left", "log", "place", "recover"].map(|name| format!("stage/{name}.rs"));
    let sources = sources();
    for file in &files {
        let (_, text) = sources.iter().find(|(path, _)| path.ends_with(file)).unwrap_or_else(|| panic!("{file} is no file any more"));
        let found: Vec<&str> = raw.into_iter().filter(|raw| text.contains(raw)).collect();
        assert!(found.is_empty(), "{file} changes a disk beside `Disk`: {found:?}");
    }
}

#[test]
fn no_wasmtime_type_is_public() {
    let public = |line: &&str| line.trim_start().starts_with("pub ") && (line.contains("wasmtime") || line.contains("wiggle"));
    let sources = sources();
    let found: Vec<&str> = sources.values().flat_map(|text| text.lines()).filter(public).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn one_file_prints_and_one_ends_the_process() {
    // The screen's size and kind are asked of the streams elsewhere; tracing is handed its stream where the process begins.
    only_in(
        &["bin/wasmhook/ui.rs", "bin/wasmhook/terminal.rs", "bin/wasmhook/main.rs"],
        &["println!", "print!(", "std::io::stdout", "(io::stdout", "std::io::stderr", "(io::stderr", "dbg!("],
    );
    only_in(&["bin/wasmhook/main.rs"], &["process::exit", "process::ExitCode"]);
}

#[test]
fn the_program_uses_the_public_api_alone() {
    let sources = sources();
    let modules = rules().layer;
    for (path, text) in sources.iter().filter(|(path, _)| path.starts_with("bin")) {
        let private: Vec<&str> = text.lines().filter(|line| line.contains("#[path") || line.contains("include!")).collect();
        assert!(private.is_empty(), "{}: {private:?}", path.display());
        let inside: Vec<String> = named(text).into_iter().filter(|name| modules.contains_key(name)).collect();
        assert!(inside.is_empty(), "{} names {inside:?} as its own", path.display());
    }
}
