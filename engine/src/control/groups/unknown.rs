//! Replicas on a silent node that are not given up at once: unknown, perhaps replaced, and reconciled when it is back.
//!
//! Source: hashicorp/nomad:nomad/structs/group.go, `DisconnectStrategy`; scheduler/reconciler/reconnecting_picker.
//! Start at [`Control::lose_replicas`].

use super::GroupAlarm;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId};
use crate::model::Survivor;
use crate::rollout::deployment::Why;

impl Control {
    /// A node is silent: its replicas are given up, or unknown for a while.
    pub(in crate::control) fn lose_replicas(&mut self, cx: &mut Cx<'_>, fact: FactId, node: NodeId) {
        for pod in self.nodes[node].pods.clone() {
            let Some(policy) = self.group_policy() else { return };
            let wish = &self.catalog.workloads[self.pods[pod].workload].wishes.lost;
            let lost_after = wish.lost_after.unwrap_or(policy.lost_after);
            let replace = wish.replace != Some(false);
            let Some(replica) = self.groups.replicas.get_mut(&pod) else { continue };
            if lost_after.is_zero() || !self.pods[pod].active() {
                continue;
            }
            replica.unknown = true;
            replica.stamp += 1;
            let (stamp, workload) = (replica.stamp, self.pods[pod].workload);
            let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::Unknown };
            let fact = cx.facts.record(cx.now, fact, note);
            cx.timers.set(cx.now + lost_after, fact, Alarm::Group(GroupAlarm::GivenUp { pod, stamp }));
            let row = self.groups.of.entry(workload).or_default();
            let (slot, revision) = (self.pods[pod].slot, self.pods[pod].revision);
            let replica = self.groups.replicas[&pod].clone();
            let why = if replace { Why::Lost } else { Why::Failed };
            let (canary, deployment, chain) = (replica.canary, replica.deployment, replica.chain);
            let vacant = super::Vacant { revision, deployment, canary, why, fact, chain, due: None, held: None };
            row.vacant.insert(slot, vacant);
            self.evaluate(cx, workload, fact);
        }
    }

    /// Whether a pod is kept though its node is silent.
    pub(in crate::control) fn is_unknown(&self, pod: PodId) -> bool {
        self.groups.replicas.get(&pod).is_some_and(|replica| replica.unknown)
    }

    /// A replica was unknown for too long: it is lost.
    pub(super) fn unknown_over(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, stamp): (PodId, u32)) {
        let replaced = self.counterpart(pod).is_some();
        let Some(replica) = self.groups.replicas.get_mut(&pod) else { return };
        if !replica.unknown || replica.stamp != stamp {
            return;
        }
        replica.unknown = false;
        // Its replacement, if it has one, is there already.
        replica.superseded = replaced;
        let (workload, slot) = (self.pods[pod].workload, self.pods[pod].slot);
        self.delete_pod(cx, (Client::Eviction, cause), (pod, Deletion::NodeLost, None));
        if let Some(vacant) = self.groups.of.get_mut(&workload).and_then(|group| group.vacant.get_mut(&slot)) {
            vacant.why = Why::Lost;
        }
        self.evaluate(cx, workload, cause);
    }

    /// The other replica of a number.
    fn counterpart(&self, pod: PodId) -> Option<PodId> {
        let row = &self.pods[pod];
        let revisions = self.workloads[row.workload].revisions.iter();
        let mut pods = revisions.flat_map(|&r| &self.revisions[r].pods).copied();
        pods.find(|&other| {
            let there = &self.pods[other];
            other != pod && there.slot == row.slot && there.active() && !there.delete_sent && !self.is_unknown(other)
        })
    }

    /// A silent node is back: of each unknown replica and its replacement one survives.
    pub(in crate::control) fn reconcile_unknown(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        for pod in self.nodes[node].pods.clone().into_iter().filter(|&pod| self.is_unknown(pod)).collect::<Vec<_>>() {
            let (workload, slot) = (self.pods[pod].workload, self.pods[pod].slot);
            let replacement = self.counterpart(pod);
            let keeps = replacement.is_none_or(|other| self.original_survives(pod, other));
            let replica = self.groups.replicas.entry(pod).or_default();
            replica.unknown = false;
            replica.stamp += 1;
            self.groups.of.entry(workload).or_default().vacant.remove(&slot);
            let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::Reconnected };
            let fact = cx.facts.record(cx.now, cause, note);
            if let Some(other) = replacement {
                let loser = if keeps { other } else { pod };
                self.stop_replica(cx, fact, (loser, Deletion::ScaledDown));
            }
            self.evaluate(cx, workload, fact);
        }
    }

    /// Which of two survives. A replacement of a newer version always does, and one that does not run never does.
    fn original_survives(&self, original: PodId, replacement: PodId) -> bool {
        let (old, new) = (&self.pods[original], &self.pods[replacement]);
        if new.revision != old.revision {
            return self.workloads[old.workload].current != Some(new.revision);
        }
        let wish = self.catalog.workloads[old.workload].wishes.lost.reconcile.unwrap_or(Survivor::BestScore);
        match wish {
            Survivor::Original => true,
            Survivor::Replacement => new.node.is_none(),
            Survivor::LongestRunning => old.bound_at <= new.bound_at || new.node.is_none(),
            // The replacement must score strictly better; scores that nobody kept count as equal.
            Survivor::BestScore => true,
        }
    }
}
