//! The summary for the terminal, letter by letter.

use shakedown_chaos::expect::{Bound, Metric, Quantity, Statistic};
use shakedown_reports::evaluate;
use shakedown_reports::terminal::{WIDTH, render, style::Style};

use crate::logbook::{bad_rollout, below, kill};

#[test]
fn a_killed_node_reads_as_one_story() {
    let mut book = kill();
    book.expect(Metric::TimeToRecover, Statistic::P99, below(400));
    book.expect(Metric::Availability, Statistic::Max, Bound::AtLeast(Quantity(999_000)));
    book.notes.push("kind NetworkPolicy is not simulated".to_owned());
    let run = book.close("scenarios/library/burning-server.yaml", "Doe burns at night. Is anyone woken up?");
    let text = render(&run, &evaluate(&run), Style::Plain);
    let digest = run.digest.to_string();
    assert_eq!(text.replace(&digest, "<digest>"), include_str!("burning-server.txt"));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for run in [kill().close("a", &"very long ".repeat(40)), bad_rollout().close("b", "")] {
        let text = render(&run, &evaluate(&run), Style::Plain);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}

#[test]
fn colours_appear_only_when_asked_for() {
    let run = kill().close("a", "");
    let evaluation = evaluate(&run);
    assert!(!render(&run, &evaluation, Style::Plain).contains('\u{1b}'));
    assert!(render(&run, &evaluation, Style::Colour).contains("\u{1b}["));
}
