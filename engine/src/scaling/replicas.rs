//! What one metric recommends: the arithmetic of the HorizontalPodAutoscaler.
//!
//! No limits and no memory; see [`super::limits`]. Ratios are computed in IEEE doubles because the original's are, and
//! its results are rounded up from them. Source:
//! kubernetes/kubernetes:pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go. Start at
//! [`recommend`].

use crate::time::{Span, Time};

/// A pod of the scaled workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What it uses of the metric; `None`: nobody knows.
    pub used: Option<i64>,
    /// What it requests of the resource.
    pub request: i64,
    /// Its containers have not all been started.
    pub pending: bool,
    /// Its deletion has begun, or it failed.
    pub leaving: bool,
    /// It is ready.
    pub ready: bool,
    /// When its node took it.
    pub started: Time,
    /// When it last became ready or ceased to be.
    pub turned: Time,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// So many percent of what is requested.
    Utilization(u32),
    /// So much for each pod.
    Average(i64),
}

/// What the controller assumes of CPU samples of young pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Youth {
    /// Samples of pods younger than this count only if they were ready for a whole window.
    pub initialization: Span,
    /// A pod that was not ready so soon after its start, and is not, was never ready.
    pub readiness_delay: Span,
    /// What a sample covers.
    pub window: Span,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Pods of the workload.
    pub pods: &'a [Sample],
    /// What is aimed at.
    pub aim: Aim,
    /// For CPU: young pods are looked at more closely.
    pub youth: Option<Youth>,
    /// Replicas as they are wanted now.
    pub current: u32,
    /// Deviations below these thousandths are ignored: downwards, upwards.
    pub tolerance: (u32, u32),
    /// Now.
    pub now: Time,
}

/// Pods by what is known of them.
#[derive(Default)]
struct Groups {
    /// Usage and request of pods that count.
    known: Vec<(i64, i64)>,
    /// Requests of pods without a sample.
    missing: Vec<i64>,
    /// Requests of pods that are not ready yet.
    unready: Vec<i64>,
}

/// The replicas that a metric asks for; `None` when it says nothing.
pub fn recommend(question: &Question<'_>) -> Option<u32> {
    let groups = group(question);
    if groups.known.is_empty() {
        return None;
    }
    let ratio = ratio(question.aim, &groups.known)?;
    let with_unready = !groups.unready.is_empty() && ratio > 1.0;
    if !with_unready && groups.missing.is_empty() {
        if within(question, ratio) {
            return Some(question.current);
        }
        return Some(ceiling(ratio, groups.known.len()));
    }
    let mut assumed = groups.known;
    if ratio < 1.0 {
        // On the way down, what is not known is taken to use its target, or all that it requests.
        assumed.extend(groups.missing.iter().map(|&request| (fallback(question.aim, request), request)));
    } else if ratio > 1.0 || matches!(question.aim, Aim::Average(_)) {
        assumed.extend(groups.missing.iter().map(|&request| (0, request)));
    }
    if with_unready {
        assumed.extend(groups.unready.iter().map(|&request| (0, request)));
    }
    let again = self::ratio(question.aim, &assumed)?;
    let turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
    if within(question, again) || turned {
        return Some(question.current);
    }
    let wanted = ceiling(again, assumed.len());
    let reversed = (again < 1.0 && wanted > question.current) || (again > 1.0 && wanted < question.current);
    Some(if reversed { question.current } else { wanted })
}

/// Source: kubernetes/kubernetes:pkg/controller/podautoscaler/replica_calculator.go, `groupPods`.
fn group(question: &Question<'_>) -> Groups {
    let mut groups = Groups::default();
    for pod in question.pods.iter().filter(|pod| !pod.leaving) {
        match pod.used {
            _ if pod.pending => groups.unready.push(pod.request),
            None => groups.missing.push(pod.request),
            Some(_) if question.youth.is_some_and(|youth| too_young(pod, &youth, question.now)) => {
                groups.unready.push(pod.request);
            }
            Some(used) => groups.known.push((used, pod.request)),
        }
    }
    groups
}

fn too_young(pod: &Sample, youth: &Youth, now: Time) -> bool {
    if pod.started + youth.initialization > now {
        // A sample says something only if it was taken over a whole window of readiness.
        !pod.ready || now < pod.turned + youth.window
    } else {
        !pod.ready && pod.started + youth.readiness_delay > pod.turned
    }
}

/// What is used, relative to the target.
fn ratio(aim: Aim, pods: &[(i64, i64)]) -> Option<f64> {
    let used: i64 = pods.iter().map(|pod| pod.0).sum();
    match aim {
        Aim::Utilization(target) => {
            let requested: i64 = pods.iter().map(|pod| pod.1).sum();
            let percent = used.saturating_mul(100).checked_div(requested)?;
            Some(percent as f64 / f64::from(target))
        }
        Aim::Average(target) => Some((used / pods.len() as i64) as f64 / target as f64),
    }
}

fn fallback(aim: Aim, request: i64) -> i64 {
    match aim {
        Aim::Utilization(target) => request.saturating_mul(i64::from(target.max(100))) / 100,
        Aim::Average(target) => target,
    }
}

fn within(question: &Question<'_>, ratio: f64) -> bool {
    let (down, up) = question.tolerance;
    let share = |permille: u32| f64::from(permille) / 1000.0;
    1.0 - share(down) <= ratio && ratio <= 1.0 + share(up)
}

fn ceiling(ratio: f64, pods: usize) -> u32 {
    libm::ceil(ratio * pods as f64) as u32
}

#[cfg(test)]
#[path = "replicas_tests.rs"]
mod tests;
