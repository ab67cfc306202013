//! One TOML value on its way to a type.

use super::form::{string, unquoted};
use super::{Form, Problems, quote};
use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::model::id::{AppName, HookId, ServiceName, SourceName, StepName};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::DeValue;

/// The longest value that advice repeats, in bytes.
const MAX_REPEATED: usize = 40;

/// A value with the key it stands under.
pub(crate) struct Value<'a> {
    /// The key: names the value in messages.
    pub(crate) name: &'a str,
    /// Which entry of the list under that key it is, from 1, if it is one.
    pub(crate) entry: Option<usize>,
    /// What was written.
    pub(crate) toml: &'a Spanned<DeValue<'a>>,
}

/// A type that TOML values can become.
pub(crate) trait Read: Sized {
    /// The value, or `None` and the reason among the problems.
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self>;

    /// How it is written, for whoever wrote something else: with the one value that was `written` instead, where that fits.
    fn form(written: Option<&str>) -> Form;
}

impl Value<'_> {
    /// Where it stands.
    pub(crate) fn at(&self, problems: &Problems) -> Location {
        problems.at(self.toml.span())
    }

    /// Reports that it is no `T`, which is `expected` (`a string`), with how one is written.
    pub(crate) fn wrong_type<T: Read>(&self, expected: &str, problems: &mut Problems) {
        let entry = self.entry.map_or_else(String::new, |entry| format!("entry {entry} of "));
        let message = format!("{entry}{} is {}; it has to be {expected}", quote(self.name), kind(self.toml.get_ref()));
        let help = T::form(self.written(problems)).advice(self.name, self.entry);
        problems.push(Diagnostic::error(codes::WRONG_TYPE, message).at(self.at(problems)).help(help));
    }

    /// One value as it was written, if it is short enough to be repeated.
    fn written<'p>(&self, problems: &'p Problems) -> Option<&'p str> {
        let is_one = !matches!(self.toml.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        let text = problems.source.text.get(self.toml.span()).filter(|_| is_one)?;
        let is_plain = text.len() <= MAX_REPEATED && !text.chars().any(|c| c.is_control() || c == '`');
        is_plain.then_some(text)
    }

    /// Reports that it has the right type and breaks a rule.
    pub(crate) fn bad(&self, message: impl std::fmt::Display, problems: &mut Problems) {
        let message = format!("{}: {message}", quote(self.name));
        problems.push(Diagnostic::error(codes::BAD_VALUE, message).at(self.at(problems)));
    }

    /// The text of a string, or a report that it is none.
    pub(crate) fn text<T: Read>(&self, expected: &str, problems: &mut Problems) -> Option<&str> {
        let text = self.toml.get_ref().as_str();
        if text.is_none() {
            self.wrong_type::<T>(expected, problems);
        }
        text
    }

    /// The number, or a report that it is no whole number that fits.
    fn integer(&self, max: u64, problems: &mut Problems) -> Option<u64> {
        let DeValue::Integer(integer) = self.toml.get_ref() else {
            self.wrong_type::<u64>("a whole number", problems);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number <= max);
        if number.is_none() {
            self.bad(format_args!("{integer} is not a whole number from 0 to {max}"), problems);
        }
        number
    }
}

/// A type's name with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Read for String {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let text = value.text::<Self>("a string", problems)?;
        // No path, argument or environment value can carry one.
        if text.contains('\0') {
            value.bad("it holds a NUL character, which no path, argument or variable can", problems);
            return None;
        }
        Some(text.to_owned())
    }

    fn form(written: Option<&str>) -> Form {
        Form::Value(string(written, "text"))
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let flag = value.toml.get_ref().as_bool();
        if flag.is_none() {
            value.wrong_type::<Self>("`true` or `false`", problems);
        }
        flag
    }

    fn form(written: Option<&str>) -> Form {
        let is_no = written.is_some_and(|word| ["false", "no", "off", "0"].contains(&unquoted(word)));
        Form::Value(if is_no { "false" } else { "true" }.to_owned())
    }
}

impl Read for u64 {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        value.integer(Self::MAX, problems)
    }

    fn form(written: Option<&str>) -> Form {
        let number = written.and_then(|word| unquoted(word).parse::<Self>().ok());
        Form::Value(number.unwrap_or(1_000).to_string())
    }
}

impl Read for u32 {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        value.integer(Self::MAX.into(), problems).and_then(|number| Self::try_from(number).ok())
    }

    fn form(written: Option<&str>) -> Form {
        u64::form(written)
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        T::read(value, problems).map(Some)
    }

    fn form(written: Option<&str>) -> Form {
        T::form(written)
    }
}

impl<T: Read> Read for Box<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        T::read(value, problems).map(Self::new)
    }

    fn form(written: Option<&str>) -> Form {
        T::form(written)
    }
}

impl<T: Read> Read for Located<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        Some(Self { value: T::read(value, problems)?, at: value.at(problems) })
    }

    fn form(written: Option<&str>) -> Form {
        T::form(written)
    }
}

/// What can't be read is left out, and reported.
impl<T: Read> Read for Vec<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(items) = value.toml.get_ref().as_array() else {
            let tables = matches!(value.toml.get_ref(), DeValue::Table(_)).then(|| format!("a list: `[[{}]]`", value.name));
            value.wrong_type::<Self>(tables.as_deref().unwrap_or("a list"), problems);
            return None;
        };
        let read = |(index, item)| T::read(&Value { name: value.name, entry: Some(index + 1), toml: item }, problems);
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    fn form(written: Option<&str>) -> Form {
        match T::form(written) {
            Form::Value(one) => Form::Value(format!("[{one}]")),
            Form::Header(header) => Form::Header(header),
        }
    }
}

macro_rules! names {
    ($($name:ident),+) => {$(
        impl Read for $name {
            fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
                let text = value.text::<Self>("a string", problems)?;
                Self::new(text).map_err(|error| bad_name(value, &error, problems)).ok()
            }

            fn form(written: Option<&str>) -> Form {
                String::form(written)
            }
        }
    )+};
}
names!(AppName, HookId, ServiceName, SourceName, StepName);

/// Reports a name that breaks its rule.
pub(super) fn bad_name(value: &Value<'_>, error: &crate::model::id::NameError, problems: &mut Problems) {
    let error = Diagnostic::error(codes::BAD_NAME, error.to_string());
    problems.push(error.at(value.at(problems)));
}

/// `Located` shows up in schemas as the value itself.
impl<T: schemars::JsonSchema> schemars::JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
