//! Which characters of a text from outside are safe to show, and to name things with.

/// Control characters (C0, DEL, C1), line and paragraph separators, and the invisible characters that reorder or hide text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
