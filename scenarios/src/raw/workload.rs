//! What runs, who asks for it, and how images behave.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use shakedown_engine::time::Span;

use super::words::words;
use super::{DefectRaw, FailsRaw, NodesRaw};
use crate::problem::Problems;
use crate::text::{At, Cores, Decode, Dur, GrowthRate, Named, Node, Ppm, Rate, Size, Value, shape, wrong_type};

shape! {
    /// A source of workloads: exactly one of these.
    WorkloadRaw, "an entry of `workloads`", "E0201", {
        /// A file of Kubernetes objects, used as it is.
        manifest: Option<At<String>>,
        /// Kubernetes objects, written here as they would be in a file.
        objects: Option<At<ObjectsRaw>>,
        /// A Compose file: each of its services becomes a deployment.
        compose: Option<At<String>>,
        /// A Nomad job in JSON, as `nomad job run -output` prints it.
        nomad: Option<At<String>>,
        /// Marathon apps, groups or pods in JSON.
        marathon: Option<At<String>>,
        /// ECS task and service definitions in JSON: `{ taskDefinition, service }`.
        ecs: Option<At<String>>,
        /// A deployment in few words.
        deployment: Option<At<DeploymentRaw>>,
    }
}

/// Kubernetes objects that stand in a scenario: read like the documents of a file of their own.
#[derive(Clone, Debug)]
pub(crate) struct ObjectsRaw(pub(crate) Vec<Node>);

impl Decode for ObjectsRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::List(items) if !items.is_empty() => Some(Self(items.clone())),
            _ => {
                wrong_type(
                    node,
                    "a list of Kubernetes objects, each with `apiVersion`, `kind` and `metadata`",
                    problems,
                );
                None
            }
        }
    }
}

impl JsonSchema for ObjectsRaw {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Objects".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let object = json_schema!({ "type": "object", "required": ["apiVersion", "kind"] });
        json_schema!({ "type": "array", "minItems": 1, "items": object })
    }
}

shape! {
    /// A deployment in few words.
    DeploymentRaw, "a deployment", "E0201", {
        /// Its name; its pods carry the label `app` with this value.
        name: At<String>,
        /// Wanted replicas. Default: 1.
        replicas: Option<At<u32>>,
        /// Image.
        image: At<String>,
        /// Requested CPU.
        cpu: Option<At<Cores>>,
        /// Requested memory.
        memory: Option<At<Size>>,
        /// CPU ceiling.
        cpu_limit: Option<At<Cores>>,
        /// Memory ceiling.
        memory_limit: Option<At<Size>>,
        /// With a port, a service of the same name is created.
        port: Option<At<u16>>,
        /// Further labels of its pods.
        labels: Named<String>,
        /// Labels that its nodes must have.
        node_selector: Named<String>,
        /// Asked before the pod gets traffic.
        readiness: Option<ProbeRaw>,
        /// Failing restarts the container.
        liveness: Option<ProbeRaw>,
        /// Time between the polite and the forced stop.
        grace: Option<Dur>,
        /// Pods above the wanted number during a rollout: a number or a percentage.
        max_surge: Option<At<AmountRaw>>,
        /// Pods below the wanted number during a rollout: a number or a percentage.
        max_unavailable: Option<At<AmountRaw>>,
        /// All old pods go before any new one comes.
        recreate: Option<bool>,
        /// A pod counts as available after it was ready this long.
        min_ready: Option<Dur>,
        /// Higher goes first.
        priority: Option<PriorityRaw>,
    }
}

shape! {
    /// A periodic question to a container.
    ProbeRaw, "a probe", "E0201", {
        /// Wait after the start. Default: 0s.
        delay: Option<Dur>,
        /// Time between questions. Default: 10s.
        period: Option<At<Dur>>,
        /// Later answers are failures. Default: 1s.
        timeout: Option<At<Dur>>,
        /// Successes in a row that count as healthy. Default: 1.
        successes: Option<At<u32>>,
        /// Failures in a row that count as unhealthy. Default: 3.
        failures: Option<At<u32>>,
    }
}

shape! {
    /// A service: a name with endpoints.
    ServiceRaw, "a service", "E0201", {
        /// Its name.
        name: At<String>,
        /// Labels of the pods behind it.
        selects: Named<String>,
        /// Or: the workload whose pods are behind it.
        workload: Option<At<String>>,
        /// Resolved to the pods' addresses instead of one virtual address.
        headless: Option<bool>,
        /// Pods count before they are ready.
        publish_not_ready: Option<bool>,
    }
}

shape! {
    /// How the containers of an image behave. What is left out has a default.
    ImageRaw, "the behaviour of an image", "E0201", {
        /// Compressed size. Default: 100Mi.
        size: Option<At<Size>>,
        /// CPU time from start until it serves. Default: 1s.
        startup: Option<Dur>,
        /// CPU used while idle. Default: 5m.
        idle_cpu: Option<Cores>,
        /// CPU time that one request costs. Default: 1ms.
        cpu_per_request: Option<Dur>,
        /// Time for one request besides CPU. Default: 5ms.
        wait_per_request: Option<Dur>,
        /// Memory in use. Default: 64Mi.
        memory: Option<Size>,
        /// How fast that grows: `50Mi/min`. Default: not at all.
        leak: Option<GrowthRate>,
        /// How fast it fills the node's disk, with logs for instance. Default: not at all.
        writes: Option<GrowthRate>,
        /// Time it takes to stop when asked politely. Default: 500ms.
        shutdown: Option<Dur>,
        /// What is wrong with it.
        defect: Option<DefectRaw>,
        /// It ends by itself after this. Default for init containers: 1s.
        runs_for: Option<Dur>,
        /// Of the runs that end by themselves, this share fails: `30%`, `{ share: 30%, code: 42, after: 5s }`.
        fails: Option<FailsRaw>,
    }
}

shape! {
    /// Users who ask a service for something.
    TrafficRaw, "an entry of `traffic`", "E0201", {
        /// Which service. Not needed with `host` or `path`.
        to: Option<At<String>>,
        /// How often: `200/s`.
        rate: At<Rate>,
        /// Where the clients are: `outside` (default), `{ nodes: all }`, `{ workload: name }`.
        from: Option<At<ClientsRaw>>,
        /// What stands between clients and pods. Default: what the service is.
        via: Option<At<ViaRaw>>,
        /// The host that is asked for: an ingress says which service answers.
        host: Option<At<String>>,
        /// The path that is asked for, with `host` or alone. Default: `/`.
        path: Option<At<String>>,
        /// Clients stay with an endpoint until the connection breaks. Default: false.
        keep_alive: Option<bool>,
        /// How clients ask the cluster's DNS: `never`, `each` attempt, or the time for which they keep an answer.
        resolve: Option<At<ResolveRaw>>,
        /// Lookups before an attempt with `resolve: each`. Default: what `name` takes.
        lookups: Option<At<u32>>,
        /// The name as clients write it: `web`, `web.shop`, `web.shop.svc.cluster.local.`, `api.example.com`. How many
        /// lookups it takes follows from it. Default: `host`, or the shortest that works.
        name: Option<At<String>>,
        /// Port of the pods, for network policies. Default: any.
        port: Option<At<u32>>,
        /// How a load balancer checks its targets: `{ interval: 10s, threshold: 3 }`.
        health_check: Option<HealthCheckRaw>,
        /// An attempt is given up after this. Default: 5s.
        timeout: Option<At<Dur>>,
        /// Further attempts after a failed one. Default: 0.
        retries: Option<At<u32>>,
        /// Later answers are not good.
        slow_after: Option<At<Dur>>,
        /// Availability promised to users. Default: 99.9%.
        objective: Option<Ppm>,
        /// First request. Default: 0s.
        start: Option<At<Dur>>,
        /// Last request. Default: the end of the run.
        end: Option<At<Dur>>,
    }
}

shape! {
    /// How a load balancer checks its targets.
    HealthCheckRaw, "a health check", "E0201", {
        /// Time between two checks. Default: 10s.
        interval: Option<Dur>,
        /// So many equal results in a row count. Default: 3.
        threshold: Option<u32>,
    }
}

words! {
    /// What stands between clients and pods.
    ViaRaw, "a way to a service", {
        Service = "service",
        Headless = "headless",
        Ingress = "ingress",
        LoadBalancer = "load-balancer",
        NodePort = "node-port",
    }
}

/// How clients ask the cluster's DNS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResolveRaw {
    /// Not at all.
    Never,
    /// Before each attempt.
    Each,
    /// Once in so long.
    Kept(Span),
}

impl Decode for ResolveRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.scalar() {
            Some("never") => Some(Self::Never),
            Some("each") => Some(Self::Each),
            Some(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Dur::decode(node, problems).map(|kept| Self::Kept(kept.0))
            }
            _ => {
                wrong_type(node, "`never`, `each`, or a duration such as `30s`", problems);
                None
            }
        }
    }
}

impl schemars::JsonSchema for ResolveRaw {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Resolve".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kept = generator.subschema_for::<Dur>();
        schemars::json_schema!({ "anyOf": [{ "enum": ["never", "each"] }, kept] })
    }
}

shape! {
    /// Clients inside the cluster: exactly one of these.
    ClientsShape, "the place of clients", "E0201", {
        /// On these nodes, evenly.
        nodes: Option<NodesRaw>,
        /// In the ready pods of this workload.
        workload: Option<At<String>>,
    }
}

/// Where clients are.
#[derive(Clone, Debug)]
pub(crate) enum ClientsRaw {
    /// Outside the cluster.
    Outside,
    /// On nodes or in pods.
    Inside(ClientsShape),
}

impl Decode for ClientsRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            _ if node.scalar() == Some("outside") => Some(Self::Outside),
            Value::Map(_) => ClientsShape::decode(node, problems).map(Self::Inside),
            _ => {
                wrong_type(node, "`outside`, `{ nodes: all }` or `{ workload: name }`", problems);
                None
            }
        }
    }
}

impl schemars::JsonSchema for ClientsRaw {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Clients".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let inside = generator.subschema_for::<ClientsShape>();
        schemars::json_schema!({ "anyOf": [{ "enum": ["outside"] }, inside] })
    }
}

/// A number or a percentage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AmountRaw(pub(crate) shakedown_engine::model::Amount);

impl Decode for AmountRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let amount = node.scalar().and_then(crate::manifest::parse_amount);
        if amount.is_none() {
            wrong_type(node, "a number such as `1`, or a percentage such as `25%`", problems);
        }
        amount.map(Self)
    }
}
crate::text::text_schema!(AmountRaw, "a number such as `1`, or a percentage such as `25%`", "^[0-9]+%?$");

/// A priority, which may be negative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PriorityRaw(pub(crate) i32);

impl Decode for PriorityRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let value = node.scalar().and_then(|text| text.parse().ok());
        if value.is_none() {
            wrong_type(node, "a whole number", problems);
        }
        value.map(Self)
    }
}
crate::text::text_schema!(PriorityRaw, "a whole number", "^-?[0-9]+$");
