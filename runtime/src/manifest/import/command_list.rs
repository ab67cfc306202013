//! Ordered, labelled commands, as a project's settings list them: one `label<TAB>command` a line, or YAML `- {label, command}`.

use super::Imported;
use super::draft::{Draft, dir};
use super::shell::single_command;
use crate::diagnostic::{Source, codes};
use crate::document::yaml::{Yaml, YamlValue};
use crate::document::{Problems, nearest, quote};
use std::ops::Range;

const PROFILE: &str = "divio";
const PHASE: &str = "release";

/// Whether a text is the YAML form: its first line with anything to say begins a list.
pub(super) fn is_yaml(text: &str) -> bool {
    let first = meaningful(text).next().map(|(_, line)| line.trim_start());
    first.is_some_and(|line| line == "---" || line == "-" || line.starts_with("- ") || line.starts_with('['))
}

/// The lines that say something, with their places.
pub(super) fn meaningful(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let shown = line.trim_start_matches('\u{feff}').trim_end();
        let begin = at + (line.len() - line.trim_start_matches('\u{feff}').len());
        let says_nothing = shown.trim().is_empty() || shown.trim_start().starts_with('#');
        (!says_nothing).then_some((begin..begin + shown.len(), shown))
    })
}

/// Reads `label<TAB>command` lines.
pub(super) fn lines(name: &str, text: &str) -> Imported {
    let mut draft = Draft::new(name, Problems::none(Source::new(name, text)));
    draft.profile(PROFILE);
    for (span, line) in meaningful(text) {
        match line.split_once('\t') {
            _ if line.contains('\0') => {
                draft.error(&span, codes::BAD_VALUE, "a line holds a NUL character, which no command can", "save it as text");
            }
            Some((label, command)) => command_of(label.trim(), command.trim(), &span, &mut draft),
            None => draft.error(
                &span,
                codes::BAD_VALUE,
                "a line is a label, a tab and a command; this one has no tab",
                "write `Migrate<TAB>python manage.py migrate`",
            ),
        }
    }
    draft.finish()
}

/// Reads a YAML list of `{label, command}`.
pub(super) fn entries(root: &Yaml, mut draft: Draft) -> Imported {
    draft.profile(PROFILE);
    let items = match &root.value {
        YamlValue::Null => &[],
        YamlValue::List(items) => items.as_slice(),
        YamlValue::Text(_) | YamlValue::Map(_) => {
            root.wrong_type("the command list", "a list of `{label, command}`", &mut draft.problems);
            return draft.finish();
        }
    };
    for item in items {
        entry(item, &mut draft);
    }
    draft.finish()
}

fn entry(item: &Yaml, draft: &mut Draft) {
    let Some(keys) = item.map() else {
        item.wrong_type("an entry", "a map with `label` and `command`", &mut draft.problems);
        return;
    };
    for (key, _) in keys.iter().filter(|(key, _)| !["label", "command"].contains(&key.name.as_str())) {
        let help = nearest(&key.name, ["label", "command"])
            .map_or_else(|| "its keys are `label` and `command`".to_owned(), |near| format!("did you mean `{near}`?"));
        draft.error(&key.span, codes::UNKNOWN_KEY, format!("an entry has no key {}", quote(&key.name)), help);
    }
    let label = item.get("label").and_then(Yaml::text).unwrap_or_default().trim().to_owned();
    match item.get("command") {
        Some(command) if command.text().is_some() => command_of(&label, command.text().unwrap_or_default().trim(), &command.span, draft),
        Some(command) if !command.is_unset() => command.wrong_type("command", "one command, as a text", &mut draft.problems),
        _ => draft.error(&item.span, codes::MISSING_KEY, "an entry lacks its `command`", "write one, or remove the entry"),
    }
}

fn command_of(label: &str, command: &str, span: &Range<usize>, draft: &mut Draft) {
    let guest = match single_command(command) {
        Ok(guest) => crate::diagnostic::Located { value: guest, at: draft.problems.at(span.clone()) },
        Err((rule, help)) => {
            let whose = if label.is_empty() { "a command without a label".to_owned() } else { format!("the command of {}", quote(label)) };
            return draft.error(span, codes::BAD_VALUE, format!("{whose}: {rule}"), help);
        }
    };
    let at = guest.at.clone();
    let name = if label.is_empty() { command } else { label };
    let Some(hook) = draft.hook(name, PHASE, guest) else { return };
    hook.label = Some(name.to_owned());
    hook.dirs.push(dir(".", None, &at));
}
