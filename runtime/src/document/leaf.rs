//! Values that need more than a TOML type: durations, sizes, words of a fixed set, free tables, the format's version.

use super::{Form, Problems, Read, Value, quote, suggest};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::model::units::{UnitError, parse_duration, parse_size};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use toml::de::DeValue;

/// A duration as people write it: `"5m"`, or whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationText(pub(crate) Duration);

impl Read for DurationText {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        unit::<Self, _>(value, parse_duration, "a duration: `\"5m\"`, `\"90s\"`, or whole seconds", problems).map(Self)
    }

    fn form(_: Option<&str>) -> Form {
        Form::Value("\"5m\"".to_owned())
    }
}

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "pattern": "^\\s*([0-9]+|([0-9]+(ms|s|m|h|d)\\s*)+)\\s*$" }, { "type": "integer", "minimum": 0 }] })
    }
}

/// A size as people write it: `"64MiB"`, or whole bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeText(pub(crate) u64);

impl Read for SizeText {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        unit::<Self, _>(value, parse_size, "a size: `\"64MiB\"`, or whole bytes", problems).map(Self)
    }

    fn form(_: Option<&str>) -> Form {
        Form::Value("\"64MiB\"".to_owned())
    }
}

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "pattern": "^\\s*[0-9]+\\s*([KkMmGgTt]([Ii]?[Bb])?|[Bb])?\\s*$" }, { "type": "integer", "minimum": 0 }] })
    }
}

/// A number with a unit, in a string, or a bare integer.
fn unit<R: Read, T>(value: &Value<'_>, parse: fn(&str) -> Result<T, UnitError>, expected: &str, problems: &mut Problems) -> Option<T> {
    let text = match value.toml.get_ref() {
        DeValue::String(text) => Cow::Borrowed(&**text),
        DeValue::Integer(_) => Cow::Owned(u64::read(value, problems)?.to_string()),
        _ => {
            value.wrong_type::<R>(expected, problems);
            return None;
        }
    };
    parse(&text).map_err(|error| value.bad(error, problems)).ok()
}

/// A table whose keys are the writer's own, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs<T>(pub(crate) Vec<(Located<String>, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Pairs<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(table) = value.toml.get_ref().as_table() else {
            value.wrong_type::<Self>("a table", problems);
            return None;
        };
        let mut pairs = Vec::with_capacity(table.len());
        for (key, toml) in table {
            if let Some(read) = T::read(&Value { name: key.get_ref(), entry: None, toml }, problems) {
                pairs.push((Located { value: key.get_ref().to_string(), at: problems.at(key.span()) }, read));
            }
        }
        Some(Self(pairs))
    }

    fn form(_: Option<&str>) -> Form {
        match T::form(None) {
            Form::Value(one) => Form::Value(format!("{{ NAME = {one} }}")),
            Form::Header(header) => Form::Header(header),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Pairs<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Table".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// The word that stands for a value of a fixed set, as it is written everywhere else.
fn word<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// One of a fixed set of words.
pub(crate) fn words<T: Read + Serialize + Copy>(all: &[T], value: &Value<'_>, problems: &mut Problems) -> Option<T> {
    let text = value.text::<T>("a string", problems)?;
    let known: Vec<String> = all.iter().filter_map(word).collect();
    let found = known.iter().position(|word| word == text).and_then(|index| all.get(index).copied());
    if found.is_none() {
        let message = format!("{}: {} is not one of {}", quote(value.name), quote(text), known.join(", "));
        let help = suggest(text, known.iter().map(String::as_str));
        problems.push(Diagnostic::error(codes::BAD_VALUE, message).at(value.at(problems)).help(help));
    }
    found
}

/// The first of a fixed set of words.
pub(crate) fn word_form<T: Serialize>(all: &[T]) -> Form {
    Form::Value(format!("\"{}\"", all.first().and_then(word).unwrap_or_default()))
}

macro_rules! read_words {
    ($($type:ty),+ $(,)?) => {$(
        impl Read for $type {
            fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
                words(Self::ALL, value, problems)
            }

            fn form(_: Option<&str>) -> Form {
                word_form(Self::ALL)
            }
        }
    )+};
}

mod policies {
    use super::{Form, Problems, Read, Value, word_form, words};
    use crate::model::backup::LastingEffect;
    use crate::model::grant::DirMode;
    use crate::model::policy::{AfterFailure, Background, When};
    use crate::model::policy::{Cwd, EnvPolicy, FallbackWhen, Files, Gate, OnChange, OnFailure};
    use crate::model::policy::{OnLocked, OnTimeout, OnUnknown, Resume, Sandbox, Scope};

    read_words!(Background, AfterFailure, When);
    read_words!(OnFailure, OnTimeout, Gate, Scope, Files, OnLocked, OnUnknown, OnChange, Resume, EnvPolicy, Sandbox, FallbackWhen, Cwd);
    read_words!(DirMode, LastingEffect);
}
