//! Findings for people: `error[unknown-key]: …`, the place, the line, the way out.

use super::{Diagnostic, Location, Severity, visible};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::fmt::Write as _;
use std::ops::Range;

/// How many findings are shown; the rest is counted.
const MAX_SHOWN: usize = 100;

/// Lines longer than this (bytes) are named, not shown.
const MAX_LINE: usize = 1_000;

/// How findings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether the terminal takes colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: annotate_snippets::renderer::DEFAULT_TERM_WIDTH }
    }
}

/// Shows every finding with its source line, separated by empty lines and ended by a newline. Text from outside is shown escaped.
#[must_use]
pub fn render(found: &[Diagnostic], style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() }.term_width(style.width);
    let mut shown = String::new();
    for diagnostic in found.iter().take(MAX_SHOWN) {
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&one(diagnostic, &renderer));
        shown.push('\n');
    }
    if found.len() > MAX_SHOWN {
        // Writing to a string can't fail.
        let _ = writeln!(shown, "\n… and {} more", found.len() - MAX_SHOWN);
    }
    shown
}

fn one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let line = diagnostic.at.as_ref().and_then(Line::of);
    if let Some(line) = &line {
        group = line.show(group);
    }
    match &diagnostic.help {
        Some(help) if line.is_some() => group = group.element(Level::HELP.message(visible(help))),
        // Without a source there is no margin to hang it on.
        Some(help) => return format!("{}\n  help: {}", renderer.render(&[group]), visible(help)),
        None => {}
    }
    renderer.render(&[group])
}

/// The line that a finding points at, escaped.
struct Line {
    path: String,
    number: usize,
    column: usize,
    text: String,
    span: Range<usize>,
}

impl Line {
    fn of(at: &Location) -> Option<Self> {
        let source = at.source.as_ref()?;
        let text = source.text.as_str();
        let start = text.floor_char_boundary(at.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = text.floor_char_boundary(at.span.end.clamp(start, line_end));
        // Covered as one: an address may begin before the mark, and credentials are covered without moving anything.
        let line = crate::model::text::covered(&text[line_start..line_end]);
        let before = visible(&line[..start - line_start]);
        let marked = visible(&line[start - line_start..end - line_start]);
        let after = visible(line[end - line_start..].trim_end_matches('\r'));
        let (number, column) = source.position(start);
        Some(Self {
            path: visible(&source.name).into_owned(),
            number,
            column,
            span: before.len()..before.len() + marked.len(),
            text: format!("{before}{marked}{after}"),
        })
    }

    fn show<'a>(&'a self, group: Group<'a>) -> Group<'a> {
        if self.text.is_empty() || self.text.len() > MAX_LINE {
            return group.element(Origin::path(self.path.as_str()).line(self.number).char_column(self.column));
        }
        let mark = AnnotationKind::Primary.span(self.span.clone());
        group.element(Snippet::source(self.text.as_str()).path(self.path.as_str()).line_start(self.number).annotation(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Source, codes};

    fn finding(text: &str, span: Range<usize>) -> Diagnostic {
        let at = Location { source: Some(Source::new("wasmhook.toml", text)), span };
        Diagnostic::error(codes::UNKNOWN_KEY, "unknown key `timout` in `[[hook]]`").at(at).help("did you mean `timeout`?")
    }

    #[test]
    fn a_finding_names_code_place_line_and_way_out() {
        insta::assert_snapshot!(render(&[finding("[[hook]]\ntimout = 3\n", 9..15)], Style::default()), @r"
        error[unknown-key]: unknown key `timout` in `[[hook]]`
         --> wasmhook.toml:2:1
          |
        2 | timout = 3
          | ^^^^^^
          |
          = help: did you mean `timeout`?
        ");
    }

    #[test]
    fn findings_without_a_line_still_have_their_place() {
        let nowhere = Diagnostic::warning(codes::UNKNOWN_KEY, "no place");
        insta::assert_snapshot!(render(&[finding("", 0..0), nowhere], Style::default()), @r"
        error[unknown-key]: unknown key `timout` in `[[hook]]`
        --> wasmhook.toml:1:1
         = help: did you mean `timeout`?

        warning[unknown-key]: no place
        ");
    }

    #[test]
    fn hostile_text_is_shown_escaped_in_colour_and_without() {
        let mut hostile = finding("a = \"\u{1b}[2J\u{9b}1m\u{202e}\" # x\r\n", 0..1);
        hostile.message = "bad\u{1b}[31m\nname".to_owned();
        hostile.help = Some("say\u{7}".to_owned());
        let plain = render(std::slice::from_ref(&hostile), Style::default());
        assert!(!plain.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}', '\r']), "{plain:?}");
        assert!(plain.contains("\\u{1b}[31m\\nname"), "{plain}");
        let coloured = render(&[hostile], Style { color: true, width: 80 });
        assert!(!coloured.contains("\u{1b}[2J") && coloured.contains("\u{1b}["), "{coloured:?}");
    }

    #[test]
    fn many_findings_and_endless_lines_stay_short() {
        let long = finding(&format!("timout = \"{}\"", "x".repeat(500_000)), 0..6);
        let shown = render(&vec![long; MAX_SHOWN + 7], Style::default());
        assert!(shown.ends_with("… and 7 more\n") && shown.len() < 50_000, "{} bytes", shown.len());
        assert!(shown.contains("--> wasmhook.toml:1:1"), "{shown}");
    }
}
