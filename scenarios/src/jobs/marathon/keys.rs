//! What each field of an app, group or pod does here: one line a field.
//!
//! Source: mesosphere/marathon:docs/docs/rest-api/public/api/v2/types. Start at [`APP`].

use shakedown_engine::profile::Wish;

use crate::keys::Effect::{Honoured, Idle, Ignored, Part, Wished};
use crate::keys::Keys;

const ORDER: &str = "all apps start at once";
const DISK: &str = "only CPU and memory are reserved";

/// An app.
pub(super) const APP: Keys = Keys {
    called: "an app",
    path: "",
    table: &[
        ("acceptedResourceRoles", Ignored("roles of resources are not modelled")),
        ("args", Idle),
        ("backoffFactor", Wished(Wish::RescheduleDelay)),
        ("backoffSeconds", Wished(Wish::RescheduleDelay)),
        ("check", Ignored("checks without consequences have none here")),
        ("cmd", Idle),
        ("constraints", Part),
        ("container", Part),
        ("cpus", Honoured),
        ("dependencies", Ignored(ORDER)),
        ("deployments", Idle),
        ("disk", Ignored(DISK)),
        ("env", Idle),
        ("executor", Idle),
        ("executorResources", Idle),
        ("fetch", Idle),
        ("gpus", Ignored("devices are not modelled")),
        ("healthChecks", Part),
        ("id", Part),
        ("instances", Honoured),
        ("ipAddress", Idle),
        ("killSelection", Ignored("the profile decides which surplus replicas go first")),
        ("labels", Part),
        ("lastTaskFailure", Idle),
        ("maxLaunchDelaySeconds", Wished(Wish::RescheduleDelay)),
        ("mem", Honoured),
        ("networks", Part),
        ("portDefinitions", Part),
        ("ports", Part),
        ("readinessChecks", Ignored("an update waits for health checks only")),
        ("requirePorts", Honoured),
        ("residency", Ignored("volumes of Mesos keep no replica on its agent here")),
        ("resourceLimits", Ignored("only `cpus` and `mem` limit a container here")),
        ("role", Idle),
        ("secrets", Idle),
        ("storeUrls", Idle),
        ("taskKillGracePeriodSeconds", Honoured),
        ("taskRateLimit", Ignored("launches are limited by the profile's flags")),
        ("taskStats", Idle),
        ("tasks", Idle),
        ("tasksHealthy", Idle),
        ("tasksRunning", Idle),
        ("tasksStaged", Idle),
        ("tasksUnhealthy", Idle),
        ("tty", Idle),
        ("unreachableStrategy", Part),
        ("upgradeStrategy", Part),
        ("uris", Idle),
        ("user", Idle),
        ("version", Idle),
        ("versionInfo", Idle),
    ],
};

/// A group.
pub(super) const GROUP: Keys = Keys {
    called: "a group",
    path: "",
    table: &[
        ("apps", Part),
        ("dependencies", Ignored(ORDER)),
        ("enforceRole", Idle),
        ("groups", Part),
        ("id", Part),
        ("pods", Part),
        ("version", Idle),
    ],
};

/// A pod.
pub(super) const POD: Keys = Keys {
    called: "a pod",
    path: "pods.",
    table: &[
        ("containers", Part),
        ("environment", Idle),
        ("executorResources", Idle),
        ("id", Part),
        ("labels", Idle),
        ("legacySharedCgroups", Idle),
        ("networks", Part),
        ("role", Idle),
        ("scaling", Part),
        ("scheduling", Part),
        ("secrets", Idle),
        ("user", Idle),
        ("version", Idle),
        ("volumes", Idle),
    ],
};

/// A container of a pod.
pub(super) const MEMBER: Keys = Keys {
    called: "a container",
    path: "pods.containers.",
    table: &[
        ("artifacts", Idle),
        ("check", Ignored("checks without consequences have none here")),
        ("endpoints", Part),
        ("environment", Idle),
        ("exec", Idle),
        ("healthCheck", Part),
        ("image", Part),
        ("labels", Idle),
        ("lifecycle", Part),
        ("linuxInfo", Idle),
        ("name", Part),
        ("resourceLimits", Ignored("only `cpus` and `mem` limit a container here")),
        ("resources", Part),
        ("tty", Idle),
        ("user", Idle),
        ("volumeMounts", Idle),
    ],
};

/// Resources of a container of a pod.
pub(super) const RESOURCES: Keys = Keys {
    called: "`resources`",
    path: "pods.containers.resources.",
    table: &[
        ("cpus", Honoured),
        ("disk", Ignored(DISK)),
        ("gpus", Ignored("devices are not modelled")),
        ("mem", Honoured),
        ("networkBandwidth", Ignored(DISK)),
    ],
};

/// An endpoint of a container of a pod.
pub(super) const ENDPOINT: Keys = Keys {
    called: "an endpoint",
    path: "pods.containers.endpoints.",
    table: &[
        ("containerPort", Idle),
        ("hostPort", Honoured),
        ("labels", Idle),
        ("name", Idle),
        ("networkNames", Idle),
        ("protocol", Honoured),
    ],
};

/// How a pod is treated.
pub(super) const SCHEDULING: Keys = Keys {
    called: "`scheduling`",
    path: "pods.scheduling.",
    table: &[
        ("backoff", Part),
        ("killSelection", Ignored("the profile decides which surplus replicas go first")),
        ("placement", Part),
        ("unreachableStrategy", Part),
        ("upgrade", Part),
    ],
};

/// Waits before a pod is launched again.
pub(super) const BACKOFF: Keys = Keys {
    called: "`backoff`",
    path: "pods.scheduling.backoff.",
    table: &[
        ("backoff", Wished(Wish::RescheduleDelay)),
        ("backoffFactor", Wished(Wish::RescheduleDelay)),
        ("maxLaunchDelay", Wished(Wish::RescheduleDelay)),
    ],
};

/// How many pods.
pub(super) const SCALING: Keys = Keys {
    called: "`scaling`",
    path: "pods.scaling.",
    table: &[("instances", Honoured), ("kind", Part), ("maxInstances", Idle)],
};

/// A container.
pub(super) const CONTAINER: Keys = Keys {
    called: "`container`",
    path: "container.",
    table: &[("docker", Part), ("linuxInfo", Idle), ("portMappings", Part), ("type", Part), ("volumes", Idle)],
};

/// A container of Docker.
pub(super) const DOCKER: Keys = Keys {
    called: "`docker`",
    path: "container.docker.",
    table: &[
        ("credential", Idle),
        ("forcePullImage", Honoured),
        ("image", Honoured),
        ("network", Honoured),
        ("parameters", Idle),
        ("portMappings", Part),
        ("privileged", Idle),
        ("pullConfig", Idle),
    ],
};

/// A port of a container.
pub(super) const MAPPING: Keys = Keys {
    called: "a port mapping",
    path: "portMappings.",
    table: &[
        ("containerPort", Idle),
        ("hostPort", Honoured),
        ("labels", Idle),
        ("name", Idle),
        ("networkNames", Idle),
        ("protocol", Honoured),
        ("servicePort", Idle),
    ],
};

/// A port of an app on the host's network.
pub(super) const DEFINITION: Keys = Keys {
    called: "a port definition",
    path: "portDefinitions.",
    table: &[("labels", Idle), ("name", Idle), ("port", Honoured), ("protocol", Honoured)],
};

/// A health check.
pub(super) const HEALTH: Keys = Keys {
    called: "a health check",
    path: "healthChecks.",
    table: &[
        ("command", Idle),
        ("delaySeconds", Honoured),
        ("exec", Idle),
        ("gracePeriodSeconds", Honoured),
        ("http", Idle),
        ("ignoreHttp1xx", Idle),
        ("intervalSeconds", Honoured),
        ("ipProtocol", Idle),
        ("maxConsecutiveFailures", Honoured),
        ("path", Idle),
        ("port", Idle),
        ("portIndex", Idle),
        ("protocol", Honoured),
        ("tcp", Idle),
        ("timeoutSeconds", Honoured),
    ],
};

/// How updates go.
pub(super) const UPGRADE: Keys = Keys {
    called: "`upgradeStrategy`",
    path: "upgradeStrategy.",
    table: &[("maximumOverCapacity", Wished(Wish::Capacity)), ("minimumHealthCapacity", Wished(Wish::Capacity))],
};

/// Silent agents.
pub(super) const UNREACHABLE: Keys = Keys {
    called: "`unreachableStrategy`",
    path: "unreachableStrategy.",
    table: &[("expungeAfterSeconds", Wished(Wish::Unreachable)), ("inactiveAfterSeconds", Wished(Wish::Unreachable))],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_names_each_key_once() {
        let all = [
            &APP,
            &GROUP,
            &POD,
            &MEMBER,
            &RESOURCES,
            &ENDPOINT,
            &SCHEDULING,
            &BACKOFF,
            &SCALING,
            &CONTAINER,
            &DOCKER,
            &MAPPING,
            &DEFINITION,
            &HEALTH,
            &UPGRADE,
            &UNREACHABLE,
        ];
        for keys in all {
            assert!(keys.table.is_sorted_by(|a, b| a.0 < b.0), "{}", keys.called);
        }
    }
}
