//! Changes of workloads that have to pass webhooks: what people command, each step of a rollout, each run of a cron job.
//!
//! A command that is refused is over: whoever gave it reads the error. A controller tries again with growing waits, and as
//! with creations a try that cannot succeed is counted and not carried out. Scaling a Deployment is a request of its own
//! (`deployments/scale`) that rules for deployments do not match, but the update of its replica set that follows is asked
//! for. A webhook's `objectSelector` is compared with the labels of the pods, which stand for those of the workload.
//! Start at [`Control::refuses_operation`] and [`Control::admit_change`].

use std::collections::BTreeMap;

use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{FactId, FactKind, Refused};
use crate::ids::{RevisionId, WebhookId, WorkloadId};
use crate::message::Operation;
use crate::model::{Catalog, WorkloadKind, WorkloadSpec};
use crate::time::Time;

/// Whose change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// The workload's own.
    Own,
    /// That of what its controller keeps for it: a deployment's replica sets, a cron job's jobs.
    Kept,
}

/// A change that a controller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// A replica set gets another number.
    Scale(RevisionId),
    /// A cron job's next job.
    Run(WorkloadId),
}

/// Changes of controllers that were refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(BTreeMap<Change, Tries>);

/// Refused tries of one change.
#[derive(Clone, Copy, Debug)]
struct Tries {
    failures: u32,
    next: Time,
    why: Refused,
    cause: FactId,
    armed: bool,
}

impl Changes {
    /// Whether a controller waits for a webhook.
    pub(super) fn waiting(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The webhooks that are asked for changes of a workload's own object, and of what is kept for it.
pub(super) fn asked(catalog: &Catalog, spec: &WorkloadSpec, enforced: bool) -> [Vec<WebhookId>; 2] {
    let kept = match spec.kind {
        WorkloadKind::Deployment => Some(WorkloadKind::ReplicaSet),
        WorkloadKind::CronJob => Some(WorkloadKind::Job),
        _ => None,
    };
    let labels = &catalog.templates[spec.template].labels;
    [Some(spec.kind), kept].map(|kind| {
        let wants = |id: &WebhookId| {
            let hook = &catalog.webhooks[*id];
            enforced
                && kind.is_some_and(|kind| hook.workloads.contains(&kind))
                && (hook.namespaces.is_empty() || hook.namespaces.contains(&spec.namespace))
                && !hook.exempt.contains(&spec.namespace)
                && hook.objects.as_ref().is_none_or(|selector| selector.matches(labels, &catalog.names))
        };
        catalog.webhooks.ids().filter(wants).collect()
    })
}

impl Control {
    /// Whether an operator's command fails because a webhook does not answer. That is told.
    pub(in crate::control) fn refuses_operation(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        operation: &Operation,
    ) -> bool {
        let (Operation::Apply { workload }
        | Operation::Deploy { workload, .. }
        | Operation::Redeclare { workload, .. }
        | Operation::Undo { workload }
        | Operation::Pause { workload }
        | Operation::Resume { workload }) = *operation
        else {
            return false;
        };
        let asked = self.admission.webhooks.of_change(workload, Object::Own).to_vec();
        let (_, refused) = self.ask(cx, cause, &asked);
        if let Some(why) = refused {
            cx.facts.record(cx.now, cause, FactKind::ChangeRefused { workload, why });
        }
        refused.is_some()
    }

    /// The change that a write is, and its workload.
    fn change_of(&self, write: Write) -> Option<(Change, WorkloadId)> {
        match write {
            Write::ScaleRevision { revision, .. } => Some((Change::Scale(revision), self.revisions[revision].workload)),
            Write::StartRun { workload } => Some((Change::Run(workload), workload)),
            _ => None,
        }
    }

    /// Whether anything has a say in a change.
    pub(in crate::control) fn asks_for_change(&self, write: Write) -> bool {
        let change = self.change_of(write);
        change.is_some_and(|(_, workload)| !self.admission.webhooks.of_change(workload, Object::Kept).is_empty())
    }

    /// The API server has a controller's request to change something.
    pub(in crate::control) fn admit_change(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write) {
        let Some((_, workload)) = self.change_of(write) else { return };
        let asked = self.admission.webhooks.of_change(workload, Object::Kept).to_vec();
        let (wait, refused) = self.ask(cx, cause, &asked);
        if wait.is_zero() {
            return self.change_admitted(cx, cause, write, refused);
        }
        cx.timers.set(cx.now + wait, cause, Alarm::Admitted { write, refused });
    }

    /// The webhooks have answered, or their time is over.
    pub(super) fn change_admitted(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write, refused: Option<Refused>) {
        let Some((change, workload)) = self.change_of(write) else { return };
        let Some(why) = refused else {
            self.admission.changes.0.remove(&change);
            return self.store_has(cx, cause, write);
        };
        let before = self.admission.changes.0.get(&change).copied();
        if before.is_none_or(|before| before.why != why) {
            cx.facts.record(cx.now, cause, FactKind::ChangeRefused { workload, why });
        }
        let failures = before.map_or(0, |before| before.failures) + 1;
        let next = cx.now + self.profile.control.machine.requeue.wait(failures);
        self.admission.changes.0.insert(change, Tries { failures, next, why, cause, armed: false });
        if matches!(why, Refused::Webhook { webhook } if self.webhook_may_answer(webhook)) {
            self.arm_change(cx, change);
        }
    }

    /// A webhook may answer now: each controller's next try counts again.
    pub(super) fn retry_changes(&mut self, cx: &mut Cx<'_>, concerns: impl Fn(Refused) -> bool) {
        let waiting = self.admission.changes.0.iter().filter(|(_, tries)| concerns(tries.why) && !tries.armed);
        for change in waiting.map(|(change, _)| *change).collect::<Vec<_>>() {
            self.arm_change(cx, change);
        }
    }

    fn arm_change(&mut self, cx: &mut Cx<'_>, change: Change) {
        let requeue = self.profile.control.machine.requeue;
        let Some(tries) = self.admission.changes.0.get_mut(&change) else { return };
        while tries.next < cx.now {
            tries.failures += 1;
            tries.next += requeue.wait(tries.failures);
        }
        tries.armed = true;
        cx.timers.set(tries.next, tries.cause, Alarm::RetryChange(change));
    }

    /// A controller tries again, with what it wants by now.
    pub(in crate::control) fn retry_change(&mut self, cx: &mut Cx<'_>, change: Change) {
        let Some(tries) = self.admission.changes.0.get_mut(&change) else { return };
        tries.armed = false;
        let cause = tries.cause;
        match change {
            Change::Scale(revision) => {
                self.revisions[revision].scaling = false;
                let workload = self.revisions[revision].workload;
                self.plan_workload(cx, workload, cause);
            }
            Change::Run(workload) => {
                self.write(cx, crate::fact::Client::Cron, cause, Write::StartRun { workload });
            }
        }
    }
}
