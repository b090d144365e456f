//! What each key of a Compose file does here: one line a key.
//!
//! The keys are those of compose-spec/compose-spec:schema/compose-spec.json, and those that only versions 2 and 3 had
//! (docker/cli:cli/compose/schema/data). Values are not looked at here. Start at [`SERVICE`].

use shakedown_engine::profile::Wish;

use crate::keys::Effect::{Honoured, Idle, Ignored, Part, Unresolved, Wished};
use crate::keys::Keys;

/// The file itself.
pub(super) const FILE: Keys = Keys {
    called: "a Compose file",
    path: "",
    table: &[
        ("configs", Idle),
        ("include", Unresolved("services of other files would be missing")),
        ("models", Idle),
        ("name", Idle),
        ("networks", Idle),
        ("secrets", Idle),
        ("services", Part),
        ("version", Idle),
        ("volumes", Idle),
    ],
};

const RUNS_ALONE: &str = "only `cpus` and memory limit a container here";
const ON_HOST: &str = "each container has a network of its own; claim ports of the host with `mode: host`";

/// A service.
pub(super) const SERVICE: Keys = Keys {
    called: "a service",
    path: "",
    table: &[
        ("annotations", Idle),
        ("attach", Idle),
        ("blkio_config", Idle),
        ("build", Idle),
        ("cap_add", Idle),
        ("cap_drop", Idle),
        ("cgroup", Idle),
        ("cgroup_parent", Idle),
        ("command", Idle),
        ("configs", Idle),
        ("container_name", Idle),
        ("cpu_count", Ignored(RUNS_ALONE)),
        ("cpu_percent", Ignored(RUNS_ALONE)),
        ("cpu_period", Ignored(RUNS_ALONE)),
        ("cpu_quota", Ignored(RUNS_ALONE)),
        ("cpu_rt_period", Idle),
        ("cpu_rt_runtime", Idle),
        ("cpu_shares", Ignored(RUNS_ALONE)),
        ("cpus", Honoured),
        ("cpuset", Ignored(RUNS_ALONE)),
        ("credential_spec", Idle),
        ("depends_on", Ignored("all services start at once")),
        ("deploy", Part),
        ("develop", Idle),
        ("device_cgroup_rules", Idle),
        ("devices", Ignored("devices are not modelled")),
        ("dns", Idle),
        ("dns_opt", Idle),
        ("dns_search", Idle),
        ("domainname", Idle),
        ("entrypoint", Idle),
        ("env_file", Idle),
        ("environment", Idle),
        ("expose", Honoured),
        ("extends", Unresolved("what the other service says would be missing")),
        ("external_links", Ignored("what is outside of the file is not simulated")),
        ("extra_hosts", Idle),
        ("gpus", Ignored("devices are not modelled")),
        ("group_add", Idle),
        ("healthcheck", Part),
        ("hostname", Idle),
        ("image", Honoured),
        ("init", Idle),
        ("ipc", Idle),
        ("isolation", Idle),
        ("label_file", Idle),
        ("labels", Honoured),
        ("links", Honoured),
        ("logging", Idle),
        ("mac_address", Idle),
        ("mem_limit", Honoured),
        ("mem_reservation", Honoured),
        ("mem_swappiness", Idle),
        ("memswap_limit", Ignored("memory is never swapped here")),
        ("models", Idle),
        ("network_mode", Ignored(ON_HOST)),
        ("networks", Idle),
        ("oom_kill_disable", Ignored("a container above its memory limit is killed here")),
        ("oom_score_adj", Idle),
        ("pid", Idle),
        ("pids_limit", Idle),
        ("platform", Idle),
        ("ports", Honoured),
        ("post_start", Ignored("hooks after the start take no time here")),
        ("pre_stop", Ignored("how long this command takes is not known; it is taken as no time")),
        ("privileged", Idle),
        ("profiles", Ignored("all services of the file run")),
        ("provider", Unresolved("an external program runs this service")),
        ("pull_policy", Honoured),
        ("pull_refresh_after", Idle),
        ("read_only", Idle),
        ("restart", Honoured),
        ("runtime", Idle),
        ("scale", Honoured),
        ("secrets", Idle),
        ("security_opt", Idle),
        ("shm_size", Idle),
        ("stdin_open", Idle),
        ("stop_grace_period", Honoured),
        ("stop_signal", Idle),
        ("storage_opt", Idle),
        ("sysctls", Idle),
        ("tmpfs", Idle),
        ("tty", Idle),
        ("ulimits", Idle),
        ("use_api_socket", Idle),
        ("user", Idle),
        ("userns_mode", Idle),
        ("uts", Idle),
        ("volume_driver", Idle),
        ("volumes", Idle),
        ("volumes_from", Idle),
        ("working_dir", Idle),
    ],
};

/// `deploy`.
pub(super) const DEPLOY: Keys = Keys {
    called: "`deploy`",
    path: "deploy.",
    table: &[
        ("endpoint_mode", Honoured),
        ("labels", Part),
        ("mode", Honoured),
        ("placement", Part),
        ("replicas", Honoured),
        ("resources", Part),
        ("restart_policy", Part),
        ("rollback_config", Part),
        ("update_config", Part),
    ],
};

/// `deploy.resources`.
pub(super) const RESOURCES: Keys =
    Keys { called: "`resources`", path: "deploy.resources.", table: &[("limits", Part), ("reservations", Part)] };

/// `deploy.resources.limits`.
pub(super) const LIMITS: Keys = Keys {
    called: "`limits`",
    path: "deploy.resources.limits.",
    table: &[("cpus", Honoured), ("memory", Honoured), ("pids", Idle)],
};

/// `deploy.resources.reservations`.
pub(super) const RESERVATIONS: Keys = Keys {
    called: "`reservations`",
    path: "deploy.resources.reservations.",
    table: &[
        ("cpus", Honoured),
        ("devices", Ignored("devices are not modelled")),
        ("generic_resources", Ignored("only CPU and memory are reserved")),
        ("memory", Honoured),
    ],
};

/// `deploy.placement`.
pub(super) const PLACEMENT: Keys = Keys {
    called: "`placement`",
    path: "deploy.placement.",
    table: &[("constraints", Honoured), ("max_replicas_per_node", Honoured), ("preferences", Wished(Wish::Spread))],
};

/// An entry of `deploy.placement.preferences`.
pub(super) const PREFERENCE: Keys =
    Keys { called: "a preference", path: "deploy.placement.preferences.", table: &[("spread", Honoured)] };

/// `deploy.restart_policy`.
pub(super) const RESTART: Keys = Keys {
    called: "`restart_policy`",
    path: "deploy.restart_policy.",
    table: &[
        ("condition", Honoured),
        ("delay", Wished(Wish::RestartDelay)),
        ("max_attempts", Wished(Wish::RestartAttempts)),
        ("window", Wished(Wish::RestartWindow)),
    ],
};

/// `deploy.update_config`.
pub(super) const UPDATE: Keys = Keys {
    called: "`update_config`",
    path: "deploy.update_config.",
    table: &[
        ("delay", Wished(Wish::UpdateDelay)),
        ("failure_action", Wished(Wish::UpdateFailure)),
        ("max_failure_ratio", Wished(Wish::UpdateMaxFailure)),
        ("monitor", Wished(Wish::UpdateMonitor)),
        ("order", Wished(Wish::UpdateOrder)),
        ("parallelism", Wished(Wish::UpdateParallelism)),
    ],
};

/// `deploy.rollback_config`.
pub(super) const ROLLBACK: Keys = Keys {
    called: "`rollback_config`",
    path: "deploy.rollback_config.",
    table: &[
        ("delay", Wished(Wish::Rollback)),
        ("failure_action", Wished(Wish::Rollback)),
        ("max_failure_ratio", Wished(Wish::Rollback)),
        ("monitor", Wished(Wish::Rollback)),
        ("order", Wished(Wish::Rollback)),
        ("parallelism", Wished(Wish::Rollback)),
    ],
};

/// `healthcheck`.
pub(super) const HEALTH: Keys = Keys {
    called: "`healthcheck`",
    path: "healthcheck.",
    table: &[
        ("disable", Honoured),
        ("interval", Honoured),
        ("retries", Honoured),
        ("start_interval", Honoured),
        ("start_period", Honoured),
        ("test", Honoured),
        ("timeout", Honoured),
    ],
};

/// A port in the long form.
pub(super) const PORT: Keys = Keys {
    called: "a port",
    path: "ports.",
    table: &[
        ("app_protocol", Idle),
        ("host_ip", Honoured),
        ("mode", Honoured),
        ("name", Idle),
        ("protocol", Honoured),
        ("published", Honoured),
        ("target", Honoured),
    ],
};

/// An entry of `depends_on` in the long form.
pub(super) const DEPENDS: Keys = Keys {
    called: "a dependency",
    path: "depends_on.",
    table: &[("condition", Part), ("required", Part), ("restart", Part)],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_names_each_key_once() {
        let all = [
            &FILE,
            &SERVICE,
            &DEPLOY,
            &RESOURCES,
            &LIMITS,
            &RESERVATIONS,
            &PLACEMENT,
            &PREFERENCE,
            &RESTART,
            &UPDATE,
            &ROLLBACK,
            &HEALTH,
            &PORT,
            &DEPENDS,
        ];
        for keys in all {
            assert!(keys.table.is_sorted_by(|a, b| a.0 < b.0), "{}", keys.called);
        }
    }
}
