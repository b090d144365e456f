//! Network policies: which source may reach which pods, worked out once, since labels do not change during a run.
//!
//! A pod that no policy selects is open; one that is selected is closed but for what some policy allows; both ends must
//! allow. What is not allowed gets lost. Source: kubernetes/website:content/en/docs/concepts/services-networking/
//! network-policies.md. Start at [`Walls::new`].
//!
//! Assumptions: clients in pods carry the labels of their workload's first template; clients outside and on nodes are
//! addresses that only `ipBlock` rules allow, and of those blocks only `0.0.0.0/0` and `::/0` have them; exceptions of
//! blocks are not looked at. Existing connections are treated like new ones.

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::load::{Clients, Traffic};
use shakedown_engine::ids::{TemplateId, TrafficId};
use shakedown_engine::model::{Catalog, NetworkPolicySpec, Peer, PeerRule, PodTemplate};

use crate::names;

/// What is closed, for each source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walls {
    /// By source and template; empty without policies.
    closed: Vec<Vec<bool>>,
    /// Sources that cannot reach the cluster's DNS.
    nameless: Vec<bool>,
}

/// One end of a connection.
enum End<'a> {
    Pod(&'a PodTemplate),
    Outside,
}

impl Walls {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment) -> Self {
        if catalog.network_policies.is_empty() || !experiment.setting.network.policies {
            return Self::default();
        }
        let closed = |traffic: &Traffic, port: Option<u16>| {
            let client = match traffic.from {
                Clients::Workload(workload) => End::Pod(&catalog.templates[catalog.workloads[workload].template]),
                Clients::Outside | Clients::Nodes(_) => End::Outside,
            };
            let shut = |server: &PodTemplate| !open(catalog, (&client, server), port);
            catalog.templates.iter().map(|(_, server)| shut(server)).collect::<Vec<bool>>()
        };
        let dns = names::server(catalog, experiment).map(|service| &catalog.services[service]);
        let answers = |server: &PodTemplate| {
            let selector = dns.and_then(|spec| spec.selector.as_ref().filter(|_| spec.namespace == server.namespace));
            selector.is_some_and(|selector| selector.matches(&server.labels, &catalog.names))
        };
        let deaf = |traffic: &Traffic| {
            let walls = closed(traffic, Some(53));
            let mut servers =
                catalog.templates.iter().zip(&walls).filter(|((_, server), _)| answers(server)).peekable();
            servers.peek().is_some() && servers.all(|(_, &closed)| closed)
        };
        Self {
            closed: experiment.traffic.iter().map(|(_, traffic)| closed(traffic, traffic.reach.port)).collect(),
            nameless: experiment.traffic.iter().map(|(_, traffic)| deaf(traffic)).collect(),
        }
    }

    /// Whether a source is kept from pods of a template.
    pub(crate) fn closed(&self, source: TrafficId, template: TemplateId) -> bool {
        self.closed.get(source.0 as usize).is_some_and(|row| row[template.0 as usize])
    }

    /// Whether a source may ask the cluster's DNS.
    pub(crate) fn resolves(&self, source: TrafficId) -> bool {
        !self.nameless.get(source.0 as usize).copied().unwrap_or(false)
    }
}

fn open(catalog: &Catalog, (client, server): (&End<'_>, &PodTemplate), port: Option<u16>) -> bool {
    let server_end = End::Pod(server);
    let into = allowed(catalog, server, |policy| policy.ingress.as_deref(), (client, port));
    let out = match client {
        End::Pod(template) => allowed(catalog, template, |policy| policy.egress.as_deref(), (&server_end, port)),
        End::Outside => true,
    };
    into && out
}

/// Whether the policies that select a pod, if any do in this direction, let it talk to the peer.
fn allowed<'a>(
    catalog: &'a Catalog,
    pod: &PodTemplate,
    direction: impl Fn(&'a NetworkPolicySpec) -> Option<&'a [PeerRule]>,
    (peer, port): (&End<'_>, Option<u16>),
) -> bool {
    let selects = |policy: &&NetworkPolicySpec| {
        policy.namespace == pod.namespace && policy.pods.matches(&pod.labels, &catalog.names)
    };
    let mut isolated = false;
    for rules in catalog.network_policies.iter().filter(selects).filter_map(direction) {
        isolated = true;
        let lets = |rule: &PeerRule| {
            let ports = rule.ports.is_empty() || port.is_none_or(|port| rule.ports.contains(&port));
            ports && (rule.peers.is_empty() || rule.peers.iter().any(|known| is(catalog, (known, peer))))
        };
        if rules.iter().any(lets) {
            return true;
        }
    }
    !isolated
}

fn is(catalog: &Catalog, (known, peer): (&Peer, &End<'_>)) -> bool {
    match (known, peer) {
        (Peer::Pods { namespaces, pods }, End::Pod(template)) => {
            namespaces.as_ref().is_none_or(|list| list.contains(&template.namespace))
                && pods.as_ref().is_none_or(|pods| pods.matches(&template.labels, &catalog.names))
        }
        (Peer::Block { cidr }, _) => matches!(catalog.text(*cidr), "0.0.0.0/0" | "::/0"),
        (Peer::Pods { .. }, End::Outside) => false,
    }
}
