//! What a job reports through its `WASMHOOK_OUTPUT` file: lines `KEY=value`.

/// The `KEY=value` lines of `bytes`, in order. A key is a letter or `_`, then letters, digits or `_`; any other line is ignored.
#[must_use]
pub fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    bytes.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(bytes: &[u8]) -> Option<(String, String)> {
    let line = String::from_utf8_lossy(bytes);
    let (key, value) = line.split_once('=')?;
    let first = key.bytes().next()?;
    let is_key = (first.is_ascii_alphabetic() || first == b'_') && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_key.then(|| (key.to_owned(), value.trim_end_matches('\r').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn keys_and_values_in_order_and_nothing_else() {
        let text = b"backup_path=/b/1\nmigration=0001\nmigration=0002\n\nnot a line\n1X=no\n=no\nA-B=no\n_ok=a=b\r\nlast=";
        let expected = [("backup_path", "/b/1"), ("migration", "0001"), ("migration", "0002"), ("_ok", "a=b"), ("last", "")];
        assert_eq!(parse(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
