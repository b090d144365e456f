//! Colours for terminals, and their absence.
//!
//! Whether to use them is the caller's decision (a terminal, `NO_COLOR`). Start at [`Style`].

/// How text is dressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Text only: pipes, files, tests.
    #[default]
    Plain,
    /// With ANSI colours.
    Colour,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Nothing special.
    Plain,
    /// A heading.
    Strong,
    /// Less important.
    Faint,
    /// What went well.
    Good,
    /// What did not.
    Bad,
}

impl Style {
    /// Text as what it is.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Strong => "1",
            Paint::Faint => "2",
            Paint::Good => "32",
            Paint::Bad => "31",
        };
        self.wrapped(code, text)
    }

    /// A word on coloured ground.
    pub fn badge(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Good => "1;30;42",
            Paint::Bad => "1;37;41",
            Paint::Plain | Paint::Strong | Paint::Faint => "1;7",
        };
        self.wrapped(code, text)
    }

    fn wrapped(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
