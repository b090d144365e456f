//! Problems: what is wrong, where, what was expected, and how to cure it.
//!
//! They are collected, not thrown: [`Problems`] is handed through all stages, and only its verdict is an error.
//! Rendering is miette's; [`Diagnostics`] only holds. Start at [`Problem`].

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Where in the sources a value stands. Cheap to copy; sources are found in [`Problems`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which source.
    pub(crate) source: u32,
    /// First byte.
    pub(crate) start: u32,
    /// Bytes.
    pub(crate) len: u32,
    /// Line, from 1; 0: the file as a whole.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
}

impl Mark {
    /// The file as a whole.
    pub(crate) const fn file(source: u32) -> Self {
        Self { source, start: 0, len: 0, line: 1, column: 1 }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can be used, but not everything in it has an effect.
    Warning,
    /// Worth knowing.
    Info,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place {
    source: Arc<NamedSource<Arc<str>>>,
    mark: Mark,
}

impl Place {
    /// The file, as it was named.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// Line, from 1.
    pub fn line(&self) -> u32 {
        self.mark.line
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> u32 {
        self.mark.column
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Code, which `explain` describes.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What was expected there; empty when the message says it.
    pub expected: String,
    /// How to cure it.
    pub help: Option<String>,
    /// Where. `None` only when there is no text to point at.
    pub place: Option<Place>,
}

impl Problem {
    /// A problem without a text to point at.
    pub(crate) fn bare(code: &'static str, message: String) -> Self {
        Self { code, severity: Severity::Error, message, expected: String::new(), help: None, place: None }
    }
}

/// In one line: `shop.yaml:3:5: error[E0201]: ...`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &*place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = self.place.as_ref()?.mark;
        let text = if self.expected.is_empty() { None } else { Some(self.expected.clone()) };
        Some(Box::new(std::iter::once(LabeledSpan::new(text, mark.start as usize, mark.len as usize))))
    }
}

/// Everything that is wrong with a file and what it names, in the order of the text.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// At least one, errors only.
    pub problems: Vec<Problem>,
    /// Further problems beyond the limit, counted only.
    pub omitted: usize,
}

impl Diagnostics {
    /// One problem.
    pub fn one(problem: Problem) -> Self {
        Self { problems: vec![problem], omitted: 0 }
    }

    /// Drawn with excerpts of the text, with colours when `theme` has them.
    pub fn render(&self, theme: miette::GraphicalTheme) -> String {
        render(&self.problems, self.omitted, theme)
    }
}

/// Draws problems with excerpts of the text.
pub(crate) fn render(problems: &[Problem], omitted: usize, theme: miette::GraphicalTheme) -> String {
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_links(false).with_width(110);
    let mut out = String::new();
    for problem in problems {
        handler.render_report(&mut out, problem).expect("writing to a string does not fail");
        out.push('\n');
    }
    if omitted > 0 {
        out.push_str(&format!("... and {omitted} more\n"));
    }
    out
}

/// One line a problem, for pipes: place, severity, code, message, what was expected, help.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            if let Some(place) = &problem.place {
                write!(f, "{place}: ")?;
            }
            write!(f, "error[{}]: {}", problem.code, problem.message)?;
            if !problem.expected.is_empty() {
                write!(f, "; {}", problem.expected)?;
            }
            if let Some(help) = &problem.help {
                write!(f, " (help: {help})")?;
            }
        }
        if self.omitted > 0 {
            write!(f, "\n... and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Longer sentences are cut: they quote a name that nobody reads to its end.
const MAX_SENTENCE: usize = 600;

/// What a file says cannot command the terminal of who reads about it.
pub(crate) fn printable(text: String) -> String {
    let long = text.chars().nth(MAX_SENTENCE).is_some();
    if !long && !text.contains(char::is_control) {
        return text;
    }
    let mut out = String::with_capacity(text.len().min(2 * MAX_SENTENCE));
    for c in text.chars().take(MAX_SENTENCE) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if long {
        out.push_str("...");
    }
    out
}

/// The same bytes with `?` for control characters, so that an excerpt is harmless and places stay right.
fn harmless(text: Arc<str>) -> Arc<str> {
    let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(harmful) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) { out.extend(std::iter::repeat_n('?', c.len_utf8())) } else { out.push(c) }
    }
    out.into()
}

/// Problems beyond this number are counted, not kept: a broken generator can produce millions.
const MAX_PROBLEMS: usize = 200;

/// Where all stages put what they find.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    sources: Vec<Arc<NamedSource<Arc<str>>>>,
    list: Vec<Problem>,
    omitted: usize,
    errors: usize,
}

impl Problems {
    /// Registers a text that marks may point into.
    pub(crate) fn add_source(&mut self, name: &str, text: Arc<str>) -> u32 {
        self.sources.push(Arc::new(NamedSource::new(printable(name.to_owned()), harmless(text))));
        u32::try_from(self.sources.len() - 1).expect("fewer files than 2^32")
    }

    /// The name of a source.
    pub(crate) fn source_name(&self, source: u32) -> &str {
        self.sources[source as usize].name()
    }

    /// `file:line:column` of a mark.
    pub(crate) fn locate(&self, mark: Mark) -> String {
        format!("{}:{}:{}", self.source_name(mark.source), mark.line, mark.column)
    }

    /// Something is wrong at `mark`. The result is for adding what was expected and what helps.
    pub(crate) fn error(&mut self, code: &'static str, mark: Mark, message: impl Into<String>) -> Draft<'_> {
        self.errors += 1;
        self.draft(code, Severity::Error, mark, message.into())
    }

    /// Something has no effect, or another than expected.
    pub(crate) fn warn(&mut self, code: &'static str, mark: Mark, message: impl Into<String>) -> Draft<'_> {
        self.draft(code, Severity::Warning, mark, message.into())
    }

    /// Something worth knowing.
    pub(crate) fn info(&mut self, code: &'static str, mark: Mark, message: impl Into<String>) -> Draft<'_> {
        self.draft(code, Severity::Info, mark, message.into())
    }

    fn draft(&mut self, code: &'static str, severity: Severity, mark: Mark, message: String) -> Draft<'_> {
        let place = self.sources.get(mark.source as usize).map(|source| Place { source: Arc::clone(source), mark });
        let problem = Problem { code, severity, message, expected: String::new(), help: None, place };
        Draft { problems: self, problem: Some(problem) }
    }

    fn push(&mut self, mut problem: Problem) {
        problem.message = printable(problem.message);
        problem.expected = printable(problem.expected);
        problem.help = problem.help.map(printable);
        let mark = |problem: &Problem| problem.place.as_ref().map(|place| place.mark);
        // A limit that is a request, too, is read twice; its reader should not be.
        if self.list.iter().any(|other| other.message == problem.message && mark(other) == mark(&problem)) {
            return;
        }
        // Counted apart, so that many remarks never push out an error.
        let wrong = problem.severity == Severity::Error;
        let alike = self.list.iter().filter(|other| (other.severity == Severity::Error) == wrong).count();
        if alike < MAX_PROBLEMS {
            self.list.push(problem);
        } else if wrong {
            self.omitted += 1;
        }
    }

    /// How many errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Errors, if any; otherwise warnings and remarks. In the order of the text.
    pub(crate) fn verdict(mut self) -> Result<Vec<Problem>, Diagnostics> {
        self.sort();
        if self.errors == 0 {
            return Ok(self.list);
        }
        let omitted = self.omitted;
        self.list.retain(|p| p.severity == Severity::Error);
        Err(Diagnostics { problems: self.list, omitted })
    }

    /// Everything, errors and remarks, in the order of the text.
    pub(crate) fn into_all(mut self) -> Vec<Problem> {
        self.sort();
        self.list
    }

    fn sort(&mut self) {
        self.list.sort_by_key(|p| p.place.as_ref().map(|place| (place.mark.source, place.mark.start)));
    }
}

/// A problem being written; it is filed when this goes out of scope.
pub(crate) struct Draft<'a> {
    problems: &'a mut Problems,
    problem: Option<Problem>,
}

impl Draft<'_> {
    /// What was expected there.
    pub(crate) fn expected(mut self, text: impl Into<String>) -> Self {
        if let Some(problem) = &mut self.problem {
            problem.expected = text.into();
        }
        self
    }

    /// How to cure it.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        if let Some(problem) = &mut self.problem {
            problem.help = Some(text.into());
        }
        self
    }

    /// `did you mean` when something near is known, and otherwise what there is, unless that is said already.
    pub(crate) fn suggest<'n>(self, word: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let listed = self.problem.as_ref().is_some_and(|problem| problem.expected.starts_with("expected one of"));
        match crate::text::suggestion(word, known) {
            Some(help) if !listed || help.starts_with("did you mean") => self.help(help),
            _ => self,
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(problem) = self.problem.take() {
            self.problems.push(problem);
        }
    }
}
