//! The scenario file as a whole, and fragments of it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{ClusterRaw, EntryRaw, ExpectRaw, ImageRaw, Scalar, ServiceRaw, TrafficRaw, WorkloadRaw};
use crate::problem::Problems;
use crate::text::{At, Decode, Dur, Named, Node, Value, shape, wrong_type};

shape! {
    /// A scenario: a cluster, what runs on it, what happens to it, and what is expected of it.
    ScenarioRaw, "a scenario", "E0201", {
        /// Version of the format: 1.
        #[schemars(required)]
        shakedown: Option<At<u64>>,
        /// What this scenario finds out, in a sentence or two.
        about: Option<String>,
        /// Files with further parts: `cluster`, `workloads`, `services` and `images`.
        include: Vec<At<String>>,
        /// Hosts, network and how they behave.
        cluster: Option<ClusterRaw>,
        /// Which orchestrators it is for, with overrides of their flags. Default: kubernetes.
        orchestrators: Vec<At<OrchestratorRaw>>,
        /// Overrides for every orchestrator that has the flag.
        set: Named<At<Scalar>>,
        /// A `KubeSchedulerConfiguration` file, for orchestrators of the kubernetes family.
        scheduler_config: Option<At<String>>,
        /// What runs.
        workloads: Vec<At<WorkloadRaw>>,
        /// Services besides those of manifests.
        services: Vec<At<ServiceRaw>>,
        /// How images behave, by name. A key without a slash matches the last part of an image's name.
        images: Named<ImageRaw>,
        /// Who asks for what.
        traffic: Vec<At<TrafficRaw>>,
        /// What happens, and when.
        timeline: Vec<At<EntryRaw>>,
        /// Length of the run.
        #[schemars(required)]
        duration: Option<At<Dur>>,
        /// One seed. Default: 1.
        seed: Option<At<u64>>,
        /// Several seeds: one run each.
        seeds: Vec<At<u64>>,
        /// After the last fault is lifted, everything wanted must run within this.
        converge_within: Option<At<Dur>>,
        /// By what the run is judged.
        expect: Vec<At<ExpectRaw>>,
    }
}

shape! {
    /// A part of a scenario, to be included.
    FragmentRaw, "an included file", "E0201", {
        /// Version of the format: 1.
        shakedown: Option<At<u64>>,
        /// Files with further parts.
        include: Vec<At<String>>,
        /// Hosts, network and how they behave.
        cluster: Option<ClusterRaw>,
        /// What runs.
        workloads: Vec<At<WorkloadRaw>>,
        /// Services besides those of manifests.
        services: Vec<At<ServiceRaw>>,
        /// How images behave, by name.
        images: Named<ImageRaw>,
    }
}

/// An orchestrator: its name, or a mapping from its name to flags.
#[derive(Clone, Debug)]
pub(crate) struct OrchestratorRaw {
    /// Its name.
    pub(crate) name: At<String>,
    /// Overrides.
    pub(crate) set: Named<At<Scalar>>,
    /// The file of a profile of one's own; then the name is `custom`.
    pub(crate) file: Option<At<String>>,
}

impl Decode for OrchestratorRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Scalar { .. } if !node.is_null() => {
                Some(Self { name: At::decode(node, problems)?, set: Named(Vec::new()), file: None })
            }
            Value::Map(entries) if entries.len() == 1 => {
                let (key, value) = &entries[0];
                let name = At { value: key.text.clone(), mark: key.mark, flawed: false };
                if key.text == "custom" {
                    let file = At::decode(value, problems)?;
                    return Some(Self { name, set: Named(Vec::new()), file: Some(file) });
                }
                Some(Self { name, set: Named::decode(value, problems)?, file: None })
            }
            _ => {
                wrong_type(node, "an orchestrator's name, `{ name: { flag: value } }` or `{ custom: FILE }`", problems);
                None
            }
        }
    }
}

impl JsonSchema for OrchestratorRaw {
    fn schema_name() -> Cow<'static, str> {
        "Orchestrator".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let flags = generator.subschema_for::<Named<Scalar>>();
        json_schema!({ "anyOf": [
            { "type": "string" },
            {
                "type": "object", "required": ["custom"], "additionalProperties": false,
                "properties": { "custom": { "type": "string", "description": "A file with a profile of one's own." } },
            },
            {
                "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": flags,
                "not": { "required": ["custom"] },
            },
        ] })
    }
}
