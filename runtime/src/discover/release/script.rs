//! What a native script says of itself: who interprets it, and whether it makes releases instead of being run by them.

/// Commands that publish something. A deploy hook has no business with them; a script that makes the release `v1.0.0` may well be called
/// `release/v1.0.0.sh`.
const PUBLISHING: &[&[&str]] = &[
    &["git", "push"],
    &["git", "tag", "-a"],
    &["git", "tag", "-s"],
    &["git", "tag", "-m"],
    &["gh", "release"],
    &["glab", "release"],
    &["npm", "publish"],
    &["yarn", "publish"],
    &["pnpm", "publish"],
    &["cargo", "publish"],
    &["docker", "push"],
    &["podman", "push"],
    &["helm", "push"],
    &["gem", "push"],
    &["twine", "upload"],
    &["poetry", "publish"],
    &["mvn", "deploy"],
    &["goreleaser"],
];

/// What may precede the name of a command; in a line these stand alone (see [`words`]).
const PREFIXES: &[&str] = &["if", "then", "else", "do", "!", "time", "exec", "sudo", "&", "|", ";", "{", "("];

/// The line (from 1) that publishes something, and the command there.
pub(super) fn release_tool(script: &[u8]) -> Option<(usize, String)> {
    let text = String::from_utf8_lossy(script);
    text.lines().enumerate().find_map(|(index, line)| publishing(line).map(|command| (index + 1, command)))
}

fn publishing(line: &str) -> Option<String> {
    let words = words(line);
    let begins_command = |at: usize| at == 0 || PREFIXES.contains(&words[at - 1].as_str());
    let command = |at: usize| PUBLISHING.iter().find(|command| words[at..].iter().take(command.len()).eq(**command));
    (0..words.len()).filter(|at| begins_command(*at)).find_map(command).map(|command| command.join(" "))
}

/// The words of a line as a shell would see them, roughly: quoted text and comments left out, operators apart.
fn words(line: &str) -> Vec<String> {
    let mut text = String::with_capacity(line.len());
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(c);
                text.push('\u{fffd}');
            }
            (None, '#') if text.is_empty() || text.ends_with(char::is_whitespace) => break,
            (None, ';' | '&' | '|' | '(' | ')') => text.extend([' ', c, ' ']),
            (None, c) => text.push(c),
        }
    }
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The program and at most one argument of the `#!` line, as the kernel reads it; `/bin/sh` where there is none.
pub(super) fn interpreter(script: &[u8]) -> Vec<String> {
    let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = first.strip_prefix(b"#!").map(|line| String::from_utf8_lossy(line).trim().to_owned());
    let words: Vec<String> = line.iter().flat_map(|line| line.splitn(2, [' ', '\t'])).map(|word| word.trim().to_owned()).collect();
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() { vec!["/bin/sh".to_owned()] } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a36_a_script_that_makes_a_release_is_recognised() {
        let tool = b"#!/bin/bash\nset -e\n# then: git push\nnpm test && git tag -a v1.0.0\ngit push --tags\n";
        assert_eq!(release_tool(tool), Some((4, "git tag -a".to_owned())));
        for line in [
            "git push",
            "  docker push registry/x",
            "if ! cargo publish; then",
            "(gh release create v1)",
            "a; npm publish",
            "make;git push # done",
            "git push||true",
        ] {
            assert!(publishing(line).is_some(), "{line}");
        }
    }

    #[test]
    fn a36_a_deploy_hook_is_not_taken_for_one() {
        let seed = include_bytes!("../../../../tests/fixtures/s3/v0.4.0.sh");
        assert_eq!(release_tool(seed), None);
        for line in [
            "# git push",
            "echo \"git push\"",
            "git status",
            "git tag --list",
            "echo 'done; git push' now",
            "echo \"(git push)\"",
            "true # ; git push",
            "digit push",
            "echo git tag",
            "logger -t deploy git push",
        ] {
            assert_eq!(publishing(line), None, "{line}");
        }
    }

    #[test]
    fn the_interpreter_is_what_the_kernel_would_start() {
        assert_eq!(interpreter(b"#!/bin/bash\necho"), ["/bin/bash"]);
        assert_eq!(interpreter(b"#! /usr/bin/env -S python3 -u\r\n"), ["/usr/bin/env", "-S python3 -u"]);
        assert_eq!(interpreter(b"echo hello"), ["/bin/sh"]);
        assert_eq!(interpreter(b"#!"), ["/bin/sh"]);
        assert_eq!(interpreter(b""), ["/bin/sh"]);
    }
}
