//! A profile's lines for people: templates whose words in braces are replaced.

/// Values for the words in braces.
#[derive(Debug, Default)]
pub struct Words<'a> {
    /// Fixed words: `title`, `file`, `cause`, `version`, …
    pub fixed: Vec<(&'a str, String)>,
    /// What the step reported; `{migrations}` is how often it reported `migration`.
    pub outputs: &'a [(String, String)],
}

/// Fills a template. A word that nothing stands for becomes empty.
#[must_use]
pub fn fill(template: &str, words: &Words<'_>) -> String {
    let mut line = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        line.push_str(before);
        let Some((word, behind)) = after.split_once('}') else {
            line.push('{');
            rest = after;
            continue;
        };
        line.push_str(&value(word, words));
        rest = behind;
    }
    line.push_str(rest);
    line
}

fn value(word: &str, words: &Words<'_>) -> String {
    if word == "migrations" {
        return words.outputs.iter().filter(|(key, _)| key == "migration").count().to_string();
    }
    let fixed = words.fixed.iter().find(|(key, _)| *key == word).map(|(_, value)| value.clone());
    fixed.or_else(|| words.outputs.iter().rev().find(|(key, _)| key == word).map(|(_, value)| value.clone())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_70_lines_are_templates_filled_from_what_a_step_reported() {
        let outputs = vec![
            ("migration".to_owned(), "a.sql".to_owned()),
            ("migration".to_owned(), "b.sql".to_owned()),
            ("rows".to_owned(), "7".to_owned()),
        ];
        let words = Words { fixed: vec![("version", "v1".to_owned())], outputs: &outputs };
        assert_eq!(fill("Ran {migrations} migrations to {version}: {rows} rows{nothing}", &words), "Ran 2 migrations to v1: 7 rows");
        assert_eq!(fill("open { brace", &words), "open { brace");
    }
}
