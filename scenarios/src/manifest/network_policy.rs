//! Network policies.

use k8s_openapi::api::networking::v1 as net;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use shakedown_engine::ids::Symbol;
use shakedown_engine::model::{NetworkPolicySpec, Peer, PeerRule};

use super::{Lowering, affinity, place};
use crate::text::Node;

/// Ports of a range that are listed one by one.
const MAX_RANGE: i32 = 4096;

impl Lowering<'_> {
    pub(super) fn network_policy(&mut self, node: &Node) {
        let Some(object) = self.read::<net::NetworkPolicy>(node) else { return };
        let Some((namespace, name)) = self.declared_once("NetworkPolicy", node, &object.metadata) else { return };
        let spec = object.spec.unwrap_or_default();
        let mut directions = Vec::new();
        for word in spec.policy_types.iter().flatten() {
            match self.word(node, "spec.policyTypes", word, &["Egress", "Ingress"]) {
                Some(word) => directions.push(word.to_owned()),
                None => return,
            }
        }
        if directions.is_empty() {
            // Source: kubernetes/kubernetes:pkg/apis/networking/v1/defaults.go.
            directions.push("Ingress".to_owned());
            if spec.egress.is_some() {
                directions.push("Egress".to_owned());
            }
        }
        let Some(pods) = affinity::selector(&spec.pod_selector.clone().unwrap_or_default(), self, node) else { return };
        let (name, space) = (self.catalog.names.intern(&name), self.catalog.names.intern(&namespace));
        let mut into = Vec::new();
        for rule in spec.ingress.into_iter().flatten() {
            let Some(rule) = self.peer_rule((rule.from, rule.ports), space, node) else { return };
            into.extend(rule);
        }
        let mut out_of = Vec::new();
        for rule in spec.egress.into_iter().flatten() {
            let Some(rule) = self.peer_rule((rule.to, rule.ports), space, node) else { return };
            out_of.extend(rule);
        }
        let has = |word: &str| directions.iter().any(|own| own == word);
        let policy = NetworkPolicySpec {
            name,
            namespace: space,
            pods,
            ingress: has("Ingress").then_some(into),
            egress: has("Egress").then_some(out_of),
        };
        self.catalog.network_policies.push(policy);
    }

    /// One rule; none when it is about other protocols only. `None` outside: a problem was filed.
    fn peer_rule(
        &mut self,
        (peers, ports): (Option<Vec<net::NetworkPolicyPeer>>, Option<Vec<net::NetworkPolicyPort>>),
        namespace: Symbol,
        node: &Node,
    ) -> Option<Option<PeerRule>> {
        let mut rule = PeerRule::default();
        for peer in peers.into_iter().flatten() {
            rule.peers.push(self.peer(peer, namespace, node)?);
        }
        let ports = ports.unwrap_or_default();
        let tcp = |port: &&net::NetworkPolicyPort| port.protocol.as_deref().is_none_or(|word| word == "TCP");
        if !ports.is_empty() && !ports.iter().any(|port| tcp(&port)) {
            return Some(None);
        }
        for port in ports.iter().filter(tcp) {
            match &port.port {
                // All ports of the protocol.
                None => return Some(Some(PeerRule { ports: Vec::new(), ..rule })),
                Some(IntOrString::Int(low)) => {
                    let high = port.end_port.unwrap_or(*low);
                    if high < *low || !(1..=65_535).contains(low) || high > 65_535 {
                        let why = "must be between 1 and 65535, inclusive";
                        self.invalid(node, "spec.ingress", &format!("{low}"), why);
                        return None;
                    }
                    if high - low > MAX_RANGE {
                        return Some(Some(PeerRule { ports: Vec::new(), ..rule }));
                    }
                    rule.ports.extend((*low..=high).filter_map(|n| u16::try_from(n).ok()));
                }
                Some(IntOrString::String(name)) => {
                    let why = format!("ports are known by their numbers; `{name}` allows all of them");
                    self.unmodelled.field("NetworkPolicy.spec.ports[].port", &why, place(node, &["spec"]));
                    return Some(Some(PeerRule { ports: Vec::new(), ..rule }));
                }
            }
        }
        Some(Some(rule))
    }

    fn peer(&mut self, from: net::NetworkPolicyPeer, namespace: Symbol, node: &Node) -> Option<Peer> {
        if let Some(block) = from.ip_block {
            if from.pod_selector.is_some() || from.namespace_selector.is_some() {
                let why = "may not specify both ipBlock and another peer";
                self.forbidden(node, "spec", why);
                return None;
            }
            return Some(Peer::Block { cidr: self.catalog.names.intern(&block.cidr) });
        }
        let namespaces = match &from.namespace_selector {
            None => Some(vec![namespace]),
            Some(selector) => self.namespaces_of(selector, node)?,
        };
        let pods = match &from.pod_selector {
            None => None,
            Some(selector) => Some(affinity::selector(selector, self, node)?),
        };
        if from.pod_selector.is_none() && from.namespace_selector.is_none() {
            self.required(node, "spec", "must specify a peer");
            return None;
        }
        Some(Peer::Pods { namespaces, pods })
    }
}
