//! Several runs beside each other: orchestrators or variants as columns, metrics as rows.
//!
//! A cell is the median over seeds of what a run measured at worst. Differences are paired: only runs of the same seed
//! are subtracted, because they share all luck, and the number of seeds that were better says more than a mean would.
//! Start at [`Comparison::new`].

use std::collections::BTreeMap;

use shakedown_chaos::expect::{Metric, Statistic};

use crate::format;
use crate::measure::{Distribution, Evaluation, Measured, Verdict, is_better_smaller, value_of};
use crate::terminal::style::Style;
use crate::terminal::{Align, Table};

/// A finished comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Orchestrators or variants, in the order in which they first appear.
    pub columns: Vec<Column>,
    /// Metrics that at least one column measured.
    pub rows: Vec<Row>,
}

/// One orchestrator or variant.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How many runs it has.
    pub runs: u32,
    /// Of these: passed.
    pub passed: u32,
    /// Of these: failed.
    pub failed: u32,
}

/// One metric.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub metric: Metric,
    /// A cell for each column.
    pub cells: Vec<Cell>,
}

/// What one column measured of one metric.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Median over its seeds.
    pub median: Measured,
    /// Against the first column; `None` in the first column and without a common seed.
    pub paired: Option<Paired>,
}

/// Paired differences against the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Seeds that both columns have.
    pub seeds: u32,
    /// Of these: better than the first column.
    pub better: u32,
    /// Of these: worse.
    pub worse: u32,
    /// Median of the differences, in the metric's unit; `None` when it involves something that never arrived.
    pub median: Option<i64>,
}

/// Which way a cell differs from the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tendency {
    /// Better on more seeds than not.
    Better,
    /// Worse on more seeds than not.
    Worse,
    /// Neither.
    Same,
}

impl Tendency {
    /// For style sheets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
        }
    }
}

impl Column {
    /// `3 passed`, `2 of 3 failed`.
    pub fn verdicts(&self) -> String {
        match (self.passed, self.failed) {
            (0, 0) => "demo".to_owned(),
            (passed, 0) => format!("{passed} passed"),
            (_, failed) if failed == self.runs => format!("{failed} failed"),
            (_, failed) => format!("{failed} of {} failed", self.runs),
        }
    }
}

impl Comparison {
    /// Compares runs; they are told apart by orchestrator and seed.
    pub fn new(evaluations: &[Evaluation]) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for evaluation in evaluations {
            if !names.contains(&evaluation.orchestrator.as_str()) {
                names.push(&evaluation.orchestrator);
            }
        }
        let groups: Vec<Vec<&Evaluation>> =
            names.iter().map(|name| evaluations.iter().filter(|of| of.orchestrator == *name).collect()).collect();
        let columns = names.iter().zip(&groups).map(|(name, group)| column(name, group)).collect();
        let rows = Metric::ALL.iter().map(|metric| row(*metric, &groups));
        let measured = |row: &Row| row.cells.iter().any(|cell| cell.median != Measured::Nothing);
        Self { columns, rows: rows.filter(measured).collect() }
    }

    /// The comparison as a table for the terminal.
    pub fn render(&self, style: Style) -> String {
        let mut head = vec![("median over seeds", Align::Left)];
        head.extend(self.columns.iter().map(|column| (column.name.as_str(), Align::Right)));
        let mut table = Table::new(&head);
        let mut verdicts = vec!["verdict".to_owned()];
        verdicts.extend(self.columns.iter().map(Column::verdicts));
        table.row(verdicts);
        for row in &self.rows {
            let mut cells = vec![row.metric.name().to_owned()];
            cells.extend(row.cells.iter().map(|cell| format::cell(row.metric.unit(), cell.median)));
            table.row(cells);
            if row.cells.iter().any(|cell| cell.tendency() != Tendency::Same) {
                let mut against = vec!["  paired difference".to_owned()];
                against.extend(row.cells.iter().map(|cell| cell.difference_words(row.metric)));
                table.row(against);
            }
        }
        table.lines(style).into_iter().map(|line| line + "\n").collect()
    }
}

impl Cell {
    /// `-12.5s, better on 9 of 10`.
    pub fn difference_words(&self, metric: Metric) -> String {
        let Some(paired) = self.paired else { return String::new() };
        let change = match paired.median {
            None => String::new(),
            Some(0) => "no change".to_owned(),
            Some(by) => {
                let sign = if by < 0 { "-" } else { "+" };
                format!("{sign}{}", format::quantity(metric.unit(), by.unsigned_abs()))
            }
        };
        let score = match self.tendency() {
            Tendency::Better => format!("better on {} of {}", paired.better, paired.seeds),
            Tendency::Worse => format!("worse on {} of {}", paired.worse, paired.seeds),
            Tendency::Same => String::new(),
        };
        [change, score].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Which way it differs from the first column.
    pub fn tendency(&self) -> Tendency {
        match self.paired {
            Some(paired) if paired.better > paired.worse => Tendency::Better,
            Some(paired) if paired.worse > paired.better => Tendency::Worse,
            _ => Tendency::Same,
        }
    }
}

fn column(name: &str, group: &[&Evaluation]) -> Column {
    let count = |verdict| group.iter().filter(|of| of.verdict == verdict).count() as u32;
    Column {
        name: name.to_owned(),
        runs: group.len() as u32,
        passed: count(Verdict::Passed),
        failed: count(Verdict::Failed),
    }
}

fn row(metric: Metric, groups: &[Vec<&Evaluation>]) -> Row {
    let by_seed: Vec<BTreeMap<u64, Measured>> = groups
        .iter()
        .map(|group| group.iter().map(|evaluation| (evaluation.seed, worst(evaluation, metric))).collect())
        .collect();
    let cells = by_seed.iter().enumerate().map(|(i, values)| Cell {
        median: median(values.values().copied()),
        paired: if i == 0 { None } else { pair(metric, &by_seed[0], values) },
    });
    Row { metric, cells: cells.collect() }
}

fn worst(evaluation: &Evaluation, metric: Metric) -> Measured {
    let found = evaluation.metrics.iter().find(|of| of.metric == metric);
    found.map_or(Measured::Nothing, |of| value_of(&of.samples, metric, Statistic::Max))
}

fn median(values: impl Iterator<Item = Measured>) -> Measured {
    let samples = values.filter_map(|value| match value {
        Measured::Nothing => None,
        Measured::Value(value) => Some(Some(value)),
        Measured::Never => Some(None),
    });
    Distribution::new(samples).statistic(Statistic::P50)
}

fn pair(metric: Metric, first: &BTreeMap<u64, Measured>, other: &BTreeMap<u64, Measured>) -> Option<Paired> {
    let both = other.iter().filter_map(|(seed, value)| Some((*first.get(seed)?, *value)));
    let both: Vec<_> = both.filter(|(a, b)| *a != Measured::Nothing && *b != Measured::Nothing).collect();
    if both.is_empty() {
        return None;
    }
    let smaller_is_better = is_better_smaller(metric);
    let better = both.iter().filter(|(a, b)| if smaller_is_better { b < a } else { b > a }).count();
    let worse = both.iter().filter(|(a, b)| if smaller_is_better { b > a } else { b < a }).count();
    let mut differences: Vec<Option<i64>> = both.iter().map(|pair| difference(*pair)).collect();
    differences.sort_unstable();
    Some(Paired {
        seeds: both.len() as u32,
        better: better as u32,
        worse: worse as u32,
        median: differences.iter().copied().collect::<Option<Vec<i64>>>().map(|all| all[(all.len() - 1) / 2]),
    })
}

fn difference((a, b): (Measured, Measured)) -> Option<i64> {
    match (a, b) {
        (Measured::Value(a), Measured::Value(b)) => i64::try_from(i128::from(b) - i128::from(a)).ok(),
        _ => None,
    }
}
