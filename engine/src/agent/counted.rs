//! Restarts that are counted: so many within an interval, with a wait that chance makes longer.
//!
//! It only counts; `lifecycle` restarts. Source:
//! hashicorp/nomad:client/allocrunner/taskrunner/restarts/restarts.go. Start at [`Pod::counted`].

use super::desk::Hands;
use super::pod::Pod;
use crate::ids::TemplateId;
use crate::model::{Catalog, RestartPolicy, WorkloadKind, WorkloadSpec};
use crate::profile::{CountedRestart, RestartMode, RestartRule};
use crate::rng::Purpose;
use crate::time::{Span, Time};

impl Pod {
    /// How long a container that ended at `at` waits for its restart; `None`: it has used up its attempts.
    pub(super) fn counted(
        &mut self,
        slot: usize,
        hands: &Hands<'_, '_>,
        policy: &CountedRestart,
        at: Time,
    ) -> Option<Span> {
        let rule = rule_of(hands.catalog(), self.template, policy);
        if rule.attempts == 0 {
            return None;
        }
        let assigned = self.assigned;
        let this = &mut self.slots[slot];
        let (count, since) = (this.counted.0 + 1, this.counted.1.unwrap_or(assigned));
        let end = since + rule.interval;
        // A failure after the interval begins a new one, and is not counted in it.
        this.counted = if at > end { (0, Some(at)) } else { (count, Some(since)) };
        if this.counted.0 <= rule.attempts {
            let entity = self.id.0 ^ this.restarts << 20 ^ (slot as u32) << 28;
            let longest = Span::from_nanos(rule.delay.as_nanos() / 1_000 * u64::from(policy.jitter));
            return Some(rule.delay + hands.stream(Purpose::Restart, entity).span(Span::ZERO, longest));
        }
        match rule.mode {
            RestartMode::Fail => None,
            RestartMode::Delay => Some(end.since(at).max(Span::from_nanos(1))),
        }
    }
}

/// The rule for pods of a template: its workload's own words over the profile's.
fn rule_of(catalog: &Catalog, template: TemplateId, policy: &CountedRestart) -> RestartRule {
    let spec = &catalog.templates[template];
    let by_template = |w: &&WorkloadSpec| w.template == template;
    let by_labels =
        |w: &&WorkloadSpec| w.namespace == spec.namespace && w.selector.matches(&spec.labels, &catalog.names);
    let workloads = catalog.workloads.rows();
    let workload = workloads.iter().find(by_template).or_else(|| workloads.iter().find(by_labels));
    let to_completion = match workload.map(|w| w.kind) {
        Some(kind) => matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob),
        None => spec.restart != RestartPolicy::Always,
    };
    let rule = if to_completion { policy.batch } else { policy.service };
    workload.map_or(rule, |w| rule.wished(&w.wishes.restart))
}
