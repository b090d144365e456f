//! One self-contained HTML page a run, and one for a comparison.
//!
//! A page refers to nothing outside itself: no script, no font, no style sheet, so that it reads the same offline, in
//! an attachment, printed, and in ten years. Everything that comes from a scenario is escaped by the template engine,
//! which is told to escape always, whatever a template is called. Start at [`render`].

mod model;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde_json::Value as Json;

use crate::compare::Comparison;
use crate::decision::Decision;
use crate::json;
use crate::measure::Evaluation;
use crate::plot::{self, PlotError};
use crate::run::Run;

/// A page that could not be made.
#[derive(Debug)]
pub enum HtmlError {
    /// The timeline in it could not be drawn.
    Plot(PlotError),
    /// The template could not be filled.
    Template(minijinja::Error),
}

impl std::fmt::Display for HtmlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plot(error) => error.fmt(f),
            Self::Template(error) => write!(f, "the report's template cannot be filled: {error:#}"),
        }
    }
}

impl std::error::Error for HtmlError {}

impl From<PlotError> for HtmlError {
    fn from(error: PlotError) -> Self {
        Self::Plot(error)
    }
}

impl From<minijinja::Error> for HtmlError {
    fn from(error: minijinja::Error) -> Self {
        Self::Template(error)
    }
}

/// The report of one run.
///
/// # Errors
/// When the timeline cannot be drawn or the template cannot be filled.
pub fn render(run: &Run, evaluation: &Evaluation) -> Result<String, HtmlError> {
    let page = model::Page::new(run, evaluation);
    let timeline = Value::from_safe_string(inline_svg(&plot::timeline_svg(run)?));
    let raw = Value::from_safe_string(script_safe(&json::summary(run, evaluation)));
    let context = minijinja::context! { page => Value::from(Serde(page)), timeline, raw, style => style() };
    Ok(environment().template_from_str(include_str!("report.html"))?.render(context)?)
}

/// The page that sets several runs beside each other.
///
/// # Errors
/// When the template cannot be filled.
pub fn render_comparison(
    scenario: &str,
    tables: (&Comparison, &Decision),
    reports: &[String],
) -> Result<String, HtmlError> {
    let page = model::ComparisonPage::new(scenario, tables, reports);
    let context = minijinja::context! { page => Value::from(Serde(page)), style => style() };
    Ok(environment().template_from_str(include_str!("compare.html"))?.render(context)?)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
}

fn style() -> Value {
    Value::from_safe_string(include_str!("style.css").to_owned())
}

/// An SVG document as an element of a page: sized by the page, and without the name space that HTML implies.
fn inline_svg(svg: &str) -> String {
    let Some((head, rest)) = svg.split_once('>') else { return String::new() };
    let view_box = head.split("viewBox=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("0 0 1200 400");
    format!("<svg class=\"timeline\" role=\"img\" aria-label=\"timeline of the run\" viewBox=\"{view_box}\">{rest}")
}

/// JSON that cannot end the script element it stands in.
fn script_safe(value: &Json) -> String {
    let text = value.to_string();
    text.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
