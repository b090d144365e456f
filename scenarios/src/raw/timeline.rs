//! Entries of the timeline as written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::select::node_shape;
use super::{Class, Death, LevelRaw, NodesRaw, Part, Pick, SideRaw, Which};
use super::{DefaultPriorityRaw, DeletionCostRaw, EvictRaw, LabelRaw, TaintRaw, UntaintRaw, UpdateStrategyRaw};
use crate::problem::Problems;
use crate::text::{At, Decode, Dur, GrowthRate, Named, Node, Percent, Permille, Value, shape, wrong_type};

shape! {
    /// Something that happens: when, how long, and exactly one kind of fault or operation.
    EntryRaw, "an entry of `timeline`", "E0208", {
        /// When.
        at: At<Dur>,
        /// How long. Left out: until another entry undoes it.
        r#for: Option<At<Dur>>,
        /// Targets are chosen again while it lasts, so that newcomers are hit too.
        continuous: Option<At<bool>>,
        /// Name of the fault in reports.
        label: Option<String>,
        /// Hosts lose power.
        kill: Option<At<NodesRaw>>,
        /// Hosts that are down boot again.
        restore: Option<At<NodesRaw>>,
        /// Hosts lose power and boot again at once.
        restart: Option<At<NodesRaw>>,
        /// CPU of hosts is taken away.
        saturate: Option<At<SaturateRaw>>,
        /// Nothing passes between two sides.
        partition: Option<At<LinkRaw>>,
        /// Everything between two sides takes longer.
        delay: Option<At<LinkRaw>>,
        /// A share of packets between two sides is lost.
        lose: Option<At<LinkRaw>>,
        /// Pods die.
        kill_pods: Option<At<KillPodsRaw>>,
        /// Containers of pods leak memory.
        leak: Option<At<LeakRaw>>,
        /// Something outside the pods takes memory or disk of hosts.
        fill: Option<At<FillRaw>>,
        /// Service proxies that hang or are gone: their nodes keep the rules that they have.
        stop_proxies: Option<At<NodesRaw>>,
        /// Agents are stopped in good order. The engine of standalone Swarm ends its containers first; under all others they run on.
        stop_agent: Option<At<NodesRaw>>,
        /// Agents crash: hosts refuse who asks for them, containers run on.
        kill_agent: Option<At<NodesRaw>>,
        /// Agents hang: who asks them waits, containers run on.
        freeze_agent: Option<At<NodesRaw>>,
        /// Nodes are closed for new pods.
        cordon: Option<At<NodesRaw>>,
        /// Nodes are opened for new pods.
        uncordon: Option<At<NodesRaw>>,
        /// All pods of nodes are moved away.
        drain: Option<At<NodesRaw>>,
        /// Node objects are deleted, as people or a cloud do for machines that are gone.
        remove_node: Option<At<NodesRaw>>,
        /// A label is set on nodes, or taken away.
        label_nodes: Option<At<LabelRaw>>,
        /// A taint is set on nodes.
        taint: Option<At<TaintRaw>>,
        /// Taints are removed from nodes.
        untaint: Option<At<UntaintRaw>>,
        /// Nodes get the taint `node.kubernetes.io/out-of-service`: their pods go and their volumes are let go by force.
        out_of_service: Option<At<NodesRaw>>,
        /// The eviction of pods is asked for once.
        evict: Option<At<EvictRaw>>,
        /// Deleting pods gets another cost.
        deletion_cost: Option<At<DeletionCostRaw>>,
        /// The wanted replicas change.
        scale: Option<At<ScaleRaw>>,
        /// Another image is rolled out.
        deploy: Option<At<DeployRaw>>,
        /// Back to the revision before.
        undo: Option<At<WorkloadRef>>,
        /// The rollout is held.
        pause: Option<At<WorkloadRef>>,
        /// Canaries are taken for good, and the update goes on (`nomad deployment promote`).
        promote: Option<At<WorkloadRef>>,
        /// A job or cron job is suspended.
        suspend: Option<At<WorkloadRef>>,
        /// How a stateful set or daemon set is updated changes.
        update_strategy: Option<At<UpdateStrategyRaw>>,
        /// The scheduling gates of a workload's pods are removed.
        ungate: Option<At<WorkloadRef>>,
        /// A priority class is created that counts for all new pods without one.
        default_priority: Option<At<DefaultPriorityRaw>>,
        /// The rollout goes on, or the suspended job.
        resume: Option<At<WorkloadRef>>,
        /// Workloads are created.
        apply: Option<At<ApplyRaw>>,
        /// A workload is deleted.
        delete: Option<At<WorkloadRef>>,
        /// A namespace is deleted, and with it all its workloads.
        delete_namespace: Option<At<String>>,
        /// Instances of a part of the control plane stop or start.
        control_plane: Option<At<ControlPlaneRaw>>,
        /// Somebody asks the API server for far too much.
        flood: Option<At<FloodRaw>>,
    }
}

node_shape! {
    /// CPU of hosts is taken away.
    SaturateRaw, "`saturate`", {
        /// Share of the host's cores that the intruder wants. Default: 100%.
        cpu: Option<Permille>,
        /// `container`: beside containers, by weight; `host`: outside them (default); `realtime`: before everything.
        class: Option<Class>,
    }
}

shape! {
    /// Two sides of the network, and what happens between them.
    LinkRaw, "a network fault", "E0201", {
        /// One side.
        from: SideRaw,
        /// The other side. Default: the rest.
        to: Option<SideRaw>,
        /// Only from the first to the second.
        one_way: Option<bool>,
        /// For `delay`: added to each trip.
        latency: Option<At<Dur>>,
        /// For `delay`: up to this much more.
        jitter: Option<At<Dur>>,
        /// For `lose`: share of packets.
        loss: Option<At<Permille>>,
    }
}

shape! {
    /// Instances of a part of the control plane stop or start: exactly one of both.
    ControlPlaneRaw, "`control_plane`", "E0201", {
        /// The part that stops: `scheduler`, `controllers`, `api-server` or `etcd`.
        stop: Option<At<Part>>,
        /// The part that starts again.
        start: Option<At<Part>>,
        /// `leader` (default): the instance that leads; `follower`: one that does not; `all`.
        instances: Option<Which>,
    }
}

shape! {
    /// Requests to the API server by a program that is not part of the orchestrator.
    FloodRaw, "`flood`", "E0201", {
        /// Priority level of the flow schema that they match. Default: `workload-low`, as for programs in pods.
        level: Option<LevelRaw>,
        /// How many a second.
        requests: At<u32>,
        /// Objects that each of them lists. Default: 0, a small request.
        list_objects: Option<At<u32>>,
    }
}

shape! {
    /// Which pods die, and how.
    KillPodsRaw, "`kill_pods`", "E0201", {
        /// Of this workload.
        workload: Option<At<String>>,
        /// Behind this service.
        service: Option<At<String>>,
        /// With these labels.
        labels: Named<At<String>>,
        /// On these nodes.
        on: Option<At<NodesRaw>>,
        /// So many, chosen at random.
        count: Option<At<u32>>,
        /// So many percent, rounded up, chosen at random.
        percent: Option<At<Percent>>,
        /// `one` or `all`.
        pick: Option<At<Pick>>,
        /// `delete` the object (default), or `crash` its containers.
        how: Option<Death>,
        /// For `delete`: grace instead of the pod's own.
        grace: Option<At<Dur>>,
    }
}

shape! {
    /// Which pods leak memory, and how fast. They keep what they hold until their containers end.
    LeakRaw, "`leak`", "E0201", {
        /// How fast each container grows: `50Mi/min`.
        rate: At<GrowthRate>,
        /// Of this workload.
        workload: Option<At<String>>,
        /// Behind this service.
        service: Option<At<String>>,
        /// With these labels.
        labels: Named<At<String>>,
        /// On these nodes.
        on: Option<At<NodesRaw>>,
        /// So many, chosen at random.
        count: Option<At<u32>>,
        /// So many percent, rounded up, chosen at random.
        percent: Option<At<Percent>>,
        /// `one` or `all`.
        pick: Option<At<Pick>>,
    }
}

impl LeakRaw {
    /// The pods alone.
    pub(crate) fn selection(&self) -> KillPodsRaw {
        let Self { workload, service, labels, on, count, percent, pick, .. } = self.clone();
        KillPodsRaw { workload, service, labels, on, count, percent, pick, how: None, grace: None }
    }
}

node_shape! {
    /// Something outside the pods takes memory or disk of hosts: exactly one of both.
    FillRaw, "`fill`", {
        /// Share of the memory that pods may hold.
        memory: Option<Permille>,
        /// Share of the disk.
        disk: Option<Permille>,
    }
}

shape! {
    /// The wanted replicas change.
    ScaleRaw, "`scale`", "E0201", {
        /// Of which workload.
        workload: At<String>,
        /// To.
        replicas: At<u32>,
    }
}

shape! {
    /// Another image is rolled out.
    DeployRaw, "`deploy`", "E0201", {
        /// Of which workload.
        workload: At<String>,
        /// The new image of its only container.
        image: Option<At<String>>,
        /// Or: new images by container.
        images: Named<At<String>>,
    }
}

/// A workload: its name, or `{ workload: name }`.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadRef(pub(crate) At<String>);

shape! {
    /// A workload.
    WorkloadShape, "an operation on a workload", "E0201", {
        /// Its name.
        workload: At<String>,
    }
}

impl Decode for WorkloadRef {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => WorkloadShape::decode(node, problems).map(|shape| Self(shape.workload)),
            Value::Scalar { .. } if !node.is_null() => At::decode(node, problems).map(Self),
            _ => {
                wrong_type(node, "a workload's name, or `{ workload: name }`", problems);
                None
            }
        }
    }
}

impl JsonSchema for WorkloadRef {
    fn schema_name() -> Cow<'static, str> {
        "WorkloadRef".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shape = generator.subschema_for::<WorkloadShape>();
        json_schema!({ "anyOf": [{ "type": "string" }, shape] })
    }
}

shape! {
    /// Workloads are created: exactly one of these.
    ApplyRaw, "`apply`", "E0201", {
        /// A workload of `workloads`, which then does not exist from the start.
        workload: Option<At<String>>,
        /// All workloads of a file of Kubernetes objects.
        manifest: Option<At<String>>,
    }
}
