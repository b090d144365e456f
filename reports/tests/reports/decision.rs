//! The page that a choice is made from: order, marks, intervals, reasons.

use shakedown_chaos::expect::Metric;
use shakedown_reports::decision::{Decision, Question, Standing};
use shakedown_reports::measure::Distribution;
use shakedown_reports::terminal::style::Style;
use shakedown_reports::{Evaluation, evaluate};

use crate::logbook::kill;

/// Columns that measured these times to recover, in seconds, seed by seed; `None`: it never did.
fn columns(all: &[(&str, &[Option<u64>])]) -> Vec<Evaluation> {
    let plain = evaluate(&kill().close("noise", ""));
    let mut evaluations = Vec::new();
    for (name, values) in all {
        for (seed, value) in values.iter().enumerate() {
            let mut evaluation = plain.clone();
            (evaluation.orchestrator, evaluation.seed) = ((*name).to_owned(), seed as u64);
            for of in evaluation.metrics.iter_mut().filter(|of| of.metric == Metric::TimeToRecover) {
                of.samples = Distribution::new([value.map(|seconds| seconds * 1_000_000_000)]);
            }
            evaluations.push(evaluation);
        }
    }
    evaluations
}

fn recover(evaluations: &[Evaluation]) -> Question {
    let decision = Decision::new(evaluations, &|column, _| Some(format!("because {column} is so")));
    decision.questions.into_iter().find(|question| question.metric == Metric::TimeToRecover).expect("all measured it")
}

fn standings(all: &[(&str, &[Option<u64>])]) -> Vec<(usize, Standing)> {
    recover(&columns(all)).answers.iter().map(|answer| (answer.column, answer.standing)).collect()
}

#[test]
fn who_is_faster_on_every_one_of_six_seeds_wins() {
    let (slow, fast) = ([30, 31, 32, 33, 34, 35].map(Some), [10, 12, 11, 10, 9, 14].map(Some));
    assert_eq!(standings(&[("a", &slow), ("b", &fast)]), [(1, Standing::Winner), (0, Standing::Behind)]);
}

#[test]
fn with_five_seeds_or_one_seed_against_nobody_is_marked() {
    let (slow, fast) = ([30, 31, 32, 33, 34].map(Some), [10, 12, 11, 10, 9].map(Some));
    assert!(standings(&[("a", &slow), ("b", &fast)]).iter().all(|(_, standing)| *standing == Standing::Open));
    let (slow, mixed) = ([30, 31, 32, 33, 34, 35].map(Some), [10, 12, 11, 10, 9, 36].map(Some));
    assert!(standings(&[("a", &slow), ("b", &mixed)]).iter().all(|(_, standing)| *standing == Standing::Open));
}

#[test]
fn two_that_cannot_be_told_apart_share_the_lead_over_the_third() {
    let (one, other) = ([10, 12, 10, 12, 10, 12].map(Some), [12, 10, 12, 10, 12, 10].map(Some));
    let third = [None; 6];
    let found = standings(&[("never", &third), ("b", &one), ("c", &other)]);
    assert_eq!(found.last(), Some(&(0, Standing::Behind)), "who never recovers is last");
    assert!(found[..2].iter().all(|(_, standing)| *standing == Standing::Among), "{found:?}");
}

#[test]
fn the_page_names_the_reason_below_each_figure() {
    let evaluations = columns(&[("a", &[Some(30); 6]), ("b", &[Some(10); 6])]);
    let page = Decision::new(&evaluations, &|column, _| Some(format!("because {column} is so"))).render(Style::Plain);
    let recover = &page[page.find("\nrecover\n").expect("it is a question")..];
    let lines: Vec<&str> = recover.lines().collect();
    assert!(lines[2].starts_with("  b") && lines[2].contains("10s*"), "{recover}");
    assert!(lines[3].contains("because b is so"), "{recover}");
    assert!(lines[4].contains("against the first +20s (+20s to +20s)"), "{recover}");
}
