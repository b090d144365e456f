//! Whether the control plane's tables agree with each other: every count is taken again, the slow and obvious way.
//!
//! It repairs nothing and is never called by the engine itself; tests and checks of properties do. Start at
//! [`View::contradictions`].

use std::collections::BTreeSet;

use crate::control::tables::Tally;
use crate::control::{Control, View};
use crate::ids::{NodeId, PodId, RevisionId};
use crate::model::Resources;
use crate::profile::Eviction;

impl View<'_> {
    /// Everything in which two tables of the control plane contradict each other, in words. Empty unless the engine has
    /// a bug. Costs a look at every pod there ever was.
    pub fn contradictions(&self) -> Vec<String> {
        let control = self.control;
        let revisions = control.revisions.ids().flat_map(|r| control.audit_revision(r));
        let pods = control.pods.ids().flat_map(|p| control.audit_pod(p));
        let nodes = control.catalog.nodes.ids().flat_map(|n| control.audit_node(n));
        revisions
            .chain(pods)
            .chain(nodes)
            .chain(control.audit_zones())
            .chain(control.audit_garbage())
            .chain(control.audit_storage())
            .chain(control.audit_offers())
            .chain(control.audit_names())
            .chain(control.audit_daemons())
            .chain(control.audit_budgets())
            .chain(control.audit_quotas())
            .collect()
    }
}

impl Control {
    fn audit_revision(&self, id: RevisionId) -> Vec<String> {
        let row = &self.revisions[id];
        let mut tally = Tally::default();
        let mut wrong = Vec::new();
        for &pod in &row.pods {
            let one = self.pods[pod].tally();
            tally.active += one.active;
            tally.ready += one.ready;
            tally.terminating += one.terminating;
            if self.pods[pod].revision != id || self.pods[pod].gone {
                wrong.push(format!("{id:?} lists {pod:?}, which is gone or of another revision"));
            }
        }
        if tally != row.tally {
            wrong.push(format!("{id:?} counts {:?}, and its pods are {tally:?}", row.tally));
        }
        wrong
    }

    fn audit_pod(&self, id: PodId) -> Vec<String> {
        let row = &self.pods[id];
        let mut wrong = Vec::new();
        let place = if row.gone { None } else { row.assumed.or(row.node) };
        let seat = self.scheduling.scheduler.place_of(id);
        if seat != place {
            wrong.push(format!("{id:?} is on {place:?}, and the scheduler has it on {seat:?}"));
        }
        let listed = self.revisions[row.revision].pods.binary_search(&id).is_ok();
        if listed == row.gone {
            wrong.push(format!("{id:?} is gone ({}), and listed by its revision ({listed})", row.gone));
        }
        let on_node = row.node.is_some_and(|node| self.nodes[node].pods.contains(&id));
        if on_node != (row.node.is_some() && !row.gone) {
            wrong.push(format!("{id:?} is bound to {:?}, and listed there ({on_node})", row.node));
        }
        wrong
    }

    fn audit_node(&self, id: NodeId) -> Vec<String> {
        let mut wrong = Vec::new();
        let row = &self.nodes[id];
        let known = self.scheduling.scheduler.node(id).is_some();
        if known != row.exists() {
            wrong.push(format!("{id:?} exists ({}), and the scheduler knows it ({known})", row.exists()));
        }
        if !row.exists() && (!row.healthy || row.cordoned || row.closed || row.evicting) {
            wrong.push(format!("{id:?} does not exist and has a condition: {row:?}"));
        }
        let listed: BTreeSet<PodId> = self.nodes[id].pods.iter().copied().collect();
        if listed.len() != self.nodes[id].pods.len() {
            wrong.push(format!("{id:?} lists a pod twice"));
        }
        let mut taken = Resources::default();
        let mut pods = 0;
        for pod in self.pods.ids().filter(|&p| !self.pods[p].gone) {
            if self.pods[pod].assumed.or(self.pods[pod].node) == Some(id) {
                taken.add(&self.catalog.templates[self.pods[pod].template].requests);
                pods += 1;
            }
        }
        let requested = self.scheduling.scheduler.requested(id);
        let counted = (requested.resources.cpu, requested.resources.memory, requested.pods);
        if counted != (taken.cpu, taken.memory, pods) {
            wrong.push(format!("{id:?}: the scheduler counts {requested:?}, and {pods} pods request {taken:?}"));
        }
        wrong
    }

    /// Pods of absent nodes wait for a collector that will look.
    fn audit_garbage(&self) -> Option<String> {
        let collects = matches!(self.profile.eviction, Eviction::Taints(_));
        let forgotten = collects && self.has_orphans() && !self.garbage.awake();
        forgotten.then(|| "pods are bound to nodes that do not exist, and nobody will look".to_owned())
    }

    fn audit_zones(&self) -> Vec<String> {
        let silent = |zone| {
            let nodes = self.catalog.nodes.iter().filter(|(id, spec)| spec.zone == zone && !self.nodes[*id].healthy);
            nodes.count()
        };
        let differs = |zone: &_| silent(*zone) != self.zones[*zone].unhealthy as usize;
        let zones = self.catalog.zones.ids().filter(differs);
        let unhealthy = zones.map(|zone| format!("{zone:?} counts {} unhealthy nodes", self.zones[zone].unhealthy));
        let there = |zone| {
            let nodes = self.catalog.nodes.iter().filter(|(id, spec)| spec.zone == zone && self.nodes[*id].exists());
            nodes.count()
        };
        let miscounts = |zone: &_| there(*zone) != self.zones[*zone].nodes as usize;
        let zones = self.catalog.zones.ids().filter(miscounts);
        unhealthy.chain(zones.map(|zone| format!("{zone:?} counts {} nodes", self.zones[zone].nodes))).collect()
    }
}
