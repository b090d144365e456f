//! What controllers, agents and the control plane told while a run went on, the same told once with its number.
//!
//! Facts about single pods are told of their workload, or ten thousand pods would be ten thousand lines. Between two
//! entries of the timeline each thing is told once. Start at [`highlights`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Deletion, Exit, FactKind, Note, Subject};
use shakedown_engine::ids::PodId;
use shakedown_engine::time::Time;

use super::measurements::Measurements;
use crate::names::Names;
use crate::notes::note_in_words;
use crate::run::Run;

/// Something that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// When for the first time.
    pub at: Time,
    /// What, without its number.
    pub text: String,
    /// How often, until the next entry of the timeline.
    pub count: u32,
}

impl Highlight {
    /// With its number, where that is not 1.
    pub fn sentence(&self) -> String {
        match self.count {
            1 => self.text.clone(),
            n => format!("{} ({n} times)", self.text),
        }
    }
}

/// All of a run, in order of time.
pub(super) fn highlights(run: &Run, measured: &Measurements, names: Names<'_>) -> Vec<Highlight> {
    let entries: Vec<Time> = run.experiment.timeline.rows().iter().map(|entry| entry.at).collect();
    let mut told: Vec<Highlight> = Vec::new();
    let mut places: BTreeMap<(usize, Thing), usize> = BTreeMap::new();
    let mut part = 0;
    for fact in &run.facts {
        let Some((thing, text)) = thing(&fact.kind, measured, names) else { continue };
        while entries.get(part).is_some_and(|at| *at <= fact.at) {
            part += 1;
        }
        let place = *places.entry((part, thing)).or_insert_with(|| {
            told.push(Highlight { at: fact.at, text: String::new(), count: 0 });
            told.len() - 1
        });
        // The newest words of a movement are where it has come to.
        told[place].text = text;
        told[place].count += 1;
    }
    told
}

/// What makes two facts the same to a reader.
type Thing = String;

fn thing(kind: &FactKind, measured: &Measurements, names: Names<'_>) -> Option<(Thing, String)> {
    let of = |pod: PodId| measured.pods.get(pod).map(|row| names.called(Subject::Workload(row.workload)));
    let word = names.run().profile.words.pod;
    let same = |text: String| Some((text.clone(), text));
    match *kind {
        FactKind::PodDeleting { pod, why: Deletion::Preempted } => {
            same(format!("a {word} of {} makes room for a higher priority", of(pod)?))
        }
        FactKind::PodDeleting { pod, why: Deletion::Tainted } => {
            same(format!("a {word} of {} goes: it does not tolerate a taint", of(pod)?))
        }
        FactKind::EvictionRefused { pod, budget } => {
            let budget = names.called(Subject::Budget(budget));
            same(format!("the eviction of a {word} of {} is refused: {budget} allows none now", of(pod)?))
        }
        FactKind::ContainerExited { pod, why: Exit::OutOfMemory, .. } => {
            same(format!("a container of {} is killed for want of memory (OOMKilled)", of(pod)?))
        }
        // Told with the container's end.
        FactKind::Noted { note: Note::OomKilled | Note::WaitForFirstConsumer, .. } => None,
        FactKind::Noted { subject: Subject::Pod(pod), note } => {
            same(format!("a {word} of {}: {}", of(pod)?, note_in_words(note)))
        }
        FactKind::AutoscalerMoved { autoscaler, .. } => {
            Some((names.called(Subject::Autoscaler(autoscaler)), names.sentence(kind)))
        }
        FactKind::PoolScaled { pool, .. } => Some((names.called(Subject::Pool(pool)), names.sentence(kind))),
        FactKind::JobFailed { .. }
        | FactKind::JobCompleted { .. }
        | FactKind::CreationRefused { .. }
        | FactKind::ChangeRefused { .. }
        | FactKind::LeasesRefused { .. }
        | FactKind::LeaderLost { .. }
        | FactKind::LeaderElected { .. }
        | FactKind::NodePressure { .. }
        | FactKind::VolumeDetached { forced: true, .. }
        | FactKind::Noted { .. } => same(names.sentence(kind)),
        _ => None,
    }
}
