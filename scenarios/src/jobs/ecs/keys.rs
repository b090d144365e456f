//! What each field of ECS definitions does here: one line a field.
//!
//! Source: aws/aws-sdk-go:models/apis/ecs/2014-11-13/api-2.json. Start at [`SERVICE`].

use shakedown_engine::profile::Wish;

use crate::keys::Effect::{Honoured, Idle, Ignored, Part, Wished};
use crate::keys::Keys;

const DEVICES: &str = "devices are not modelled";
const MESH: &str = "the mesh is not modelled";

/// A service.
pub(super) const SERVICE: Keys = Keys {
    called: "a service",
    path: "service.",
    table: &[
        ("availabilityZoneRebalancing", Ignored("nothing is moved that runs")),
        ("capacityProviderStrategy", Ignored("capacity providers are not modelled; write `cluster.pools`")),
        ("clientToken", Idle),
        ("cluster", Idle),
        ("clusterArn", Idle),
        ("createdAt", Idle),
        ("createdBy", Idle),
        ("deploymentConfiguration", Part),
        ("deploymentController", Part),
        ("deployments", Idle),
        ("desiredCount", Honoured),
        ("enableECSManagedTags", Idle),
        ("enableExecuteCommand", Idle),
        ("events", Idle),
        ("healthCheckGracePeriodSeconds", Wished(Wish::Balancer)),
        ("launchType", Part),
        ("loadBalancers", Wished(Wish::Balancer)),
        ("networkConfiguration", Idle),
        ("pendingCount", Idle),
        ("placementConstraints", Part),
        ("placementStrategy", Wished(Wish::Strategies)),
        ("platformFamily", Idle),
        ("platformVersion", Idle),
        ("propagateTags", Idle),
        ("role", Idle),
        ("roleArn", Idle),
        ("runningCount", Idle),
        ("schedulingStrategy", Honoured),
        ("serviceArn", Idle),
        ("serviceConnectConfiguration", Ignored(MESH)),
        ("serviceName", Part),
        ("serviceRegistries", Honoured),
        ("status", Idle),
        ("tags", Idle),
        ("taskDefinition", Part),
        ("taskSets", Idle),
        ("volumeConfigurations", Idle),
        ("vpcLatticeConfigurations", Ignored(MESH)),
    ],
};

/// How a deployment goes.
pub(super) const DEPLOYMENT: Keys = Keys {
    called: "`deploymentConfiguration`",
    path: "service.deploymentConfiguration.",
    table: &[
        ("alarms", Ignored("alarms of CloudWatch are not modelled")),
        ("bakeTimeInMinutes", Ignored("only rolling updates are modelled")),
        ("deploymentCircuitBreaker", Part),
        ("lifecycleHooks", Ignored("only rolling updates are modelled")),
        ("maximumPercent", Wished(Wish::Capacity)),
        ("minimumHealthyPercent", Wished(Wish::Capacity)),
        ("strategy", Part),
    ],
};

/// The circuit breaker.
pub(super) const BREAKER: Keys = Keys {
    called: "`deploymentCircuitBreaker`",
    path: "service.deploymentConfiguration.deploymentCircuitBreaker.",
    table: &[("enable", Wished(Wish::CircuitBreaker)), ("rollback", Wished(Wish::AutoRevert))],
};

/// A placement constraint.
pub(super) const CONSTRAINT: Keys = Keys {
    called: "a placement constraint",
    path: "placementConstraints.",
    table: &[("expression", Honoured), ("type", Honoured)],
};

/// A placement strategy.
pub(super) const STRATEGY: Keys = Keys {
    called: "a placement strategy",
    path: "service.placementStrategy.",
    table: &[("field", Honoured), ("type", Honoured)],
};

/// A task definition.
pub(super) const DEFINITION: Keys = Keys {
    called: "a task definition",
    path: "taskDefinition.",
    table: &[
        ("compatibilities", Idle),
        ("containerDefinitions", Part),
        ("cpu", Honoured),
        ("deregisteredAt", Idle),
        ("enableFaultInjection", Idle),
        ("ephemeralStorage", Idle),
        ("executionRoleArn", Idle),
        ("family", Part),
        ("inferenceAccelerators", Ignored(DEVICES)),
        ("ipcMode", Idle),
        ("memory", Honoured),
        ("networkMode", Honoured),
        ("pidMode", Idle),
        ("placementConstraints", Part),
        ("proxyConfiguration", Ignored(MESH)),
        ("registeredAt", Idle),
        ("registeredBy", Idle),
        ("requiresAttributes", Idle),
        ("requiresCompatibilities", Idle),
        ("revision", Part),
        ("runtimePlatform", Idle),
        ("status", Idle),
        ("tags", Idle),
        ("taskDefinitionArn", Part),
        ("taskRoleArn", Idle),
        ("volumes", Idle),
    ],
};

/// A container definition.
pub(super) const CONTAINER: Keys = Keys {
    called: "a container definition",
    path: "containerDefinitions.",
    table: &[
        ("command", Idle),
        ("cpu", Honoured),
        ("credentialSpecs", Idle),
        ("dependsOn", Ignored("the containers of a task start at once")),
        ("disableNetworking", Idle),
        ("dnsSearchDomains", Idle),
        ("dnsServers", Idle),
        ("dockerLabels", Idle),
        ("dockerSecurityOptions", Idle),
        ("entryPoint", Idle),
        ("environment", Idle),
        ("environmentFiles", Idle),
        ("essential", Part),
        ("extraHosts", Idle),
        ("firelensConfiguration", Idle),
        ("healthCheck", Part),
        ("hostname", Idle),
        ("image", Honoured),
        ("interactive", Idle),
        ("links", Idle),
        ("linuxParameters", Idle),
        ("logConfiguration", Idle),
        ("memory", Honoured),
        ("memoryReservation", Honoured),
        ("mountPoints", Idle),
        ("name", Honoured),
        ("portMappings", Part),
        ("privileged", Idle),
        ("pseudoTerminal", Idle),
        ("readonlyRootFilesystem", Idle),
        ("repositoryCredentials", Idle),
        ("resourceRequirements", Ignored(DEVICES)),
        ("restartPolicy", Ignored("a container that ends ends its task here, if it is essential")),
        ("secrets", Idle),
        ("startTimeout", Ignored("the containers of a task start at once")),
        ("stopTimeout", Honoured),
        ("systemControls", Idle),
        ("ulimits", Idle),
        ("user", Idle),
        ("versionConsistency", Idle),
        ("volumesFrom", Idle),
        ("workingDirectory", Idle),
    ],
};

/// A port mapping.
pub(super) const PORT: Keys = Keys {
    called: "a port mapping",
    path: "containerDefinitions.portMappings.",
    table: &[
        ("appProtocol", Idle),
        ("containerPort", Honoured),
        ("containerPortRange", Ignored("a range of ports claims none of the host here")),
        ("hostPort", Honoured),
        ("name", Idle),
        ("protocol", Honoured),
    ],
};

/// A health check of a container.
pub(super) const HEALTH: Keys = Keys {
    called: "`healthCheck`",
    path: "containerDefinitions.healthCheck.",
    table: &[
        ("command", Honoured),
        ("interval", Honoured),
        ("retries", Honoured),
        ("startPeriod", Honoured),
        ("timeout", Honoured),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_names_each_key_once() {
        let all = [&SERVICE, &DEPLOYMENT, &BREAKER, &CONSTRAINT, &STRATEGY, &DEFINITION, &CONTAINER, &PORT, &HEALTH];
        for keys in all {
            assert!(keys.table.is_sorted_by(|a, b| a.0 < b.0), "{}", keys.called);
        }
    }
}
