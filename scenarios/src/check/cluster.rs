//! Nodes, hosts and the network.

use shakedown_chaos::setting::{HostModel, NetworkModel};
use shakedown_engine::ids::NodeId;
use shakedown_engine::labels::Labels;
use shakedown_engine::model::{Bytes, HOSTNAME_LABEL, MilliCpu, NodeSpec, PoolSpec, Resources, Taint, ZONE_LABEL};
use shakedown_engine::time::Span;

use super::{Checker, Part};
use crate::compose::ROLE_LABEL;
use crate::manifest::effect;
use crate::problem::Mark;
use crate::raw::{HostRaw, NetworkRaw, NodeRaw, PoolRaw};
use crate::text::{At, NAME, Node, is_name};

/// Most nodes of a cluster: ten times what the largest published Kubernetes clusters have.
const MAX_NODES: u32 = 100_000;
/// kubelet's `maxPods`. Source: kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go.
const MAX_PODS: u32 = 110;
/// Disk of a node about which nothing is said: what cloud images of workers commonly have.
const DISK: Bytes = Bytes(100 << 30);

/// From the request for a machine until its agent runs: what managed clusters commonly take.
const BOOT: Span = Span::from_secs(90);

impl Checker<'_> {
    /// Lowers all nodes; returns how hosts and network behave.
    pub(super) fn cluster(&mut self, parts: &[Part], scenario: &Node) -> (HostModel, NetworkModel) {
        let (mut host, mut network) = (HostModel::default(), NetworkModel::default());
        for cluster in parts.iter().filter_map(|part| part.cluster.as_ref()) {
            for node in &cluster.nodes {
                self.nodes(node);
            }
            for pool in &cluster.pools {
                self.pool(pool);
            }
            if let Some(from) = &cluster.host {
                for bandwidth in [from.pull_bandwidth, from.registry_bandwidth].into_iter().flatten() {
                    if bandwidth.value.0 == 0 {
                        self.low
                            .problems
                            .error("E0204", bandwidth.mark, "nothing can be pulled with a bandwidth of 0")
                            .expected("expected bytes a second above 0, such as `100M`");
                    }
                }
                set_host(&mut host, from);
            }
            if let Some(from) = &cluster.network {
                set_network(&mut network, from);
            }
        }
        if self.low.catalog.nodes.is_empty() && !self.incomplete.nodes {
            let mark = scenario.get("cluster").map_or(scenario.mark, |cluster| cluster.mark);
            self.low
                .problems
                .error("E0309", mark, "the cluster has no nodes")
                .expected("expected `cluster: { nodes: [{ name: john, cpu: 8, memory: 32Gi }] }`");
        }
        (host, network)
    }

    fn nodes(&mut self, node: &At<NodeRaw>) {
        let raw = &node.value;
        let count = raw.count.map_or(1, |count| count.value);
        let total = u64::from(count) + self.low.catalog.nodes.len() as u64;
        if count == 0 || total > u64::from(MAX_NODES) {
            let mark = raw.count.map_or(node.mark, |count| count.mark);
            let (message, expected) = match count {
                0 => ("a group of 0 nodes is not possible".to_owned(), "expected at least 1".to_owned()),
                _ => (format!("{total} nodes are not possible"), format!("expected at most {MAX_NODES} nodes in all")),
            };
            self.low.problems.error("E0204", mark, message).expected(expected);
            self.incomplete.nodes = true;
            return;
        }
        self.sensible(raw);
        if count > 1 && !raw.name.value.contains("{n}") {
            self.low
                .problems
                .error("E0308", raw.name.mark, format!("{count} nodes would have the name `{}`", raw.name.value))
                .expected("expected a name with `{n}`, which becomes 1, 2, 3, ...")
                .help(format!("write `name: \"{}-{{n}}\"`", raw.name.value));
            self.incomplete.nodes = true;
            return;
        }
        let Some(taints) = self.taints(&raw.taints) else { return };
        for n in 1..=count {
            self.one(raw, n, &taints);
        }
    }

    /// A node without CPU or memory could not even run its own agent, and names are shown to people.
    fn sensible(&mut self, raw: &NodeRaw) {
        let amounts = [("cpu", raw.cpu.mark, raw.cpu.value.0), ("memory", raw.memory.mark, raw.memory.value.0)];
        for (field, mark, amount) in amounts {
            if amount == 0 {
                self.low
                    .problems
                    .error("E0204", mark, format!("a node with `{field}: 0` is not possible"))
                    .expected("expected an amount above 0");
            }
        }
        let name = At { value: raw.name.value.replace("{n}", "1"), ..raw.name.clone() };
        for name in [&name].into_iter().chain(&raw.zone).chain(&raw.zones) {
            self.named(name);
        }
    }

    /// Files that something cannot be called this.
    pub(super) fn named(&mut self, name: &At<String>) -> bool {
        let good = is_name(&name.value);
        if !good {
            self.low
                .problems
                .error("E0204", name.mark, format!("`{}` cannot be a name", name.value))
                .expected(NAME)
                .help("choose another name; free text belongs into `about` and `label`");
        }
        good
    }

    fn one(&mut self, raw: &NodeRaw, n: u32, taints: &[Taint]) {
        let name = raw.name.value.replace("{n}", &n.to_string());
        if !self.low.first("node", "", &name, raw.name.mark) {
            return;
        }
        let zone = match (&raw.zone, raw.zones.len()) {
            (Some(zone), _) => zone.value.clone(),
            (None, 0) => "default".to_owned(),
            (None, zones) => raw.zones[(n - 1) as usize % zones].value.clone(),
        };
        let zone_id = self.low.catalog.zone(&zone);
        // What kubelet sets on every node, and what manifests commonly select by.
        let own = [
            (HOSTNAME_LABEL, &*name),
            (ZONE_LABEL, &*zone),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ];
        // Roles are labels, too, as kubeadm gives them: constraints of Compose files select by these.
        let roles = raw.roles.iter().flat_map(|roles| &roles.0);
        let roles: Vec<String> = roles.map(|role| format!("{ROLE_LABEL}{}", role.value)).collect();
        let own = own.into_iter().chain(roles.iter().map(|role| (role.as_str(), "")));
        let labels = own.chain(raw.labels.0.iter().map(|(key, value)| (&*key.value, &**value)));
        let labels = Labels::new(self.pairs(labels));
        let mut allocatable = Resources::new(MilliCpu(raw.cpu.value.0), Bytes(raw.memory.value.0));
        allocatable.ephemeral = raw.disk.map_or(DISK, |disk| Bytes(disk.value.0));
        let names = &mut self.low.catalog.names;
        let roles = raw.roles.iter().flat_map(|roles| &roles.0).map(|role| names.intern(&role.value)).collect();
        let spec = NodeSpec {
            name: names.intern(&name),
            labels,
            zone: zone_id,
            allocatable,
            max_pods: raw.pods.map_or(MAX_PODS, |pods| pods.value),
            taints: taints.to_vec(),
            unschedulable: raw.cordoned.unwrap_or(false),
            at_start: raw.at_start.unwrap_or(true),
            pool: None,
            volume_limits: raw.volume_limits.0.iter().map(|(name, n)| (names.intern(&name.value), n.value)).collect(),
            roles,
        };
        self.low.catalog.nodes.push(spec);
    }

    /// A pool is a group of nodes, of which all but the first `min` do not exist yet.
    fn pool(&mut self, pool: &At<PoolRaw>) {
        let raw = &pool.value;
        let min = raw.min.map_or(0, |min| min.value);
        if min > raw.max.value {
            let mark = raw.min.map_or(pool.mark, |min| min.mark);
            self.low
                .problems
                .error(
                    "E0204",
                    mark,
                    format!("a pool of at least {min} and at most {} machines is not possible", raw.max.value),
                )
                .expected("expected `min` to be at most `max`");
            return;
        }
        if !self.named(&raw.name) || !self.low.first("pool", "", &raw.name.value, raw.name.mark) {
            return;
        }
        let name = At { value: format!("{}-{{n}}", raw.name.value), ..raw.name.clone() };
        let node = NodeRaw {
            name,
            count: Some(raw.max),
            cpu: raw.cpu,
            memory: raw.memory,
            disk: raw.disk,
            pods: raw.pods,
            zone: raw.zone.clone(),
            zones: Vec::new(),
            labels: raw.labels.clone(),
            taints: raw.taints.clone(),
            roles: None,
            cordoned: None,
            at_start: None,
            volume_limits: raw.volume_limits.clone(),
        };
        let first = self.low.catalog.nodes.len();
        self.nodes(&At { value: node, mark: pool.mark, flawed: pool.flawed });
        let catalog = &mut *self.low.catalog;
        let mut allocatable = Resources::new(MilliCpu(raw.cpu.value.0), Bytes(raw.memory.value.0));
        allocatable.ephemeral = raw.disk.map_or(DISK, |disk| Bytes(disk.value.0));
        let spec = PoolSpec {
            name: catalog.names.intern(&raw.name.value),
            min,
            max: raw.max.value,
            boot: raw.boot.map_or(BOOT, |boot| boot.0),
            allocatable,
        };
        let id = catalog.pools.push(spec);
        let own: Vec<NodeId> = catalog.nodes.ids().skip(first).collect();
        for (index, node) in own.into_iter().enumerate() {
            catalog.nodes[node].pool = Some(id);
            catalog.nodes[node].at_start = index < min as usize;
        }
    }

    fn taints(&mut self, raw: &[At<String>]) -> Option<Vec<Taint>> {
        let mut out = Vec::new();
        for taint in raw {
            out.push(self.taint(&taint.value, taint.mark)?);
        }
        Some(out)
    }

    pub(super) fn taint(&mut self, text: &str, mark: Mark) -> Option<Taint> {
        let parsed = text.rsplit_once(':').and_then(|(pair, word)| Some((pair, effect(word)?)));
        let Some((pair, effect)) = parsed.filter(|(pair, _)| !pair.is_empty()) else {
            self.low
                .problems
                .error("E0204", mark, format!("`{text}` is not a taint"))
                .expected("expected `key=value:NoSchedule`; effects are NoSchedule, PreferNoSchedule and NoExecute");
            self.incomplete.nodes = true;
            return None;
        };
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let names = &mut self.low.catalog.names;
        Some(Taint { key: names.intern(key), value: names.intern(value), effect })
    }
}

fn set_host(host: &mut HostModel, from: &HostRaw) {
    let bandwidth = |size: i64| u64::try_from(size).unwrap_or(0).max(1);
    if let Some(range) = from.sandbox {
        host.sandbox = (range.0, range.1);
    }
    if let Some(range) = from.start {
        host.start = (range.0, range.1);
    }
    set(&mut host.boot, from.boot.map(|v| v.0));
    set(&mut host.pull_bandwidth, from.pull_bandwidth.map(|v| bandwidth(v.value.0)));
    set(&mut host.registry_bandwidth, from.registry_bandwidth.map(|v| bandwidth(v.value.0)));
    set(&mut host.registry_round_trip, from.registry_round_trip.map(|v| v.0));
    set(&mut host.images_present, from.images_present);
    set(&mut host.system_cpu, from.system_cpu.map(|v| MilliCpu(v.0)));
    set(&mut host.heartbeat_cpu, from.heartbeat_cpu.map(|v| v.0));
}

fn set_network(network: &mut NetworkModel, from: &NetworkRaw) {
    set(&mut network.within_zone, from.within_zone.map(|v| v.0));
    set(&mut network.between_zones, from.between_zones.map(|v| v.0));
    set(&mut network.to_control, from.to_control.map(|v| v.0));
    set(&mut network.to_outside, from.to_outside.map(|v| v.0));
    set(&mut network.jitter, from.jitter.map(|v| v.0));
    set(&mut network.policies, from.policies);
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
