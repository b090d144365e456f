//! Kinds of Kubernetes objects that are not lowered: those a simulation does not need, and those that would matter.

/// Kinds whose absence changes nothing that is simulated.
pub(super) const NOT_NEEDED: &[&str] = &[
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "ControllerRevision",
    "CustomResourceDefinition",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "Ingress",
    "IngressClass",
    "Lease",
    "Namespace",
    "PodMonitor",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
    "ServiceMonitor",
];

/// Kinds that would change what happens, and what is missing without them.
pub(super) const MATTERS: &[(&str, &str)] = &[
    ("CronJob", "jobs are not modelled yet: their pods are missing from the load"),
    ("DaemonSet", "one pod on each node is not modelled yet: its requests are missing on every node"),
    ("HorizontalPodAutoscaler", "autoscaling is not modelled yet: replicas stay as declared"),
    ("Job", "jobs are not modelled yet: their pods are missing from the load"),
    ("LimitRange", "default requests and limits by namespace are not modelled yet"),
    ("MutatingWebhookConfiguration", "webhooks are not modelled: objects are taken as they are written"),
    ("NetworkPolicy", "network policies are not modelled: all pods reach each other"),
    ("Node", "nodes come from the scenario's `cluster`, not from manifests"),
    ("PersistentVolume", "volumes are not modelled yet: pods move freely between nodes"),
    ("PersistentVolumeClaim", "volumes are not modelled yet: pods move freely between nodes"),
    ("PodDisruptionBudget", "disruption budgets are not modelled yet: drains do not wait"),
    ("ResourceQuota", "quotas are not modelled yet: creation is never refused"),
    ("RuntimeClass", "runtime classes are not modelled: their overhead is missing"),
    ("StatefulSet", "stateful sets are not modelled yet: their pods are missing from the load"),
    ("StorageClass", "volumes are not modelled yet: pods move freely between nodes"),
    ("ValidatingWebhookConfiguration", "webhooks are not modelled: objects are taken as they are written"),
    ("VerticalPodAutoscaler", "autoscaling is not modelled yet: requests stay as declared"),
];

/// Why a kind matters, if it does.
pub(super) fn reason(kind: &str) -> Option<&'static str> {
    MATTERS.iter().find(|(name, _)| *name == kind).map(|&(_, why)| why)
}
