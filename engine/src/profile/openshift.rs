//! OpenShift 3.11: Kubernetes with deployments by a deployer pod and a router that reloads in batches.
//!
//! It is built on Kubernetes 1.11; the loops that matter here have the values of 1.13. Start at [`profile`].

use super::{Deployer, Discovery, Profile, Rollout, Words, flags, kubernetes};
use crate::model::Amount;
use crate::time::Span;

/// OpenShift as `openshift-ansible` installs it.
pub(super) fn profile() -> Profile {
    let kubernetes = kubernetes::releases::at(13);
    Profile {
        name: "openshift".into(),
        version: "3.11".into(),
        words: Words { workload: "deployment config", ..kubernetes.words },
        flags: flags::OPENSHIFT,
        // Source: openshift/origin:pkg/apps/apis/apps/types.go, `DefaultRollingTimeoutSeconds` 10 min, update period and
        // interval 1 s; both bounds 25 %.
        rollout: Rollout::Surge {
            max_surge: Amount::Percent(25),
            max_unavailable: Amount::Percent(25),
            progress_deadline: Span::from_secs(600),
            history_limit: 10,
        },
        deployer: Some(Deployer {
            // An assumption: a pod on a node that has the deployer's image.
            start: Span::from_secs(3),
            update_period: Span::from_secs(1),
            interval: Span::from_secs(1),
        }),
        discovery: Discovery {
            // Source: openshift/enhancements:enhancements/ingress/haproxy-reload-interval.md, `RELOAD_INTERVAL`, 5 s.
            ingress_sync: Span::from_secs(5),
            ..kubernetes.discovery
        },
        ..kubernetes
    }
}
