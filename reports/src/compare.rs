//! Several runs beside each other: orchestrators or variants as columns, metrics as rows.
//!
//! A cell is the median over seeds of what a run measured at worst, with the range over seeds below it. Differences are
//! paired: only runs of the same seed are subtracted, because they share all luck, and the number of seeds that were
//! better says more than a mean would. Nothing is called better or worse that chance alone would bring about in more
//! than one comparison of ten: see [`Cell::tendency`]. Start at [`Comparison::new`].

use std::collections::BTreeMap;

use shakedown_chaos::expect::{Metric, Statistic, Unit};

use crate::format;
use crate::measure::{Direction, Distribution, Evaluation, Measured, Verdict, direction, value_of};
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
    /// The first failed run's seed and reason.
    pub complaint: Option<(u64, String)>,
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
    /// Smallest and largest over its seeds, when they differ.
    pub range: Option<(Measured, Measured)>,
    /// Against the first column; `None` in the first column and without a common seed.
    pub paired: Option<Paired>,
}

/// Paired differences against the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Seeds that both columns have.
    pub seeds: u32,
    /// Of these: better than the first column. None where smaller is neither better nor worse.
    pub better: u32,
    /// Of these: worse.
    pub worse: u32,
    /// Of these: smaller than the first column, good or not.
    pub smaller: u32,
    /// Of these: larger.
    pub larger: u32,
    /// Median of the differences, in the metric's unit; `None` when it involves something that never arrived.
    pub median: Option<i64>,
}

/// Which way a cell differs from the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tendency {
    /// Better on so many seeds that it is hardly chance.
    Better,
    /// Worse on so many seeds that it is hardly chance.
    Worse,
    /// Neither, or it may be chance.
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
        // A variant's settings stand below its orchestrator, or four columns would not fit on a screen.
        let names: Vec<(&str, &str)> =
            self.columns.iter().map(|column| column.name.split_once(' ').unwrap_or((&column.name, ""))).collect();
        let mut head = vec![(self.caption(), Align::Left)];
        head.extend(names.iter().map(|name| (name.0, Align::Right)));
        let mut table = Table::new(&head);
        if names.iter().any(|name| !name.1.is_empty()) {
            table.row(std::iter::once("").chain(names.iter().map(|name| name.1)).map(str::to_owned).collect());
        }
        let mut verdicts = vec!["verdict".to_owned()];
        verdicts.extend(self.columns.iter().map(Column::verdicts));
        table.row(verdicts);
        for row in &self.rows {
            let mut cells = vec![row.metric.name().to_owned()];
            cells.extend(row.cells.iter().map(|cell| format::cell(row.metric.unit(), cell.median)));
            table.row(cells);
            if row.cells.iter().any(|cell| cell.range.is_some()) {
                let mut ranges = vec!["  range over seeds".to_owned()];
                ranges.extend(row.cells.iter().map(|cell| cell.range_words(row.metric)));
                table.row(ranges);
            }
            if row.cells.iter().any(|cell| cell.paired.is_some_and(|paired| paired.smaller + paired.larger > 0)) {
                let mut against = vec!["  paired difference".to_owned()];
                against.extend(row.cells.iter().map(|cell| cell.difference_words(row.metric)));
                table.row(against);
            }
        }
        let mut lines = table.lines(style);
        for line in self.complaints() {
            lines.extend(crate::terminal::wrap(&line, crate::terminal::WIDTH));
        }
        if let Some(note) = self.note() {
            lines.extend(crate::terminal::wrap(&note, crate::terminal::WIDTH));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// What a cell shows.
    pub fn caption(&self) -> &'static str {
        if self.columns.iter().all(|column| column.runs <= 1) { "of one seed" } else { "median over seeds" }
    }

    /// Why columns failed, by the example of their first failed seed.
    pub fn complaints(&self) -> Vec<String> {
        let failed = self.columns.iter().filter_map(|column| Some((&column.name, column.complaint.as_ref()?)));
        failed.map(|(name, (seed, reason))| format!("{name} failed, e.g. with seed {seed}: {reason}")).collect()
    }

    /// How far the differences can be trusted; `None` when there is nothing to compare.
    pub fn note(&self) -> Option<String> {
        let paired: Vec<Paired> = self.rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.paired).collect();
        let most = paired.iter().map(|paired| paired.seeds).max()?;
        let first = &self.columns.first()?.name;
        let meaning = format!("Differences are against {first}, between runs of the same seed, which share all luck.");
        Some(if most < FEWEST_SEEDS {
            format!(
                "{meaning} Fewer than {FEWEST_SEEDS} seeds cannot tell a difference from chance: none is called better or worse."
            )
        } else {
            format!(
                "{meaning} \"Better\" and \"worse\" are said only where a sign test leaves chance less than one in ten."
            )
        })
    }
}

/// With fewer paired seeds than this not even unanimity is beyond chance: of four fair coins all agree in one of eight.
const FEWEST_SEEDS: u32 = 5;

/// Two-sided sign test: whether `one` against `other` is something that fair coins do at most once in ten times.
fn is_hardly_chance(one: u32, other: u32) -> bool {
    let (all, fewer) = (one + other, one.min(other));
    if all < FEWEST_SEEDS || one == other {
        return false;
    }
    // Probabilities of a fair coin: IEEE basic operations, the same on every machine. Far down they vanish, as they may.
    let mut probability = 0.5_f64.powi(i32::try_from(all).unwrap_or(i32::MAX));
    let mut tail = probability;
    for k in 0..fewer {
        probability = probability * f64::from(all - k) / f64::from(k + 1);
        tail += probability;
    }
    // So many seeds that the first probability is no number any more: a clear majority is beyond all chance.
    if all > 1000 { fewer < all / 2 - all / 20 } else { 2.0 * tail <= 0.1 }
}

impl Cell {
    /// `351.8s – 364.1s`.
    pub fn range_words(&self, metric: Metric) -> String {
        let show = |value| format::cell(metric.unit(), value);
        self.range.map_or_else(String::new, |(least, most)| format!("{} – {}", show(least), show(most)))
    }

    /// `-12.5s, better on 9/10`.
    pub fn difference_words(&self, metric: Metric) -> String {
        let Some(paired) = self.paired else { return String::new() };
        let change = match paired.median {
            None => String::new(),
            Some(0) => "no change".to_owned(),
            Some(by) => {
                let sign = if by < 0 { "-" } else { "+" };
                let amount = format::quantity(metric.unit(), by.unsigned_abs());
                // A difference of shares is counted in points: 2 % more than 1 % would be 1.02 %.
                let amount = if metric.unit() == Unit::Ratio { amount.replace('%', " points") } else { amount };
                format!("{sign}{amount}")
            }
        };
        let score = match self.tendency() {
            Tendency::Better => format!("better on {}/{}", paired.better, paired.seeds),
            Tendency::Worse => format!("worse on {}/{}", paired.worse, paired.seeds),
            Tendency::Same if paired.smaller + paired.larger == 0 => String::new(),
            Tendency::Same if paired.seeds == 1 => String::new(),
            Tendency::Same => format!("{} lower, {} higher of {}", paired.smaller, paired.larger, paired.seeds),
        };
        [change, score].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Which way it differs from the first column, if that is hardly chance: seeds that are better and worse are held
    /// against fair coins (a two-sided sign test at one in ten), seeds without a difference left out.
    pub fn tendency(&self) -> Tendency {
        match self.paired {
            Some(paired) if !is_hardly_chance(paired.better, paired.worse) => Tendency::Same,
            Some(paired) if paired.better > paired.worse => Tendency::Better,
            Some(paired) if paired.worse > paired.better => Tendency::Worse,
            _ => Tendency::Same,
        }
    }
}

fn column(name: &str, group: &[&Evaluation]) -> Column {
    let count = |verdict| group.iter().filter(|of| of.verdict == verdict).count() as u32;
    Column {
        name: format::harmless(name),
        runs: group.len() as u32,
        passed: count(Verdict::Passed),
        failed: count(Verdict::Failed),
        complaint: group.iter().find(|of| of.verdict == Verdict::Failed).map(|of| (of.seed, of.reason.clone())),
    }
}

fn row(metric: Metric, groups: &[Vec<&Evaluation>]) -> Row {
    let by_seed: Vec<BTreeMap<u64, Measured>> = groups
        .iter()
        .map(|group| group.iter().map(|evaluation| (evaluation.seed, worst(evaluation, metric))).collect())
        .collect();
    let cells = by_seed.iter().enumerate().map(|(i, values)| Cell {
        median: statistic(values.values().copied(), Statistic::P50),
        range: range(values.values().copied()),
        paired: if i == 0 { None } else { pair(metric, &by_seed[0], values) },
    });
    Row { metric, cells: cells.collect() }
}

pub(crate) fn worst(evaluation: &Evaluation, metric: Metric) -> Measured {
    let found = evaluation.metrics.iter().find(|of| of.metric == metric);
    found.map_or(Measured::Nothing, |of| value_of(&of.samples, metric, Statistic::Max))
}

pub(crate) fn range(values: impl Iterator<Item = Measured> + Clone) -> Option<(Measured, Measured)> {
    let (least, most) = (statistic(values.clone(), Statistic::Min), statistic(values, Statistic::Max));
    (least != most).then_some((least, most))
}

pub(crate) fn statistic(values: impl Iterator<Item = Measured>, which: Statistic) -> Measured {
    let samples = values.filter_map(|value| match value {
        Measured::Nothing => None,
        Measured::Value(value) => Some(Some(value)),
        Measured::Never => Some(None),
    });
    Distribution::new(samples).statistic(which)
}

fn pair(metric: Metric, first: &BTreeMap<u64, Measured>, other: &BTreeMap<u64, Measured>) -> Option<Paired> {
    let both = other.iter().filter_map(|(seed, value)| Some((*first.get(seed)?, *value)));
    let both: Vec<_> = both.filter(|(a, b)| *a != Measured::Nothing && *b != Measured::Nothing).collect();
    if both.is_empty() {
        return None;
    }
    let smaller = both.iter().filter(|(a, b)| b < a).count() as u32;
    let larger = both.iter().filter(|(a, b)| b > a).count() as u32;
    let (better, worse) = match direction(metric) {
        Direction::SmallerIsBetter => (smaller, larger),
        Direction::LargerIsBetter => (larger, smaller),
        Direction::Neither => (0, 0),
    };
    let mut differences: Vec<Option<i64>> = both.iter().map(|pair| difference(*pair)).collect();
    differences.sort_unstable();
    Some(Paired {
        seeds: both.len() as u32,
        better,
        worse,
        smaller,
        larger,
        median: differences.iter().copied().collect::<Option<Vec<i64>>>().map(|all| all[(all.len() - 1) / 2]),
    })
}

fn difference((a, b): (Measured, Measured)) -> Option<i64> {
    match (a, b) {
        (Measured::Value(a), Measured::Value(b)) => i64::try_from(i128::from(b) - i128::from(a)).ok(),
        _ => None,
    }
}
