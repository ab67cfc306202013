//! One line of text for people. Whatever is put in, no control character comes out: a guest can't move the cursor, set the title, or write
//! a line that reads as ours. Widths are display columns.

use super::look::{Charset, Colour, Look, Style, Symbol};
use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// One line: pieces of harmless text, each with its meaning.
#[derive(Debug, Clone)]
pub struct Line {
    look: Look,
    cells: Vec<(Style, char)>,
}

impl Line {
    /// An empty line.
    pub const fn new(look: Look) -> Self {
        Self { look, cells: Vec::new() }
    }

    /// The same line with `text`, made harmless, at its end.
    pub fn add(mut self, style: Style, text: &str) -> Self {
        self.cells.extend(harmless(text, self.look.charset).chars().map(|c| (style, c)));
        self
    }

    /// The same line with running text at its end.
    pub fn plain(self, text: &str) -> Self {
        self.add(Style::Plain, text)
    }

    /// The same line with a sign at its end.
    pub fn symbol(self, symbol: Symbol) -> Self {
        let text = symbol.show(self.look.charset);
        self.add(symbol.style(), text)
    }

    /// The same line with `count` spaces at its end.
    pub fn space(mut self, count: usize) -> Self {
        self.cells.extend(std::iter::repeat_n((Style::Plain, ' '), count));
        self
    }

    /// The same line with another line at its end.
    pub fn append(mut self, other: Self) -> Self {
        self.cells.extend(other.cells);
        self
    }

    /// Its width in columns.
    pub fn width(&self) -> usize {
        self.cells.iter().map(|(_, c)| columns(*c)).sum()
    }

    /// The same line, no wider than `max`: what is cut off is shown as an ellipsis.
    pub fn cut(mut self, max: usize) -> Self {
        if self.width() <= max {
            return self;
        }
        let sign = Symbol::Ellipsis.show(self.look.charset);
        let room = max.saturating_sub(sign.chars().count());
        let kept = fitting(&self.cells, room);
        self.cells.truncate(kept);
        self.cells.extend(sign.chars().take(max).map(|c| (Style::Dim, c)));
        self
    }

    /// The line in parts no wider than `max`, broken between words where that is possible; `indent` spaces begin all parts but the first.
    pub fn fold(self, max: usize, indent: usize) -> Vec<Self> {
        let indent = indent.min(max / 2);
        let mut parts = Vec::new();
        let mut rest = self.cells.as_slice();
        let mut start = Self::new(self.look);
        loop {
            let room = max.saturating_sub(start.width()).max(1);
            let fits = fitting(rest, room).max(1).min(rest.len());
            let end = if fits == rest.len() { fits } else { word_end(rest, fits) };
            start.cells.extend(trim_end(&rest[..end]));
            parts.push(start);
            rest = &rest[end..];
            rest = &rest[rest.iter().take_while(|(_, c)| *c == ' ').count()..];
            if rest.is_empty() {
                return parts;
            }
            start = Self::new(self.look).space(indent);
        }
    }

    /// The line in parts of at most `max` columns, broken anywhere: nothing is moved or lost.
    pub fn chop(self, max: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = self.cells.as_slice();
        loop {
            let end = fitting(rest, max.max(1)).max(1).min(rest.len());
            parts.push(Self { look: self.look, cells: rest[..end].to_vec() });
            rest = &rest[end..];
            if rest.is_empty() {
                return parts;
            }
        }
    }

    /// The text, without a line end; with SGR sequences if colours are on.
    pub fn show(&self) -> String {
        let mut shown = String::new();
        for piece in trim_end(&self.cells).chunk_by(|a, b| a.0 == b.0) {
            let sgr = piece.first().and_then(|(style, _)| style.sgr()).filter(|_| self.look.colour == Colour::On);
            if let Some(sgr) = sgr {
                let _ = write!(shown, "\u{1b}[{sgr}m"); // writing to a String can't fail
            }
            shown.extend(piece.iter().map(|(_, c)| *c));
            if sgr.is_some() {
                shown.push_str("\u{1b}[0m");
            }
        }
        shown
    }
}

/// Lines as one text, each with its end.
pub fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.show() + "\n").collect()
}

/// `text` with everything that isn't a printable character of `charset` as an escape, and tabs as spaces.
pub fn harmless(text: &str, charset: Charset) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push_str("    "),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            c if c.is_ascii_control() => {
                let _ = write!(safe, "\\x{:02x}", u32::from(c)); // writing to a String can't fail
            }
            c if is_printable(c, charset) => safe.push(c),
            c => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    safe
}

/// The longest command that is shown whole, in characters.
const LONGEST_COMMAND: usize = 300;

/// A command as people read it: of one that nobody reads to its end the beginning, and how much more there is. JSON has all of it.
pub fn brief(command: &str, charset: Charset) -> Cow<'_, str> {
    let Some((end, _)) = command.char_indices().nth(LONGEST_COMMAND) else { return Cow::Borrowed(command) };
    let more = command[end..].chars().count();
    Cow::Owned(format!("{}{} (and {more} more characters)", &command[..end], Symbol::Ellipsis.show(charset)))
}

/// Whether a character shows itself and nothing else: controls and what reorders text (bidirectional marks) don't.
pub fn is_printable(c: char, charset: Charset) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !reorders && (charset == Charset::Unicode || c.is_ascii())
}

fn columns(c: char) -> usize {
    match c {
        '\u{fe0f}' => 1, // makes an emoji, two columns wide, of the character before it
        c => c.width().unwrap_or(0),
    }
}

/// How many of the cells fit into `room` columns.
fn fitting(cells: &[(Style, char)], room: usize) -> usize {
    let mut used = 0;
    cells
        .iter()
        .take_while(|(_, c)| {
            used += columns(*c);
            used <= room
        })
        .count()
}

/// Where to break so that no word is cut, at most at `fits`; at `fits` itself if a single word fills the line.
fn word_end(cells: &[(Style, char)], fits: usize) -> usize {
    let breakable = |at: &usize| cells.get(*at).is_some_and(|(_, c)| *c == ' ');
    let words = |at: &usize| cells[..*at].iter().any(|(_, c)| *c != ' ');
    (1..=fits).rev().find(|at| breakable(at) && words(at)).unwrap_or(fits)
}

fn trim_end(cells: &[(Style, char)]) -> &[(Style, char)] {
    let blank = cells.iter().rev().take_while(|(_, c)| *c == ' ').count();
    &cells[..cells.len() - blank]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{ASCII, COLOUR, UNICODE};
    use proptest::prelude::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(Line::show).collect()
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        let line = Line::new(UNICODE).plain("a\u{1b}]0;title\u{7}b\rc\nd\te\u{9b}2J\u{202e}\u{7f}");
        assert_eq!(line.show(), r"a\x1b]0;title\x07b\rc\nd    e\u{9b}2J\u{202e}\x7f");
    }

    #[test]
    fn without_unicode_other_characters_are_numbers() {
        assert_eq!(Line::new(ASCII).plain("é✓").symbol(Symbol::Bar).show(), r"\u{e9}\u{2713}|");
    }

    #[test]
    fn a_command_that_nobody_reads_is_cut_and_says_of_how_much() {
        let whole = "é".repeat(LONGEST_COMMAND);
        assert_eq!(brief(&whole, Charset::Unicode), whole);
        let long = "sh -c ".to_owned() + &"é".repeat(900_000);
        assert_eq!(brief(&long, Charset::Unicode), format!("sh -c {}… (and 899706 more characters)", "é".repeat(LONGEST_COMMAND - 6)));
        assert!(brief(&long, Charset::Ascii).ends_with("... (and 899706 more characters)"));
    }

    #[test]
    fn widths_are_columns() {
        let line = Line::new(UNICODE).plain("日本語");
        assert_eq!(line.width(), 6);
        assert_eq!(line.cut(5).show(), "日本…");
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        let fold = |text: &str, max| shown(&Line::new(UNICODE).plain(text).fold(max, 2));
        assert_eq!(fold("one two  three", 8), ["one two", "  three"]);
        assert_eq!(fold("abcdefghij k", 4), ["abcd", "  ef", "  gh", "  ij", "  k"]);
        assert_eq!(fold("", 4), [""]);
        assert_eq!(shown(&Line::new(UNICODE).plain("ab  cd").chop(3)), ["ab", " cd"]);
    }

    #[test]
    fn colours_follow_meanings() {
        let line = Line::new(COLOUR).symbol(Symbol::Done).plain(" fine");
        assert_eq!(line.show(), "\u{1b}[32m✓\u{1b}[0m fine");
        assert_eq!(Line::new(UNICODE).symbol(Symbol::Done).plain(" fine").show(), "✓ fine");
    }

    proptest! {
        #[test]
        fn no_part_is_wider_than_asked(text in any::<String>(), max in 4usize..60, indent in 0usize..10) {
            let line = Line::new(UNICODE).plain(&text);
            for part in line.clone().fold(max, indent) {
                prop_assert!(part.width() <= max);
            }
            prop_assert!(line.clone().cut(max).width() <= max);
            let whole: String = line.clone().chop(max).iter().flat_map(|part| part.cells.iter().map(|(_, c)| *c)).collect();
            prop_assert_eq!(whole, line.cells.iter().map(|(_, c)| *c).collect::<String>());
        }
    }
}
