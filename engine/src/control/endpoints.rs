//! Discovery: which pods back a service, published when the store has it.
//!
//! A change of a pod is seen by the controller after the watch's lag, waits for the batch period and for a worker, and
//! costs one write for each slice that differs (see `slices`). The answer to a write and its echo in the writer's watch
//! race each other: a pass that begins before the echo gives up and comes again a second later. Orchestrators without slices have one list and one write.
//! Source: kubernetes/kubernetes:pkg/controller/endpointslice/endpointslice_controller.go. Start at
//! [`Control::endpoint_touched`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::control::hints;
use crate::control::slices::{Conditions, SliceWrite, Slices, Want};
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{PodId, ServiceId};
use crate::message::{Order, OrderKind, Publication};
use crate::model::{Catalog, Distribution, PodTemplate};
use crate::profile::SlicePolicy;
use crate::rng::Purpose;
use crate::time::{Span, Time};

/// A service's published endpoints and what is to change.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceRow {
    pub(super) version: u32,
    /// Published as ready, in id order.
    pub(super) endpoints: Vec<PodId>,
    /// Published as terminating but serving, in id order.
    draining: Vec<PodId>,
    pub(super) slices: Slices,
    /// Changes that no pass has taken in yet, in order of time.
    pending: VecDeque<Pending>,
    /// The next pass.
    due: Option<Time>,
    /// Writes of the present pass that are still to be made; the first one is on its way.
    outgoing: VecDeque<SliceWrite>,
    /// What led to each change that is on its way.
    causes: BTreeMap<PodId, FactId>,
    /// A pass is under way, waits for a worker, or must be repeated when it ends.
    working: bool,
    waiting: bool,
    again: bool,
    /// Passes given up in a row, and when the next one is owed for that.
    failures: u32,
    retry: Option<Time>,
    /// The controller's own last write is back by then.
    echo: Time,
    /// Writes made.
    written: u32,
}

/// A change of a pod, as its controller will see it.
#[derive(Clone, Copy, Debug)]
struct Pending {
    pod: PodId,
    want: Want,
    cause: FactId,
    seen: Time,
}

/// Who works on services, and who waits for a worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    busy: u32,
    queue: VecDeque<(ServiceId, FactId)>,
}

/// Services that select pods of a template.
pub(super) fn selecting(catalog: &Catalog, template: &PodTemplate) -> Vec<ServiceId> {
    let selects = |service: ServiceId| {
        let spec = &catalog.services[service];
        let matches = spec.selector.as_ref().is_some_and(|s| s.matches(&template.labels, &catalog.names));
        matches && spec.namespace == template.namespace
    };
    catalog.services.ids().filter(|&s| selects(s)).collect()
}

impl Control {
    /// Something about a pod changed that its services may tell their clients.
    pub(super) fn endpoint_touched(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        let seen = cx.now + self.profile.control.watch_lag;
        for i in 0..self.services_of[self.pods[pod].template].len() {
            let service = self.services_of[self.pods[pod].template][i];
            let want = self.wanted_endpoint(service, pod);
            let row = &mut self.services[service];
            let newest = row.pending.iter().rev().find(|known| known.pod == pod).map(|known| known.want);
            let on_its_way =
                || row.outgoing.iter().flat_map(|w| &w.edits).find(|edit| edit.0 == pod).map(|edit| edit.1);
            if newest.or_else(on_its_way).unwrap_or_else(|| row.slices.get(pod)) == want {
                continue;
            }
            row.pending.push_back(Pending { pod, want, cause, seen });
            self.plan_service(cx, (service, cause), seen + self.profile.discovery.publish_delay);
        }
    }

    /// What the service's slices should say of a pod.
    ///
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/endpointslice/utils.go, `podToEndpoint`, and
    /// util/controller_utils.go, `ShouldPodBeInEndpoints`.
    fn wanted_endpoint(&self, service: ServiceId, pod: PodId) -> Want {
        let row = &self.pods[pod];
        let row_has_address = match row.phase {
            PodPhase::Running | PodPhase::Ready | PodPhase::Failing => true,
            PodPhase::Starting => self.services[service].slices.get(pod).is_some(),
            _ => false,
        };
        if row.gone || !row_has_address {
            return None;
        }
        let (serving, terminating) = (row.phase == PodPhase::Ready, row.deleting.is_some());
        let ready = self.catalog.services[service].publish_not_ready || serving && !terminating;
        match self.profile.discovery.slices {
            Some(_) => Some(Conditions { ready, serving, terminating }),
            // A plain list has only those that get traffic.
            None => (ready && !terminating).then_some(Conditions { ready, serving: true, terminating: false }),
        }
    }

    fn plan_service(&mut self, cx: &mut Cx<'_>, (service, cause): (ServiceId, FactId), at: Time) {
        let row = &mut self.services[service];
        if row.due.is_none_or(|due| due > at) {
            row.due = Some(at);
            cx.timers.set(at, cause, Alarm::SyncService(service));
        }
    }

    /// The service's controller looks at it, if a worker is free.
    pub(super) fn sync_service(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        // Later than planned: there was no leader in the meantime.
        if self.services[service].due.is_none_or(|due| due > cx.now) {
            return; // Another pass came before, or comes.
        }
        self.services[service].due = None;
        self.work_on_service(cx, cause, service);
    }

    fn work_on_service(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        let workers = self.profile.discovery.slices.as_ref().map_or(u32::MAX, |policy| policy.workers.max(1));
        let row = &mut self.services[service];
        if row.working {
            row.again = true;
        } else if self.endpoint_workers.busy >= workers {
            if !std::mem::replace(&mut row.waiting, true) {
                self.endpoint_workers.queue.push_back((service, cause));
            }
        } else if let Some(policy) = self.profile.discovery.slices.clone().filter(|_| cx.now < row.echo) {
            self.retry_service(cx, (service, cause), &policy);
        } else {
            self.reconcile_service(cx, cause, service);
        }
    }

    /// The controller's cache lacks its own last write: the pass is given up.
    ///
    /// Source: kubernetes/kubernetes:pkg/controller/endpointslice/endpointslice_controller.go, `StaleInformerCache` and
    /// `handleErr`; recorded on 1.36.2 as changes that follow after 1.0 s.
    fn retry_service(&mut self, cx: &mut Cx<'_>, (service, cause): (ServiceId, FactId), policy: &SlicePolicy) {
        let row = &mut self.services[service];
        let doubled = cx.now + policy.retry.times(1 << row.failures.min(20)).min(policy.retry_max);
        // The queue keeps the earlier of two times for the same service.
        let at = row.retry.filter(|owed| *owed > cx.now).map_or(doubled, |owed| owed.min(doubled));
        if row.failures >= policy.retries {
            (row.failures, row.retry) = (0, None);
            return; // Nobody looks at it again until something else happens to it.
        }
        row.failures += 1;
        row.retry = Some(at);
        self.plan_service(cx, (service, cause), at);
    }

    /// One pass: what was seen until now is compared with the slices and written.
    fn reconcile_service(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        let max =
            self.profile.discovery.slices.as_ref().map_or(usize::MAX, |policy| policy.max_endpoints.max(1) as usize);
        let row = &mut self.services[service];
        (row.failures, row.retry) = (0, None);
        let mut wanted = BTreeMap::new();
        let mut why = cause;
        while row.pending.front().is_some_and(|change| change.seen <= cx.now) {
            let Some(change) = row.pending.pop_front() else { break };
            wanted.insert(change.pod, change.want);
            row.causes.insert(change.pod, change.cause);
            why = change.cause;
        }
        row.outgoing = row.slices.plan(&wanted, max).into();
        if let Some(next) = row.pending.front() {
            let (cause, at) = (next.cause, next.seen + self.profile.discovery.publish_delay);
            self.plan_service(cx, (service, cause), at.max(cx.now));
        }
        let row = &mut self.services[service];
        if row.outgoing.is_empty() {
            row.causes.clear();
            return;
        }
        row.working = true;
        self.endpoint_workers.busy += 1;
        self.write(cx, Client::Endpoints, why, Write::Endpoints { service });
    }

    /// The store has the next slice: everybody who watches is told.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        let Some(write) = self.services[service].outgoing.pop_front() else { return };
        let mut changes = Vec::with_capacity(write.edits.len());
        self.services[service].slices.apply(&write, |pod, before, after| changes.push((pod, before, after)));
        let mut last = FactId::NONE;
        for change in changes {
            let fact = self.tell_endpoint(cx, (service, write.slice), change);
            last = if fact == FactId::NONE { last } else { fact };
        }
        if last != FactId::NONE {
            self.tell_proxies(cx, service, last);
        }
        self.await_echo(cx, service);
        if self.services[service].outgoing.is_empty() {
            self.pass_over(cx, cause, service);
        } else {
            self.write(cx, Client::Endpoints, cause, Write::Endpoints { service });
        }
    }

    /// Notes when the controller will have seen its own write, whose answer it has now.
    ///
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/endpointslice/util/endpointslice_tracker.go, `StaleSlices`.
    fn await_echo(&mut self, cx: &Cx<'_>, service: ServiceId) {
        let Some(policy) = &self.profile.discovery.slices else { return };
        let row = &mut self.services[service];
        row.written += 1;
        let number = (service.0 << 20) ^ row.written;
        let (before, after) = policy.echo;
        let drawn = self.streams.stream(Purpose::Discovery, number).below(before.as_nanos() + after.as_nanos() + 1);
        if drawn > before.as_nanos() {
            row.echo = row.echo.max(cx.now + Span::from_nanos(drawn - before.as_nanos()));
        }
    }

    /// A pass has made its last write: the worker turns to what waits.
    fn pass_over(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        let row = &mut self.services[service];
        row.working = false;
        row.causes.clear();
        self.endpoint_workers.busy -= 1;
        if std::mem::take(&mut row.again) && !std::mem::replace(&mut row.waiting, true) {
            self.endpoint_workers.queue.push_back((service, cause));
        }
        while let Some((service, cause)) = self.endpoint_workers.queue.pop_front() {
            self.services[service].waiting = false;
            self.work_on_service(cx, cause, service);
            if self.services[service].waiting {
                break; // All workers are busy again.
            }
        }
    }

    /// Records what the slices now say of a pod. Returns the fact when clients have to know.
    fn tell_endpoint(
        &mut self,
        cx: &mut Cx<'_>,
        (service, slice): (ServiceId, u32),
        (pod, before, after): (PodId, Want, Want),
    ) -> FactId {
        let row = &mut self.services[service];
        let cause = row.causes.get(&pod).copied().unwrap_or(FactId::NONE);
        let gets = |want: Want| want.is_some_and(|conditions| conditions.ready);
        let drains = |want: Want| want.is_some_and(Conditions::drains);
        let mut told = FactId::NONE;
        put(&mut row.draining, pod, drains(after));
        if put(&mut row.endpoints, pod, gets(after)) {
            let kind = match gets(after) {
                true => FactKind::EndpointAdded { service, pod },
                false => FactKind::EndpointRemoved { service, pod },
            };
            told = cx.facts.record(cx.now, cause, kind);
            self.pods[pod].last_fact = told;
        }
        let plain = after.is_some_and(|c| c.serving == c.ready && !c.terminating) && gets(before) != gets(after);
        if plain || self.profile.discovery.slices.is_none() {
            return told;
        }
        let fact = match after {
            Some(Conditions { ready, serving, terminating }) => {
                let kind = FactKind::EndpointConditions { service, pod, slice, ready, serving, terminating };
                cx.facts.record(cx.now, cause, kind)
            }
            None if gets(before) => told,
            None => cx.facts.record(cx.now, cause, FactKind::EndpointGone { service, pod }),
        };
        if told == FactId::NONE && drains(before) == drains(after) { FactId::NONE } else { fact }
    }

    fn tell_proxies(&mut self, cx: &mut Cx<'_>, service: ServiceId, cause: FactId) {
        let hints = match self.catalog.services[service].distribution {
            Distribution::Hints => self.hints(service),
            _ => None,
        };
        let row = &mut self.services[service];
        row.version += 1;
        let discovery = &self.profile.discovery;
        let publication = Publication {
            service,
            version: row.version,
            endpoints: Arc::from(row.endpoints.as_slice()),
            draining: Arc::from(row.draining.as_slice()),
            hints,
            lag: discovery.lag,
            proxy_sync: discovery.proxy_sync,
            dns_ttl: discovery.dns_ttl,
            name_poll: discovery.name_poll,
            ingress_sync: discovery.ingress_sync,
            absence: discovery.absence,
        };
        cx.orders.push(Order { cause, kind: OrderKind::Publish(publication) });
    }

    /// For which zone each ready endpoint is meant, `None` when all are for everybody.
    fn hints(&self, service: ServiceId) -> Option<Arc<[crate::ids::ZoneId]>> {
        let mut cpu = vec![0i64; self.catalog.zones.len()];
        let master = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
        let excluded = master.map(|label| self.catalog.names.find(label));
        for (id, _) in self.nodes.iter().filter(|(_, row)| row.exists() && row.healthy) {
            let spec = &self.catalog.nodes[id];
            if excluded.iter().flatten().all(|&label| spec.labels.get(label).is_none()) {
                cpu[spec.zone.0 as usize] += spec.allocatable.cpu.0;
            }
        }
        let home = |pod: &PodId| self.pods[*pod].node.map(|node| self.catalog.nodes[node].zone);
        let homes: Option<Vec<_>> = self.services[service].endpoints.iter().map(home).collect();
        hints::allot(&cpu, &homes?).map(Arc::from)
    }
}

/// Puts a pod into a sorted list or takes it out; true when that changed the list.
fn put(list: &mut Vec<PodId>, pod: PodId, wanted: bool) -> bool {
    match (list.binary_search(&pod), wanted) {
        (Err(i), true) => list.insert(i, pod),
        (Ok(i), false) => {
            list.remove(i);
        }
        _ => return false,
    }
    true
}
