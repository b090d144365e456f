//! Node health: silence becomes a suspicion, a suspicion closes the node, and only then, at a limited rate, evicts.
//!
//! Sources: kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go and
//! pkg/controller/tainteviction/taint_eviction.go; moby/swarmkit:manager/dispatcher. Start at [`Control::heartbeats`].

use std::collections::BTreeSet;

use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Pressure, Subject, ZoneState};
use crate::ids::{NodeId, PodId, ZoneId};
use crate::message::Beats;
use crate::model::{Taint, TaintEffect};
use crate::profile::{Eviction, Grace, TaintEviction};
use crate::rng::Purpose;
use crate::rollout::slots::SlotEvent;
use crate::scheduler::NodeState;
use crate::time::{Span, Time};

/// Unhealthy nodes that a zone needs before it can count as partially disrupted.
/// Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go, `ComputeZoneState`.
const PARTIAL_MIN_UNHEALTHY: u32 = 3;

impl Control {
    /// A node is part of the cluster; it has to report within the start-up grace.
    pub(super) fn node_registered(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeRegistered { node });
        self.nodes[node].news = fact;
        if self.nodes[node].steady || self.profile.detection.polls.is_some() {
            return; // It is heard already.
        }
        let expiry = self.on_grid(cx.now + self.profile.detection.startup_grace);
        cx.timers.set(expiry, fact, Alarm::Monitor { node, stamp: self.nodes[node].stamp });
    }

    /// News about a node's heartbeats.
    pub(super) fn heartbeats(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, beats: Beats) {
        if self.profile.detection.polls.is_some() {
            return; // Nobody listens: the control plane asks.
        }
        let row = &mut self.nodes[node];
        row.steady = beats == Beats::Steady;
        if beats == Beats::Steady {
            self.storage_agent_back(cx, cause, node);
        }
        let Some(beats) = self.accepted(cx, node, beats) else { return };
        self.heard(cx, cause, node, beats);
    }

    /// What reaches the store of a node's heartbeats has changed.
    pub(super) fn heard(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, beats: Beats) {
        let (forgotten, reset) = match beats {
            Beats::Ceased { last, .. } => (self.forgotten(last), self.timers_reset),
            _ => (false, Time::ZERO),
        };
        let row = &mut self.nodes[node];
        if !row.healthy && matches!(beats, Beats::Ceased { .. }) {
            return; // It is known to be silent; what was planned for it stays planned.
        }
        row.heard = true;
        row.unknown &= matches!(beats, Beats::Ceased { .. });
        row.stamp = row.stamp.wrapping_add(1);
        match beats {
            Beats::Steady => row.last_heard = cx.now,
            Beats::Once { next } => (row.last_heard, row.next_due) = (cx.now, next),
            Beats::Ceased { last, next } => {
                (row.last_heard, row.next_due) = (last, next);
                row.cause = cause;
                if forgotten {
                    (row.unknown, row.last_heard) = (true, reset);
                }
            }
        }
        if !row.exists() {
            return; // Nobody watches a node that is not part of the cluster.
        }
        let (healthy, stamp, last) = (row.healthy, row.stamp, row.last_heard);
        if beats != Beats::Steady {
            let expiry = self.expiry(node, last).max(cx.now);
            cx.timers.set(expiry, cause, Alarm::Monitor { node, stamp });
        }
        if !healthy && !matches!(beats, Beats::Ceased { .. }) {
            self.node_recovered(cx, cause, node);
        }
    }

    /// The monitor will look whether a silent node is heard again in time; what was planned for it before is void.
    pub(super) fn expect_heartbeat(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let row = &mut self.nodes[node];
        row.stamp = row.stamp.wrapping_add(1);
        let (stamp, last) = (row.stamp, row.last_heard);
        let expiry = self.expiry(node, last).max(cx.now);
        cx.timers.set(expiry, cause, Alarm::Monitor { node, stamp });
    }

    /// When a node that was last heard at `last` is found silent for too long.
    pub(super) fn expiry(&self, node: NodeId, last: Time) -> Time {
        let detection = &self.profile.detection;
        if let Some(given) = self.given_to_return(node) {
            return self.on_grid(last + given);
        }
        match detection.grace {
            // The monitor counts from the pass in which it first saw the newest heartbeat, by its own clock.
            Grace::Fixed(grace) => self.on_grid(self.on_grid(last) + grace),
            Grace::Lease(ttl) => self.on_grid(last + ttl),
            Grace::Pings { failures, timeout } => {
                self.on_grid(last + detection.heartbeat.times(u64::from(failures)) + timeout)
            }
            Grace::Periods(n) => {
                let mut luck = self.streams.stream(Purpose::Heartbeat, node.0 ^ self.nodes[node].stamp << 20);
                let low = detection.heartbeat - detection.heartbeat_jitter;
                let period = luck.span(low, detection.heartbeat + detection.heartbeat_jitter);
                // A new leader gives each node twice the time to register.
                // Source: moby/swarmkit:manager/dispatcher/nodes.go, `gracePeriodMultiplierUnknown`.
                let times = if self.nodes[node].unknown { 2 * n } else { n };
                self.on_grid(last + period.times(u64::from(times)))
            }
            // All timers that ran when a leader took over were set anew then.
            Grace::Granted(granted) if self.timers_reset > Time::ZERO && last <= self.timers_reset => {
                self.timers_reset + granted.failover_ttl
            }
            Grace::Granted(granted) => self.nodes[node].next_due.max(last) + granted.grace,
        }
    }

    /// The first pass of the monitor at or after `at`.
    fn on_grid(&self, at: Time) -> Time {
        at.next_tick(self.profile.detection.monitor_period, self.monitor_phase)
    }

    /// The monitor finds a node silent, unless it was heard in the meantime.
    pub(super) fn monitor(&mut self, cx: &mut Cx<'_>, node: NodeId, stamp: u32) {
        let row = &mut self.nodes[node];
        if row.stamp != stamp || !row.healthy {
            return;
        }
        if self.removal_waits(cx, node, stamp) {
            return; // It is looked at again when it has its permit.
        }
        let row = &mut self.nodes[node];
        row.healthy = false;
        let (cause, last_heard) = (row.cause, row.last_heard);
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeUnhealthy { node, last_heard });
        (self.nodes[node].unhealthy_fact, self.nodes[node].news) = (fact, fact);
        self.write(cx, Client::NodeHealth, fact, Write::NodeTaint { node });
        self.zones[self.catalog.nodes[node].zone].unhealthy += 1;
        self.rate_zones(cx, fact);
        self.storage_node_lost(cx, fact, node);
        self.storage_taints_changed(cx, fact, node);
        if let Some(after) = self.profile.orphan_after {
            cx.timers.set(cx.now + after, fact, Alarm::Orphan { node, stamp });
        }
        match &self.profile.eviction {
            Eviction::Taints(policy) => {
                let queued = cx.now + policy.taint_delay;
                cx.timers.set(queued, fact, Alarm::QueueEviction { node, stamp });
                if self.profile.discovery.unready_on_unhealthy_node {
                    self.mark_pods_unready(cx, fact, node);
                }
            }
            Eviction::AtOnce => {
                self.lose_replicas(cx, fact, node);
                self.delete_pods_of(cx, (Client::Eviction, fact), node, Deletion::NodeLost);
                // An update does not wait for the old task of a node that is down.
                // Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `DelayStart` and its node watch.
                for pod in self.nodes[node].pods.clone() {
                    self.observe_pod(cx, pod, SlotEvent::OldStopped);
                }
            }
            Eviction::Unreachable(_) => {
                if self.profile.discovery.unready_on_unhealthy_node {
                    self.mark_pods_unready(cx, fact, node);
                }
                self.agent_unreachable(cx, fact, node);
            }
            Eviction::Never => {
                let note = FactKind::Noted { subject: Subject::Node(node), note: Note::NotRescheduled };
                let fact = cx.facts.record(cx.now, fact, note);
                self.watchdog_wakes(cx, fact, node);
                if let Some(after) = self.profile.detection.disconnected_after {
                    cx.timers.set(cx.now + after, fact, Alarm::Disconnect { node, stamp });
                }
                if self.profile.discovery.unready_on_unhealthy_node {
                    self.mark_pods_unready(cx, fact, node);
                }
            }
            Eviction::Suspect => {
                for pod in self.nodes[node].pods.clone() {
                    self.supersede(cx, fact, (pod, Deletion::NodeLost));
                }
            }
        }
    }

    /// A node has been silent for so long that its connection is given up, unless it was heard since. A word only.
    pub(super) fn disconnect(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, stamp: u32) {
        let row = &self.nodes[node];
        if row.exists() && !row.healthy && row.stamp == stamp {
            let note = FactKind::Noted { subject: Subject::Node(node), note: Note::Disconnected };
            self.nodes[node].news = cx.facts.record(cx.now, cause, note);
        }
    }

    /// A node has been down for very long: what it ran is written off, and its agent will be told so if it returns.
    /// Source: moby/swarmkit:manager/dispatcher/dispatcher.go, `moveTasksToOrphaned`.
    pub(super) fn orphan(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, stamp: u32) {
        let row = &self.nodes[node];
        if row.stamp != stamp || row.healthy || !row.exists() || row.pods.is_empty() {
            return;
        }
        let kind = FactKind::Noted { subject: Subject::Node(node), note: Note::Orphaned };
        let fact = cx.facts.record(cx.now, cause, kind);
        for pod in self.nodes[node].pods.clone() {
            self.write(cx, Client::NodeHealth, fact, Write::CollectPod { pod, why: Deletion::NodeLost });
        }
    }

    fn mark_pods_unready(&mut self, cx: &mut Cx<'_>, fact: FactId, node: NodeId) {
        for pod in self.nodes[node].pods.clone() {
            if self.pods[pod].phase == PodPhase::Ready {
                self.write(cx, Client::NodeHealth, fact, Write::MarkUnready { pod, node });
            }
        }
    }

    /// Deletes all pods bound to a node.
    pub(super) fn delete_pods_of(&mut self, cx: &mut Cx<'_>, by: (Client, FactId), node: NodeId, why: Deletion) {
        for pod in self.nodes[node].pods.clone().into_iter().filter(|&pod| !self.is_unknown(pod)).collect::<Vec<_>>() {
            self.delete_pod(cx, by, (pod, why, None));
        }
    }

    /// A silent node reports again.
    pub(super) fn node_recovered(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let row = &mut self.nodes[node];
        row.healthy = true;
        row.cause = FactId::NONE;
        let evicting = row.evicting;
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeHealthy { node });
        self.nodes[node].news = fact;
        self.write(cx, Client::NodeHealth, fact, Write::NodeTaint { node });
        self.zones[self.catalog.nodes[node].zone].unhealthy -= 1;
        if let (Eviction::Taints(policy), true) = (&self.profile.eviction, evicting) {
            let at = cx.now.next_tick(policy.recovery_period, self.monitor_phase);
            cx.timers.set(at, fact, Alarm::CancelEviction { node });
        }
        if matches!(self.profile.eviction, Eviction::Suspect) {
            // Like the silence, the return is noticed when the monitor looks.
            cx.timers.set(self.on_grid(cx.now), fact, Alarm::Reinstate(node));
        }
        self.rate_zones(cx, fact);
        self.agent_back(cx, fact, node);
        self.reconcile_unknown(cx, fact, node);
        // An agent sees in its watch that its word was overwritten and says it again. One that was cut off does so when
        // it reconnects; this is for those that only fell silent.
        // Source: kubernetes/kubernetes:pkg/kubelet/status/status_manager.go, `needsReconcile`.
        if self.nodes[node].pods.iter().any(|&p| self.pods[p].overwritten) {
            self.hello(cx, fact, node);
        }
    }

    /// The store has the taint of an unhealthy node, or its removal: new pods avoid it, or may come.
    pub(super) fn node_tainted(&mut self, cx: &mut Cx<'_>, _cause: FactId, node: NodeId) {
        if !self.nodes[node].exists() {
            return; // Deleted while the change was on its way.
        }
        self.nodes[node].closed = !self.nodes[node].healthy;
        // Of a silent node nobody knows what it runs short of.
        self.nodes[node].pressed = if self.nodes[node].healthy { self.nodes[node].short } else { [false; 3] };
        self.nodes[node].joining &= cx.now < self.nodes[node].ready_at;
        self.show_node_to_scheduler(node);
        self.node_changed_for_queue(cx);
    }

    /// A node's agent says what it runs short of: the node is marked with a taint for it.
    /// Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go,
    /// `doNoScheduleTaintingPass`.
    pub(super) fn pressure_reported(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        node: NodeId,
        (pressure, on): (Pressure, bool),
    ) {
        if self.nodes[node].short[pressure as usize] == on {
            return;
        }
        self.nodes[node].short[pressure as usize] = on;
        let fact = cx.facts.record(cx.now, cause, FactKind::NodePressure { node, pressure, on });
        self.nodes[node].news = fact;
        self.write(cx, Client::NodeHealth, fact, Write::NodeTaint { node });
    }

    /// A node joins: where admission marks new nodes, it takes pods only after its agent has reported it ready.
    /// Recorded on 1.36.2: the mark goes 8-10 ms after that report.
    pub(super) fn node_joins(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let detection = &self.profile.detection;
        let ready_at = cx.now + detection.ready_after;
        let row = &mut self.nodes[node];
        row.ready_at = ready_at;
        row.joining = detection.taint_new_nodes;
        if detection.taint_new_nodes || !detection.ready_after.is_zero() {
            cx.timers.set(ready_at, cause, Alarm::NodeReady { node, taint: row.taint });
        }
    }

    /// A node that has just joined is ready, as its agent says.
    pub(super) fn node_ready(&mut self, cx: &mut Cx<'_>, cause: FactId, (node, taint): (NodeId, u32)) {
        let row = &mut self.nodes[node];
        if row.exists() && row.joining && row.taint == taint && row.ready_at <= cx.now {
            self.write(cx, Client::NodeHealth, cause, Write::NodeTaint { node });
        }
    }

    /// Tells the scheduler what it may know of a node.
    pub(super) fn show_node_to_scheduler(&mut self, node: NodeId) {
        self.daemons_notice(node);
        if !self.nodes[node].exists() {
            self.scheduling.scheduler.remove_node(node);
            return;
        }
        let state = NodeState { taints: self.taints_of(node), unschedulable: self.nodes[node].cordoned };
        self.scheduling.scheduler.set_node(node, state);
    }

    /// All taints of a node: those that people set, and those that say how it is.
    pub(super) fn taints_of(&self, node: NodeId) -> Vec<Taint> {
        let known = &self.catalog.known;
        let row = &self.nodes[node];
        let mut taints = row.taints.clone();
        let mark = |key, effect| Taint { key, value: known.empty, effect };
        if row.joining {
            taints.push(mark(known.not_ready, TaintEffect::NoSchedule));
        }
        if row.closed || row.away {
            taints.push(mark(known.unreachable, TaintEffect::NoSchedule));
        }
        if row.evicting {
            taints.push(mark(known.unreachable, TaintEffect::NoExecute));
        }
        let keys = [known.memory_pressure, known.disk_pressure, known.pid_pressure];
        for (key, _) in keys.into_iter().zip(row.pressed).filter(|(_, on)| *on) {
            taints.push(mark(key, TaintEffect::NoSchedule));
        }
        if row.cordoned {
            taints.push(mark(known.unschedulable, TaintEffect::NoSchedule));
        }
        taints
    }

    // Zones and the limiter of evictions.

    /// Recomputes each zone's state and the rate at which its nodes are tainted.
    pub(super) fn rate_zones(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        self.pools_changed(cx);
        let profile = std::sync::Arc::clone(&self.profile);
        let Eviction::Taints(policy) = &profile.eviction else { return };
        let was_all_full = self.all_full();
        for zone in self.catalog.zones.ids() {
            let state = if policy.disruption_modes { zone_state(&self.zones[zone], policy) } else { ZoneState::Normal };
            if state != self.zones[zone].state {
                self.zones[zone].state = state;
                cx.facts.record(cx.now, cause, FactKind::ZoneDisruption { zone, state });
            }
        }
        let all_full = self.all_full();
        for zone in self.catalog.zones.ids() {
            let row = &self.zones[zone];
            let rate = match row.state {
                ZoneState::Normal => policy.rate,
                ZoneState::Partial if row.nodes > policy.large_zone => policy.secondary_rate,
                ZoneState::Partial => 0,
                ZoneState::Full if all_full => 0,
                ZoneState::Full => policy.rate,
            };
            self.set_rate(cx, zone, rate);
        }
        match (was_all_full, all_full) {
            (false, true) => self.call_off_all_evictions(cx, cause),
            (true, false) => self.queue_all_unhealthy(cx, cause),
            _ => {}
        }
    }

    fn all_full(&self) -> bool {
        self.zones.rows().iter().all(|z| z.state == ZoneState::Full || z.nodes == 0)
    }

    /// Swaps a zone's limiter. A bucket that was empty stays empty.
    /// Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go, `SwapLimiter`.
    fn set_rate(&mut self, cx: &mut Cx<'_>, zone: ZoneId, rate: u32) {
        let row = &mut self.zones[zone];
        if row.rate == rate {
            return;
        }
        // One that gave nothing at all has nothing to pass on either.
        let drained = row.rate == 0 || row.token_at > cx.now;
        row.rate = rate;
        row.token_at = if drained { cx.now + interval(rate) } else { cx.now };
        self.arm_eviction(cx, zone);
    }

    /// The whole cluster is silent: the fault is more likely here, so nobody is evicted.
    fn call_off_all_evictions(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        for zone in self.catalog.zones.ids() {
            self.zones[zone].queue.clear();
        }
        for node in self.catalog.nodes.ids() {
            self.stop_evicting(cx, cause, node);
        }
    }

    /// The first node is back: the others are judged again from now on.
    fn queue_all_unhealthy(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        for node in self.catalog.nodes.ids() {
            let row = &self.nodes[node];
            if !row.healthy {
                let at = self.on_grid(cx.now + Span::from_nanos(1));
                cx.timers.set(at, cause, Alarm::QueueEviction { node, stamp: row.stamp });
            }
        }
    }

    /// A node that is still unhealthy waits for its eviction taint.
    pub(super) fn queue_eviction(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, stamp: u32) {
        let row = &self.nodes[node];
        if row.stamp != stamp || row.healthy || row.evicting || self.all_full() {
            return;
        }
        let zone = self.catalog.nodes[node].zone;
        self.zones[zone].queue.push_back((node, stamp, cause));
        self.arm_eviction(cx, zone);
    }

    fn arm_eviction(&mut self, cx: &mut Cx<'_>, zone: ZoneId) {
        let ahead = self.tokens_ahead(zone);
        let row = &mut self.zones[zone];
        let at = (row.token_at - ahead).max(cx.now);
        if row.armed_at.is_some_and(|armed| armed <= at) || row.queue.is_empty() || row.rate == 0 {
            return;
        }
        row.armed_at = Some(at);
        cx.timers.set(at, FactId::NONE, Alarm::EvictNext(zone));
    }

    /// How long before its next token a zone's limiter may already give it.
    fn tokens_ahead(&self, zone: ZoneId) -> Span {
        match &self.profile.eviction {
            Eviction::Taints(policy) if self.zones[zone].rate > 0 => {
                interval(self.zones[zone].rate).times(u64::from(policy.burst.saturating_sub(1)))
            }
            _ => Span::ZERO,
        }
    }

    /// Taints the zone's next node, if its limiter lets it.
    pub(super) fn evict_next(&mut self, cx: &mut Cx<'_>, zone: ZoneId) {
        self.zones[zone].armed_at = None;
        while self.zones[zone].rate > 0 && self.zones[zone].token_at - self.tokens_ahead(zone) <= cx.now {
            let Some((node, stamp, cause)) = self.zones[zone].queue.pop_front() else { break };
            if self.nodes[node].stamp != stamp || self.nodes[node].evicting {
                continue;
            }
            let row = &mut self.zones[zone];
            row.token_at = row.token_at.max(cx.now) + interval(row.rate);
            self.start_evicting(cx, cause, node);
        }
        self.arm_eviction(cx, zone);
    }

    /// A node gets its eviction taint; each pod goes when its toleration ends.
    fn start_evicting(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        self.nodes[node].evicting = true;
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeEvicting { node });
        self.nodes[node].unhealthy_fact = fact;
        self.show_node_to_scheduler(node);
        let taint = self.nodes[node].taint;
        let lengths: BTreeSet<Span> = self.nodes[node].pods.iter().filter_map(|&p| self.toleration(p)).collect();
        for length in lengths {
            cx.timers.set(cx.now + length, fact, Alarm::TolerationOver { node, taint, length });
        }
    }

    /// A pod that was bound to a node that is being evicted tolerates that from now on.
    pub(super) fn tolerate_from_now(&mut self, cx: &mut Cx<'_>, pod: PodId, node: NodeId) {
        let row = &self.nodes[node];
        if let (true, Some(length)) = (row.evicting, self.toleration(pod)) {
            let alarm = Alarm::TolerationOver { node, taint: row.taint, length };
            cx.timers.set(cx.now + length, row.unhealthy_fact, alarm);
        }
    }

    /// How long a pod tolerates an unreachable node; `None`: for ever.
    pub(super) fn toleration(&self, pod: PodId) -> Option<Span> {
        let Eviction::Taints(policy) = &self.profile.eviction else { return Some(Span::ZERO) };
        let known = &self.catalog.known;
        let taint = Taint { key: known.unreachable, value: known.empty, effect: TaintEffect::NoExecute };
        let tolerations = &self.catalog.templates[self.pods[pod].template].tolerations;
        let mut matching = tolerations.iter().filter(|t| t.tolerates(&taint)).peekable();
        if matching.peek().is_none() {
            if self.is_daemon(pod) {
                return None; // Daemons tolerate it without saying so.
            }
            return Some(policy.default_toleration);
        }
        matching.filter_map(|t| t.seconds).min()
    }

    /// Pods whose toleration of this length has ended are deleted.
    pub(super) fn toleration_over(&mut self, cx: &mut Cx<'_>, cause: FactId, what: (NodeId, u32, Span)) {
        let (node, taint, length) = what;
        let row = &self.nodes[node];
        if row.taint != taint || (row.exists() && !row.evicting) {
            return;
        }
        for pod in self.nodes[node].pods.clone() {
            if self.toleration(pod) == Some(length) {
                self.mark_and_delete(cx, cause, pod, Deletion::NodeLost);
                self.force_after_grace(cx, cause, pod);
            }
        }
    }

    /// Where pods of lost nodes are removed by force, that happens when their grace is over.
    fn force_after_grace(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Eviction::Taints(TaintEviction { force_after_grace: true, .. }) = &self.profile.eviction else { return };
        let grace = self.catalog.templates[self.pods[pod].template].grace.unwrap_or(self.profile.agent.default_grace);
        let collect = Write::CollectPod { pod, why: Deletion::NodeLost };
        cx.timers.set(cx.now + grace, cause, Alarm::Commit(collect));
    }

    /// A recovered node loses its eviction taint; deletions that were asked for stay.
    pub(super) fn cancel_eviction(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        // It may have been heard or missed again since, but only being found silent once more keeps the taint.
        if self.nodes[node].healthy {
            self.stop_evicting(cx, cause, node);
        }
    }

    fn stop_evicting(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if !std::mem::take(&mut self.nodes[node].evicting) {
            return;
        }
        // Tolerations that have begun to run out end with the taint; a new one starts them afresh.
        self.nodes[node].taint += 1;
        cx.facts.record(cx.now, cause, FactKind::NodeEvictionCancelled { node });
        self.show_node_to_scheduler(node);
        self.node_changed_for_queue(cx);
    }
}

fn zone_state(zone: &super::tables::ZoneRow, policy: &TaintEviction) -> ZoneState {
    let (nodes, unhealthy) = (u64::from(zone.nodes), u64::from(zone.unhealthy));
    if unhealthy > 0 && unhealthy == nodes {
        ZoneState::Full
    } else if zone.unhealthy >= PARTIAL_MIN_UNHEALTHY
        && unhealthy * 1000 >= nodes * u64::from(policy.unhealthy_threshold)
    {
        ZoneState::Partial
    } else {
        ZoneState::Normal
    }
}

/// Time between two taints at a rate in nodes per 1,000 s.
fn interval(rate: u32) -> Span {
    if rate == 0 { Span::MAX } else { Span::from_nanos(1_000_000_000_000 / u64::from(rate)) }
}
