//! Flags of OpenShift: those of Kubernetes, the parameters of rolling deployment configs, and the router's.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::Rollout;

/// Those that Kubernetes does not have.
pub(in crate::profile) const FLAGS: [Flag; 5] = [
    flag!(
        "rollingParams.timeoutSeconds",
        "Without progress for so long a deployment has failed, and the one before is brought back.",
        "openshift/origin:pkg/apps/apis/apps/types.go",
        Kind::PeriodSeconds,
        in rollout, Rollout::Surge { progress_deadline, .. } => *progress_deadline
    ),
    flag!(
        "rollingParams.updatePeriodSeconds",
        "Wait between two steps of a deployment.",
        "openshift/origin:pkg/apps/apis/apps/types.go",
        Kind::Seconds,
        in deployer, Some(deployer) => deployer.update_period
    ),
    flag!(
        "rollingParams.intervalSeconds",
        "The deployer looks for the outcome of a step this often.",
        "openshift/origin:pkg/apps/apis/apps/types.go",
        Kind::Seconds,
        in deployer, Some(deployer) => deployer.interval
    ),
    flag!(
        "deployer-start",
        "Time until a deployment's deployer pod runs.",
        "an assumption",
        Kind::Span,
        in deployer, Some(deployer) => deployer.start
    ),
    flag!(
        "RELOAD_INTERVAL",
        "The router reloads at most once in this time.",
        "openshift/enhancements:enhancements/ingress/haproxy-reload-interval.md",
        Kind::Span,
        discovery.ingress_sync
    ),
];
