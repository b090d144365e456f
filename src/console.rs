//! Where a command talks to: results on standard output, everything else on standard error.
//!
//! A reader that went away (`shakedown run … | head -1`) is not an error: output becomes silent, and the run still ends
//! with the exit code that it deserves. Start at [`Console`].

use std::fmt;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use miette::GraphicalTheme;
use shakedown_reports::terminal::style::Style;

use crate::failure::Failure;

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Standard output and standard error of a command.
pub(crate) struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    out_color: bool,
    err_color: bool,
    err_terminal: bool,
}

impl Console {
    /// The console of this process.
    pub(crate) fn of_process(choice: ColorChoice) -> Self {
        let color = |is_terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && wants_color(),
        };
        let err_terminal = io::stderr().is_terminal();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            out_color: color(io::stdout().is_terminal()),
            err_color: color(err_terminal),
            err_terminal,
        }
    }

    /// How results are dressed.
    pub(crate) fn style(&self) -> Style {
        if self.out_color { Style::Colour } else { Style::Plain }
    }

    /// Prints a result as it is.
    pub(crate) fn print(&mut self, text: &str) {
        write(&mut self.out, text);
    }

    /// Prints a line of a result.
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        self.print(&format!("{line}\n"));
    }

    /// Says something beside the result.
    pub(crate) fn note(&mut self, line: impl fmt::Display) {
        write(&mut self.err, &format!("{}\n", harmless(&line.to_string())));
    }

    /// Says why a command failed.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        match failure {
            Failure::Input(diagnostics) => {
                let text = match (self.err_terminal, self.err_color) {
                    (false, _) => format!("{diagnostics}\n"),
                    (true, true) => diagnostics.render(GraphicalTheme::unicode()),
                    (true, false) => diagnostics.render(GraphicalTheme::unicode_nocolor()),
                };
                write(&mut self.err, &text);
            }
            other => {
                let (on, off) = if self.err_color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
                write(&mut self.err, &format!("{on}error{off}: {}\n", harmless(&other.to_string())));
            }
        }
    }
}

/// Arguments are quoted back, and must not command the terminal: control characters are shown as escapes.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Writes and flushes. A broken pipe, and a full one for that matter, must not turn a verdict into a crash.
fn write(to: &mut Box<dyn Write>, text: &str) {
    if to.write_all(text.as_bytes()).and_then(|()| to.flush()).is_err() {
        *to = Box::new(io::sink());
    }
}

/// See <https://no-color.org>; a dumb terminal cannot show colours either.
fn wants_color() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
