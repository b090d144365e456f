//! Every fact has a sentence: nobody is shown the inside of the program.

use shakedown_engine::fact::{Fact, FactId, FactKind, Note, Subject};
use shakedown_engine::ids::NodeId;
use shakedown_reports::measure::Pods;
use shakedown_reports::names::Names;

use crate::logbook::kill;

/// Every variant with zeros in its fields, in order: a number, and zeros, is what the log's format makes of each.
fn all<T: for<'de> serde::Deserialize<'de>>() -> Vec<T> {
    let encoded = |index: u8| {
        let mut bytes = vec![0; 200];
        bytes[0] = index;
        bytes
    };
    (0..=127).map_while(|index| postcard::from_bytes(&encoded(index)).ok()).collect()
}

#[test]
fn no_sentence_is_debug_text() {
    let run = kill().close("a", "b");
    let pods = Pods::new(&run);
    let names = Names::new(&run, &pods);
    let kinds: Vec<FactKind> = all();
    assert!(kinds.len() > 60 && kinds.iter().any(|kind| matches!(kind, FactKind::LeasesRefused { .. })));
    let notes = all::<Note>().into_iter().map(|note| FactKind::Noted { subject: Subject::Node(NodeId(0)), note });
    for kind in kinds.into_iter().chain(notes) {
        let sentence = names.sentence(&kind);
        assert_ne!(sentence, format!("{kind:?}"));
        assert!(!sentence.contains(" { ") && !sentence.contains("Id("), "{sentence}");
    }
}

#[test]
fn what_controllers_tell_is_told_once_with_its_number() {
    let mut run = kill().close("a", "b");
    let at = run.facts.last().map_or(shakedown_engine::time::Time::ZERO, |fact| fact.at);
    let told = FactKind::Noted { subject: Subject::Node(NodeId(0)), note: Note::Drained };
    let id = FactId(run.facts.len() as u32);
    run.facts.extend((1..=3).map(|n| Fact { id: FactId(id.0 + n), at, cause: FactId::NONE, kind: told }));
    let evaluation = shakedown_reports::evaluate(&run);
    let drained: Vec<String> =
        evaluation.highlights.iter().filter(|told| told.text.contains("drain")).map(|told| told.sentence()).collect();
    assert_eq!(drained, [format!("node {}: its drain is over (3 times)", run.catalog.node_name(NodeId(0)))]);
}
