//! Commands as platforms write them: lines for a shell, and lines that no shell reads.

use crate::manifest::GuestDecl;

/// A line that a shell reads.
pub(super) fn shell_line(text: &str) -> GuestDecl {
    GuestDecl::Native { argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()], shell: true }
}

/// A single command that no shell reads, as its words.
///
/// # Errors
/// The rule that it breaks, and the way out.
pub(super) fn single_command(text: &str) -> Result<GuestDecl, (String, &'static str)> {
    if text.contains(['\n', '\r']) {
        return Err(("a command is a single line".to_owned(), "put the lines into a script, and name the script"));
    }
    if let Some(operator) = operator(text) {
        let message = format!("`{operator}` is for a shell, and no shell reads this command: it is a single executable with its arguments");
        return Err((message, "write `bash -c \"…\"`, or put it into a script"));
    }
    let argv = shell_words::split(text).map_err(|_| ("the command has a quote that isn't closed".to_owned(), "close it"))?;
    if argv.first().is_none_or(String::is_empty) {
        return Err(("the command is empty".to_owned(), "name a program, or leave the key out"));
    }
    Ok(GuestDecl::Native { argv, shell: false })
}

/// The first word outside of quotes that only a shell would understand.
fn operator(text: &str) -> Option<String> {
    unquoted_words(text).into_iter().find_map(|word| {
        let list = ["&&", "||", ";", "|"].into_iter().find(|operator| word.contains(operator));
        let is_redirection = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&').starts_with(['<', '>']);
        let substitution = ["$(", "`"].into_iter().find(|begin| word.contains(begin));
        let background = (word.ends_with('&')).then_some("&");
        list.or(is_redirection.then_some(if word.contains('<') { "<" } else { ">" })).or(substitution).or(background).map(str::to_owned)
    })
}

/// The words of a line, without what stands in quotes or behind a backslash.
fn unquoted_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => _ = chars.next(),
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (None, c) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(text: &str) -> Vec<String> {
        let Ok(GuestDecl::Native { argv, shell: false }) = single_command(text) else { panic!("{text}") };
        argv
    }

    #[test]
    fn s1_9_only_a_single_command_is_taken() {
        for bad in [
            "cd backend && python manage.py migrate",
            "a; b",
            "a;b",
            "a | b",
            "a || b",
            "a > log",
            "a 2>&1",
            "a < in",
            "echo $(date)",
            "echo `date`",
            "sleep 5 &",
        ] {
            let (message, help) = single_command(bad).unwrap_err();
            assert!(message.contains("no shell reads") && help.contains("bash -c"), "{bad}: {message}");
        }
        assert!(single_command("a 'b").is_err() && single_command("  ").is_err());
    }

    #[test]
    fn a2_a_command_of_several_lines_is_refused() {
        for bad in ["a\nb", "a\r\nb"] {
            assert!(single_command(bad).unwrap_err().0.contains("single line"));
        }
    }

    #[test]
    fn s1_26_what_is_quoted_is_one_argument() {
        assert_eq!(argv("bash -c \"cd backend && python manage.py migrate\""), ["bash", "-c", "cd backend && python manage.py migrate"]);
        assert_eq!(argv("echo 'a; b' \"c | d\" e\\;f"), ["echo", "a; b", "c | d", "e;f"]);
        assert_eq!(argv("curl http://x/?a=1&b=2 $FOO ${BAR}"), ["curl", "http://x/?a=1&b=2", "$FOO", "${BAR}"]);
    }
}
