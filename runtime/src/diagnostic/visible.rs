//! Text from outside, made safe to show: what would move a cursor, colour a terminal or turn a line's direction is written out.

use crate::model::text::is_unsafe;
use std::borrow::Cow;

/// Writes each control and text-direction character as `\u{…}` and keeps everything else. Line ends and tabs are control characters too.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            c if is_unsafe(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        for (text, shown) in [
            ("grün ✓", "grün ✓"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\rb\nc\td", "a\\u{d}b\\nc\\td"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("evil\u{202e}txt.exe", "evil\\u{202e}txt.exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
