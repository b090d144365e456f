//! A look at a group: count, decide, write the plan.
//!
//! Start at [`Control::sync_group`].

use super::{Chain, Replica, Vacant};
use crate::control::{Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::rollout::deployment::{self, Group, Member, Placement, Stage, Vacancy, Why};
use crate::rollout::reschedule::Attempt;
use crate::time::{Span, Time};

impl Control {
    /// A worker looks at a group.
    pub(in crate::control) fn sync_group(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(current) = self.workloads[workload].current else { return };
        let cause = self.workloads[workload].cause;
        let row = self.groups.of.entry(workload).or_default();
        if !row.coming.is_empty() {
            row.again = Some(cause);
            return; // The plan before is still being written.
        }
        self.drop_unplaced(cx, workload, current);
        let row = &self.groups.of[&workload];
        let deployment = row.deployment.as_ref().filter(|d| d.revision == current);
        let number = deployment.map_or(0, |d| d.number);
        let mut stage = deployment.map_or(Stage::None, |d| d.stage);
        if stage == Stage::Running && self.workloads[workload].paused {
            stage = Stage::Paused;
        }
        let promoted = deployment.is_some_and(|d| d.promoted);
        let (pods, members) = self.members(workload, (current, number));
        let vacant = self.vacancies(workload, (current, number));
        let rule = self.update_rule(workload);
        let plan = deployment::decide(&Group {
            count: self.group_count(workload),
            members: &members,
            vacant: &vacant,
            max_parallel: rule.map_or(0, |rule| rule.max_parallel),
            canary: rule.map_or(0, |rule| rule.canary),
            stage,
            promoted,
        });
        let fact = self.begin_deployment(cx, (workload, current), (&plan, stage));
        for &member in &plan.stop {
            self.stop_replica(cx, fact, (pods[member], Deletion::ScaledDown));
        }
        for placement in &plan.place {
            self.place_replica(cx, fact, (workload, current), (placement, &pods));
        }
        if plan.complete {
            self.deployment_done(cx, workload);
        }
    }

    /// Replicas of a version that is wanted no longer, and that never found a node, were never there.
    fn drop_unplaced(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, current: RevisionId) {
        for revision in self.workloads[workload].revisions.clone() {
            for pod in self.revisions[revision].pods.clone() {
                let row = &self.pods[pod];
                if revision != current && row.node.is_none() && row.assumed.is_none() && !row.delete_sent {
                    let fact = row.last_fact;
                    if let Some(old) = self.groups.replicas.get(&pod).and_then(|r| r.replaces) {
                        self.groups.replicas.entry(old).or_default().superseded = false;
                    }
                    self.stop_replica(cx, fact, (pod, Deletion::RolledOut));
                }
            }
        }
    }

    fn members(&self, workload: WorkloadId, (current, number): (RevisionId, u32)) -> (Vec<PodId>, Vec<Member>) {
        let mut pods = Vec::new();
        let mut members = Vec::new();
        for &revision in &self.workloads[workload].revisions {
            for &pod in &self.revisions[revision].pods {
                let row = &self.pods[pod];
                let Some(replica) = self.groups.replicas.get(&pod) else { continue };
                if !row.active() || row.delete_sent || replica.unknown {
                    continue;
                }
                pods.push(pod);
                members.push(Member {
                    slot: row.slot,
                    new: revision == current,
                    canary: replica.canary,
                    of_deployment: number > 0 && replica.deployment == number,
                    health: replica.health,
                    migrate: replica.migrate,
                    superseded: replica.superseded,
                });
            }
        }
        (pods, members)
    }

    fn vacancies(&mut self, workload: WorkloadId, (current, number): (RevisionId, u32)) -> Vec<Vacancy> {
        let count = self.group_count(workload);
        let row = self.groups.of.entry(workload).or_default();
        row.vacant.retain(|&slot, vacant| slot < count || vacant.canary);
        let left = row.vacant.iter().map(|(&slot, vacant)| Vacancy {
            slot,
            new: vacant.revision == current,
            canary: vacant.canary,
            of_deployment: number > 0 && vacant.deployment == number,
            why: vacant.why,
        });
        // What has ended well is as good as there.
        let done = row.done.iter().map(|(&slot, _)| Vacancy {
            slot,
            new: true,
            canary: false,
            of_deployment: false,
            why: Why::Failed,
        });
        left.chain(done).collect()
    }

    /// A replica is stopped without a successor.
    pub(super) fn stop_replica(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, why): (PodId, Deletion)) {
        self.revisions[self.pods[pod].revision].deleting += 1;
        self.delete_pod(cx, (Client::Rollout, cause), (pod, why, None));
    }

    fn place_replica(
        &mut self,
        cx: &mut Cx<'_>,
        fact: FactId,
        (workload, current): (WorkloadId, RevisionId),
        (placement, pods): (&Placement, &[PodId]),
    ) {
        let slot = placement.slot;
        let replaces = placement.replaces.map(|member| pods[member]);
        let group = self.groups.of.entry(workload).or_default();
        let before = group.vacant.remove(&slot);
        let number = group.deployment.as_ref().filter(|d| d.revision == current && d.stage == Stage::Running);
        let number = number.map_or(0, |d| d.number);
        let former = replaces.map(|pod| self.pods[pod].revision).or_else(|| before.as_ref().map(|v| v.revision));
        let revision = if placement.old { former.unwrap_or(current) } else { current };
        let (chain, cause) = match before {
            Some(vacant) => (inherited(&vacant, placement.again, cx.now), vacant.fact),
            None => (Chain::default(), fact),
        };
        if let Some(old) = replaces {
            let replica = self.groups.replicas.entry(old).or_default();
            replica.superseded = true;
        }
        let deployment = if revision == current { number } else { 0 };
        let replica = Replica { chain, replaces, canary: placement.canary, deployment, ..Replica::default() };
        self.groups.of.entry(workload).or_default().coming.insert(slot, replica);
        self.revisions[revision].creating += 1;
        self.write(cx, Client::Rollout, cause, Write::CreatePod { revision, not_before: Time::ZERO, slot });
    }

    /// The store has a new replica of a group.
    pub(in crate::control) fn group_created(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, revision, slot, fact) = (row.workload, row.revision, row.slot, row.last_fact);
        if !self.is_group(workload) {
            return;
        }
        let creating = &mut self.revisions[revision].creating;
        *creating = creating.saturating_sub(1);
        let group = self.groups.of.entry(workload).or_default();
        let replica = group.coming.remove(&slot).unwrap_or_default();
        // It would rather avoid the nodes that its failed predecessors were on.
        if !replica.chain.nodes.is_empty() {
            self.scheduling.scheduler.set_penalty(pod, replica.chain.nodes.clone());
        }
        self.groups.replicas.insert(pod, replica);
        let owner = &self.workloads[workload];
        if !owner.exists || !owner.revisions.contains(&revision) {
            return self.delete_pod(cx, (Client::Operator, fact), (pod, Deletion::WorkloadDeleted, None));
        }
        self.plan_is_written(cx, workload);
    }

    /// The API refused to create a replica: the next look tries again.
    pub(in crate::control) fn group_refused(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let group = self.groups.of.entry(workload).or_default();
        if let Some(old) = group.coming.pop_last().and_then(|(_, replica)| replica.replaces) {
            self.groups.replicas.entry(old).or_default().superseded = false;
        }
        self.plan_is_written(cx, workload);
    }

    fn plan_is_written(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let group = self.groups.of.entry(workload).or_default();
        if group.coming.is_empty()
            && let Some(cause) = group.again.take()
        {
            self.evaluate(cx, workload, cause);
        }
    }

    /// A replica has its node: in the same plan its predecessor stops.
    pub(in crate::control) fn group_bound(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(replica) = self.groups.replicas.get_mut(&pod) else { return };
        let replaces = replica.replaces.take();
        let fact = self.pods[pod].last_fact;
        self.await_health(cx, pod);
        let Some(old) = replaces.filter(|&old| !self.pods[old].gone && !self.pods[old].delete_sent) else { return };
        let migrates = self.groups.replicas.get(&old).is_some_and(|replica| replica.migrate);
        self.pods[old].delete_sent = true;
        let why = if migrates { Deletion::Drained } else { Deletion::RolledOut };
        self.pod_deleting(cx, fact, (old, why, None));
    }

    /// While a replica is decided on, the place of the one that it replaces is free.
    pub(in crate::control) fn lend_place(&mut self, pod: PodId) -> Option<PodId> {
        let old = self.groups.replicas.get(&pod)?.replaces?;
        let node = self.pods[old].node.filter(|_| !self.pods[old].gone)?;
        let request = self.request(old);
        self.scheduling.scheduler.release(&request, node);
        Some(old)
    }

    /// It takes its place again until it stops.
    pub(in crate::control) fn take_back_place(&mut self, lent: Option<PodId>) {
        let Some((old, node)) = lent.and_then(|old| Some((old, self.pods[old].node?))) else { return };
        let request = self.request(old);
        self.scheduling.scheduler.charge(&request, node);
    }
}

/// What a replica inherits from the one before it, which failed or was lost.
fn inherited(vacant: &Vacant, again: bool, now: Time) -> Chain {
    let mut chain = vacant.chain.clone();
    if again {
        let delay = vacant.due.map_or(Span::ZERO, |(_, delay)| delay);
        chain.attempts.push(Attempt { at: now, delay });
    }
    chain
}
