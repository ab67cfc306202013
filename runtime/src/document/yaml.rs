//! YAML text → a tree of texts, lists and maps with places. Every scalar is its text as it was written: what a number or a switch is, the
//! reader of a key decides. Bounded in size, depth, nodes and aliases; what is no YAML is a finding with a place.

use super::{MAX_BYTES, Problems, error_at, quote};
use crate::diagnostic::{Diagnostic, Located, Severity, Source, codes};
use crate::model::units::show_size;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location as Place, Spanned, UserMessageFormatter};
use std::fmt;
use std::ops::Range;

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 32;
/// How many values a text may hold, those that aliases repeat among them.
const MAX_NODES: usize = 50_000;
/// How often a text may refer to an anchor.
const MAX_ALIASES: usize = 1_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Yaml {
    /// What it is.
    pub(crate) value: YamlValue,
    /// Bytes of the text; of a list or map, where it begins.
    pub(crate) span: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum YamlValue {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar, as it was written, without its quotes.
    Text(String),
    /// A list.
    List(Vec<Yaml>),
    /// Keys in their order. Of a key written twice the last value is kept, in the place of the first.
    Map(Vec<(Key, Yaml)>),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its text.
    pub(crate) name: String,
    /// Bytes of the text.
    pub(crate) span: Range<usize>,
}

impl Yaml {
    /// What it is, with its article.
    pub(crate) const fn kind(&self) -> &'static str {
        match &self.value {
            YamlValue::Null => "empty",
            YamlValue::Text(_) => "a single value",
            YamlValue::List(_) => "a list",
            YamlValue::Map(_) => "a map",
        }
    }

    /// The keys of a map.
    pub(crate) fn map(&self) -> Option<&[(Key, Yaml)]> {
        if let YamlValue::Map(keys) = &self.value { Some(keys) } else { None }
    }

    /// The value under a key of a map.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.map()?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        if let YamlValue::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Option<&[Self]> {
        if let YamlValue::List(items) = &self.value { Some(items) } else { None }
    }

    /// Whether nothing stands there: nothing, `null`, or an empty text.
    pub(crate) fn is_unset(&self) -> bool {
        match &self.value {
            YamlValue::Null => true,
            YamlValue::Text(text) => text.trim().is_empty(),
            YamlValue::List(_) | YamlValue::Map(_) => false,
        }
    }

    /// Where it stands.
    pub(crate) fn located<T>(&self, value: T, problems: &Problems) -> Located<T> {
        Located { value, at: problems.at(self.span.clone()) }
    }

    /// Reports that it should have been something else.
    pub(crate) fn wrong_type(&self, name: &str, expected: &str, problems: &mut Problems) {
        let message = format!("{} is {}; it has to be {expected}", quote(name), self.kind());
        problems.push(Diagnostic::error(codes::WRONG_TYPE, message).at(problems.at(self.span.clone())));
    }
}

impl Key {
    /// The key with its place.
    pub(crate) fn located(&self, problems: &Problems) -> Located<String> {
        Located { value: self.name.clone(), at: problems.at(self.span.clone()) }
    }
}

/// Reads a text: its tree, or `None` and why there is none. An empty text is [`YamlValue::Null`]; keys written twice are warnings.
pub(crate) fn read(name: &str, text: &str) -> (Option<Yaml>, Problems) {
    let mut problems = Problems::none(Source::new(name, text));
    if text.len() > MAX_BYTES {
        problems.decide(Diagnostic::error(codes::TOO_LARGE, format!("{} holds more than {}", quote(name), show_size(MAX_BYTES as u64))));
        return (None, problems);
    }
    // The parser counts from behind the mark.
    let shift = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let body = &text[shift..];
    if says_nothing(body) {
        return (Some(Yaml { value: YamlValue::Null, span: 0..0 }), problems);
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(body, options()) {
        Ok(raw) => {
            let tree = Tree { text, shift }.yaml(raw, 0, &mut problems);
            (tree, problems)
        }
        Err(error) => {
            problems.decide(syntax(&error, text, shift, &problems));
            (None, problems)
        }
    }
}

/// Whether there are only comments and document marks.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 4,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    }
}

/// What the parser says, in one line, at its place.
fn syntax(error: &serde_saphyr::Error, text: &str, shift: usize, problems: &Problems) -> Diagnostic {
    let place = error.location().and_then(|place| start(place).map(|at| at + shift).or_else(|| line_and_column(place, text)));
    let place = place.map(|at| text.floor_char_boundary(at.min(text.len())));
    let found = past_a_bound(error).unwrap_or_else(|| {
        let said = error.without_snippet().render_with_formatter(&UserMessageFormatter);
        let said = said.lines().next().unwrap_or_default();
        // Our own snippet says where.
        let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
        Diagnostic::error(codes::YAML_SYNTAX, format!("not YAML that can be read: {}", said.trim_end_matches([',', '.', ':'])))
    });
    let found = match place {
        Some(at) => found.at(problems.at(at..text.len().min(at + 1))),
        None => found,
    };
    let line_has_tab =
        place.is_some_and(|at| lines_around(text, at).any(|line| line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t')));
    if line_has_tab { found.help("YAML is indented with spaces: replace the tab") } else { found }
}

/// What the text is more of than is read, if that is why it isn't.
fn past_a_bound(error: &serde_saphyr::Error) -> Option<Diagnostic> {
    let mut cause = error.without_snippet();
    while let serde_saphyr::Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    let found = |what: String| Diagnostic::error(codes::YAML_SYNTAX, format!("not YAML that is read here: {what}"));
    let values = || found(format!("it holds more than {MAX_NODES} values, those that aliases repeat among them")).help("split it");
    Some(match cause {
        serde_saphyr::Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => {
                found("it holds more than one document".to_owned()).help("keep what stands before the second `---`")
            }
            BudgetBreach::Depth { .. } => found(format!("lists and maps lie more than {MAX_DEPTH} deep in each other")),
            BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
                found(format!("it holds more than {MAX_ALIASES} anchors or aliases")).help("write out what they stand for")
            }
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => values(),
            _ => return None,
        },
        serde_saphyr::Error::AliasReplayLimitExceeded { .. } | serde_saphyr::Error::AliasReplayCounterOverflow { .. } => values(),
        _ => return None,
    })
}

/// The line of a byte and the one before it.
fn lines_around(text: &str, at: usize) -> impl Iterator<Item = &str> {
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    text[..end].lines().rev().take(2)
}

fn start(place: Place) -> Option<usize> {
    usize::try_from(place.span().byte_offset()?).ok()
}

/// The byte of a place that is known by line and column only.
fn line_and_column(place: Place, text: &str) -> Option<usize> {
    let (line, column) = (usize::try_from(place.line()).ok()?.checked_sub(1)?, usize::try_from(place.column()).ok()?.saturating_sub(1));
    let begin = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    Some(begin + text[begin..].chars().take(column).map(char::len_utf8).sum::<usize>())
}

/// A value as the parser hands it over.
enum Raw {
    Null,
    Text(String),
    /// A number or a switch: its text stands in the source.
    Other,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

/// Numbers and switches are all the same here.
macro_rules! other {
    ($($visit:ident: $type:ty),+) => {$(
        fn $visit<E>(self, _: $type) -> Result<Raw, E> {
            Ok(Raw::Other)
        }
    )+};
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    other!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64);

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        if map.len() > MAX_NODES { Err(A::Error::custom("a map holds too many keys")) } else { Ok(Raw::Map(map)) }
    }
}

/// From what the parser hands over to a tree of texts.
struct Tree<'a> {
    text: &'a str,
    shift: usize,
}

impl Tree<'_> {
    fn yaml(&self, raw: Spanned<Raw>, parent: usize, problems: &mut Problems) -> Option<Yaml> {
        let span = self.span(raw.referenced, parent);
        let value = match raw.value {
            Raw::Null => YamlValue::Null,
            Raw::Text(text) if text.contains('\0') => {
                problems.push(
                    Diagnostic::error(codes::BAD_VALUE, "a text holds a NUL character, which no command and no variable can")
                        .at(problems.at(span)),
                );
                return None;
            }
            Raw::Text(text) => YamlValue::Text(text),
            Raw::Other => YamlValue::Text(self.text[self.span(raw.defined, parent)].trim().to_owned()),
            Raw::List(items) => YamlValue::List(items.into_iter().filter_map(|item| self.yaml(item, span.start, problems)).collect()),
            Raw::Map(entries) => YamlValue::Map(self.map(entries, span.start, problems)),
        };
        Some(Yaml { value, span })
    }

    fn map(&self, entries: Vec<(Spanned<Raw>, Spanned<Raw>)>, parent: usize, problems: &mut Problems) -> Vec<(Key, Yaml)> {
        let mut map: Vec<(Key, Yaml)> = Vec::with_capacity(entries.len());
        let mut places = std::collections::HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            let Some(key) = self.key(key, parent, problems) else { continue };
            let Some(value) = self.yaml(value, key.span.start, problems) else { continue };
            let Some(&index) = places.get(&key.name) else {
                places.insert(key.name.clone(), map.len());
                map.push((key, value));
                continue;
            };
            let first = problems.at(map[index].0.span.clone());
            let message = format!("the key {} is written twice (first: {first}); this value holds", quote(&key.name));
            let twice = error_at(&key.located(problems), codes::DUPLICATE_NAME, message);
            problems.push(Diagnostic { severity: Severity::Warning, ..twice }.help("keep one"));
            map[index] = (key, value);
        }
        map
    }

    fn key(&self, raw: Spanned<Raw>, parent: usize, problems: &mut Problems) -> Option<Key> {
        let key = self.yaml(raw, parent, problems)?;
        match key.value {
            YamlValue::Text(name) => Some(Key { name, span: key.span }),
            YamlValue::Null => Some(Key { name: String::new(), span: key.span }),
            YamlValue::List(_) | YamlValue::Map(_) => {
                problems.push(
                    Diagnostic::error(codes::WRONG_TYPE, format!("a key is {}; it has to be a name", key.kind())).at(problems.at(key.span)),
                );
                None
            }
        }
    }

    /// Bytes of the text; where the parser doesn't know them, those of what holds the value.
    fn span(&self, place: Place, parent: usize) -> Range<usize> {
        let boundary = |at: usize| self.text.floor_char_boundary(at.min(self.text.len()));
        let Some(start) = start(place) else { return boundary(parent)..boundary(parent) };
        let len = place.span().byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
        boundary(start + self.shift)..boundary(start.saturating_add(len) + self.shift)
    }
}

#[cfg(test)]
mod tests;
