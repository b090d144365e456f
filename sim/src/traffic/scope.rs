//! Which of a service's endpoints a client is sent to, by where it is.
//!
//! Source: kubernetes/kubernetes:pkg/proxy/topology.go, `CategorizeEndpoints`: ready endpoints, those preferred by
//! topology first; terminating ones that still serve when no ready one is left; with a local policy only the node's
//! own, and what finds none there while there are some elsewhere is dropped, not refused. Names and ingress controllers
//! know ready endpoints only. Start at [`Rule`] and `scoped`.

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_chaos::load::{Clients, Traffic};
use shakedown_engine::ids::{Id, NodeId, PodId, ZoneId};
use shakedown_engine::model::{Catalog, Distribution};

use crate::proxy::{Content, Reader, reader};
use crate::world::SimWorld;

/// How clients of one source choose among endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Any ready one; without one, any that drains.
    All,
    /// Any ready one and nothing else.
    Ready,
    /// One of the client's zone first.
    Zone,
    /// One that is meant for the client's zone first.
    Hint,
    /// One of the client's node first, then of its zone.
    Node,
    /// One of the client's node only.
    Local,
}

impl Rule {
    pub(crate) fn new(catalog: &Catalog, traffic: &Traffic) -> Self {
        if reader(catalog, traffic) != Reader::Proxy {
            return Self::Ready;
        }
        let service = &catalog.services[traffic.to];
        let outside = matches!(traffic.from, Clients::Outside);
        if if outside { service.external_local } else { service.internal_local } {
            return Self::Local;
        }
        match service.distribution {
            Distribution::All => Self::All,
            Distribution::SameZone => Self::Zone,
            Distribution::SameNode => Self::Node,
            Distribution::Hints => Self::Hint,
        }
    }

    /// Whether clients on two nodes of one zone may see different endpoints.
    pub(crate) fn by_node(self) -> bool {
        matches!(self, Self::Node | Self::Local)
    }
}

/// Which part of a version's endpoints a view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    All,
    Zone(ZoneId),
    Node(NodeId),
    /// None, although there are some elsewhere.
    Nowhere,
    /// None, because the name does not resolve.
    Nameless,
}

/// Tells views apart.
pub(crate) type ViewKey = (u32, Scope);

/// The endpoints among which a client chooses.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) key: ViewKey,
    pub(crate) endpoints: Arc<[PodId]>,
    /// Without endpoints, what is sent gets lost instead of being refused.
    pub(crate) dropped: bool,
}

impl View {
    /// No endpoints at all.
    pub(crate) fn without(scope: Scope, dropped: bool) -> Self {
        Self { key: (u32::from(dropped), scope), endpoints: Arc::from([]), dropped }
    }

    fn whole(content: &Content, endpoints: &Arc<[PodId]>) -> Self {
        Self { key: (content.version, Scope::All), endpoints: Arc::clone(endpoints), dropped: false }
    }
}

/// A version's endpoints by place.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    version: u32,
    zones: Vec<Arc<[PodId]>>,
    nodes: BTreeMap<NodeId, Arc<[PodId]>>,
    draining: BTreeMap<NodeId, Arc<[PodId]>>,
}

impl Shelf {
    pub(crate) fn is_of(&self, content: &Content) -> bool {
        self.version == content.version
    }
}

impl SimWorld {
    /// What a client there sees of what is known. Endpoints are put on `shelves` once for each version.
    pub(crate) fn scoped(
        &self,
        rule: Rule,
        content: &Content,
        (zone, node): (ZoneId, NodeId),
        shelves: &mut Vec<Shelf>,
    ) -> View {
        let all = || View::whole(content, if content.ready.is_empty() { &content.draining } else { &content.ready });
        match rule {
            Rule::Ready => return View::whole(content, &content.ready),
            Rule::All => return all(),
            Rule::Hint if content.hints.is_none() => return all(),
            _ => {}
        }
        let at = shelves.iter().position(|shelf| shelf.version == content.version).unwrap_or_else(|| {
            shelves.push(self.shelve(rule, content));
            shelves.len() - 1
        });
        let shelf = &shelves[at];
        let part = |scope, endpoints: Option<&Arc<[PodId]>>| {
            let endpoints = endpoints.filter(|list| !list.is_empty())?;
            Some(View { key: (content.version, scope), endpoints: Arc::clone(endpoints), dropped: false })
        };
        let near = || part(Scope::Zone(zone), shelf.zones.get(zone.index()));
        let here = || part(Scope::Node(node), shelf.nodes.get(&node));
        match rule {
            Rule::Local => here().or_else(|| part(Scope::Node(node), shelf.draining.get(&node))).unwrap_or_else(|| {
                View::without(Scope::Nowhere, !content.ready.is_empty() || !content.draining.is_empty())
            }),
            Rule::Node => here().or_else(near).unwrap_or_else(all),
            _ => near().unwrap_or_else(all),
        }
    }

    fn shelve(&self, rule: Rule, content: &Content) -> Shelf {
        let mut zones = vec![Vec::new(); self.catalog.zones.len()];
        for (index, &pod) in content.ready.iter().enumerate() {
            let home = self.pods.home(pod).map(|node| self.net.zone(node));
            let hint = content.hints.as_ref().and_then(|hints| hints.get(index).copied());
            let zone = if rule == Rule::Hint { hint } else { home };
            if let Some(zone) = zone {
                zones[zone.index()].push(pod);
            }
        }
        let by_node = |list: &[PodId]| {
            let mut nodes: BTreeMap<NodeId, Vec<PodId>> = BTreeMap::new();
            for &pod in list.iter().filter(|_| rule.by_node()) {
                if let Some(node) = self.pods.home(pod) {
                    nodes.entry(node).or_default().push(pod);
                }
            }
            nodes.into_iter().map(|(node, list)| (node, Arc::from(list))).collect()
        };
        Shelf {
            version: content.version,
            zones: zones.into_iter().map(Arc::from).collect(),
            nodes: by_node(&content.ready),
            draining: by_node(&content.draining),
        }
    }
}
