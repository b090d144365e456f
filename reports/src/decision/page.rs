//! The decision as text: a summary that fits on a screen, then each question with its reasons.

use shakedown_chaos::expect::Unit;

use super::gap::FEWEST_SEEDS;
use super::{Answer, Decision, Gap, Interval, Question, Standing};
use crate::format;
use crate::terminal::style::{Paint, Style};
use crate::terminal::{Align, Table, WIDTH, wrap};

/// Marks who is better than all others.
const WINNER: &str = "*";
/// Marks who is not shown to be worse than the best, while somebody is.
const AMONG: &str = "+";

impl Decision {
    /// The page for the terminal.
    pub fn render(&self, style: Style) -> String {
        let mut lines = self.summary(style);
        for question in &self.questions {
            lines.push(String::new());
            lines.push(style.paint(Paint::Strong, question.title));
            lines.extend(question.lines(&self.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), style));
        }
        lines.push(String::new());
        for line in self.notes() {
            lines.extend(wrap(&line, WIDTH));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// One line an orchestrator, one column a question.
    fn summary(&self, style: Style) -> Vec<String> {
        let mut head = vec![("median over seeds", Align::Left), ("verdict", Align::Right)];
        head.extend(self.questions.iter().map(|question| (question.title, Align::Right)));
        let mut table = Table::new(&head);
        for (index, column) in self.columns.iter().enumerate() {
            let mut cells = vec![column.name.clone(), column.verdicts()];
            cells.extend(self.questions.iter().map(|question| {
                let answer = question.answers.iter().find(|answer| answer.column == index);
                answer.map_or_else(String::new, |answer| answer.figure(question.metric.unit()))
            }));
            table.row(cells);
        }
        table.lines(style)
    }

    /// How far the marks can be trusted.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let runs = self.columns.iter().map(|column| column.runs as usize).max().unwrap_or(0);
        if self.columns.len() > 1 {
            notes.push(if runs < FEWEST_SEEDS {
                format!("{runs} seeds: no interval can be given, and none is marked. {FEWEST_SEEDS} seeds are the fewest, 20 are better.")
            } else {
                format!(
                    "{WINNER} better than every other, {AMONG} among the best: said only where the 95 % interval of the paired \
                     differences (same seed, same luck) excludes a tie. Each interval stands for itself."
                )
            });
        }
        for column in &self.columns {
            if let Some((seed, reason)) = &column.complaint {
                notes.push(format!("{} failed, e.g. with seed {seed}: {reason}", column.name));
            }
        }
        notes
    }
}

impl Question {
    fn lines(&self, names: &[&str], style: Style) -> Vec<String> {
        let unit = self.metric.unit();
        let mut lines = Vec::new();
        let name_width = self.answers.iter().map(|answer| names[answer.column].chars().count()).max().unwrap_or(0);
        let figures: Vec<String> = self.answers.iter().map(|answer| answer.figure(unit)).collect();
        let figure_width = figures.iter().map(|figure| figure.chars().count()).max().unwrap_or(0);
        for (answer, figure) in self.answers.iter().zip(&figures) {
            let mut line = format!("  {:name_width$}  {figure:>figure_width$}", names[answer.column]);
            for part in [answer.range_words(unit), answer.behind_words(unit)].into_iter().flatten() {
                line.push_str("   ");
                line.push_str(&part);
            }
            lines.push(if answer.standing == Standing::Winner { style.paint(Paint::Good, &line) } else { line });
            if let Some(mechanism) = &answer.mechanism {
                let indent = name_width + 4;
                for part in wrap(mechanism, WIDTH.saturating_sub(indent)) {
                    lines.push(format!("{:indent$}{}", "", style.paint(Paint::Faint, &part)));
                }
            }
        }
        lines
    }
}

impl Answer {
    /// The median with its mark.
    pub fn figure(&self, unit: Unit) -> String {
        let mark = match self.standing {
            Standing::Winner => WINNER,
            Standing::Among => AMONG,
            // Figures stay below each other.
            Standing::Behind | Standing::Open => " ",
        };
        format!("{}{mark}", format::cell(unit, self.median))
    }

    /// `range 44.3s – 52.2s`.
    pub fn range_words(&self, unit: Unit) -> Option<String> {
        let (least, most) = self.range?;
        Some(format!("{} – {}", format::cell(unit, least), format::cell(unit, most)))
    }

    /// `behind the first by 37.5s (35s to 38.3s)`.
    pub fn behind_words(&self, unit: Unit) -> Option<String> {
        let interval = self.behind?;
        if interval.low == Gap::By(0) && interval.high == Gap::By(0) {
            return Some("no difference to the first".to_owned());
        }
        Some(format!("against the first {}", interval.words(unit)))
    }
}

impl Interval {
    /// `+37.5s (+35s to +38.3s)`.
    pub fn words(&self, unit: Unit) -> String {
        format!("{} ({} to {})", self.median.words(unit), self.low.words(unit), self.high.words(unit))
    }
}

impl Gap {
    /// `+37.5s`, `-0.5 points`, `never`.
    pub fn words(self, unit: Unit) -> String {
        let Self::By(by) = self else {
            return if self == Self::OnlyFirst { "never" } else { "only here" }.to_owned();
        };
        let amount = format::quantity(unit, u64::try_from(by.unsigned_abs()).unwrap_or(u64::MAX));
        // A difference of shares is counted in points: 2 % more than 1 % would be 1.02 %.
        let amount = if unit == Unit::Ratio { amount.replace('%', " points") } else { amount };
        match by {
            0 => amount,
            1.. => format!("+{amount}"),
            _ => format!("-{amount}"),
        }
    }
}
