//! Admission: what the API server asks before it stores a new pod, and what becomes of a creation that it refuses.
//!
//! Asked in this order: the template's own faults (`LimitRange` and validation are judged when manifests are read),
//! webhooks, quotas. A controller whose creation is refused tries again with growing waits; tries that cannot succeed are
//! not carried out but counted, so that a cluster with a full quota is silent. Start at [`Control::admit`].
//!
//! Creations of pods, changes of workloads (`changes`) and renewals of leases (`leases`) are asked for. Updates of pods are not: nothing that this engine writes to a pod is an update in
//! the sense of admission rules (bindings and states are subresources).

mod audit;
mod changes;
mod leases;
mod quota;
mod webhook;

use std::collections::BTreeMap;

use crate::control::budget::PodChange;
use crate::control::tables::Loss;
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{FactId, FactKind, Refused};
use crate::ids::{RevisionId, Table, TemplateId};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::time::{Span, Time};
pub(in crate::control) use changes::Change;

/// What the API server knows for admission.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// Creations of these are asked for at all.
    concerned: Table<TemplateId, bool>,
    quotas: quota::Quotas,
    webhooks: webhook::Webhooks,
    changes: changes::Changes,
    leases: leases::Leases,
    /// Revisions whose last creation was refused.
    refusals: BTreeMap<RevisionId, Refusals>,
}

/// Refused creations of one revision, one after the other.
#[derive(Clone, Copy, Debug)]
struct Refusals {
    /// How many in a row, those that were not carried out included.
    failures: u32,
    /// When its controller tries again.
    next: Time,
    /// Why the last one was refused.
    why: Refused,
    /// An alarm is set for the next try.
    armed: bool,
}

impl Admission {
    pub(super) fn new(catalog: &Catalog, profile: &Profile) -> Self {
        let enforced = profile.control.machine.admission.enforced;
        let quotas = quota::Quotas::new(catalog, enforced);
        let webhooks = webhook::Webhooks::new(catalog, enforced);
        let concerns = |(id, template): (TemplateId, &crate::model::PodTemplate)| {
            template.refused.is_some() || quotas.concern(id) || webhooks.concern(id)
        };
        Self {
            concerned: catalog.templates.iter().map(concerns).collect(),
            quotas,
            webhooks,
            changes: changes::Changes::default(),
            leases: leases::Leases::default(),
            refusals: BTreeMap::new(),
        }
    }

    /// Whether the controller of a revision waits before it tries again to create a pod.
    pub(super) fn holds(&self, revision: RevisionId, now: Time) -> bool {
        self.refusals.get(&revision).is_some_and(|refusals| refusals.next > now)
    }

    /// A pod changed, which may end its claim on quotas.
    pub(super) fn pod_changed(&mut self, change: &PodChange<'_>) {
        if self.quotas.concern(change.row.template) {
            self.quotas.pod_changed(change);
        }
    }

    /// Whether quotas have to be counted anew.
    pub(super) fn touched(&self) -> bool {
        self.quotas.touched()
    }
}

impl Control {
    /// Whether anything has a say in the creation of a revision's pods.
    pub(super) fn asks_admission(&self, revision: RevisionId) -> bool {
        self.admission.concerned[self.revisions[revision].template]
    }

    /// The API server has a request to create a pod.
    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, cause: FactId, revision: RevisionId, write: Write) {
        let template = self.revisions[revision].template;
        if let Some(why) = self.catalog.templates[template].refused {
            return self.creation_refused(cx, cause, write, why);
        }
        let (wait, refused) = self.ask_webhooks(cx, cause, template);
        if wait.is_zero() {
            return self.admitted(cx, cause, write, refused);
        }
        cx.timers.set(cx.now + wait, cause, Alarm::Admitted { write, refused });
    }

    /// The webhooks have answered, or their time is over; what is left are quotas.
    pub(super) fn admitted(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write, refused: Option<Refused>) {
        let Write::CreatePod { revision, .. } = write else {
            return self.change_admitted(cx, cause, write, refused);
        };
        let template = self.revisions[revision].template;
        if let Some(why) = refused.or_else(|| self.over_quota(template)) {
            return self.creation_refused(cx, cause, write, why);
        }
        self.admission.refusals.remove(&revision);
        self.admission.quotas.charge(template, self.pods.next_id());
        self.store_has(cx, cause, write);
    }

    /// The API server refuses a creation: its controller stops creating and tries again later.
    fn creation_refused(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write, why: Refused) {
        let Write::CreatePod { revision, not_before, slot, .. } = write else {
            return;
        };
        let workload = self.revisions[revision].workload;
        let requeue = self.profile.control.machine.requeue;
        let before = self.admission.refusals.get(&revision).copied();
        if before.is_none_or(|before| before.why != why) {
            cx.facts.record(cx.now, cause, FactKind::CreationRefused { workload, why });
        }
        // The failures of one batch are one failure of its controller's pass.
        let same_pass = before.is_some_and(|before| !before.armed && before.next > cx.now);
        let failures = before.map_or(0, |before| before.failures) + u32::from(!same_pass);
        let next = if same_pass { before.map_or(cx.now, |b| b.next) } else { cx.now + requeue.wait(failures) };
        self.admission.refusals.insert(revision, Refusals { failures, next, why, armed: false });
        self.revisions[revision].losses.push_back(Loss { fact: cause, not_before, slot });
        self.creation_given_up(cx, revision);
        if self.could_pass(revision, why) {
            self.arm_retry(cx, revision);
        }
    }

    /// Whether a try may succeed that comes at a time of its own, without anything having changed: which backend a
    /// webhook's request reaches is luck.
    fn could_pass(&self, _revision: RevisionId, why: Refused) -> bool {
        match why {
            Refused::Webhook { webhook } => self.webhook_may_answer(webhook),
            Refused::Quota { .. } | Refused::LimitRange | Refused::Invalid => false,
        }
    }

    /// Something changed that creations were refused for: each controller's next try counts again.
    pub(super) fn retry_creations(&mut self, cx: &mut Cx<'_>, concerns: impl Fn(Refused) -> bool) {
        let waiting = self.admission.refusals.iter().filter(|(_, r)| concerns(r.why) && !r.armed);
        for revision in waiting.map(|(revision, _)| *revision).collect::<Vec<_>>() {
            self.arm_retry(cx, revision);
        }
    }

    /// Sets the alarm for a controller's next try; those that have passed have failed.
    fn arm_retry(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let requeue = self.profile.control.machine.requeue;
        let Some(refusals) = self.admission.refusals.get_mut(&revision) else {
            return;
        };
        while refusals.next < cx.now {
            refusals.failures += 1;
            refusals.next += requeue.wait(refusals.failures);
        }
        refusals.armed = true;
        cx.timers.set(refusals.next, self.revisions[revision].wanted_fact, Alarm::RetryCreation(revision));
    }

    /// A controller tries again.
    pub(super) fn retry_creation(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        if let Some(refusals) = self.admission.refusals.get_mut(&revision) {
            refusals.armed = false;
            self.plan_revision(cx, revision, Span::ZERO);
            let workload = self.revisions[revision].workload;
            if self.is_set(workload) {
                self.plan_workload(cx, workload, FactId::NONE);
            }
        }
    }
}
