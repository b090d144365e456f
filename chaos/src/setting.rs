//! How hosts, network, registry and images behave when nobody hurts them.
//!
//! All of it is assumption, visible in the report; defaults are in the constructors with their sources.

use shakedown_engine::ids::{ImageId, Table};
use shakedown_engine::model::{Bytes, MilliCpu};
use shakedown_engine::time::Span;

/// Behaviour of everything that is not the orchestrator.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Hosts and their container runtime.
    pub host: HostModel,
    /// The network.
    pub network: NetworkModel,
    /// What is in each image, parallel to the catalog's images.
    pub images: Table<ImageId, Behaviour>,
}

/// Durations of a host's operations on an idle CPU.
#[derive(Clone, Debug)]
pub struct HostModel {
    /// Making a pod's sandbox and its network, shortest and longest.
    pub sandbox: (Span, Span),
    /// Starting a container, shortest and longest.
    pub start: (Span, Span),
    /// From power until the agent runs.
    pub boot: Span,
    /// Download bandwidth of one host, bytes a second.
    pub pull_bandwidth: u64,
    /// What the registry gives to all hosts together, bytes a second.
    pub registry_bandwidth: u64,
    /// A round trip to the registry, authentication included.
    pub registry_round_trip: Span,
    /// Images are on every host from the start.
    pub images_present: bool,
    /// CPU that the agent and the system need, thousandths of a core.
    pub system_cpu: MilliCpu,
    /// CPU time that one heartbeat costs the agent.
    pub heartbeat_cpu: Span,
    /// Memory that pods may hold beyond what the node hands out before the kernel kills.
    pub spare_memory: Bytes,
    /// The one file system of a host, for images and all that containers write.
    pub disk: Bytes,
}

/// One-way trip times between healthy hosts.
#[derive(Clone, Debug)]
pub struct NetworkModel {
    /// Inside a zone.
    pub within_zone: Span,
    /// Between zones.
    pub between_zones: Span,
    /// Between a host and the control plane.
    pub to_control: Span,
    /// Between clients outside and a host.
    pub to_outside: Span,
    /// Each trip takes up to this much longer.
    pub jitter: Span,
    /// From a link that works again until an agent has connected again, shortest and longest.
    pub reconnect: (Span, Span),
    /// The network enforces network policies, as most do.
    pub policies: bool,
}

/// What a container does.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// CPU time from start until it serves.
    pub startup: Span,
    /// CPU used while idle.
    pub idle_cpu: MilliCpu,
    /// CPU time that one request costs.
    pub cpu_per_request: Span,
    /// Time for one request besides CPU (its own dependencies).
    pub wait_per_request: Span,
    /// Memory in use.
    pub memory: Bytes,
    /// How fast that grows.
    pub leak: Growth,
    /// How fast it fills the disk, with logs for instance.
    pub writes: Growth,
    /// Time it takes to stop when asked politely.
    pub shutdown: Span,
    /// What is wrong with it.
    pub defect: Defect,
    /// For containers that end by themselves (init containers, jobs): how long they run.
    pub runs_for: Option<Span>,
    /// Of these, some fail.
    pub fails: Option<Failing>,
}

/// Steady growth, in bytes an hour: a whole number for each sensible amount a second or a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Growth(pub i64);

/// How containers that end by themselves fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// How many of a thousand runs fail.
    pub permille: u32,
    /// With which code.
    pub code: i32,
    /// After how long; `None`: when they would have ended well.
    pub after: Option<Span>,
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nothing.
    None,
    /// It crashes this long after its start.
    Crashes {
        /// How long.
        after: Span,
    },
    /// It hangs this long after its start: it runs on, and answers neither its probes nor its users.
    Hangs {
        /// How long.
        after: Span,
    },
    /// It runs but never answers its probes or its users.
    NeverReady,
    /// It passes its probes but answers so many thousandths of requests with an error.
    Errors {
        /// Thousandths.
        permille: u32,
    },
    /// It cannot be pulled.
    Missing,
}

impl Default for HostModel {
    fn default() -> Self {
        Self {
            // knowledge: sandbox and CNI 0.2-1 s, container start a few hundred ms.
            sandbox: (Span::from_millis(200), Span::from_millis(600)),
            start: (Span::from_millis(100), Span::from_millis(300)),
            boot: Span::from_secs(30),
            pull_bandwidth: 50_000_000,
            registry_bandwidth: 1_000_000_000,
            registry_round_trip: Span::from_millis(300),
            images_present: false,
            system_cpu: MilliCpu(100),
            heartbeat_cpu: Span::from_millis(5),
            // What is handed out is what there is less the reserves and less the hard eviction threshold; the group of all
            // pods is limited to what is handed out and that threshold. The system is taken to use what is reserved for it.
            // Source: kubernetes/kubernetes:pkg/kubelet/cm/node_container_manager_linux.go.
            spare_memory: Bytes(100 << 20),
            // The usual size of a cloud's boot disk for nodes.
            disk: Bytes(100 << 30),
        }
    }
}

impl Default for NetworkModel {
    fn default() -> Self {
        Self {
            within_zone: Span::from_micros(250),
            between_zones: Span::from_micros(750),
            to_control: Span::from_micros(500),
            to_outside: Span::from_millis(10),
            jitter: Span::from_micros(100),
            // Client back-off, assumed to be 1 s give or take half.
            reconnect: (Span::from_millis(500), Span::from_millis(1500)),
            // Calico, Cilium and most managed networks do; kubenet, flannel and kindnet before Kubernetes 1.32 do not.
            policies: true,
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            startup: Span::from_secs(1),
            idle_cpu: MilliCpu(5),
            cpu_per_request: Span::from_millis(1),
            wait_per_request: Span::from_millis(5),
            memory: Bytes(64 << 20),
            leak: Growth(0),
            writes: Growth(0),
            shutdown: Span::from_millis(500),
            defect: Defect::None,
            runs_for: None,
            fails: None,
        }
    }
}
