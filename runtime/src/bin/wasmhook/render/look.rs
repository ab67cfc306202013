//! How text may look where it goes: how wide, with which characters, in colour or not. Values; who finds them out is the caller's business.

/// What the place that shows the text can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns that summaries, tables and plans keep to.
    pub width: usize,
    /// Which characters may be used.
    pub charset: Charset,
    /// Whether colours may be used.
    pub colour: Colour,
    /// What happens to long lines of a guest's output.
    pub long_lines: LongLines,
}

/// Which characters may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Any printable character.
    Unicode,
    /// ASCII only: everything else is shown as its number.
    Ascii,
}

/// Whether colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// SGR sequences.
    On,
    /// None (`NO_COLOR`, `TERM=dumb`, not a terminal).
    Off,
}

/// What happens to long lines of a guest's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongLines {
    /// They are folded at the width, each part with the hook's prefix: a terminal.
    Fold,
    /// They stay whole: a log file, where `grep` must find them.
    Keep,
}

/// The meaning of a piece of text; the colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Running text.
    Plain,
    /// A heading.
    Strong,
    /// Of less weight.
    Dim,
    /// Something went well.
    Good,
    /// Something to know.
    Warn,
    /// Something failed.
    Bad,
    /// A name: a hook, a step.
    Name,
}

impl Style {
    /// The parameters of its SGR sequence; `None` for running text.
    pub const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("1;31"),
            Self::Name => Some("36"),
        }
    }
}

/// A sign that says at a glance how something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
    /// Look here.
    Warning,
    /// It begins, or: from here to there.
    Arrow,
    /// It was passed over.
    Skipped,
    /// Between a hook and a line of its output.
    Bar,
    /// Something was cut.
    Ellipsis,
}

impl Symbol {
    /// The sign in `charset`.
    pub const fn show(self, charset: Charset) -> &'static str {
        match (charset, self) {
            (Charset::Unicode, Self::Done) => "✓",
            (Charset::Unicode, Self::Failed) => "✗",
            (Charset::Unicode, Self::Warning) => "⚠",
            (Charset::Unicode, Self::Arrow) => "→",
            (_, Self::Skipped) => "-",
            (Charset::Unicode, Self::Bar) => "│",
            (Charset::Unicode, Self::Ellipsis) => "…",
            (Charset::Ascii, Self::Done) => "+",
            (Charset::Ascii, Self::Failed) => "x",
            (Charset::Ascii, Self::Warning) => "!",
            (Charset::Ascii, Self::Arrow) => "->",
            (Charset::Ascii, Self::Bar) => "|",
            (Charset::Ascii, Self::Ellipsis) => "...",
        }
    }

    /// The style it is shown in.
    pub const fn style(self) -> Style {
        match self {
            Self::Done => Style::Good,
            Self::Failed => Style::Bad,
            Self::Warning => Style::Warn,
            Self::Arrow | Self::Skipped | Self::Bar | Self::Ellipsis => Style::Dim,
        }
    }
}
