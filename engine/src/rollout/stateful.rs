//! Replicas with names: which ordinal is created or deleted next, and for which one everybody waits.
//!
//! One call is one sync of the controller. It knows no pods, only how far the pod of each ordinal is; a name that is
//! still taken by a pod on its way out counts as [`Stage::Terminating`], whoever it belongs to. Source of all rules:
//! kubernetes/kubernetes:pkg/controller/statefulset/stateful_set_control.go. Start at [`next`].

use crate::model::Amount;

/// Writes of one batch of a parallel pass at most. Source: the same file, `MaxBatchSize`.
const MAX_BATCH: usize = 500;

/// How far the pod of an ordinal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    Absent,
    /// It exists, or is being created, and is not ready.
    Unready,
    /// Ready, but not for long enough.
    Ready,
    /// Ready for long enough (`minReadySeconds`).
    Available,
    /// On its way out: the name is taken until it is gone.
    Terminating,
}

/// The pod of one ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its number.
    pub ordinal: u32,
    /// How far it is.
    pub stage: Stage,
    /// It is of the newest revision.
    pub updated: bool,
}

/// How many pods an update may take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Pods change only when somebody deletes them.
    OnDelete,
    /// One after the other, whatever is declared (Kubernetes before 1.35).
    OneByOne,
    /// As many as leave no more than this unavailable.
    AtMost(u32),
}

impl Budget {
    /// `maxUnavailable` in pods: a share rounds down, and at least one pod may always go.
    /// Source: kubernetes/kubernetes:pkg/controller/statefulset/stateful_set_utils.go, `getStatefulSetMaxUnavailable`.
    pub fn at_most(amount: Amount, replicas: u32) -> Self {
        Self::AtMost(amount.of_rounded_down(replicas).max(1))
    }
}

/// Whether replicas wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each waits until all before it are available (`OrderedReady`).
    Ordered,
    /// All come and go at once (`Parallel`).
    Parallel,
}

/// What one sync looks at.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// One entry for each wanted ordinal, ascending.
    pub replicas: &'a [Replica],
    /// Pods of other ordinals, ascending.
    pub condemned: &'a [Replica],
    /// Whether replicas wait for each other.
    pub order: Order,
    /// Positions from this one on get the newest revision.
    pub partition: u32,
    /// How an update goes on.
    pub budget: Budget,
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A pod is created, at the newest revision or at the one before.
    Create {
        /// Its number.
        ordinal: u32,
        /// At the newest revision.
        updated: bool,
    },
    /// Fewer are wanted.
    ScaleDown {
        /// Whose pod goes.
        ordinal: u32,
    },
    /// A newer revision takes its place.
    Update {
        /// Whose pod goes.
        ordinal: u32,
    },
}

/// What one sync does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writes; those of one batch go out together, and the next batch when the store has them all.
    pub batches: Vec<Vec<Step>>,
    /// The pod that holds everything up.
    pub waits_for: Option<u32>,
}

impl Plan {
    fn write(steps: Vec<Step>) -> Self {
        Self { batches: if steps.is_empty() { Vec::new() } else { vec![steps] }, waits_for: None }
    }

    fn wait(ordinal: u32) -> Self {
        Self { batches: Vec::new(), waits_for: Some(ordinal) }
    }
}

/// What this sync writes.
pub fn next(set: &Set<'_>) -> Plan {
    match set.order {
        Order::Ordered => ordered(set),
        Order::Parallel => parallel(set),
    }
}

/// True when the rollout is over as far as the partition lets it: what `kubectl rollout status` waits for.
pub fn complete(set: &Set<'_>) -> bool {
    let available = set.replicas.iter().all(|r| r.stage == Stage::Available);
    available && set.condemned.is_empty() && set.replicas.iter().skip(set.partition as usize).all(|r| r.updated)
}

/// True when every pod is of the newest revision and ready: it becomes the revision that others are created at.
/// Source: kubernetes/kubernetes:pkg/controller/statefulset/stateful_set_utils.go, `completeRollingUpdate`.
pub fn settled(set: &Set<'_>) -> bool {
    let whole = |r: &Replica| r.updated && matches!(r.stage, Stage::Ready | Stage::Available);
    set.budget != Budget::OnDelete && set.condemned.is_empty() && set.replicas.iter().all(whole)
}

/// Source: `updateStatefulSet`, `processReplica` and `processCondemned` for a set that allows no burst.
fn ordered(set: &Set<'_>) -> Plan {
    for (at, replica) in set.replicas.iter().enumerate() {
        match replica.stage {
            Stage::Available => {}
            Stage::Absent => return Plan::write(vec![create(set, at)]),
            _ => return Plan::wait(replica.ordinal),
        }
    }
    let unhealthy = set.condemned.iter().find(|r| r.stage != Stage::Available).map(|r| r.ordinal);
    if let Some(last) = set.condemned.last() {
        return match (last.stage, unhealthy) {
            (Stage::Terminating, _) => Plan::wait(last.ordinal),
            // A pod that is not available is only taken away when it is the first of that kind.
            (stage, Some(first)) if stage != Stage::Available && first != last.ordinal => Plan::wait(first),
            _ => Plan::write(vec![Step::ScaleDown { ordinal: last.ordinal }]),
        };
    }
    update(set, set.replicas)
}

/// Source: the same for a set that allows bursts: nobody waits, and what was just created counts as not ready.
fn parallel(set: &Set<'_>) -> Plan {
    let creates = set.replicas.iter().enumerate().map(|(at, r)| (r.stage == Stage::Absent).then(|| create(set, at)));
    let mut batches = slow_start(creates);
    let stays = |r: &Replica| r.stage != Stage::Terminating;
    let removals = set.condemned.iter().rev().map(|r| stays(r).then_some(Step::ScaleDown { ordinal: r.ordinal }));
    batches.extend(slow_start(removals));
    let after = |(at, r): (usize, &Replica)| match r.stage {
        Stage::Absent => Replica { stage: Stage::Unready, updated: at >= set.partition as usize, ..*r },
        _ => *r,
    };
    let replicas: Vec<Replica> = set.replicas.iter().enumerate().map(after).collect();
    let plan = update(set, &replicas);
    batches.extend(plan.batches);
    let waits_for = plan.waits_for.filter(|_| batches.is_empty());
    Plan { batches, waits_for }
}

/// Ordinals below the partition come back at the revision before.
/// Source: kubernetes/kubernetes:pkg/controller/statefulset/stateful_set_utils.go, `newVersionedStatefulSetPod`.
fn create(set: &Set<'_>, at: usize) -> Step {
    let updated = set.budget == Budget::OnDelete || at >= set.partition as usize;
    Step::Create { ordinal: set.replicas[at].ordinal, updated }
}

/// Items in batches of 1, 2, 4, …; those without a step take their place in a batch all the same.
fn slow_start(items: impl Iterator<Item = Option<Step>>) -> Vec<Vec<Step>> {
    let mut batches = Vec::new();
    let (mut batch, mut size, mut taken) = (Vec::new(), 1, 0);
    for item in items {
        batch.extend(item);
        taken += 1;
        if taken == size {
            batches.push(std::mem::take(&mut batch));
            (size, taken) = ((size * 2).min(MAX_BATCH), 0);
        }
    }
    batches.push(batch);
    batches.retain(|batch| !batch.is_empty());
    batches
}

fn update(set: &Set<'_>, replicas: &[Replica]) -> Plan {
    let partition = set.partition as usize;
    let outdated = |r: &&Replica| !r.updated && r.stage != Stage::Terminating;
    let targets = || replicas.iter().skip(partition).rev();
    let first_away = targets().find(|r| r.stage != Stage::Available).map(|r| r.ordinal);
    let pending = targets().any(|r| !r.updated);
    let go = |r: &Replica| Step::Update { ordinal: r.ordinal };
    let steps: Vec<Step> = match set.budget {
        Budget::OnDelete => return Plan::default(),
        Budget::OneByOne => {
            let first = targets().find(|r| outdated(r) || r.stage != Stage::Available);
            first.filter(outdated).map(go).into_iter().collect()
        }
        Budget::AtMost(most) => {
            let away = replicas.iter().filter(|r| r.stage != Stage::Available).count() as u32;
            let spare = most.saturating_sub(away) as usize;
            // Replicas that are down anyway cost nothing where replicas do not wait for each other.
            let down = targets().filter(|r| set.order == Order::Parallel && r.stage != Stage::Available);
            let healthy = targets().filter(|r| r.stage == Stage::Available);
            down.filter(outdated).chain(healthy.filter(outdated).take(spare)).map(go).collect()
        }
    };
    match (steps.is_empty(), first_away) {
        (true, Some(ordinal)) if pending => Plan::wait(ordinal),
        _ => Plan::write(steps),
    }
}

#[cfg(test)]
#[path = "stateful_tests.rs"]
mod tests;
