//! What of a text from outside is safe to show, and to name things with.

/// Control characters (C0, DEL, C1), line and paragraph separators, and the invisible characters that reorder or hide text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text with what stands before the `@` of an address (`https://user:token@host`) covered by as many `*`: places in it stay where they are.
pub(crate) fn covered(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"')).unwrap_or(after.len());
        let secret = after[..end].rfind('@').unwrap_or(0);
        shown.push_str(&"*".repeat(secret));
        rest = &after[secret..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_covered_and_nothing_moves() {
        let line = "git = \"https://u:s3/é@host/a\" # see http://x@y and ssh://host/b@c ://";
        let shown = covered(line);
        assert_eq!(shown, "git = \"https://*******@host/a\" # see http://*@y and ssh://******@c ://");
        assert_eq!(shown.len(), line.len());
    }
}
