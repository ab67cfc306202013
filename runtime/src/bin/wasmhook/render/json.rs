//! JSON for programs. Pretty, since people read it too; nothing in it can steer the terminal that shows it.

use serde::Serialize;
use std::fmt::Write as _;

/// `value` as indented JSON with a line end.
///
/// # Errors
/// `serde_json::Error` if the value can't be JSON (a map whose keys aren't text).
pub fn pretty<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(escape(&serde_json::to_string_pretty(value)?) + "\n")
}

/// `value` as one line of JSON with its end.
///
/// # Errors
/// As [`pretty`].
pub fn line<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(escape(&serde_json::to_string(value)?) + "\n")
}

/// The same JSON with the control characters that JSON itself allows (DEL, C1, bidirectional marks) as escapes: they only occur in strings.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || super::line::is_printable(c, super::look::Charset::Unicode) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c)); // writing to a String can't fail
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::assert_harmless;
    use proptest::prelude::*;
    use wasmhook::model::event::Status;
    use wasmhook::report::Report;

    #[test]
    fn a_report_begins_with_its_schema() {
        let text = pretty(&Report::not_started(Status::Locked)).unwrap();
        assert!(text.starts_with("{\n  \"schema\": 1,\n  \"status\": \"locked\",\n"), "{text}");
    }

    proptest! {
        #[test]
        fn json_is_harmless_and_means_the_same(text in any::<String>()) {
            let json = pretty(&[&text]).unwrap();
            assert_harmless(&json);
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text.clone()]);
            prop_assert_eq!(line(&[&text]).unwrap().lines().count(), 1);
        }
    }
}
