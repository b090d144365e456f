//! Discovery: which pods back a service, published when the store has it.
//!
//! Source: kubernetes/kubernetes:pkg/controller/endpointslice. Packing into slices is not modelled here: one write
//! carries all changes of a service that have piled up. Start at [`Control::endpoint_changed`].

use std::sync::Arc;

use crate::control::tables::Membership;
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{PodId, ServiceId};
use crate::message::{Order, OrderKind, Publication};
use crate::model::{Catalog, PodTemplate};

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
    /// A pod became an endpoint of its services, or no longer is one.
    pub(super) fn endpoint_changed(&mut self, cx: &mut Cx<'_>, pod: PodId, to: Membership, cause: FactId) {
        for i in 0..self.services_of[self.pods[pod].template].len() {
            let service = self.services_of[self.pods[pod].template][i];
            let to = match to {
                Membership::Out if self.stays_unready(service, pod) => Membership::In,
                to => to,
            };
            self.services[service].pending.push((pod, to, cause));
            self.plan_service(cx, service, cause);
        }
    }

    /// A pod runs, not yet ready: services that publish such pods have an endpoint.
    pub(super) fn endpoint_started(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        let publish = |s: &ServiceId| self.catalog.services[*s].publish_not_ready;
        if self.services_of[self.pods[pod].template].iter().any(publish) && self.pods[pod].deleting.is_none() {
            self.endpoint_changed(cx, pod, Membership::Out, cause);
        }
    }

    fn stays_unready(&self, service: ServiceId, pod: PodId) -> bool {
        let row = &self.pods[pod];
        let running = matches!(row.phase, PodPhase::Running | PodPhase::Ready | PodPhase::Failing);
        self.catalog.services[service].publish_not_ready && running && row.deleting.is_none()
    }

    fn plan_service(&mut self, cx: &mut Cx<'_>, service: ServiceId, cause: FactId) {
        let row = &mut self.services[service];
        if !row.sync_planned && !row.writing {
            row.sync_planned = true;
            let at = cx.now + self.profile.control.watch_lag + self.profile.discovery.publish_delay;
            cx.timers.set(at, cause, Alarm::SyncService(service));
        }
    }

    /// The service's controller writes what has piled up.
    pub(super) fn sync_service(&mut self, cx: &mut Cx<'_>, cause: FactId, service: ServiceId) {
        let row = &mut self.services[service];
        row.sync_planned = false;
        if !row.writing && !row.pending.is_empty() {
            row.writing = true;
            self.write(cx, Client::Endpoints, cause, Write::Endpoints { service });
        }
    }

    /// The store has new endpoints: everybody who watches is told.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, _cause: FactId, service: ServiceId) {
        let row = &mut self.services[service];
        row.writing = false;
        let mut last = FactId::NONE;
        for (pod, to, why) in std::mem::take(&mut row.pending) {
            let kind = match (row.endpoints.binary_search(&pod), to) {
                (Err(i), Membership::In) => {
                    row.endpoints.insert(i, pod);
                    FactKind::EndpointAdded { service, pod }
                }
                (Ok(i), Membership::Out) => {
                    row.endpoints.remove(i);
                    FactKind::EndpointRemoved { service, pod }
                }
                _ => continue,
            };
            last = cx.facts.record(cx.now, why, kind);
            self.pods[pod].last_fact = last;
        }
        if last == FactId::NONE {
            return;
        }
        row.version += 1;
        let discovery = &self.profile.discovery;
        let publication = Publication {
            service,
            version: row.version,
            endpoints: Arc::from(row.endpoints.as_slice()),
            lag: discovery.lag,
            proxy_sync: discovery.proxy_sync,
            dns_ttl: discovery.dns_ttl,
        };
        cx.orders.push(Order { cause: last, kind: OrderKind::Publish(publication) });
    }
}
