//! The network: how long a trip takes, and what faults do to it.
//!
//! It carries nothing itself (see `message`, `beat`, `traffic`). Several faults at once combine as `chaos::fault` says:
//! cut while any cuts, delays add up, losses are independent. Start at [`Network::path`].

use std::collections::BTreeMap;

use shakedown_chaos::fault::{Group, NetworkRule};
use shakedown_chaos::setting::NetworkModel;
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{FaultId, Id, NodeId, ZoneId};
use shakedown_engine::rng::Stream;
use shakedown_engine::time::Span;

/// Certainty, in parts of a billion.
pub(crate) const CERTAIN: u64 = 1_000_000_000;
/// First wait before a lost packet is sent again; doubles each time. Source: torvalds/linux:include/net/tcp.h, `TCP_RTO_MIN`.
const RETRANSMIT: Span = Span::from_millis(200);
/// A message that is still not through is given up.
pub(crate) const GIVE_UP: Span = Span::from_secs(15);

/// An end of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Node(NodeId),
    Control,
    Outside,
}

/// What faults do to trips from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) cut: bool,
    pub(crate) delay: Span,
    pub(crate) jitter: Span,
    /// Parts of a billion that get through.
    pub(crate) pass: u64,
}

impl Path {
    pub(crate) const CLEAR: Self = Self { cut: false, delay: Span::ZERO, jitter: Span::ZERO, pass: CERTAIN };
}

/// Members of a side, as a bit set.
#[derive(Clone, Debug)]
struct Members {
    nodes: Vec<u64>,
    control: bool,
    outside: bool,
}

impl Members {
    fn new(group: &Group) -> Self {
        let mut nodes = Vec::new();
        for node in &group.nodes {
            let word = node.index() / 64;
            if nodes.len() <= word {
                nodes.resize(word + 1, 0);
            }
            nodes[word] |= 1u64 << (node.index() % 64);
        }
        Self { nodes, control: group.control, outside: group.outside }
    }

    fn contains(&self, place: Place) -> bool {
        match place {
            Place::Node(node) => {
                self.nodes.get(node.index() / 64).is_some_and(|word| word >> (node.index() % 64) & 1 == 1)
            }
            Place::Control => self.control,
            Place::Outside => self.outside,
        }
    }
}

/// Nodes on the same side are named by the same rules in the same way: faults treat their links alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side(u32);

impl Side {
    /// Named by no rule.
    pub(crate) const CLEAR: Self = Self(0);
}

#[derive(Clone, Debug)]
struct Rule {
    fault: FaultId,
    cause: FactId,
    from: Members,
    to: Members,
    one_way: bool,
    rule: NetworkRule,
}

impl Rule {
    fn hits(&self, from: Place, to: Place) -> bool {
        self.from.contains(from) && self.to.contains(to)
            || !self.one_way && self.from.contains(to) && self.to.contains(from)
    }
}

/// A part of the cluster whose hosts hear each other, at least by way of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Island {
    /// The part with the control plane.
    Main,
    /// Another one.
    Part(u32),
    /// A host by itself.
    Alone(NodeId),
}

/// The part of each side of the rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Islands {
    /// `None`: no host of that side is up.
    parts: Vec<Option<Island>>,
    sizes: Vec<usize>,
}

impl Islands {
    /// The part of a node on this side.
    pub(crate) fn of(&self, side: Side, node: NodeId) -> Island {
        match self.parts.get(side.0 as usize).copied().flatten() {
            Some(Island::Alone(_)) => Island::Alone(node),
            Some(part) => part,
            None => Island::Main,
        }
    }

    /// Hosts that are up in a part other than the main one.
    pub(crate) fn members(&self, island: Island) -> usize {
        match island {
            Island::Part(part) => self.sizes.get(part as usize).copied().unwrap_or(1),
            Island::Main | Island::Alone(_) => 1,
        }
    }
}

/// Zones, latencies and the faults that hold.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    model: NetworkModel,
    zones: Vec<ZoneId>,
    rules: Vec<Rule>,
    /// Nodes that any rule names, in id order.
    ruled: Vec<NodeId>,
    /// On which side of the rules each of them stands.
    sides: Vec<Side>,
    /// One node of each side but the first.
    models: Vec<NodeId>,
}

impl Network {
    pub(crate) fn new(model: NetworkModel, zones: Vec<ZoneId>) -> Self {
        Self { model, zones, rules: Vec::new(), ruled: Vec::new(), sides: Vec::new(), models: Vec::new() }
    }

    /// What faults do to trips from `from` to `to`. Nothing happens to what stays on one host.
    pub(crate) fn path(&self, from: Place, to: Place) -> Path {
        if from == to { Path::CLEAR } else { self.rules_between(from, to) }
    }

    fn rules_between(&self, from: Place, to: Place) -> Path {
        let mut path = Path::CLEAR;
        for rule in self.rules.iter().filter(|rule| rule.hits(from, to)) {
            match rule.rule {
                NetworkRule::Cut => path.cut = true,
                NetworkRule::Delay { latency, jitter } => {
                    path.delay += latency;
                    path.jitter += jitter;
                }
                NetworkRule::Lose { permille } => path.pass = path.pass * u64::from(1000 - permille.min(1000)) / 1000,
            }
        }
        path
    }

    /// A trip without faults and jitter.
    pub(crate) fn latency(&self, from: Place, to: Place) -> Span {
        match (from, to) {
            (Place::Node(a), Place::Node(b)) if a == b => Span::ZERO,
            (Place::Node(a), Place::Node(b)) => self.between(self.zones[a.index()], self.zones[b.index()]),
            (Place::Outside, _) | (_, Place::Outside) => self.model.to_outside,
            (Place::Control, _) | (_, Place::Control) => self.model.to_control,
        }
    }

    /// A trip between two different hosts in these zones.
    pub(crate) fn between(&self, a: ZoneId, b: ZoneId) -> Span {
        if a == b { self.model.within_zone } else { self.model.between_zones }
    }

    /// A node's zone.
    pub(crate) fn zone(&self, node: NodeId) -> ZoneId {
        self.zones[node.index()]
    }

    /// The time that one message takes, `None` when it does not arrive.
    ///
    /// The transport is reliable: loss costs retransmissions, until it gives up.
    pub(crate) fn transit(&self, from: Place, to: Place, draws: &mut Stream) -> Option<Span> {
        let path = self.path(from, to);
        if path.cut {
            return None;
        }
        let total = self.latency(from, to) + path.delay + draws.span(Span::ZERO, self.model.jitter + path.jitter);
        let (mut waited, mut wait) = (Span::ZERO, RETRANSMIT);
        while path.pass < CERTAIN && draws.below(CERTAIN) >= path.pass {
            waited += wait;
            wait = wait.times(2);
            if waited > GIVE_UP {
                return None;
            }
        }
        Some(total + waited)
    }

    /// True when nothing gets from the node to the control plane, or nothing back. Also says why.
    pub(crate) fn cut_off(&self, node: NodeId) -> Option<FactId> {
        let node = Place::Node(node);
        let cuts = |rule: &&Rule| {
            rule.rule == NetworkRule::Cut && (rule.hits(node, Place::Control) || rule.hits(Place::Control, node))
        };
        self.rules.iter().find(cuts).map(|rule| rule.cause)
    }

    /// Nodes that any fault names, in id order: all others have clear links to everybody.
    pub(crate) fn ruled(&self) -> &[NodeId] {
        &self.ruled
    }

    /// The side on which a node stands.
    pub(crate) fn side(&self, node: NodeId) -> Side {
        self.ruled.binary_search(&node).map_or(Side::CLEAR, |index| self.sides[index])
    }

    /// What faults do to trips between different hosts on these sides.
    pub(crate) fn path_of_sides(&self, from: Side, to: Side) -> Path {
        self.model(from).zip(self.model(to)).map_or(Path::CLEAR, |(from, to)| self.rules_between(from, to))
    }

    /// What faults do to trips from outside to hosts on this side, and to trips back.
    pub(crate) fn path_outside(&self, side: Side) -> (Path, Path) {
        self.model(side).map_or((Path::CLEAR, Path::CLEAR), |node| {
            (self.rules_between(Place::Outside, node), self.rules_between(node, Place::Outside))
        })
    }

    /// The mean of what chance adds to a trip.
    pub(crate) fn mean_jitter(&self, path: &Path) -> Span {
        (path.jitter + self.model.jitter).permille(500)
    }

    /// A trip from outside to any host.
    pub(crate) fn outside_trip(&self) -> Span {
        self.model.to_outside
    }

    fn model(&self, side: Side) -> Option<Place> {
        let index = side.0.checked_sub(1)? as usize;
        Some(Place::Node(self.models[index]))
    }

    /// Works out who is named by rules, and how.
    fn take_sides(&mut self) {
        let ruled = self.named(|place| self.rules.iter().any(|r| r.from.contains(place) || r.to.contains(place)));
        let mut known: BTreeMap<Vec<(bool, bool)>, Side> = BTreeMap::new();
        self.models.clear();
        self.sides.clear();
        for &node in &ruled {
            let place = Place::Node(node);
            let named = self.rules.iter().map(|rule| (rule.from.contains(place), rule.to.contains(place))).collect();
            let next = Side(known.len() as u32 + 1);
            let side = *known.entry(named).or_insert(next);
            if side == next {
                self.models.push(node);
            }
            self.sides.push(side);
        }
        self.ruled = ruled;
    }

    /// Which parts of the cluster hear each other, at least by way of others. A part needs a host that is up.
    pub(crate) fn islands(&self, up: impl Fn(NodeId) -> bool) -> Islands {
        let mut living = vec![0usize; self.models.len() + 1];
        for (&node, side) in self.ruled.iter().zip(&self.sides) {
            living[side.0 as usize] += usize::from(up(node));
        }
        let open = |a: Place, b: Place| !self.rules_between(a, b).cut && !self.rules_between(b, a).cut;
        let model = |side: usize| self.model(Side(side as u32));
        let joined = |a: usize, b: usize| model(a).zip(model(b)).is_none_or(|(a, b)| open(a, b));
        let mut parts: Vec<Option<Island>> = vec![None; living.len()];
        parts[0] = Some(Island::Main);
        let sides: Vec<usize> = (1..living.len()).filter(|&side| living[side] > 0).collect();
        // Whoever no rule names hears everybody; the control plane hears whom its links let through.
        let clear = self.ruled.len() < self.zones.len();
        let mut edge: Vec<usize> = Vec::new();
        for &side in &sides {
            if clear || model(side).is_some_and(|node| open(node, Place::Control)) {
                parts[side] = Some(Island::Main);
                edge.push(side);
            }
        }
        let mut next = 0;
        loop {
            while let Some(from) = edge.pop() {
                for &to in &sides {
                    if parts[to].is_none() && joined(from, to) {
                        parts[to] = parts[from];
                        edge.push(to);
                    }
                }
            }
            let Some(&first) = sides.iter().find(|&&side| parts[side].is_none()) else { break };
            let friends = sides.iter().any(|&side| side != first && joined(first, side));
            parts[first] =
                Some(if friends || joined(first, first) { Island::Part(next) } else { Island::Alone(NodeId(0)) });
            next += 1;
            edge.push(first);
        }
        let mut sizes = vec![0; next as usize];
        for (side, part) in parts.iter().enumerate() {
            if let Some(Island::Part(part)) = part {
                sizes[*part as usize] += living[side];
            }
        }
        Islands { parts, sizes }
    }

    fn named(&self, named: impl Fn(Place) -> bool) -> Vec<NodeId> {
        (0..self.zones.len()).map(NodeId::from_index).filter(|node| named(Place::Node(*node))).collect()
    }

    /// Lets a fault hold; an older one of the same name is replaced. Returns the nodes whose links may change.
    pub(crate) fn apply(
        &mut self,
        fault: FaultId,
        cause: FactId,
        groups: (&Group, &Group),
        kind: (bool, NetworkRule),
    ) -> Vec<NodeId> {
        let mut nodes = self.lift(fault);
        let ((from, to), (one_way, rule)) = (groups, kind);
        self.rules.push(Rule { fault, cause, from: Members::new(from), to: Members::new(to), one_way, rule });
        self.rules.sort_by_key(|rule| rule.fault);
        nodes.extend(from.nodes.iter().chain(&to.nodes));
        nodes.sort_unstable();
        nodes.dedup();
        self.take_sides();
        nodes
    }

    /// Ends a fault. Returns the nodes whose links may change.
    pub(crate) fn lift(&mut self, fault: FaultId) -> Vec<NodeId> {
        let Some(index) = self.rules.iter().position(|rule| rule.fault == fault) else { return Vec::new() };
        let rule = self.rules.remove(index);
        self.take_sides();
        self.named(|place| rule.from.contains(place) || rule.to.contains(place))
    }
}
