//! Machines come: for pods that fit nowhere now, nor on what is expected already.
//!
//! Source: kubernetes/autoscaler:cluster-autoscaler/core/scaleup/orchestrator/orchestrator.go, `ScaleUp`;
//! estimator/binpacking_estimator.go. Start at [`Control::grow_pools`].

use crate::control::{Control, Cx, PodPhase};
use crate::fact::{Note, Subject};
use crate::ids::{NodeId, PodId, PoolId};
use crate::model::Resources;
use crate::scaling::machines::{Offer, choose};
use crate::scheduler::{NodeState, Outcome, Request, Scheduler};

impl Control {
    /// Pods that the scheduler found no place for, oldest first.
    pub(super) fn unplaced_pods(&self) -> Vec<PodId> {
        let waiting = self.scheduling.refused_pods();
        waiting.filter(|&pod| self.pods[pod].phase == PodPhase::Unschedulable && self.pods[pod].active()).collect()
    }

    /// Asks one group for as many machines as the waiting pods need.
    pub(super) fn grow_pools(&mut self, cx: &mut Cx<'_>) {
        let mut pods = self.unplaced_pods();
        if pods.is_empty() {
            self.pools.helpless.clear();
            return;
        }
        let mut copy = self.scheduling.scheduler.clone();
        for &node in self.pools.asked.keys() {
            copy.set_node(node, self.fresh_node(node));
        }
        pods.retain(|&pod| !self.fits_on_copy(&mut copy, pod, None));
        if pods.is_empty() {
            return; // What is expected already is enough.
        }
        let mut helped = vec![false; pods.len()];
        let mut offers = Vec::new();
        let mut machines: Vec<(PoolId, Vec<NodeId>)> = Vec::new();
        for pool in self.catalog.pools.ids() {
            if self.pools.backoff.get(&pool).is_some_and(|backoff| backoff.0 > cx.now) {
                continue;
            }
            let (offer, nodes) = self.offer_of(pool, &copy, (&pods, &mut helped));
            offers.push(offer);
            machines.push((pool, nodes));
        }
        for (&pod, _) in pods.iter().zip(&helped).filter(|(_, helped)| !**helped) {
            if self.pools.helpless.insert(pod) {
                self.note_pool(cx, Subject::Pod(pod), Note::NotTriggerScaleUp);
            }
        }
        let Some(best) = choose(&offers).map(|offer| offer.pool) else { return };
        let (_, nodes) = machines.into_iter().find(|(pool, _)| *pool == best).expect("it made the offer");
        let from = self.pool_size(best);
        let cause = self.pods[pods[0]].last_fact;
        self.pools.asked.extend(nodes.iter().map(|&node| (node, cx.now)));
        self.pools.grown_at = Some(cx.now);
        let fact = self.pool_scaled(cx, cause, (best, from));
        nodes.into_iter().for_each(|node| self.order_machine(cx, (node, fact), true));
        // The others may find a place on another group's machines.
        self.look_at_pools(cx, cx.now);
    }

    /// What a group could do for these pods: one machine after the other is filled, first fit.
    fn offer_of(
        &self,
        pool: PoolId,
        copy: &Scheduler,
        (pods, helped): (&[PodId], &mut [bool]),
    ) -> (Offer, Vec<NodeId>) {
        let spec = &self.catalog.pools[pool];
        let room = spec.max.saturating_sub(self.pool_size(pool)) as usize;
        let there = |node: &NodeId| self.nodes[*node].exists() || self.pools.asked.contains_key(node);
        let mut absent = self.pools.members[pool].iter().copied().filter(|node| !there(node)).take(room);
        let mut copy = copy.clone();
        let mut machines: Vec<NodeId> = Vec::new();
        let mut offer = Offer {
            pool,
            machines: 0,
            pods: 0,
            requested: Resources::default(),
            allocatable: spec.allocatable.clone(),
        };
        let mut next = absent.next();
        for (i, &pod) in pods.iter().enumerate() {
            let mut placed = machines.iter().any(|&node| self.fits_on_copy(&mut copy, pod, Some(node)));
            if let (false, Some(node)) = (placed, next) {
                copy.set_node(node, self.fresh_node(node));
                placed = self.fits_on_copy(&mut copy, pod, Some(node));
                if placed {
                    machines.push(node);
                    next = absent.next();
                } else {
                    copy.remove_node(node);
                }
            }
            if placed {
                helped[i] = true;
                offer.pods += 1;
                offer.requested.add(&self.catalog.templates[self.pods[pod].template].requests);
            }
        }
        offer.machines = machines.len() as u32;
        (offer, machines)
    }

    /// A machine as it will join: with what was declared of it.
    fn fresh_node(&self, node: NodeId) -> NodeState {
        NodeState { taints: self.catalog.nodes[node].taints.clone(), unschedulable: false }
    }

    /// Places a pod on the copy, on this node or on any, and charges it there.
    pub(super) fn fits_on_copy(&self, copy: &mut Scheduler, pod: PodId, only: Option<NodeId>) -> bool {
        let request = self.request(pod);
        let request = Request { only: only.or(request.only), ..request };
        match copy.place(&request) {
            Outcome::Placed { node, .. } => {
                copy.charge(&request, node);
                true
            }
            Outcome::Refused(_) => false,
        }
    }
}
