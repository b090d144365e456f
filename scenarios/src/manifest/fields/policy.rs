//! Fields of objects that rule over pods: namespaces, priorities, quotas, budgets, autoscalers, webhooks, groups.

use super::Effect::{Honoured, Idle, Ignored, Of};
use super::Type;

const EXPRESSION: &str = "expressions are not evaluated: the webhook is asked as if they held";
const TOPOLOGY: &str = "groups are placed wherever they fit";
const ONE_BY_ONE: &str = "pods of a group are preempted one by one";

/// Their types.
pub(super) const TYPES: &[Type] = &[
    (
        "Namespace",
        &[("apiVersion", Idle), ("kind", Honoured), ("metadata", Of("ObjectMeta")), ("spec", Idle), ("status", Idle)],
    ),
    (
        "PriorityClass",
        &[
            ("apiVersion", Idle),
            ("description", Idle),
            ("globalDefault", Honoured),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("preemptionPolicy", Honoured),
            ("value", Honoured),
        ],
    ),
    (
        "RuntimeClass",
        &[
            ("apiVersion", Idle),
            ("handler", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("overhead", Of("Overhead")),
            ("scheduling", Of("Scheduling")),
        ],
    ),
    ("Overhead", &[("podFixed", Honoured)]),
    ("Scheduling", &[("nodeSelector", Honoured), ("tolerations", Of("Toleration"))]),
    (
        "LimitRange",
        &[("apiVersion", Idle), ("kind", Honoured), ("metadata", Of("ObjectMeta")), ("spec", Of("LimitRangeSpec"))],
    ),
    ("LimitRangeSpec", &[("limits", Of("LimitRangeItem"))]),
    (
        "LimitRangeItem",
        &[
            ("default", Honoured),
            ("defaultRequest", Honoured),
            ("max", Honoured),
            ("maxLimitRequestRatio", Honoured),
            ("min", Honoured),
            ("type", Honoured),
        ],
    ),
    (
        "ResourceQuota",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("ResourceQuotaSpec")),
            ("status", Idle),
        ],
    ),
    ("ResourceQuotaSpec", &[("hard", Honoured), ("scopeSelector", Of("ScopeSelector")), ("scopes", Honoured)]),
    ("ScopeSelector", &[("matchExpressions", Of("ScopedResourceSelectorRequirement"))]),
    ("ScopedResourceSelectorRequirement", &[("operator", Honoured), ("scopeName", Honoured), ("values", Honoured)]),
    (
        "PodDisruptionBudget",
        &[
            ("apiVersion", Honoured),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("PodDisruptionBudgetSpec")),
            ("status", Idle),
        ],
    ),
    (
        "PodDisruptionBudgetSpec",
        &[
            ("maxUnavailable", Honoured),
            ("minAvailable", Honoured),
            ("selector", Of("LabelSelector")),
            ("unhealthyPodEvictionPolicy", Honoured),
        ],
    ),
    (
        "HorizontalPodAutoscaler",
        &[
            ("apiVersion", Honoured),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("HorizontalPodAutoscalerSpec")),
            ("status", Idle),
        ],
    ),
    (
        "HorizontalPodAutoscalerSpec",
        &[
            ("behavior", Of("HorizontalPodAutoscalerBehavior")),
            ("maxReplicas", Honoured),
            ("metrics", Of("MetricSpec")),
            ("minReplicas", Honoured),
            ("scaleTargetRef", Of("CrossVersionObjectReference")),
        ],
    ),
    ("CrossVersionObjectReference", &[("apiVersion", Idle), ("kind", Honoured), ("name", Honoured)]),
    ("HorizontalPodAutoscalerBehavior", &[("scaleDown", Of("HPAScalingRules")), ("scaleUp", Of("HPAScalingRules"))]),
    (
        "HPAScalingRules",
        &[
            ("policies", Of("HPAScalingPolicy")),
            ("selectPolicy", Honoured),
            ("stabilizationWindowSeconds", Honoured),
            ("tolerance", Honoured),
        ],
    ),
    ("HPAScalingPolicy", &[("periodSeconds", Honoured), ("type", Honoured), ("value", Honoured)]),
    (
        "MetricSpec",
        &[
            ("containerResource", Of("ContainerResourceMetricSource")),
            ("external", Of("ExternalMetricSource")),
            ("object", Of("ObjectMetricSource")),
            ("pods", Of("PodsMetricSource")),
            ("resource", Of("ResourceMetricSource")),
            ("type", Honoured),
        ],
    ),
    (
        "ContainerResourceMetricSource",
        &[("container", Ignored("usage is that of the whole pod")), ("name", Honoured), ("target", Of("MetricTarget"))],
    ),
    ("ExternalMetricSource", &[("metric", Of("MetricIdentifier")), ("target", Of("MetricTarget"))]),
    (
        "ObjectMetricSource",
        &[("describedObject", Idle), ("metric", Of("MetricIdentifier")), ("target", Of("MetricTarget"))],
    ),
    ("PodsMetricSource", &[("metric", Of("MetricIdentifier")), ("target", Of("MetricTarget"))]),
    ("ResourceMetricSource", &[("name", Honoured), ("target", Of("MetricTarget"))]),
    ("MetricIdentifier", &[("name", Honoured), ("selector", Idle)]),
    (
        "MetricTarget",
        &[("averageUtilization", Honoured), ("averageValue", Honoured), ("type", Honoured), ("value", Honoured)],
    ),
    (
        "MutatingWebhookConfiguration",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("webhooks", Of("MutatingWebhook")),
        ],
    ),
    (
        "MutatingWebhook",
        &[
            ("admissionReviewVersions", Idle),
            ("clientConfig", Of("WebhookClientConfig")),
            ("failurePolicy", Honoured),
            ("matchConditions", Ignored(EXPRESSION)),
            ("matchPolicy", Idle),
            ("name", Honoured),
            ("namespaceSelector", Of("LabelSelector")),
            ("objectSelector", Of("LabelSelector")),
            ("reinvocationPolicy", Idle),
            ("rules", Of("RuleWithOperations")),
            ("sideEffects", Idle),
            ("timeoutSeconds", Honoured),
        ],
    ),
    (
        "ValidatingWebhookConfiguration",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("webhooks", Of("ValidatingWebhook")),
        ],
    ),
    (
        "ValidatingWebhook",
        &[
            ("admissionReviewVersions", Idle),
            ("clientConfig", Of("WebhookClientConfig")),
            ("failurePolicy", Honoured),
            ("matchConditions", Ignored(EXPRESSION)),
            ("matchPolicy", Idle),
            ("name", Honoured),
            ("namespaceSelector", Of("LabelSelector")),
            ("objectSelector", Of("LabelSelector")),
            ("rules", Of("RuleWithOperations")),
            ("sideEffects", Idle),
            ("timeoutSeconds", Honoured),
        ],
    ),
    ("WebhookClientConfig", &[("caBundle", Idle), ("service", Of("ServiceReference")), ("url", Honoured)]),
    ("ServiceReference", &[("name", Honoured), ("namespace", Honoured), ("path", Idle), ("port", Idle)]),
    (
        "RuleWithOperations",
        &[
            ("apiGroups", Honoured),
            ("apiVersions", Idle),
            ("operations", Honoured),
            ("resources", Honoured),
            ("scope", Idle),
        ],
    ),
    (
        "PodGroup",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("PodGroupSpec")),
            ("status", Idle),
        ],
    ),
    (
        "PodGroupSpec",
        &[
            ("disruptionMode", Ignored(ONE_BY_ONE)),
            ("parentCompositePodGroupName", Ignored("groups of groups are not modelled")),
            ("preemptionPolicy", Ignored("the pods' own policy decides")),
            ("priority", Ignored("the pods' own priority decides")),
            ("priorityClassName", Ignored("the pods' own priority decides")),
            ("resourceClaims", Ignored("devices are not modelled: pods are placed without them")),
            ("schedulingConstraints", Ignored(TOPOLOGY)),
            ("schedulingPolicy", Of("PodGroupSchedulingPolicy")),
            ("workloadRef", Idle),
        ],
    ),
    ("PodGroupSchedulingPolicy", &[("basic", Honoured), ("gang", Of("GangSchedulingPolicy"))]),
    ("GangSchedulingPolicy", &[("minCount", Honoured)]),
];
