//! One table on its way to a struct: each key is asked for by name, and what nobody asked for is reported.

use super::{Problems, Read, Value, quote, suggest};
use crate::diagnostic::{Diagnostic, codes};
use std::ops::Range;
use toml::de::DeTable;

/// A struct that the keys of a table fill.
pub(crate) trait Fields: Read {
    /// What a person calls the table: `[[hook]]`.
    const LABEL: &'static str;

    /// The struct, or `None` if a key it can't do without is missing or wrong.
    fn read_fields(table: &mut Table<'_>, problems: &mut Problems) -> Option<Self>;
}

/// A table being read.
pub(crate) struct Table<'a> {
    keys: &'a DeTable<'a>,
    label: &'static str,
    span: Range<usize>,
    pub(super) asked: Vec<&'static str>,
    refused: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The table in a value, or a report that it is none.
    pub(crate) fn open<T: Read>(label: &'static str, value: &Value<'a>, problems: &mut Problems) -> Option<Self> {
        let Some(keys) = value.toml.get_ref().as_table() else {
            value.wrong_type::<T>("a table", problems);
            return None;
        };
        Some(Self { keys, label, span: value.toml.span(), asked: Vec::new(), refused: Vec::new() })
    }

    /// The value of a key, if it is there and can be read; its default otherwise.
    #[expect(clippy::unnecessary_wraps, reason = "the macro treats every way of reading alike")]
    pub(crate) fn optional<T: Read + Default>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        match self.value(key, problems) {
            Found::Value(value) => Some(value),
            Found::Nothing | Found::Unreadable => Some(T::default()),
        }
    }

    /// As [`Table::optional`], for a struct that would mean something else without what was written there.
    pub(crate) fn sound<T: Read + Default>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        match self.value(key, problems) {
            Found::Value(value) => Some(value),
            Found::Nothing => Some(T::default()),
            Found::Unreadable => None,
        }
    }

    /// The value of a key, or `None` and a report.
    pub(crate) fn required<T: Read>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        match self.value(key, problems) {
            Found::Value(value) => Some(value),
            Found::Nothing => {
                problems.push(self.lacks(key, problems));
                None
            }
            Found::Unreadable => None,
        }
    }

    /// As [`Table::required`], for a struct that can be looked at further without it.
    pub(crate) fn expected<T: Read + Default>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        if !self.keys.contains_key(key) {
            problems.push(self.lacks(key, problems));
        }
        self.optional(key, problems)
    }

    /// The format's version, which is 1. Of a file of another version nothing else is reported, since other keys may be right there.
    #[expect(clippy::unnecessary_wraps, reason = "the macro treats every way of reading alike")]
    pub(crate) fn version(&mut self, key: &'static str, problems: &mut Problems) -> Option<u32> {
        const HELP: &str = "write `schema = 1`";
        match self.value::<u32>(key, problems) {
            Found::Nothing => problems.push(self.lacks(key, problems).help(HELP)),
            Found::Unreadable | Found::Value(1) => {}
            Found::Value(version) => {
                let message = format!("schema {version} is not a format that this version reads");
                problems.decide(Diagnostic::error(codes::SCHEMA_VERSION, message).at(problems.at(self.place(key))).help(HELP));
            }
        }
        Some(1)
    }

    /// The value of a key that this version knows and can't do: always `None`, and a report if it is there.
    pub(crate) fn later(&mut self, key: &'static str, what: &str, problems: &mut Problems) {
        self.refused.push(key);
        if let Some((key, _)) = self.keys.get_key_value(key) {
            problems.push(not_available(what).at(problems.at(key.span())));
        }
    }

    /// Where a key's value stands; the table if it is absent.
    pub(crate) fn place(&self, key: &str) -> Range<usize> {
        self.keys.get(key).map_or_else(|| self.span.clone(), toml::Spanned::span)
    }

    /// The text under `inner` of each table in the list under `key`, with its place; what is no such text is left out.
    pub(crate) fn texts(&self, key: &str, inner: &str) -> Vec<(&'a str, Range<usize>)> {
        let items = self.keys.get(key).and_then(|list| list.get_ref().as_array()).into_iter().flat_map(|items| items.iter());
        items.filter_map(|item| item.get_ref().get(inner)).filter_map(|text| Some((text.get_ref().as_str()?, text.span()))).collect()
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self, problems: &mut Problems) {
        for key in self.keys.keys() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) || self.refused.contains(&name) {
                continue;
            }
            let message = format!("{} has no key {}", self.label, quote(name));
            let help = suggest(name, self.asked.iter().copied());
            problems.push(Diagnostic::error(codes::UNKNOWN_KEY, message).at(problems.at(key.span())).help(help));
        }
    }

    fn lacks(&self, key: &str, problems: &Problems) -> Diagnostic {
        Diagnostic::error(codes::MISSING_KEY, format!("{} lacks `{key}`", self.label)).at(problems.at(self.span.clone()))
    }

    fn value<T: Read>(&mut self, key: &'static str, problems: &mut Problems) -> Found<T> {
        self.asked.push(key);
        let Some(toml) = self.keys.get(key) else { return Found::Nothing };
        T::read(&Value { name: key, entry: None, toml }, problems).map_or(Found::Unreadable, Found::Value)
    }
}

/// What stands under a key.
enum Found<T> {
    Nothing,
    /// Something else than what the key takes; that was reported.
    Unreadable,
    Value(T),
}

/// A known feature that this version doesn't have.
pub(crate) fn not_available(what: &str) -> Diagnostic {
    Diagnostic::error(codes::NOT_AVAILABLE, format!("not available in this version: {what}"))
}

/// Reads a struct field by field. Its struct literal makes sure that no field is forgotten, so keys and fields are the same.
///
/// `like` is an example of a table that isn't written under a header; `{}` in it is a text.
///
/// `required`: the struct can't be without; `expected`: reported, and `None`; `optional`: its default;
/// `sound`: its default, and the struct can't be with a wrong value; `flat`: the keys of another struct, in the
/// same table; `version`: the version of the format.
/// `later` lists keys that this version knows and can't do; `check` is a function that looks at the whole struct.
macro_rules! document {
    ($type:ty, $label:literal $(like $like:literal)?, { $($field:ident $(as $key:literal)?: $how:ident),+ $(,)? } $(later { $($later:literal: $what:literal),+ $(,)? })? $(check $check:path)?) => {
        impl $crate::document::Fields for $type {
            const LABEL: &'static str = $label;

            fn read_fields(table: &mut $crate::document::Table<'_>, problems: &mut $crate::document::Problems) -> Option<Self> {
                $(let $field = $crate::document::document!(@read $how, table, problems, $field $($key)?);)+
                $($(table.later($later, $what, problems);)+)?
                let read = Self { $($field: $field?),+ };
                $($check(&read, table, problems);)?
                Some(read)
            }
        }

        impl $crate::document::Read for $type {
            fn read(value: &$crate::document::Value<'_>, problems: &mut $crate::document::Problems) -> Option<Self> {
                let mut table = $crate::document::Table::open::<Self>($label, value, problems)?;
                let read = <Self as $crate::document::Fields>::read_fields(&mut table, problems);
                table.finish(problems);
                read
            }

            fn form(written: Option<&str>) -> $crate::document::Form {
                $crate::document::Form::of_table($label, $crate::document::document!(@like $($like)?), written)
            }
        }
    };
    (@like) => { None };
    (@like $like:literal) => { Some($like) };
    (@read flat, $table:ident, $problems:ident, $field:ident) => { $crate::document::Fields::read_fields($table, $problems) };
    (@read $how:ident, $table:ident, $problems:ident, $field:ident) => { $table.$how(stringify!($field), $problems) };
    (@read $how:ident, $table:ident, $problems:ident, $field:ident $key:literal) => { $table.$how($key, $problems) };
}
pub(crate) use document;
