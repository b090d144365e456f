//! Hosts, their models, and the network.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use shakedown_engine::time::Span;

use super::Names;
use crate::problem::Problems;
use crate::text::{At, Cores, Decode, Dur, Named, Node, Size, Value, shape, wrong_type};

shape! {
    /// Hosts, network and how they behave.
    ClusterRaw, "a cluster", "E0201", {
        /// Hosts, or groups of equal hosts.
        nodes: Vec<At<NodeRaw>>,
        /// Groups of equal machines that the cluster autoscaler adds and removes.
        pools: Vec<At<PoolRaw>>,
        /// How long operations of a host take.
        host: Option<HostRaw>,
        /// How long messages take.
        network: Option<NetworkRaw>,
    }
}

shape! {
    /// A host, or `count` equal ones.
    NodeRaw, "a node", "E0201", {
        /// Its name. With `count`, `{n}` becomes 1, 2, 3, ...
        name: At<String>,
        /// How many.
        count: Option<At<u32>>,
        /// CPU that pods may use.
        cpu: At<Cores>,
        /// Memory that pods may use.
        memory: At<Size>,
        /// Disk that pods may use. Default: 100Gi.
        disk: Option<At<Size>>,
        /// Most pods at once. Default: 110.
        pods: Option<At<u32>>,
        /// Its failure domain.
        zone: Option<At<String>>,
        /// Failure domains over which a group is spread in turn.
        zones: Vec<At<String>>,
        /// Further labels.
        labels: Named<String>,
        /// Taints: `key=value:NoSchedule`, `key:NoExecute`.
        taints: Vec<At<String>>,
        /// Roles, for selectors of faults: `worker`, `manager`.
        roles: Option<Names>,
        /// Closed for new pods from the start.
        cordoned: Option<bool>,
        /// `false`: the host is off at first, and its node joins when a `restore` switches it on.
        at_start: Option<bool>,
        /// Most volumes of a driver that can be attached at once, by the driver's name.
        volume_limits: Named<At<u32>>,
    }
}

shape! {
    /// A group of equal machines, `{pool}-1`, `{pool}-2`, ..., of which the first `min` are there from the start.
    PoolRaw, "a pool of machines", "E0201", {
        /// Its name.
        name: At<String>,
        /// Fewest machines. Default: 0.
        min: Option<At<u32>>,
        /// Most machines.
        max: At<u32>,
        /// CPU of each that pods may use.
        cpu: At<Cores>,
        /// Memory of each that pods may use.
        memory: At<Size>,
        /// Disk of each that pods may use. Default: 100Gi.
        disk: Option<At<Size>>,
        /// Most pods at once on each. Default: 110.
        pods: Option<At<u32>>,
        /// Failure domain.
        zone: Option<At<String>>,
        /// Further labels.
        labels: Named<String>,
        /// Taints: `key=value:NoSchedule`, `key:NoExecute`.
        taints: Vec<At<String>>,
        /// Most volumes of a driver that can be attached at once, by the driver's name.
        volume_limits: Named<At<u32>>,
        /// From the request for a machine until its agent runs. Default: 90s.
        boot: Option<Dur>,
    }
}

shape! {
    /// How long operations of a host take when its CPU is idle.
    HostRaw, "the model of a host", "E0201", {
        /// Making a pod's sandbox and network: shortest and longest.
        sandbox: Option<Range>,
        /// Starting a container: shortest and longest.
        start: Option<Range>,
        /// From power until the agent runs.
        boot: Option<Dur>,
        /// Download bandwidth of a host, bytes a second.
        pull_bandwidth: Option<At<Size>>,
        /// What the registry gives to all hosts together, bytes a second.
        registry_bandwidth: Option<At<Size>>,
        /// A round trip to the registry.
        registry_round_trip: Option<Dur>,
        /// Images are on every host from the start.
        images_present: Option<bool>,
        /// CPU that agent and system need.
        system_cpu: Option<Cores>,
        /// CPU time that one heartbeat costs the agent.
        heartbeat_cpu: Option<Dur>,
    }
}

shape! {
    /// One-way trip times between healthy hosts.
    NetworkRaw, "the model of the network", "E0201", {
        /// Inside a zone.
        within_zone: Option<Dur>,
        /// Between zones.
        between_zones: Option<Dur>,
        /// Between a host and the control plane.
        to_control: Option<Dur>,
        /// Between clients outside and a host.
        to_outside: Option<Dur>,
        /// Each trip takes up to this much longer.
        jitter: Option<Dur>,
        /// It enforces network policies, as most networks do. Default: true.
        policies: Option<bool>,
    }
}

/// A duration, or the shortest and longest one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range(pub(crate) Span, pub(crate) Span);

impl Decode for Range {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::List(items) if items.len() == 2 => {
                let low = Dur::decode(&items[0], problems)?.0;
                let high = Dur::decode(&items[1], problems)?.0;
                if low > high {
                    problems
                        .error("E0204", node.mark, "the shortest duration is longer than the longest")
                        .expected("expected `[shortest, longest]`");
                    return None;
                }
                Some(Self(low, high))
            }
            Value::Scalar { .. } => Dur::decode(node, problems).map(|only| Self(only.0, only.0)),
            _ => {
                wrong_type(node, "a duration, or two: `[shortest, longest]`", problems);
                None
            }
        }
    }
}

impl JsonSchema for Range {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Range".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Dur>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 2, "maxItems": 2 }] })
    }
}
