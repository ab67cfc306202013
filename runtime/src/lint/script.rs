//! Mistakes that shell scripts of a release show at a glance. Pure: whoever read the script hands over its text.

use crate::diagnostic::codes;

/// Something that a script does otherwise than it seems to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// A stable code (`docs/codes.md`).
    pub code: &'static str,
    /// What is wrong, and the way out.
    pub message: String,
}

/// Commands that take patterns of files.
const TAKES_FILES: &[&str] = &["rm", "cp", "mv", "ls", "chmod", "chown", "tar", "zip", "rsync"];

/// Everything that is found in `text`.
#[must_use]
pub fn check(text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    lines.filter_map(|(index, line)| quoted_pattern(line).map(|pattern| quoted_glob(index + 1, &pattern))).collect()
}

/// Whether the script both asks for and creates the marker file that `template` names (`.release-{tag}-done`).
#[must_use]
pub fn keeps_marker(text: &str, template: &str) -> bool {
    let Some((before, after)) = template.split_once("{tag}") else { return false };
    let names = |line: &str| line.find(before).is_some_and(|at| line[at + before.len()..].contains(after));
    let code = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
    code().any(names) && code().any(|line| line.contains("-f ") || line.contains("-e ")) && code().any(|line| line.contains("touch "))
}

fn quoted_glob(line: usize, pattern: &str) -> Finding {
    let inside = pattern.rfind('/').map_or(pattern, |at| &pattern[..=at]);
    let rest = &pattern[inside.len()..];
    let message = format!("the shell doesn't expand `{rest}` within quotes, so nothing is found: write \"{inside}\"{rest}");
    Finding { line, code: codes::QUOTED_GLOB, message }
}

/// The first quoted path of the line that holds a pattern and belongs to a command that takes files.
fn quoted_pattern(line: &str) -> Option<String> {
    let takes_files = |command: &str| command.split_whitespace().any(|word| TAKES_FILES.contains(&word));
    let mut rest = line;
    let mut before = String::new();
    while let Some(at) = rest.find(['"', '\'']) {
        before.push_str(&rest[..at]);
        let quote = rest[at..].chars().next()?;
        let inner = &rest[at + 1..];
        let end = inner.find(quote)?;
        let quoted = &inner[..end];
        let command = before.rsplit([';', '|', '&', '(']).next().unwrap_or_default();
        if quoted.contains('/') && quoted.contains(['*', '?']) && !quoted.contains(' ') && takes_files(command) {
            return Some(quoted.to_owned());
        }
        rest = &inner[end + 1..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample script of the tenant upgrade's documentation.
    const SAMPLE: &str = r#"#!/bin/bash
# Release hook for v0.4.0
set -e # Exit on error
echo "=== Release hook: $DEPLOY_TAG ==="
# Idempotency check - skip if already done
MARKER="$APP_DIR/.release-${DEPLOY_TAG}-done"
if [ -f "$MARKER" ]; then
echo "Already applied, skipping"
exit 0
fi
# Example: Sync static files
cp "$APP_DIR/src/app/static/data/new-file.json" \
"/other/deployment/static/data/" 2>/dev/null || true
# Example: Clear cache
rm -rf "$APP_DIR/cache/*" 2>/dev/null || true
# Mark as complete
touch "$MARKER"
echo "=== Release hook complete ==="
"#;

    #[test]
    fn s3_41_the_samples_quoted_pattern_removes_nothing() {
        let found = check(SAMPLE);
        assert_eq!(found.iter().map(|one| (one.line, one.code)).collect::<Vec<_>>(), [(15, codes::QUOTED_GLOB)]);
        assert!(found[0].message.ends_with("write \"$APP_DIR/cache/\"*"), "{}", found[0].message);
        assert_eq!(check(&SAMPLE.replace("cache/*\"", "cache/\"*")), []);
    }

    #[test]
    fn s3_41_quotes_are_right_where_no_file_is_meant() {
        for line in ["find . -name '*.pyc' -delete", "echo \"a/*\"", "grep -r 'a/*' .", "# rm \"a/*\"", "git rm -r 'docs/'", "rm \"it's"] {
            assert_eq!(check(line), [], "{line}");
        }
        for line in ["rm -f './tmp/*.log'", "cd x && cp \"a/?\" b", "echo 'go'; mv \"$X/*\" y"] {
            assert_eq!(check(line).len(), 1, "{line}");
        }
    }

    #[test]
    fn s3_42_the_sample_keeps_the_marker_of_the_whole_release() {
        assert!(keeps_marker(SAMPLE, ".release-{tag}-done"));
        assert!(!keeps_marker("#!/bin/sh\nrm -rf x\n", ".release-{tag}-done"));
        assert!(!keeps_marker("# touch $APP_DIR/.release-x-done\n", ".release-{tag}-done"));
    }
}
