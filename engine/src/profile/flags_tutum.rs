//! Flags of Tutum: fields of its services, and what its operators never published.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::model::PlacementStrategy;
use crate::profile::{Choice, FailureAction, Grace, Ports, Restart, RestartWhen, Rollout, SlotOrder};

const STRATEGIES: &[&str] = &["EMPTIEST_NODE", "HIGH_AVAILABILITY"];

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "deployment_strategy",
        "Which node gets a container of a service that does not say so; EVERY_NODE is a workload of one on each node.",
        "tutumcloud/support-docs:feature-reference/deployment-strategies.md",
        Kind::Word(STRATEGIES),
        |p| Strategy(strategy(p)),
        |p, v| p.placement.choice = Choice::Strategy(field::<Strategy>(v).0)
    ),
    flag!(
        "published-ports",
        "Whether a published port takes the node's port.",
        "tutumcloud/support-docs:feature-reference/ports.md",
        Kind::Word(Ports::WORDS),
        placement.published_ports
    ),
    flag!(
        "autorestart",
        "When Docker restarts a container that ended: as the service says, or always the same (OFF where it is not given).",
        "tutumcloud/support-docs:feature-reference/autorestart.md",
        Kind::Word(RestartWhen::WORDS),
        in restart, Restart::Local(local) => local.when
    ),
    flag!(
        "docker-restart-delay",
        "First wait before a restart; doubles each time (a constant).",
        "moby/moby:restartmanager/restartmanager.go, defaultTimeout",
        Kind::Span,
        in restart, Restart::Local(local) => local.initial
    ),
    flag!(
        "docker-restart-delay-max",
        "Longest wait before a restart (a constant).",
        "moby/moby:restartmanager/restartmanager.go, maxRestartTimeout",
        Kind::Span,
        in restart, Restart::Local(local) => local.max
    ),
    flag!(
        "docker-restart-reset",
        "A container that ran for this long starts again with the first wait (a constant).",
        "moby/moby:restartmanager/restartmanager.go",
        Kind::Span,
        in restart, Restart::Local(local) => local.reset
    ),
    flag!(
        "node-contact-interval",
        "Time between two contacts with a node's Docker daemon.",
        "not published; an assumption",
        Kind::Period,
        detection.heartbeat
    ),
    flag!(
        "node-contact-failures",
        "Contacts that fail in a row until the node is Unreachable.",
        "not published; an assumption",
        Kind::Positive,
        in detection.grace, Grace::Pings { failures, .. } => *failures
    ),
    flag!(
        "node-contact-timeout",
        "Time after which a contact has failed.",
        "not published; an assumption",
        Kind::Span,
        in detection.grace, Grace::Pings { timeout, .. } => *timeout
    ),
    flag!(
        "redeploy-parallelism",
        "Containers that a redeploy replaces at once (one; all before 0.12); 0: all.",
        "tutumcloud/support-docs:changelog/tutum_0.12.0.md",
        Kind::Count,
        in rollout, Rollout::Slots(update) => update.parallelism
    ),
    flag!(
        "redeploy-order",
        "Whether the old container stops first.",
        "tutumcloud/support-docs:feature-reference/service-redeploy.md",
        Kind::Word(SlotOrder::WORDS),
        in rollout, Rollout::Slots(update) => update.order
    ),
    flag!(
        "redeploy-failure-action",
        "What failed containers of a redeploy lead to (nothing).",
        "tutumcloud/support-docs:feature-reference/service-redeploy.md",
        Kind::Word(FailureAction::WORDS),
        in rollout, Rollout::Slots(update) => update.on_failure
    ),
    flag!(
        "api-latency",
        "Time from a decision until the node's Docker daemon has it.",
        "an assumption",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "stop-timeout",
        "Time between the polite and the forced stop of containers that do not say so themselves.",
        "docker/cli:docs/reference/commandline/container_stop.md",
        Kind::Span,
        agent.default_grace
    ),
    flag!(
        "dns-lag",
        "Time from a change of a container until names resolve without or with it.",
        "not published; an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!("dns-ttl", "How long clients keep a resolved name.", "not published", Kind::Seconds, discovery.dns_ttl),
    flag!(
        "unready-on-unhealthy-node",
        "Containers of an unreachable node leave their service's names.",
        "not published; an assumption",
        Kind::Switch,
        discovery.unready_on_unhealthy_node
    ),
];

/// A strategy under Tutum's name.
struct Strategy(PlacementStrategy);

impl Field for Strategy {
    fn value(&self, _: Kind) -> super::Value {
        let word = if self.0 == PlacementStrategy::HighAvailability { STRATEGIES[1] } else { STRATEGIES[0] };
        super::Value::Word(word.to_owned())
    }
    fn from_value(value: super::Value) -> Option<Self> {
        let super::Value::Word(word) = value else { return None };
        let strategies = [PlacementStrategy::Emptiest, PlacementStrategy::HighAvailability];
        STRATEGIES.iter().position(|known| *known == word).map(|at| Self(strategies[at]))
    }
}

fn strategy(profile: &crate::profile::Profile) -> PlacementStrategy {
    match profile.placement.choice {
        Choice::Strategy(strategy) => strategy,
        _ => unreachable!("{VARIANT}"),
    }
}
