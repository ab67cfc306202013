//! Every rule of the five systems is named by a test, or stands in `docs/acceptance.md` with the reason why not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How many of the rules are shown or explained today. It only grows.
const AT_LEAST: usize = 310;

/// Rules of which a part is shown by tests, and a part waits.
const IN_PART: &[&str] = &["S4.66"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ids() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("tests/fixtures/acceptance-ids.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn document() -> String {
    std::fs::read_to_string(root().join("runtime/docs/acceptance.md")).unwrap()
}

/// The rows of the table under a heading, as cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let document = document();
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no section {heading}"));
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Ids of a table's first cells: `S1.32`, or several.
fn first_cells(heading: &str) -> BTreeSet<String> {
    rows(heading).iter().flat_map(|row| row[0].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "target" && name != ".git" {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The ids that the names of tests bear, with one of those names each.
fn named() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["runtime", "tests", "sdk", "hooks-examples"] {
        sources(&root().join(folder), &mut files);
    }
    let mut named = BTreeMap::new();
    for text in files.iter().map(|file| std::fs::read_to_string(file).unwrap()) {
        for after in text.split("\nfn ").chain(text.split(" fn ")).skip(1) {
            let name = after.split(['(', '<']).next().unwrap_or_default();
            named.extend(ids_in(name).into_iter().map(|id| (id, name.to_owned())));
        }
    }
    named
}

/// The ids in a name: `s3_36_a8_…` bears S3.36 and A8, `s3_11_to_s3_24_…` all from the one to the other.
fn ids_in(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let number = |word: Option<&&str>| word.and_then(|word| word.parse::<u32>().ok());
    let mut found: Vec<(String, u32)> = Vec::new();
    let mut range = false;
    for (index, word) in words.iter().enumerate() {
        let system = ["s1", "s2", "s3", "s4", "s5"].iter().find(|system| *system == word).map(|system| format!("S{}.", &system[1..]));
        let addendum = word.strip_prefix('a').and_then(|digits| digits.parse::<u32>().ok());
        let id = match (system, addendum) {
            (Some(system), _) => number(words.get(index + 1)).map(|number| (system, number)),
            (None, Some(number)) => Some(("A".to_owned(), number)),
            (None, None) => None,
        };
        if let Some((system, number)) = id {
            let from = found.last().filter(|(last, _)| range && *last == system).map_or(number, |(_, last)| last + 1);
            found.extend((from..=number).map(|number| (system.clone(), number)));
        }
        range = *word == "to" || (range && number(Some(word)).is_none() && found.is_empty());
    }
    found.into_iter().map(|(system, number)| format!("{system}{number}")).collect()
}

#[test]
fn names_bear_ids() {
    assert_eq!(ids_in("s3_36_marker_skips"), ["S3.36"]);
    assert_eq!(ids_in("s1_8_a1_a_command"), ["S1.8", "A1"]);
    assert_eq!(ids_in("s3_11_to_s3_13_steps"), ["S3.11", "S3.12", "S3.13"]);
    assert_eq!(ids_in("a_plain_name"), [""; 0]);
}

#[test]
fn what_waits_is_borne_by_no_test_and_what_is_only_written_is_written() {
    let (ids, named) = (ids(), named());
    let waiting = first_cells("Waiting");
    assert!(waiting.is_subset(&ids), "{waiting:?}");
    let shown: Vec<_> = waiting.iter().filter(|id| named.contains_key(*id) && !IN_PART.contains(&id.as_str())).collect();
    assert!(shown.is_empty(), "these wait, and tests bear their names: {shown:?}");
    let written = rows("Documentation");
    assert!(written.len() < 15, "{} rules are only written", written.len());
    for row in written {
        assert!(ids.contains(&row[0]), "{row:?}");
        let file = row[1].trim_matches('`');
        let text = std::fs::read_to_string(root().join("runtime").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (text, line) = (text.split_whitespace().collect::<Vec<_>>().join(" "), row[2].trim_matches('"'));
        assert!(text.contains(line), "{}: {file} doesn't say {line:?}", row[0]);
    }
}

#[test]
fn every_rule_is_shown_waits_or_is_written_down() {
    let (ids, named) = (ids(), named());
    let accounted: BTreeSet<String> = named.into_keys().chain(first_cells("Waiting")).chain(first_cells("Documentation")).collect();
    let missing: Vec<_> = ids.difference(&accounted).cloned().collect();
    let unknown: Vec<_> = accounted.difference(&ids).collect();
    assert!(unknown.is_empty(), "no such rules: {unknown:?}");
    let count = ids.len() - missing.len();
    println!("{count} of {} rules; missing: {}", ids.len(), missing.join(", "));
    assert!(count >= AT_LEAST, "{count} rules are shown or explained, and there were {AT_LEAST}: {missing:?}");
}
