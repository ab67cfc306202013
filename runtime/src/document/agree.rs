//! Tests' help: that a reader and the JSON Schema of the same type know the same keys, and that a file keeps to a schema.

use super::{Fields, Problems, Table, Value};
use crate::diagnostic::{Source, codes};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Asserts that the reader asks for exactly the keys of the schema, and misses exactly those that the schema requires.
pub(crate) fn agree<T: Fields + JsonSchema>() {
    let schema: Json = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().into();
    let empty = Spanned::new(0..0, DeValue::Table(DeTable::new()));
    let mut problems = Problems::none(Source::new("empty.toml", ""));
    let mut table = Table::open::<T>(T::LABEL, &Value { name: T::LABEL, entry: None, toml: &empty }, &mut problems).unwrap();
    let _ = T::read_fields(&mut table, &mut problems);

    let keys: BTreeSet<&str> = table.asked.iter().copied().collect();
    let properties: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, properties, "{}", T::LABEL);

    let missing = problems.into_found().into_iter().filter(|found| found.code == codes::MISSING_KEY);
    let missing: BTreeSet<String> = missing.map(|found| found.message.split('`').rev().nth(1).unwrap().to_owned()).collect();
    let required = schema["required"].as_array().into_iter().flatten().map(|key| key.as_str().unwrap().to_owned());
    assert_eq!(missing, required.collect(), "{}", T::LABEL);
}

/// Whether a value keeps to a schema, as far as our schemas go; the error names the place.
pub(crate) fn validate(root: &Json, value: &Json) -> Result<(), String> {
    Check { root }.value(root, value, "$")
}

struct Check<'a> {
    root: &'a Json,
}

impl Check<'_> {
    fn value(&self, schema: &Json, value: &Json, at: &str) -> Result<(), String> {
        let Some(schema) = schema.as_object() else {
            return if *schema == Json::Bool(false) { Err(format!("{at}: nothing may stand here")) } else { Ok(()) };
        };
        for (keyword, rule) in schema {
            let fine = match keyword.as_str() {
                "$ref" => {
                    let path = rule.as_str().unwrap().trim_start_matches('#');
                    self.value(self.root.pointer(path).unwrap(), value, at)?;
                    true
                }
                "const" => value == rule,
                "enum" => rule.as_array().unwrap().contains(value),
                "type" => is_type(rule, value),
                "anyOf" | "oneOf" => rule.as_array().unwrap().iter().filter(|one| self.value(one, value, at).is_ok()).count() > 0,
                "allOf" => rule.as_array().unwrap().iter().all(|one| self.value(one, value, at).is_ok()),
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
                "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= rule.as_u64().unwrap()),
                "required" => rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.value(rule, item, &format!("{at}[]"))?;
                    }
                    true
                }
                "properties" => {
                    for (key, rule) in rule.as_object().unwrap() {
                        value.get(key).map_or(Ok(()), |inner| self.value(rule, inner, &format!("{at}.{key}")))?;
                    }
                    true
                }
                "additionalProperties" | "unevaluatedProperties" => {
                    let known = self.known_keys(schema);
                    for (key, inner) in value.as_object().into_iter().flatten().filter(|(key, _)| !known.contains(key.as_str())) {
                        self.value(rule, inner, &format!("{at}.{key}"))?;
                    }
                    true
                }
                "$schema" | "$defs" | "title" | "description" | "default" | "format" | "pattern" | "maximum" => true,
                other => return Err(format!("{at}: the check doesn't know `{other}`")),
            };
            if !fine {
                return Err(format!("{at}: {value} breaks `{keyword}`: {rule}"));
            }
        }
        Ok(())
    }

    /// The keys that this schema names, itself or through the schemas that it is made of.
    fn known_keys<'s>(&'s self, schema: &'s serde_json::Map<String, Json>) -> BTreeSet<&'s str> {
        let mut known: BTreeSet<&str> =
            schema.get("properties").and_then(Json::as_object).into_iter().flat_map(|p| p.keys().map(String::as_str)).collect();
        for part in ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten() {
            known.extend(part.as_object().map(|part| self.known_keys(part)).unwrap_or_default());
        }
        if let Some(path) = schema.get("$ref").and_then(Json::as_str) {
            known.extend(self.known_keys(self.root.pointer(path.trim_start_matches('#')).unwrap().as_object().unwrap()));
        }
        known
    }
}

fn is_type(rule: &Json, value: &Json) -> bool {
    let is = |name: &Json| match name.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    rule.as_array().map_or_else(|| is(rule), |any| any.iter().any(is))
}
