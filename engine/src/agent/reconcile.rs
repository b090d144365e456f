//! What the control plane wants of a node: single pods come and go, a snapshot says all at once.
//!
//! Start at [`Agent::snapshot`].

use super::desk::Hands;
use super::machine::Agent;
use super::pod::{self, Pod};
use super::{Context, Due};
use crate::fact::FactId;
use crate::ids::{PodId, TemplateId};
use crate::message::PodReport;
use crate::time::Span;

impl Agent {
    pub(super) fn assign(&mut self, cx: &mut Context<'_>, cause: FactId, pod: PodId, template: TemplateId) {
        let Err(place) = self.place(pod) else { return };
        let refused = self.refusal(cx, template);
        self.pods.insert(place, Pod::new(pod, (template, &cx.catalog.templates[template]), cx.now));
        self.with(cx, pod, |pod, hands| {
            if let Some(why) = refused {
                return pod.refuse(hands, cause, why);
            }
            if let Some(deadline) = hands.template(template).active_deadline {
                pod.deadline_stamp = hands.timer(hands.now() + deadline, cause, Due::Deadline { pod: pod.id });
            }
            cause
        });
    }

    pub(super) fn terminate(&mut self, cx: &mut Context<'_>, cause: FactId, pod: PodId, grace: Span) {
        if self.place(pod).is_err() {
            self.hands(cx).report(cause, pod, PodReport::Terminated);
            return;
        }
        self.with(cx, pod, |pod, hands| {
            pod.terminate(hands, cause, grace);
            cause
        });
    }

    /// Makes the node's pods those of the store, then reports all of them: what was said meanwhile may be lost.
    pub(super) fn snapshot(
        &mut self,
        cx: &mut Context<'_>,
        cause: FactId,
        wanted: &[(PodId, TemplateId, Option<Span>)],
    ) {
        self.desk.registered = true;
        let mut known: Vec<PodId> = wanted.iter().map(|entry| entry.0).collect();
        known.sort_unstable();
        let strangers: Vec<_> = self.pods.iter().filter(|pod| known.binary_search(&pod.id).is_err()).collect();
        let grace = |pod: &Pod| pod::grace(&cx.catalog.templates[pod.template], cx.profile);
        let strangers: Vec<(PodId, Span)> = strangers.into_iter().map(|pod| (pod.id, grace(pod))).collect();
        for &(stranger, grace) in &strangers {
            self.terminate(cx, cause, stranger, grace);
        }
        for &(pod, _, grace) in wanted {
            if let Some(grace) = grace {
                self.terminate(cx, cause, pod, grace);
            }
        }
        for pod in &mut self.pods {
            pod.report_again(&mut Hands { desk: &mut self.desk, cx }, cause);
        }
        for &(pod, template, grace) in wanted {
            if grace.is_none() {
                self.assign(cx, cause, pod, template);
            }
        }
        self.tell_conditions_again(cx, cause);
        self.desk.images.unreport(cause);
        self.hands(cx).report_images(cause);
    }
}
