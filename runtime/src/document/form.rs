//! How a value is written, for whoever wrote something else in its place.

/// How a value of some type is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Behind its key: this, as TOML.
    Value(String),
    /// As a table under this header.
    Header(&'static str),
}

impl Form {
    /// A table: like this one, in which `{}` is text that was `written` or could be; without any, under the header that its label is.
    pub(crate) fn of_table(label: &'static str, like: Option<&str>, written: Option<&str>) -> Self {
        let header = label.strip_prefix('`').and_then(|label| label.strip_suffix('`')).filter(|label| label.starts_with('['));
        match (like, header) {
            (Some(like), _) => Self::Value(like.replace("{}", &string(written, "data"))),
            (None, Some(header)) => Self::Header(header),
            (None, None) => Self::Value("{ … }".to_owned()),
        }
    }

    /// The way out for the value under the key `name`, or for one entry of its list.
    pub(super) fn advice(&self, name: &str, entry: Option<usize>) -> String {
        let is_bare = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        match self {
            Self::Header(header) => format!("write `{header}`, and its keys in the lines below"),
            Self::Value(value) if entry.is_some() => format!("an entry is written, for example, `{value}`"),
            Self::Value(value) if is_bare => format!("write, for example, `{name} = {value}`"),
            Self::Value(value) => format!("write, for example, `{value}`"),
        }
    }
}

/// What was written as a TOML string, or another text as one.
pub(super) fn string(written: Option<&str>, other: &str) -> String {
    match written {
        Some(quoted) if quoted.starts_with(['"', '\'']) => quoted.to_owned(),
        Some(bare) => format!("\"{bare}\""),
        None => format!("\"{other}\""),
    }
}

/// What stands between quotes, if it does.
pub(super) fn unquoted(written: &str) -> &str {
    written.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::super::{DurationText, Pairs, Read};
    use super::*;
    use crate::diagnostic::Located;
    use crate::model::policy::Gate;

    fn advice<T: Read>(written: Option<&str>) -> String {
        T::form(written).advice("key", None)
    }

    #[test]
    fn what_was_written_is_kept_where_it_fits() {
        assert_eq!(advice::<String>(Some("8080")), "write, for example, `key = \"8080\"`");
        assert_eq!(advice::<Option<Located<bool>>>(Some("\"no\"")), "write, for example, `key = false`");
        assert_eq!(advice::<u32>(Some("\"12\"")), "write, for example, `key = 12`");
        assert_eq!(advice::<Vec<String>>(Some("'a'")), "write, for example, `key = ['a']`");
        assert_eq!(advice::<Vec<Located<String>>>(None), "write, for example, `key = [\"text\"]`");
        assert_eq!(advice::<Pairs<String>>(Some("true")), "write, for example, `key = { NAME = \"text\" }`");
        assert_eq!(advice::<DurationText>(Some("1.5")), "write, for example, `key = \"5m\"`");
        assert_eq!(advice::<Gate>(Some("true")), "write, for example, `key = \"none\"`");
    }

    #[test]
    fn a_key_that_needs_quotes_is_left_out_and_an_entry_stands_alone() {
        assert_eq!(String::form(None).advice("a key", None), "write, for example, `\"text\"`");
        assert_eq!(String::form(Some("1")).advice("args", Some(2)), "an entry is written, for example, `\"1\"`");
    }

    #[test]
    fn a_table_is_written_under_its_header_or_like_another() {
        let table = |label, like| Form::of_table(label, like, Some("\"a\"")).advice("key", None);
        assert_eq!(table("`[[hook]]`", None), "write `[[hook]]`, and its keys in the lines below");
        assert_eq!(table("`dirs`", Some("{ path = {} }")), "write, for example, `key = { path = \"a\" }`");
    }
}
