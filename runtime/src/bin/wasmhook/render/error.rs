//! An error with its causes, one a line.

use super::line::Line;
use super::look::{Look, Style};
use std::error::Error;

/// `error: …`, then each cause that the line before doesn't say already.
pub fn render(look: Look, error: &(dyn Error + 'static)) -> Vec<Line> {
    let mut said = error.to_string();
    let mut lines = titled(look, "error: ", &said);
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Errors that name their source in their own sentence would say it twice.
        if !said.ends_with(&text) {
            lines.extend(Line::new(look).space(2).add(Style::Dim, "because: ").plain(&text).fold(look.width, 4));
            said = text;
        }
        source = cause.source();
    }
    lines
}

fn titled(look: Look, title: &str, message: &str) -> Vec<Line> {
    let mut lines = message.lines();
    let first = Line::new(look).add(Style::Bad, title).plain(lines.next().unwrap_or_default());
    let mut shown = first.fold(look.width, 2);
    shown.extend(lines.flat_map(|line| Line::new(look).space(2).plain(line).fold(look.width, 2)));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::line::text;
    use crate::render::testing::UNICODE;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_said_once() {
        let error =
            Layer("cannot run: no ledger", Some(Box::new(Layer("no ledger", Some(Box::new(Layer("the disk\u{1b}[2J is full", None)))))));
        insta::assert_snapshot!(text(&render(UNICODE, &error)), @r#"
        error: cannot run: no ledger
          because: the disk\x1b[2J is full
        "#);
    }
}
