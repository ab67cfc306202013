//! Diagnostics with the source they are about.

use super::line::{Line, harmless, is_printable, text};
use super::look::{Charset, Colour, Look, Style};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use wasmhook::diagnostic::{Diagnostic, Location, Severity, Source};

/// All of them, a blank line between two; empty without any.
pub fn render(look: Look, diagnostics: &[Diagnostic]) -> String {
    let shown: Vec<String> = diagnostics.iter().map(|diagnostic| one(look, diagnostic)).collect();
    shown.join("\n")
}

fn one(look: Look, diagnostic: &Diagnostic) -> String {
    match &diagnostic.at {
        Some(Location { source: Some(source), span }) => with_source(look, diagnostic, source, span.clone()),
        _ => without_source(look, diagnostic),
    }
}

fn with_source(look: Look, diagnostic: &Diagnostic, source: &Source, span: std::ops::Range<usize>) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = harmless(&diagnostic.message, look.charset);
    let help = diagnostic.help.as_ref().map(|help| harmless(help, look.charset));
    let name = harmless(&source.name, look.charset);
    let source = same_length(&source.text, look.charset);
    let end = span.end.min(source.len());
    let snippet = Snippet::source(source.as_str()).path(name).annotation(AnnotationKind::Primary.span(span.start.min(end)..end));
    let mut group = level.primary_title(message.as_str()).id(diagnostic.code).element(snippet);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer(look).render(&[group]) + "\n"
}

fn renderer(look: Look) -> Renderer {
    let renderer = match look.colour {
        Colour::On => Renderer::styled(),
        Colour::Off => Renderer::plain(),
    };
    let decor = match look.charset {
        Charset::Unicode => DecorStyle::Unicode,
        Charset::Ascii => DecorStyle::Ascii,
    };
    renderer.term_width(look.width).decor_style(decor)
}

/// The text with each character that can't be shown as it is replaced by as many `?` as it has bytes, so that spans keep their places.
fn same_length(text: &str, charset: Charset) -> String {
    let keep = |c: char| c == '\n' || c == '\t' || is_printable(c, charset);
    let line_ends = text.replace("\r\n", " \n");
    line_ends.chars().map(|c| if keep(c) { c.to_string() } else { "?".repeat(c.len_utf8()) }).collect()
}

fn without_source(look: Look, diagnostic: &Diagnostic) -> String {
    let (word, style) = match diagnostic.severity {
        Severity::Error => ("error", Style::Bad),
        Severity::Warning => ("warning", Style::Warn),
    };
    let head = Line::new(look).add(style, &format!("{word}[{}]", diagnostic.code)).plain(&format!(": {}", diagnostic.message));
    let mut lines = head.fold(look.width, 2);
    if let Some(help) = &diagnostic.help {
        lines.extend(Line::new(look).space(2).add(Style::Dim, "help: ").plain(help).fold(look.width, 4));
    }
    text(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{ASCII, UNICODE, assert_harmless};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn diagnostic(text: &str, span: std::ops::Range<usize>) -> Diagnostic {
        let source = Arc::new(Source { name: "wasmhook.toml".to_owned(), text: text.to_owned() });
        Diagnostic {
            severity: Severity::Error,
            code: "unknown-key",
            message: "unknown key `phse`".to_owned(),
            at: Some(Location { source: Some(source), span }),
            help: Some("did you mean `phase`?".to_owned()),
        }
    }

    #[test]
    fn a_finding_is_shown_in_its_source() {
        let finding = diagnostic("[[hook]]\r\nid = \"é\"\nphse = \"post-pull\"\n", 20..24);
        insta::assert_snapshot!(render(ASCII, &[finding]), @r#"
        error[unknown-key]: unknown key `phse`
         --> wasmhook.toml:3:1
          |
        3 | phse = "post-pull"
          | ^^^^
          |
          = help: did you mean `phase`?
        "#);
    }

    #[test]
    fn a_finding_without_a_source_is_a_sentence() {
        let finding = Diagnostic { at: None, ..diagnostic("", 0..0) };
        insta::assert_snapshot!(render(UNICODE, &[finding]), @r#"
        error[unknown-key]: unknown key `phse`
          help: did you mean `phase`?
        "#);
    }

    proptest! {
        #[test]
        fn no_source_steers_the_terminal(text in any::<String>(), start in 0usize..40, length in 0usize..40) {
            let start = text.ceil_char_boundary(start.min(text.len()));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            let finding = Diagnostic { message: text.clone(), ..diagnostic(&text, start..end) };
            assert_harmless(&render(UNICODE, &[finding]));
        }
    }
}
