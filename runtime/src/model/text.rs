//! What of a text from outside is safe to show, and to name things with.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A path as people and reports read it: no two look alike, and none is to be read back as a path.
///
/// A backslash is written `\\`; each byte of what isn't UTF-8, and of characters that are [`is_unsafe`] to show, is written `\xNN` with two hexadecimal
/// digits (`\xFF`). Everything else is as it is.
pub(crate) fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if is_unsafe(c) => escape(&mut shown, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => shown.push(c),
            }
        }
        escape(&mut shown, chunk.invalid());
    }
    shown
}

fn escape(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(shown, "\\x{byte:02X}"); // writing to a String can't fail
    }
}

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
    use std::ffi::OsStr;

    fn of(bytes: &[u8]) -> String {
        shown(Path::new(OsStr::from_bytes(bytes)))
    }

    #[test]
    fn paths_are_shown_as_they_are_but_for_what_is_no_text() {
        for (path, text) in [
            (&b"data/caf\xc3\xa9 100%.txt"[..], "data/caf\u{e9} 100%.txt"),
            (b"a\\b", r"a\\b"),
            (b"\xff\xfe/a", r"\xFF\xFE/a"),
            (b"caf\xc3", r"caf\xC3"),
            ("a\u{fffd}".as_bytes(), "a\u{fffd}"),
            (b"a\tb\nc\x1b", r"a\x09b\x0Ac\x1B"),
            ("\u{202e}txt".as_bytes(), r"\xE2\x80\xAEtxt"),
        ] {
            assert_eq!(of(path), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_two_paths_look_alike(one: Vec<u8>, other: Vec<u8>) {
            proptest::prop_assert_eq!(read_back(&of(&one)), &one[..]);
            proptest::prop_assert_eq!(of(&one) == of(&other), one == other);
            proptest::prop_assert!(!of(&one).contains(is_unsafe));
        }
    }

    /// The bytes that only this text can stand for.
    fn read_back(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let (byte, used) = match (first, after) {
                (b'\\', [b'\\', ..]) => (b'\\', 2),
                (b'\\', [b'x', a, b, ..]) => (u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap(), 4),
                _ => (*first, 1),
            };
            bytes.push(byte);
            rest = &rest[used..];
        }
        bytes
    }

    #[test]
    fn credentials_are_covered_and_nothing_moves() {
        let line = "git = \"https://u:s3/é@host/a\" # see http://x@y and ssh://host/b@c ://";
        let shown = covered(line);
        assert_eq!(shown, "git = \"https://*******@host/a\" # see http://*@y and ssh://******@c ://");
        assert_eq!(shown.len(), line.len());
    }
}
