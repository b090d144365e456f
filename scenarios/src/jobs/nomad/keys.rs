//! What each field of a Nomad job does here: one line a field.
//!
//! Source: hashicorp/nomad:api/jobs.go, api/tasks.go, api/services.go, api/resources.go, api/constraint.go,
//! api/compose.go. Start at [`JOB`].

use shakedown_engine::profile::Wish;

use crate::keys::Effect::{Honoured, Idle, Ignored, Part, Wished};
use crate::keys::Keys;

const DEVICES: &str = "devices are not modelled";
const DISK: &str = "only CPU and memory are reserved";

/// A job.
pub(super) const JOB: Keys = Keys {
    called: "a job",
    path: "",
    table: &[
        ("Affinities", Part),
        ("AllAtOnce", Ignored("groups are placed pod by pod")),
        ("Constraints", Part),
        ("ConsulNamespace", Idle),
        ("ConsulToken", Idle),
        ("CreateIndex", Idle),
        ("Datacenters", Honoured),
        ("DispatchIdempotencyToken", Idle),
        ("Dispatched", Idle),
        ("ID", Part),
        ("JobModifyIndex", Idle),
        ("Meta", Idle),
        ("Migrate", Part),
        ("ModifyIndex", Idle),
        ("ModifyTime", Idle),
        ("Multiregion", Ignored("one region is simulated")),
        ("Name", Part),
        ("Namespace", Idle),
        ("NodePool", Honoured),
        ("NomadTokenID", Idle),
        ("ParameterizedJob", Part),
        ("ParentID", Idle),
        ("Payload", Idle),
        ("Periodic", Part),
        ("Priority", Honoured),
        ("Region", Idle),
        ("Reschedule", Part),
        ("Spreads", Part),
        ("Stable", Idle),
        ("Status", Idle),
        ("StatusDescription", Idle),
        ("Stop", Idle),
        ("SubmitTime", Idle),
        ("TaskGroups", Part),
        ("Type", Honoured),
        ("UI", Idle),
        ("Update", Part),
        ("VaultNamespace", Idle),
        ("VaultToken", Idle),
        ("Version", Idle),
        ("VersionTag", Idle),
    ],
};

/// A task group.
pub(super) const GROUP: Keys = Keys {
    called: "a task group",
    path: "TaskGroups.",
    table: &[
        ("Affinities", Part),
        ("Constraints", Part),
        ("Consul", Idle),
        ("Count", Honoured),
        ("Disconnect", Part),
        ("EphemeralDisk", Idle),
        ("MaxClientDisconnect", Wished(Wish::LostAfter)),
        ("MaxRunDuration", Honoured),
        ("Meta", Idle),
        ("Migrate", Part),
        ("Name", Part),
        ("Networks", Part),
        ("PreventRescheduleOnLost", Wished(Wish::LostReschedule)),
        ("ReschedulePolicy", Part),
        ("RestartPolicy", Part),
        ("Scaling", Ignored("the autoscaler of Nomad is not modelled; write `scale` entries")),
        ("Services", Part),
        ("ShutdownDelay", Ignored("replicas leave their services as their stop begins")),
        ("Spreads", Part),
        ("StopAfterClientDisconnect", Wished(Wish::StopOnClient)),
        ("Tasks", Part),
        ("Update", Part),
        ("Volumes", Ignored("volumes of Nomad decide nothing here")),
    ],
};

/// A task.
pub(super) const TASK: Keys = Keys {
    called: "a task",
    path: "TaskGroups.Tasks.",
    table: &[
        ("Actions", Idle),
        ("Affinities", Part),
        ("Artifacts", Ignored("downloads of artifacts take no time here")),
        ("CSIPluginConfig", Idle),
        ("Config", Part),
        ("Constraints", Part),
        ("Consul", Idle),
        ("DispatchPayload", Idle),
        ("Driver", Honoured),
        ("Env", Idle),
        ("Identities", Idle),
        ("Identity", Idle),
        ("KillSignal", Idle),
        ("KillTimeout", Honoured),
        ("Kind", Idle),
        ("Leader", Ignored("the tasks of a group end independently here")),
        ("Lifecycle", Part),
        ("LogConfig", Idle),
        ("Meta", Idle),
        ("Name", Part),
        ("Resources", Part),
        ("RestartPolicy", Part),
        ("ScalingPolicies", Ignored("the autoscaler of Nomad is not modelled; write `scale` entries")),
        ("Schedule", Ignored("tasks run all day here")),
        ("Secrets", Idle),
        ("Services", Part),
        ("ShutdownDelay", Ignored("replicas leave their services as their stop begins")),
        ("Templates", Ignored("changes of templates restart nothing here")),
        ("User", Idle),
        ("UsesCores", Idle),
        ("Vault", Idle),
        ("VolumeMounts", Idle),
    ],
};

/// Resources of a task.
pub(super) const RESOURCES: Keys = Keys {
    called: "`Resources`",
    path: "TaskGroups.Tasks.Resources.",
    table: &[
        ("CPU", Honoured),
        ("Cores", Honoured),
        ("Custom", Ignored(DEVICES)),
        ("Devices", Ignored(DEVICES)),
        ("DiskMB", Ignored(DISK)),
        ("IOPS", Idle),
        ("MemoryMB", Honoured),
        ("MemoryMaxMB", Honoured),
        ("NUMA", Ignored("cores have no places here")),
        ("Networks", Part),
        ("SecretsMB", Idle),
    ],
};

/// A network of a group or task.
pub(super) const NETWORK: Keys = Keys {
    called: "a network",
    path: "Networks.",
    table: &[
        ("CIDR", Idle),
        ("CNI", Idle),
        ("DNS", Idle),
        ("Device", Idle),
        ("DynamicPorts", Honoured),
        ("Hostname", Idle),
        ("IP", Idle),
        ("MBits", Ignored(DISK)),
        ("Mode", Idle),
        ("ReservedPorts", Honoured),
    ],
};

/// A port.
pub(super) const PORT: Keys = Keys {
    called: "a port",
    path: "Networks.Ports.",
    table: &[("HostNetwork", Idle), ("IgnoreCollision", Idle), ("Label", Idle), ("To", Idle), ("Value", Honoured)],
};

/// A constraint.
pub(super) const CONSTRAINT: Keys = Keys {
    called: "a constraint",
    path: "Constraints.",
    table: &[("LTarget", Honoured), ("Operand", Honoured), ("RTarget", Honoured)],
};

/// An affinity.
pub(super) const AFFINITY: Keys = Keys {
    called: "an affinity",
    path: "Affinities.",
    table: &[("LTarget", Honoured), ("Operand", Honoured), ("RTarget", Honoured), ("Weight", Honoured)],
};

/// A spread.
pub(super) const SPREAD: Keys = Keys {
    called: "a spread",
    path: "Spreads.",
    table: &[("Attribute", Wished(Wish::Spread)), ("SpreadTarget", Wished(Wish::SpreadTargets)), ("Weight", Honoured)],
};

/// A wanted share.
pub(super) const TARGET: Keys =
    Keys { called: "a target", path: "Spreads.SpreadTarget.", table: &[("Percent", Honoured), ("Value", Honoured)] };

/// How an update goes.
pub(super) const UPDATE: Keys = Keys {
    called: "`Update`",
    path: "Update.",
    table: &[
        ("AutoPromote", Wished(Wish::Canary)),
        ("AutoRevert", Wished(Wish::AutoRevert)),
        ("Canary", Wished(Wish::Canary)),
        ("HealthCheck", Part),
        ("HealthyDeadline", Wished(Wish::HealthyDeadline)),
        ("MaxParallel", Wished(Wish::UpdateParallelism)),
        ("MinHealthyTime", Wished(Wish::MinHealthy)),
        ("ProgressDeadline", Wished(Wish::ProgressDeadline)),
        ("Stagger", Wished(Wish::UpdateDelay)),
    ],
};

/// Restarts on the same node.
pub(super) const RESTART: Keys = Keys {
    called: "`RestartPolicy`",
    path: "RestartPolicy.",
    table: &[
        ("Attempts", Wished(Wish::RestartAttempts)),
        ("Delay", Wished(Wish::RestartDelay)),
        ("Interval", Wished(Wish::RestartWindow)),
        ("Mode", Part),
        ("RenderTemplates", Idle),
    ],
};

/// Replacements on other nodes.
pub(super) const RESCHEDULE: Keys = Keys {
    called: "`ReschedulePolicy`",
    path: "ReschedulePolicy.",
    table: &[
        ("Attempts", Wished(Wish::RescheduleAttempts)),
        ("Delay", Wished(Wish::RescheduleDelay)),
        ("DelayFunction", Wished(Wish::RescheduleDelay)),
        ("Interval", Wished(Wish::RescheduleAttempts)),
        ("MaxDelay", Wished(Wish::RescheduleDelay)),
        ("Unlimited", Wished(Wish::RescheduleAttempts)),
    ],
};

/// Leaving drained nodes.
pub(super) const MIGRATE: Keys = Keys {
    called: "`Migrate`",
    path: "Migrate.",
    table: &[
        ("HealthCheck", Idle),
        ("HealthyDeadline", Wished(Wish::Migrate)),
        ("MaxParallel", Wished(Wish::Migrate)),
        ("MinHealthyTime", Wished(Wish::Migrate)),
    ],
};

/// Silent nodes.
pub(super) const DISCONNECT: Keys = Keys {
    called: "`Disconnect`",
    path: "Disconnect.",
    table: &[
        ("LostAfter", Wished(Wish::LostAfter)),
        ("Reconcile", Wished(Wish::Survivor)),
        ("Replace", Wished(Wish::LostAfter)),
        ("StopOnClientAfter", Wished(Wish::StopOnClient)),
    ],
};

/// When a task runs beside the main ones.
pub(super) const LIFECYCLE: Keys = Keys {
    called: "`Lifecycle`",
    path: "TaskGroups.Tasks.Lifecycle.",
    table: &[("Hook", Honoured), ("Sidecar", Honoured)],
};

/// A service in Consul or Nomad.
pub(super) const SERVICE: Keys = Keys {
    called: "a service",
    path: "Services.",
    table: &[
        ("Address", Idle),
        ("AddressMode", Idle),
        ("CanaryMeta", Idle),
        ("CanaryTags", Idle),
        ("CheckRestart", Part),
        ("Checks", Part),
        ("Cluster", Idle),
        ("Connect", Ignored("the mesh of Consul is not modelled")),
        ("EnableTagOverride", Idle),
        ("Id", Idle),
        ("Identity", Idle),
        ("Kind", Idle),
        ("Meta", Idle),
        ("Name", Honoured),
        ("OnUpdate", Idle),
        ("PortLabel", Idle),
        ("Provider", Idle),
        ("TaggedAddresses", Idle),
        ("Tags", Idle),
        ("TaskName", Idle),
        ("Weights", Ignored("all replicas get the same share")),
    ],
};

/// A check of a service.
pub(super) const CHECK: Keys = Keys {
    called: "a check",
    path: "Services.Checks.",
    table: &[
        ("AddressMode", Idle),
        ("AdvertiseAddress", Idle),
        ("Args", Idle),
        ("Body", Idle),
        ("CheckRestart", Part),
        ("Command", Idle),
        ("Expose", Idle),
        ("FailuresBeforeCritical", Honoured),
        ("FailuresBeforeWarning", Idle),
        ("GRPCService", Idle),
        ("GRPCUseTLS", Idle),
        ("Header", Idle),
        ("Id", Idle),
        ("InitialStatus", Idle),
        ("Interval", Honoured),
        ("Method", Idle),
        ("Name", Idle),
        ("Notes", Idle),
        ("OnUpdate", Idle),
        ("Path", Idle),
        ("PortLabel", Idle),
        ("Protocol", Idle),
        ("SuccessBeforePassing", Honoured),
        ("TLSServerName", Idle),
        ("TLSSkipVerify", Idle),
        ("TaskName", Idle),
        ("Timeout", Honoured),
        ("Type", Honoured),
    ],
};

/// Restarts because of a check.
pub(super) const CHECK_RESTART: Keys = Keys {
    called: "`CheckRestart`",
    path: "CheckRestart.",
    table: &[("Grace", Honoured), ("IgnoreWarnings", Idle), ("Limit", Honoured)],
};

/// Runs at set times.
pub(super) const PERIODIC: Keys = Keys {
    called: "`Periodic`",
    path: "Periodic.",
    table: &[
        ("Enabled", Honoured),
        ("ProhibitOverlap", Honoured),
        ("Spec", Honoured),
        ("SpecType", Honoured),
        ("Specs", Honoured),
        ("TimeZone", Ignored("runs begin at hour 0 of their own clock")),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_names_each_key_once() {
        let all = [
            &JOB,
            &GROUP,
            &TASK,
            &RESOURCES,
            &NETWORK,
            &PORT,
            &CONSTRAINT,
            &AFFINITY,
            &SPREAD,
            &TARGET,
            &UPDATE,
            &RESTART,
            &RESCHEDULE,
            &MIGRATE,
            &DISCONNECT,
            &LIFECYCLE,
            &SERVICE,
            &CHECK,
            &CHECK_RESTART,
            &PERIODIC,
        ];
        for keys in all {
            assert!(keys.table.is_sorted_by(|a, b| a.0 < b.0), "{}", keys.called);
        }
    }
}
