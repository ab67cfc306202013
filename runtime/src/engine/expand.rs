//! `$NAME` and `${NAME}` in a command's arguments, where a profile has them expanded and no shell does.

/// Replaces the names that `value` knows. `\$` is left alone, and so is what it doesn't know: the argument may be a line for a shell of its own.
#[must_use]
pub fn expand<'v>(argument: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut expanded = String::with_capacity(argument.len());
    let mut rest = argument;
    while let Some(at) = rest.find(['$', '\\']) {
        expanded.push_str(&rest[..at]);
        let here = &rest[at..];
        let (text, length) = match reference(here) {
            Some((name, length)) => (value(name).unwrap_or(&here[..length]), length),
            // A backslash takes the character behind it along, whatever it is.
            None if here.starts_with('\\') => {
                let length = 1 + here[1..].chars().next().map_or(0, char::len_utf8);
                (&here[..length], length)
            }
            None => (&here[..1], 1),
        };
        expanded.push_str(text);
        rest = &here[length..];
    }
    expanded.push_str(rest);
    expanded
}

/// The name that a text beginning with `$` refers to, and how long the reference is.
fn reference(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix('$')?;
    let (inner, braces) = after.strip_prefix('{').map_or((after, 0), |inner| (inner, 2));
    let length = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let name = &inner[..length];
    let closed = braces == 0 || inner[length..].starts_with('}');
    (closed && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| (name, 1 + braces + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argument: &str) -> String {
        expand(argument, |name| match name {
            "FOO" => Some("foo"),
            "EMPTY" => Some(""),
            "MONEY" => Some("$FOO"),
            _ => None,
        })
    }

    #[test]
    fn a28_names_are_expanded_and_an_escaped_dollar_is_left_alone() {
        assert_eq!(of("$FOO"), "foo");
        assert_eq!(of("--url=${FOO}/x$FOO.$EMPTY!"), "--url=foo/xfoo.!");
        assert_eq!(of("\\$FOO \\\\$FOO"), "\\$FOO \\\\foo");
        assert_eq!(of("$MONEY"), "$FOO", "a value is not looked at again");
    }

    #[test]
    fn a28_what_is_no_known_name_stays_as_it_is() {
        for text in ["$BAR", "${BAR}", "${FOO", "$", "$1", "$(FOO)", "${FOO:-x}", "a\\", "ü$ü", "$$"] {
            assert_eq!(of(text), text);
        }
    }
}
