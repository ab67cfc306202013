//! A command for somebody to type, and what it is for.

use super::line::Line;
use super::look::{Look, Style};

/// What can be said of something that nobody knows the end of, each with what it means.
pub const RESOLUTIONS: [(&str, &str); 3] =
    [("--retry", "it may run again"), ("--mark-done", "it is done"), ("--mark-not-run", "it did nothing")];

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Its words, each as a shell has to read it.
    pub words: Vec<String>,
    /// What it is for.
    pub purpose: String,
}

impl Typed {
    /// A command with these words.
    pub fn new(words: Vec<String>, purpose: impl Into<String>) -> Self {
        Self { words, purpose: purpose.into() }
    }

    /// So that it works when it is pasted: a line that is broken says so to the shell, and words stay whole.
    pub fn lines(&self, look: Look, indent: usize) -> Vec<Line> {
        let line = |indent: usize| Line::new(look).space(indent);
        let comment = Line::new(look).add(Style::Dim, &format!("# {}", self.purpose));
        let whole = line(indent).add(Style::Name, &self.words.join(" ")).space(2).append(comment.clone());
        if whole.width() <= look.width {
            return vec![whole];
        }
        let mut lines = vec![line(indent).append(comment)];
        let (mut last, mut empty) = (line(indent), true);
        for word in &self.words {
            let with = last.clone().add(Style::Name, &format!("{word} "));
            // Room for the sign that the command goes on.
            if with.width() < look.width || empty {
                last = with;
            } else {
                lines.push(last.plain("\\"));
                last = line(indent + 2).add(Style::Name, &format!("{word} "));
            }
            empty = false;
        }
        lines.push(last);
        lines
    }
}
