//! Endpoints as clients meet them, worked out again only when something about them has changed.
//!
//! What one endpoint does depends on its container and its host, not on who asks; what a client makes of it is in
//! `outcome`. Start at [`Endpoints`] and `review_endpoints`.

use std::collections::BTreeSet;

use shakedown_chaos::setting::Defect;
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{Id, NodeId, PodId, TemplateId, TrafficId};
use shakedown_engine::time::Span;

use super::Load;
use super::outcome::serves;
use crate::container::declared;
use crate::cpu::proportion;
use crate::network::CERTAIN;
use crate::probe::slowed;
use crate::world::SimWorld;

/// An endpoint as a client meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) node: NodeId,
    /// What it is made of, as far as its host still knows.
    pub(crate) template: Option<TemplateId>,
    /// Parts of a billion that it can answer; `None` when it does not serve.
    pub(crate) serves: Option<u64>,
    /// It hangs instead of refusing.
    pub(crate) mute: bool,
    pub(crate) service: Span,
    pub(crate) errors: u64,
    pub(crate) new: bool,
}

/// One endpoint that is in somebody's view.
#[derive(Clone, Debug)]
struct Row {
    /// As last worked out; `None` while it has never been on any host.
    state: Option<Endpoint>,
    /// Sources with a view that has it.
    sources: Vec<TrafficId>,
    dirty: bool,
}

/// All endpoints in anybody's view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    rows: Vec<Option<Box<Row>>>,
    by_node: BTreeSet<(NodeId, PodId)>,
    dirty: Vec<PodId>,
    /// How often one endpoint was worked out.
    #[cfg(test)]
    pub(crate) evaluated: usize,
}

impl Endpoints {
    fn row(&mut self, pod: PodId) -> Option<&mut Row> {
        self.rows.get_mut(pod.index())?.as_deref_mut()
    }

    /// An endpoint as last worked out.
    pub(crate) fn state(&self, pod: PodId) -> Option<Endpoint> {
        self.rows.get(pod.index())?.as_deref()?.state
    }

    /// Sources with a view that has an endpoint.
    pub(crate) fn sources(&self, pod: PodId) -> &[TrafficId] {
        self.rows.get(pod.index()).and_then(Option::as_deref).map_or(&[], |row| &row.sources)
    }

    /// Has an endpoint worked out again at the end of this instant.
    pub(crate) fn mark(&mut self, pod: PodId) {
        let Some(row) = self.row(pod) else { return };
        if !std::mem::replace(&mut row.dirty, true) {
            self.dirty.push(pod);
        }
    }

    /// The same for all that are or were on a host.
    pub(crate) fn mark_host(&mut self, node: NodeId) {
        for pod in self.on(node).collect::<Vec<_>>() {
            self.mark(pod);
        }
    }

    /// Endpoints that are or were on a host.
    pub(crate) fn on(&self, node: NodeId) -> impl Iterator<Item = PodId> {
        self.by_node.range((node, PodId(0))..=(node, PodId(u32::MAX))).map(|entry| entry.1)
    }

    fn insert(&mut self, pod: PodId, state: Option<Endpoint>) {
        if self.rows.len() <= pod.index() {
            self.rows.resize_with(pod.index() + 1, || None);
        }
        self.by_node.extend(state.map(|state| (state.node, pod)));
        self.rows[pod.index()] = Some(Box::new(Row { state, sources: Vec::new(), dirty: false }));
    }

    /// No view of a source has the endpoint any more.
    pub(crate) fn release(&mut self, pod: PodId, source: TrafficId) {
        let Some(row) = self.row(pod) else { return };
        row.sources.retain(|known| *known != source);
        if row.sources.is_empty() {
            let state = row.state;
            self.rows[pod.index()] = None;
            if let Some(state) = state {
                self.by_node.remove(&(state.node, pod));
            }
        }
    }
}

impl SimWorld {
    /// An endpoint that comes into a view of a source.
    pub(crate) fn watch_endpoint(&mut self, pod: PodId, source: TrafficId) -> Option<Endpoint> {
        if self.loads.endpoints.row(pod).is_none() {
            let state = self.evaluate(pod);
            self.loads.endpoints.insert(pod, state);
        }
        let row = self.loads.endpoints.row(pod)?;
        let state = row.state;
        if !row.sources.contains(&source) {
            row.sources.push(source);
            self.expose_to(pod, self.experiment.traffic[source].to);
        }
        state
    }

    /// Works out again what has changed, and corrects the sums over views that have it.
    pub(crate) fn review_endpoints(&mut self) {
        if self.loads.endpoints.dirty.is_empty() {
            return;
        }
        let mut dirty = std::mem::take(&mut self.loads.endpoints.dirty);
        for pod in dirty.drain(..) {
            let after = self.evaluate(pod);
            let Some(row) = self.loads.endpoints.row(pod) else { continue };
            row.dirty = false;
            let before = std::mem::replace(&mut row.state, after);
            if before == after {
                continue;
            }
            let sources = row.sources.clone();
            if before.is_none() {
                self.loads.endpoints.by_node.extend(after.map(|state| (state.node, pod)));
            }
            for id in sources {
                self.loads.mark(id, Load::Same, FactId::NONE);
                let mut audience = std::mem::take(&mut self.loads.sources[id].audience);
                audience.correct(self, id, (pod, before, after));
                self.loads.sources[id].audience = audience;
            }
        }
        self.loads.endpoints.dirty = dirty;
    }

    fn evaluate(&mut self, pod: PodId) -> Option<Endpoint> {
        #[cfg(test)]
        {
            self.loads.endpoints.evaluated += 1;
        }
        self.endpoint(pod)
    }

    /// What an endpoint does now, `None` when it has never been on any host.
    pub(crate) fn endpoint(&self, pod: PodId) -> Option<Endpoint> {
        let node = self.pods.home(pod)?;
        let template = self.pods.get(pod).map(|row| row.template);
        let mute = !self.hosts[node].up;
        let gone = Endpoint { node, template, serves: None, mute, service: Span::ZERO, errors: 0, new: false };
        let Some((row, id)) = self.pods.get(pod).zip(self.server(pod)) else { return Some(gone) };
        let cell = &row.cells[usize::from(id.cell)];
        if !serves(cell.phase) {
            return Some(gone);
        }
        let behaviour = self.behaviour(declared(&self.catalog.templates[row.template], id.cell).image);
        let capacity = if cell.demand > cell.share { proportion(CERTAIN, cell.share, cell.demand) } else { CERTAIN };
        let errors = match behaviour.defect {
            _ if self.now >= cell.hangs_at => return Some(Endpoint { mute: true, ..gone }),
            Defect::NeverReady => return Some(Endpoint { mute: true, ..gone }),
            Defect::Errors { permille } => u64::from(permille.min(1000)) * (CERTAIN / 1000),
            Defect::None | Defect::Crashes { .. } | Defect::Hangs { .. } | Defect::Missing => 0,
        };
        let work = slowed(behaviour.cpu_per_request, cell) + behaviour.wait_per_request;
        let new = !self.loads.first.get(row.template.index()).copied().unwrap_or(true);
        Some(Endpoint { serves: Some(capacity), service: work.permille(row.pace), errors, new, ..gone })
    }
}
