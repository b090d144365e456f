//! One pod on each fitting node: which node gets one, which pod goes, and what an update may take away.
//!
//! A pass first brings single nodes into order ([`manage`]); only when that left nothing to do, an update moves on
//! ([`update`]). It looks nothing up: nodes and pods come as facts. Sources:
//! kubernetes/kubernetes:pkg/controller/daemon/daemon_controller.go and update.go.

use crate::ids::{NodeId, PodId};
use crate::model::{Amount, PodTemplate, Taint, TaintEffect, Toleration, WellKnown};
use crate::time::{Span, Time};

/// First wait before a failed pod is replaced, and the longest one.
/// Source: kubernetes/kubernetes:cmd/kube-controller-manager/app/apps.go, `flowcontrol.NewBackOff(1*time.Second, 15*time.Minute)`.
const BACKOFF: (Span, Span) = (Span::from_secs(1), Span::from_secs(900));

/// What every daemon's pods tolerate without saying so.
/// Source: kubernetes/kubernetes:pkg/controller/daemon/util/daemonset_util.go, `AddOrUpdateDaemonPodTolerations`.
pub fn tolerations(known: &WellKnown, template: &PodTemplate) -> Vec<Toleration> {
    use TaintEffect::{NoExecute, NoSchedule};
    let mut all = vec![
        (known.not_ready, NoExecute),
        (known.unreachable, NoExecute),
        (known.disk_pressure, NoSchedule),
        (known.memory_pressure, NoSchedule),
        (known.pid_pressure, NoSchedule),
        (known.unschedulable, NoSchedule),
    ];
    if template.host_network {
        all.push((known.network_unavailable, NoSchedule));
    }
    let forever = |(key, effect)| Toleration { key: Some(key), value: None, effect: Some(effect), seconds: None };
    all.into_iter().map(forever).collect()
}

/// Whether a node should have a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// It should not, and one that is there goes.
    #[default]
    No,
    /// None is created; one that is there stays.
    Stay,
    /// It should.
    Run,
}

/// How a node with these taints fits a template whose selectors it meets. `own` are the template's tolerations.
/// Source: daemon_controller.go, `NodeShouldRunDaemonPod`.
pub fn fit(taints: &[Taint], own: &[Toleration], automatic: &[Toleration]) -> Fit {
    let refused = |taint: &&Taint| !own.iter().chain(automatic).any(|t| t.tolerates(taint));
    let worst = taints.iter().filter(refused).map(|taint| match taint.effect {
        TaintEffect::PreferNoSchedule => Fit::Run,
        TaintEffect::NoSchedule => Fit::Stay,
        TaintEffect::NoExecute => Fit::No,
    });
    worst.min_by_key(|fit| *fit as u8).unwrap_or(Fit::Run)
}

/// A daemon's pod that is not on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Which.
    pub id: PodId,
    /// Of the newest revision.
    pub updated: bool,
    /// It gets traffic.
    pub ready: bool,
    /// Ready for long enough.
    pub available: bool,
    /// The scheduler has bound it.
    pub bound: bool,
}

/// A node and its pods, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Which.
    pub id: NodeId,
    /// The cluster has it.
    pub exists: bool,
    /// Whether it should have a pod.
    pub fit: Fit,
    /// Pods that stay so far.
    pub pods: &'a [Pod],
    /// Others are on their way out.
    pub leaving: bool,
}

impl Node<'_> {
    fn is_empty(&self) -> bool {
        self.pods.is_empty() && !self.leaving
    }

    /// The newest revision's pod and an older one's, unless there are several of a kind.
    /// Source: update.go, `findUpdatedPodsOnNode`.
    fn pair(&self) -> Option<(Option<Pod>, Option<Pod>)> {
        let of = |updated| self.pods.iter().filter(move |pod| pod.updated == updated);
        let single = of(true).count() <= 1 && of(false).count() <= 1;
        single.then(|| (of(true).next().copied(), of(false).next().copied()))
    }
}

/// Writes of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Nodes that get a pod.
    pub create: Vec<NodeId>,
    /// Pods that go.
    pub delete: Vec<PodId>,
}

/// How an update goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pods in addition.
    pub surge: u32,
    /// Pods away.
    pub unavailable: u32,
    /// Nodes that should have a pod.
    pub desired: u32,
}

impl Limits {
    /// Both round up, and they are never both zero. Source: update.go, `updatedDesiredNodeCounts`.
    pub fn new(surge: Amount, unavailable: Amount, desired: u32) -> Self {
        let (surge, unavailable) = (surge.of_rounded_up(desired), unavailable.of_rounded_up(desired));
        Self { surge, unavailable: if surge == 0 { unavailable.max(1) } else { unavailable }, desired }
    }
}

/// Whether a new pod may come before the old one has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The old one goes first.
    DeleteFirst,
    /// The new one comes first (`maxSurge`).
    CreateFirst,
}

/// Brings one node into order. Source: daemon_controller.go, `podsShouldBeOnNode` and `getUnscheduledPodsWithoutNode`.
pub fn manage(node: &Node<'_>, handover: Handover, steps: &mut Steps) {
    if !node.exists {
        // Bound ones are left to the collector of orphans.
        return steps.delete.extend(node.pods.iter().filter(|pod| !pod.bound).map(|pod| pod.id));
    }
    match (node.fit, handover) {
        (Fit::No, _) => steps.delete.extend(node.pods.iter().map(|pod| pod.id)),
        (Fit::Run, _) if node.is_empty() => steps.create.push(node.id),
        (Fit::Run, Handover::CreateFirst) if node.pods.is_empty() => steps.create.push(node.id),
        (_, Handover::DeleteFirst) => steps.delete.extend(oldest_first(node.pods).skip(1).map(|pod| pod.id)),
        (_, Handover::CreateFirst) => prune(node.pods, steps),
    }
}

/// Bound ones before others, then by age. Source: daemon_controller.go, `podByCreationTimestampAndPhase`.
fn oldest_first(pods: &[Pod]) -> impl Iterator<Item = Pod> {
    let mut sorted = pods.to_vec();
    sorted.sort_by_key(|pod| (!pod.bound, pod.id));
    sorted.into_iter()
}

/// Two pods stay only while the old one is ready and the new one is not available yet.
fn prune(pods: &[Pod], steps: &mut Steps) {
    if pods.len() <= 1 {
        return;
    }
    let (mut new, mut old) = (None, None);
    for pod in oldest_first(pods) {
        let place = if pod.updated { &mut new } else { &mut old };
        match place {
            None => *place = Some(pod),
            Some(_) => steps.delete.push(pod.id),
        }
    }
    if let (Some(new), Some(old)) = (new, old)
        && (!old.ready || new.available)
    {
        steps.delete.push(old.id);
    }
}

/// Moves an update on. Source: update.go, `rollingUpdate`.
pub fn update<'a>(nodes: impl Iterator<Item = Node<'a>>, limits: Limits) -> Steps {
    if limits.surge == 0 { replace(nodes, limits) } else { surge(nodes, limits) }
}

/// Old pods go; the next pass creates the new ones.
fn replace<'a>(nodes: impl Iterator<Item = Node<'a>>, limits: Limits) -> Steps {
    let (mut away, mut broken, mut candidates) = (0, Vec::new(), Vec::new());
    for node in nodes.filter(|node| node.fit == Fit::Run || !node.is_empty()) {
        match node.pair() {
            Some((None, Some(old))) if !old.available => {
                broken.push(old.id);
                away += 1;
            }
            Some((None, Some(old))) => candidates.push(old.id),
            Some((Some(new), None)) => away += u32::from(!new.available),
            // None at all, or more than one: the next pass brings the node into order.
            _ => away += 1,
        }
    }
    broken.extend(candidates.into_iter().take(limits.unavailable.saturating_sub(away) as usize));
    Steps { create: Vec::new(), delete: broken }
}

/// New pods come beside the old ones, which go when the new ones are available.
fn surge<'a>(nodes: impl Iterator<Item = Node<'a>>, limits: Limits) -> Steps {
    let (mut surging, mut available) = (0, 0);
    let (mut steps, mut candidates, mut sunset) = (Steps::default(), Vec::new(), Vec::new());
    for node in nodes.filter(|node| node.fit == Fit::Run || !node.is_empty()) {
        let Some((new, old)) = node.pair() else {
            surging += 1;
            continue;
        };
        available += u32::from(old.or(new).is_some_and(|pod| pod.available));
        match (old, new) {
            (None, _) => {}
            (Some(old), None) if node.fit != Fit::Run && old.available => sunset.push(old.id),
            (Some(old), None) if node.fit != Fit::Run => steps.delete.push(old.id),
            (Some(old), None) if !old.available => steps.create.push(node.id),
            (Some(_), None) => candidates.push(node.id),
            (Some(old), Some(new)) if new.available => steps.delete.push(old.id),
            (Some(_), Some(_)) => surging += 1,
        }
    }
    steps.delete.extend(sunset.into_iter().take(available.saturating_sub(limits.desired) as usize));
    steps.create.extend(candidates.into_iter().take(limits.surge.saturating_sub(surging) as usize));
    steps
}

/// How long failed pods of one node are waited for.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/util/flowcontrol/backoff.go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    wait: Span,
    since: Time,
}

impl Backoff {
    /// A pod failed: when its place may be taken.
    pub fn failed(&mut self, now: Time) -> Time {
        let at = now.max(self.since + self.wait);
        let forgotten = now.since(self.since) > BACKOFF.1.times(2);
        self.wait = if self.wait.is_zero() || forgotten { BACKOFF.0 } else { self.wait.times(2).min(BACKOFF.1) };
        self.since = at;
        at
    }
}

#[cfg(test)]
#[path = "daemon_tests.rs"]
mod tests;
