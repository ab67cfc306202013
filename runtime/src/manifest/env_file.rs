//! `KEY=value` lines. Read here and nowhere run: no expansion, no command substitution, no line that goes on.

use super::convert::is_engine_variable;
use super::rules;
use super::{Located, MAX_BYTES};
use crate::diagnostic::{Diagnostic, Source, codes};
use crate::document::{Problems, error_at, quote};
use crate::model::units::show_size;
use std::collections::HashMap;

/// Reads an environment file: `KEY=value`, `export KEY=value`, `#` comments, values bare, in `'…'` (as they are) or in `"…"` (with `\n`, `\t`,
/// `\"`, `\\`, `\$`). Everything readable, in order, and everything wrong; of a name written twice the later value holds, with a warning.
#[must_use]
pub fn parse_env_file(name: &str, text: &str) -> (Vec<(Located<String>, String)>, Vec<Diagnostic>) {
    let mut problems = Problems::none(Source::new(name, without_values(text)));
    if text.len() > MAX_BYTES {
        let message = format!("{} holds more than {}", quote(name), show_size(MAX_BYTES as u64));
        return (Vec::new(), vec![Diagnostic::error(codes::TOO_LARGE, message)]);
    }
    let mut variables: Vec<(Located<String>, String)> = Vec::new();
    let mut seen = HashMap::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let shown = without_value(line).len();
        let span = start..start + shown;
        start += shown + 1;
        match variable(line.trim_start_matches('\u{feff}')) {
            Ok(None) => {}
            Ok(Some((key, value))) => {
                let key = Located { value: key.to_owned(), at: problems.at(span) };
                report_name(&key, seen.insert(key.value.clone(), variables.len()), &mut variables, &mut problems);
                variables.push((key, value));
            }
            Err(rule) => problems.push(Diagnostic::error(codes::BAD_ENV_LINE, rule).at(problems.at(span))),
        }
    }
    variables.retain(|(key, _)| !key.value.is_empty());
    (variables, problems.into_found())
}

/// What findings show of the file: values may be secret, and what they show ends up in logs.
fn without_values(text: &str) -> String {
    text.split_inclusive('\n').map(|line| without_value(line) + "\n").collect()
}

fn without_value(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) => format!("{key}=…"),
        None => "…".to_owned(),
    }
}

/// Warns of a name that doesn't do what its line looks like; an earlier line of the same name is emptied.
fn report_name(key: &Located<String>, earlier: Option<usize>, variables: &mut [(Located<String>, String)], problems: &mut Problems) {
    let warning = |message: String, code| Diagnostic { severity: crate::diagnostic::Severity::Warning, ..error_at(key, code, message) };
    if let Some((old, _)) = earlier.and_then(|index| variables.get_mut(index)) {
        old.value.clear();
        problems.push(warning(format!("{} is written twice; this value holds", quote(&key.value)), codes::DUPLICATE_NAME));
    }
    if is_engine_variable(&key.value) {
        problems.push(warning(format!("hooks see the engine's own {}, not this value", quote(&key.value)), codes::RESERVED_NAME));
    }
}

/// The variable of a line, if there is one. An error is the rule that the line breaks: values may be secret, so it quotes none of it.
fn variable(line: &str) -> Result<Option<(&str, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains('\0') {
        return Err("it holds a NUL character, which no variable can");
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (key, value) = line.split_once('=').ok_or("not KEY=value: there is no `=`")?;
    let key = key.trim_end();
    if rules::variable_name(key).is_err() {
        return Err("not KEY=value: a name has letters, digits and `_`, and doesn't begin with a digit");
    }
    Ok(Some((key, unquote(value.trim_start())?)))
}

fn unquote(value: &str) -> Result<String, &'static str> {
    if let Some(rest) = value.strip_prefix('\'') {
        let (inside, after) = rest.split_once('\'').ok_or("the `'` isn't closed on its line")?;
        return only_comment(after).map(|()| inside.to_owned());
    }
    let Some(rest) = value.strip_prefix('"') else {
        let end = if value.starts_with('#') { 0 } else { value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len()) };
        return Ok(value[..end].trim_end().to_owned());
    };
    let mut inside = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return only_comment(chars.as_str()).map(|()| inside),
            '\\' => inside.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(same @ ('"' | '\\' | '$' | '`')) => same,
                _ => return Err("after a `\\` in `\"…\"` comes one of n, t, r, \", \\, $, `"),
            }),
            c => inside.push(c),
        }
    }
    Err("the `\"` isn't closed on its line")
}

fn only_comment(after: &str) -> Result<(), &'static str> {
    let after = after.trim_start();
    if after.is_empty() || after.starts_with('#') { Ok(()) } else { Err("something follows the closing quote") }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<T> = Vec<(String, T)>;

    fn read(text: &str) -> (Pairs<String>, Pairs<&'static str>) {
        let (variables, found) = parse_env_file("app.env", text);
        let place = |d: &Diagnostic| d.at.as_ref().map(ToString::to_string).unwrap_or_default();
        (variables.into_iter().map(|(key, value)| (key.value, value)).collect(), found.iter().map(|d| (place(d), d.code)).collect())
    }

    #[test]
    fn lines_as_people_write_them() {
        let text =
            "\u{feff}# c\n\nA=1\r\n export B = two words  # why\nC='a # b $X'\nD=\"q\\\"\\n\\$X\" # c\nE=\nF=a#b\nG=x=y\nH= # empty\n";
        let pairs = [("A", "1"), ("B", "two words"), ("C", "a # b $X"), ("D", "q\"\n$X"), ("E", ""), ("F", "a#b"), ("G", "x=y"), ("H", "")];
        assert_eq!(read(text), (pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(), Vec::new()));
    }

    #[test]
    fn every_bad_line_is_reported_and_its_value_is_not() {
        let text = "A=1\nB\n2C=x\nD='hunter2\nE=\"hunter2\nF=\"\\q\"\nG='x' y\nH=\0\n";
        let (variables, found) = read(text);
        assert_eq!(variables, [("A".to_owned(), "1".to_owned())]);
        let places: Vec<_> = (2..=8).map(|line| (format!("app.env:{line}:1"), codes::BAD_ENV_LINE)).collect();
        assert_eq!(found, places);
        let (_, found) = parse_env_file("app.env", text);
        let shown = crate::diagnostic::render(&found, crate::diagnostic::Style::default());
        assert!(shown.contains("4 | D=…") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn of_a_name_written_twice_the_later_value_holds() {
        let (variables, found) = read("A=1\nB=2\nA=3\nDEPLOY_TAG=x\n");
        assert_eq!(variables.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["B=2", "A=3", "DEPLOY_TAG=x"]);
        assert_eq!(found, [("app.env:3:1".to_owned(), codes::DUPLICATE_NAME), ("app.env:4:1".to_owned(), codes::RESERVED_NAME)]);
        let (variables, found) = parse_env_file("big.env", &"#".repeat(MAX_BYTES + 1));
        assert!(variables.is_empty() && found[0].code == codes::TOO_LARGE);
    }
}
