//! Values of the manifest that are neither plain TOML types nor words of the model: commands and addresses.

use crate::diagnostic::{Diagnostic, codes};
use crate::document::{Form, Problems, Read, Value, not_available, quote};
use crate::model::wait::{WaitFor, WaitForError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use toml::de::DeValue;

/// `run`: a list of arguments, or one string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandLine {
    /// One argument each.
    List(Vec<String>),
    /// Split by shell-word rules, or read by a shell.
    Text(String),
}

impl Read for CommandLine {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.toml.get_ref() {
            DeValue::Array(_) => Vec::read(value, problems).map(Self::List),
            DeValue::String(_) => String::read(value, problems).map(Self::Text),
            _ => {
                value.wrong_type::<Self>("a command: a list of arguments, or one string", problems);
                None
            }
        }
    }

    fn form(_: Option<&str>) -> Form {
        Form::Value("[\"./migrate.sh\", \"--all\"]".to_owned())
    }
}

impl Read for WaitFor {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Option<Self> {
        let text = value.text::<Self>("an address", problems)?;
        let (finding, help) = match text.parse() {
            Ok(wait_for) => return Some(wait_for),
            Err(error @ WaitForError::Https) => {
                (not_available(&error.to_string()), "wait for its port: `tcp://HOST:PORT`, or ask over `http`")
            }
            Err(error) => {
                let message = format!("{}: {}: {error}", quote(value.name), quote(text));
                (Diagnostic::error(codes::BAD_VALUE, message), "write, for example, `http://localhost:8000/healthz`")
            }
        };
        problems.push(finding.at(value.at(problems)).help(help));
        None
    }

    fn form(_: Option<&str>) -> Form {
        Form::Value("\"http://localhost:8000/healthz\"".to_owned())
    }
}

impl JsonSchema for CommandLine {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "CommandLine".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "array", "items": { "type": "string" }, "minItems": 1 }, { "type": "string", "minLength": 1 }] })
    }
}
