//! Kinds of Kubernetes objects that are not lowered: those a simulation does not need, and those that would matter.

/// Kinds whose absence changes nothing that is simulated.
pub(super) const NOT_NEEDED: &[&str] = &[
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "ControllerRevision",
    "CustomResourceDefinition",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "IngressClass",
    "Lease",
    "PodMonitor",
    "PodTemplate",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
    "ServiceMonitor",
    "VolumeAttributesClass",
    "Workload",
];

/// Kinds that would change what happens, and what is missing without them.
const MATTERS: &[(&str, &str)] = &[
    ("CSIStorageCapacity", "provisioners never run out of space here"),
    ("CompositePodGroup", "groups of groups are not modelled: each group is placed for itself"),
    ("DeviceClass", "devices are not modelled: pods are placed without them"),
    ("Eviction", "an eviction is an entry of the timeline, not an object"),
    ("FlowSchema", "priorities of requests are those of the profile"),
    ("MutatingAdmissionPolicy", "expressions are not evaluated: objects are taken as they are written"),
    ("PriorityLevelConfiguration", "priorities of requests are those of the profile"),
    ("ResourceClaim", "devices are not modelled: pods are placed without them"),
    ("ResourceClaimTemplate", "devices are not modelled: pods are placed without them"),
    ("ResourceSlice", "devices are not modelled: pods are placed without them"),
    ("ValidatingAdmissionPolicy", "expressions are not evaluated: objects are taken as they are written"),
    ("VerticalPodAutoscaler", "requests stay as declared"),
    ("VolumeAttachment", "volumes are attached as pods need them, not from the start"),
];

/// Why a kind matters, if it does.
pub(super) fn reason(kind: &str) -> Option<&'static str> {
    MATTERS.iter().find(|(name, _)| *name == kind).map(|&(_, why)| why)
}
