//! Fields of services, ingresses and network policies.

use super::Effect::{Honoured, Idle, Ignored, Of, Only};
use super::Type;

const TCP: &str = "requests are TCP here";

/// Their types.
pub(super) const TYPES: &[Type] = &[
    (
        "Service",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("ServiceSpec")),
            ("status", Idle),
        ],
    ),
    (
        "ServiceSpec",
        &[
            ("allocateLoadBalancerNodePorts", Idle),
            ("clusterIP", Honoured),
            ("clusterIPs", Honoured),
            ("externalIPs", Ignored("traffic comes to the cluster by its services' own addresses")),
            ("externalName", Honoured),
            ("externalTrafficPolicy", Honoured),
            ("healthCheckNodePort", Idle),
            ("internalTrafficPolicy", Honoured),
            ("ipFamilies", Idle),
            ("ipFamilyPolicy", Idle),
            ("loadBalancerClass", Idle),
            ("loadBalancerIP", Idle),
            ("loadBalancerSourceRanges", Ignored("all clients outside the cluster are alike")),
            ("ports", Of("ServicePort")),
            ("publishNotReadyAddresses", Honoured),
            ("selector", Honoured),
            ("sessionAffinity", Honoured),
            ("sessionAffinityConfig", Of("SessionAffinityConfig")),
            ("trafficDistribution", Honoured),
            ("type", Honoured),
        ],
    ),
    (
        "ServicePort",
        &[
            ("appProtocol", Idle),
            ("name", Honoured),
            ("nodePort", Idle),
            ("port", Honoured),
            ("protocol", Only(&["TCP"], TCP)),
            ("targetPort", Honoured),
        ],
    ),
    ("SessionAffinityConfig", &[("clientIP", Of("ClientIPConfig"))]),
    ("ClientIPConfig", &[("timeoutSeconds", Honoured)]),
    (
        "Ingress",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("IngressSpec")),
            ("status", Idle),
        ],
    ),
    (
        "IngressSpec",
        &[
            ("defaultBackend", Of("IngressBackend")),
            ("ingressClassName", Idle),
            ("rules", Of("IngressRule")),
            ("tls", Idle),
        ],
    ),
    ("IngressRule", &[("host", Honoured), ("http", Of("HTTPIngressRuleValue"))]),
    ("HTTPIngressRuleValue", &[("paths", Of("HTTPIngressPath"))]),
    ("HTTPIngressPath", &[("backend", Of("IngressBackend")), ("path", Honoured), ("pathType", Honoured)]),
    ("IngressBackend", &[("resource", Ignored("only services answer")), ("service", Of("IngressServiceBackend"))]),
    ("IngressServiceBackend", &[("name", Honoured), ("port", Idle)]),
    (
        "NetworkPolicy",
        &[("apiVersion", Idle), ("kind", Honoured), ("metadata", Of("ObjectMeta")), ("spec", Of("NetworkPolicySpec"))],
    ),
    (
        "NetworkPolicySpec",
        &[
            ("egress", Of("NetworkPolicyEgressRule")),
            ("ingress", Of("NetworkPolicyIngressRule")),
            ("podSelector", Of("LabelSelector")),
            ("policyTypes", Honoured),
        ],
    ),
    ("NetworkPolicyEgressRule", &[("ports", Of("NetworkPolicyPort")), ("to", Of("NetworkPolicyPeer"))]),
    ("NetworkPolicyIngressRule", &[("from", Of("NetworkPolicyPeer")), ("ports", Of("NetworkPolicyPort"))]),
    (
        "NetworkPolicyPeer",
        &[("ipBlock", Of("IPBlock")), ("namespaceSelector", Of("LabelSelector")), ("podSelector", Of("LabelSelector"))],
    ),
    (
        "IPBlock",
        &[
            ("cidr", Honoured),
            ("except", Ignored("clients outside the cluster have no addresses: they are in the block or not")),
        ],
    ),
    ("NetworkPolicyPort", &[("endPort", Honoured), ("port", Honoured), ("protocol", Honoured)]),
];
