//! What the terminal is like, found out once, at the start. Everything after it gets values.

use crate::render::given::Given;
use crate::render::look::{Charset, Colour, LongLines, Look};
use crate::ui::{Format, Progress, UiSettings};
use std::io::IsTerminal as _;

/// How wide text is where nobody says.
const WIDTH: usize = 100;
/// Text is never made narrower than this.
const NARROWEST: usize = 40;

/// One of the two streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream {
    /// Its columns, if it is a terminal; 0 is a terminal of unknown width.
    pub terminal: Option<usize>,
}

/// The streams and what the environment says about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// `NO_COLOR`, if it isn't empty.
    pub no_color: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that isn't empty.
    pub locale: Option<String>,
    /// `COLUMNS`.
    pub columns: Option<usize>,
}

impl Terminal {
    /// Looks at the process's streams; `env` answers for its environment.
    pub fn observe(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        Self {
            stdout: Stream { terminal: std::io::stdout().is_terminal().then(|| columns(std::io::stdout())) },
            stderr: Stream { terminal: std::io::stderr().is_terminal().then(|| columns(std::io::stderr())) },
            no_color: set("NO_COLOR").is_some(),
            term: set("TERM"),
            locale: set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")),
            columns: set("COLUMNS").and_then(|text| text.parse().ok()),
        }
    }

    /// How the program shows itself there.
    pub fn settings(&self, format: Format) -> UiSettings {
        let spins = self.stderr.terminal.is_some() && !self.is_dumb();
        UiSettings {
            format,
            stdout: self.look(self.stdout),
            stderr: self.look(self.stderr),
            progress: if spins { Progress::Spinner } else { Progress::Off },
            given: Given::default(),
        }
    }

    fn look(&self, stream: Stream) -> Look {
        let width = stream.terminal.filter(|width| *width > 0).or(self.columns).unwrap_or(WIDTH);
        let coloured = stream.terminal.is_some() && !self.no_color && !self.is_dumb();
        let unicode = self.locale.as_ref().is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Look {
            width: width.max(NARROWEST),
            charset: if unicode { Charset::Unicode } else { Charset::Ascii },
            colour: if coloured { Colour::On } else { Colour::Off },
            long_lines: if stream.terminal.is_some() { LongLines::Fold } else { LongLines::Keep },
        }
    }

    fn is_dumb(&self) -> bool {
        self.term.as_deref() == Some("dumb")
    }
}

fn columns(stream: impl std::os::fd::AsFd) -> usize {
    rustix::termios::tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Terminal {
        let stream = Stream { terminal: Some(120) };
        Terminal { stdout: stream, stderr: stream, locale: Some("de_DE.UTF-8".to_owned()), ..Terminal::default() }
    }

    #[test]
    fn a_terminal_gets_colours_and_a_spinner() {
        let settings = terminal().settings(Format::Human);
        let look = Look { width: 120, charset: Charset::Unicode, colour: Colour::On, long_lines: LongLines::Fold };
        assert_eq!((settings.stdout, settings.stderr, settings.progress), (look, look, Progress::Spinner));
    }

    #[test]
    fn no_color_takes_the_colours_and_nothing_else() {
        let settings = Terminal { no_color: true, ..terminal() }.settings(Format::Human);
        assert_eq!((settings.stdout.colour, settings.progress), (Colour::Off, Progress::Spinner));
    }

    #[test]
    fn a_dumb_terminal_gets_plain_lines() {
        let settings = Terminal { term: Some("dumb".to_owned()), ..terminal() }.settings(Format::Human);
        assert_eq!((settings.stderr.colour, settings.progress), (Colour::Off, Progress::Off));
    }

    #[test]
    fn a_pipe_gets_whole_lines_while_the_other_stream_is_a_terminal() {
        let settings = Terminal { stdout: Stream::default(), ..terminal() }.settings(Format::Json);
        assert_eq!((settings.stdout.long_lines, settings.stdout.colour, settings.stdout.width), (LongLines::Keep, Colour::Off, WIDTH));
        assert_eq!(settings.stderr.colour, Colour::On);
    }

    #[test]
    fn without_a_utf8_locale_ascii_is_enough() {
        let settings = Terminal { locale: Some("C".to_owned()), columns: Some(5), ..Terminal::default() }.settings(Format::Human);
        assert_eq!((settings.stdout.charset, settings.stdout.width), (Charset::Ascii, NARROWEST));
    }
}
