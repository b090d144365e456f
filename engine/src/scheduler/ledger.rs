//! Which pods are where, and every count kept over them.
//!
//! A new group or counter is filled from the tallies, so it does not matter when a template is first seen. It knows
//! nothing of resources ([`super::usage`]) and decides nothing. Start at [`Ledger::enter`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{Id, NodeId, Symbol, Table, TemplateId, WorkloadId};
use crate::model::Catalog;
use crate::scheduler::counters::{
    ClassId, Counter, CounterId, Group, GroupId, Kind, Members, Ranked, ScopeId, Tally, TopologyId,
};
use crate::scheduler::fixed::NodeState;
use crate::scheduler::topology::{Key, Scope, Topology};

#[derive(Clone, Debug)]
struct ScopeRow {
    scope: Scope,
    includes: Vec<bool>,
    counters: Vec<CounterId>,
}

#[derive(Clone, Debug)]
struct ClassRow {
    template: TemplateId,
    workload: Option<WorkloadId>,
    member_of: Vec<(GroupId, u32)>,
}

/// Pods by node and class, and the counts over them.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    catalog: Arc<Catalog>,
    /// Nodes that the scheduler knows.
    states: Vec<Option<NodeState>>,
    topologies: Table<TopologyId, Topology>,
    scopes: Table<ScopeId, ScopeRow>,
    groups: Table<GroupId, Group>,
    counters: Table<CounterId, Counter>,
    classes: Table<ClassId, ClassRow>,
    /// Per node, sorted by class.
    tallies: Vec<Vec<Tally>>,
}

impl Ledger {
    pub(super) fn new(catalog: Arc<Catalog>) -> Self {
        let nodes = catalog.nodes.len();
        Self {
            catalog,
            states: vec![None; nodes],
            topologies: Table::new(),
            scopes: Table::new(),
            groups: Table::new(),
            counters: Table::new(),
            classes: Table::new(),
            tallies: vec![Vec::new(); nodes],
        }
    }

    /// The state of a node, `None` when the scheduler does not know it.
    pub(super) fn state(&self, node: NodeId) -> Option<&NodeState> {
        self.states[node.index()].as_ref()
    }

    /// A counter.
    #[inline]
    pub(super) fn counter(&self, id: CounterId) -> &Counter {
        &self.counters[id]
    }

    /// The topology that a counter counts over.
    #[inline]
    pub(super) fn topology_of(&self, id: CounterId) -> &Topology {
        &self.topologies[self.counters[id].topology]
    }

    /// A topology.
    pub(super) fn topology(&self, id: TopologyId) -> &Topology {
        &self.topologies[id]
    }

    /// Members of a counter's group near node `n`.
    #[inline]
    pub(super) fn near(&self, id: CounterId, n: usize) -> u32 {
        let counter = &self.counters[id];
        counter.of(self.topologies[counter.topology].domain_of[n])
    }

    /// True when pods of a class are counted there.
    pub(super) fn counts(&self, id: CounterId, class: ClassId) -> bool {
        let group = self.counters[id].group;
        self.classes[class].member_of.iter().any(|(member_of, _)| *member_of == group)
    }

    /// A pod takes its place.
    pub(super) fn enter(&mut self, class: ClassId, node: NodeId) {
        let tallies = &mut self.tallies[node.index()];
        match tallies.binary_search_by_key(&class, |tally| tally.class) {
            Ok(i) => tallies[i].live += 1,
            Err(i) => tallies.insert(i, Tally { class, live: 1, terminating: 0 }),
        }
        self.count(class, node, Part::All, 1);
    }

    /// A pod's deletion begins.
    pub(super) fn terminate(&mut self, class: ClassId, node: NodeId) {
        let tally = self.tally(class, node);
        tally.live -= 1;
        tally.terminating += 1;
        self.count(class, node, Part::OnlyLive, -1);
    }

    /// A pod is gone.
    pub(super) fn leave(&mut self, class: ClassId, node: NodeId, terminating: bool) {
        let tally = self.tally(class, node);
        if terminating {
            tally.terminating -= 1;
        } else {
            tally.live -= 1;
        }
        if tally.live + tally.terminating == 0 {
            self.tallies[node.index()].retain(|tally| tally.class != class);
        }
        self.count(class, node, if terminating { Part::Lasting } else { Part::All }, -1);
    }

    fn tally(&mut self, class: ClassId, node: NodeId) -> &mut Tally {
        let tallies = &mut self.tallies[node.index()];
        let at = tallies.binary_search_by_key(&class, |tally| tally.class).expect("a charged pod is in the tally");
        &mut tallies[at]
    }

    fn count(&mut self, class: ClassId, node: NodeId, part: Part, delta: i64) {
        let n = node.index();
        for &(group, times) in &self.classes[class].member_of {
            let group = &self.groups[group];
            if !part.concerns(group.members.only_live()) {
                continue;
            }
            for &id in &group.counters {
                let counter = &mut self.counters[id];
                if self.scopes[counter.scope].includes[n] {
                    let domain = self.topologies[counter.topology].domain_of[n];
                    counter.add(domain, delta * i64::from(times));
                }
            }
        }
    }

    /// A node appeared, changed or (`None`) went away.
    pub(super) fn set_state(&mut self, node: NodeId, state: Option<NodeState>) {
        let n = node.index();
        let spec = &self.catalog.nodes[node];
        let mut counts: Option<BTreeMap<GroupId, i64>> = None;
        for id in self.scopes.ids() {
            let row = &mut self.scopes[id];
            let (before, after) = (row.includes[n], row.scope.includes(spec, state.as_ref(), &self.catalog));
            if before == after {
                continue;
            }
            row.includes[n] = after;
            let counts = counts.get_or_insert_with(|| group_counts(&self.tallies[n], &self.classes, &self.groups));
            for &counter in &row.counters {
                let counter = &mut self.counters[counter];
                let domain = self.topologies[counter.topology].domain_of[n];
                let members = counts.get(&counter.group).copied().unwrap_or(0);
                if after {
                    counter.node_in_scope(domain, 1);
                    counter.add(domain, members);
                } else {
                    counter.add(domain, -members);
                    counter.node_in_scope(domain, -1);
                }
            }
        }
        self.states[n] = state;
    }

    /// A label of some node is another one in this catalog: domains, scopes and counts are made again.
    pub(super) fn relabel(&mut self, catalog: Arc<Catalog>, key: Symbol) {
        let by_label = |of: Key| matches!(of, Key::Label(k) | Key::NodeWith(k) if k == key);
        for (_, topology) in self.topologies.iter_mut().filter(|(_, topology)| by_label(topology.key)) {
            *topology = Topology::new(topology.key, &catalog);
        }
        for (_, row) in self.scopes.iter_mut() {
            let nodes = catalog.nodes.rows().iter().zip(&self.states);
            row.includes = nodes.map(|(node, state)| row.scope.includes(node, state.as_ref(), &catalog)).collect();
        }
        self.catalog = catalog;
        for id in self.counters.ids().collect::<Vec<_>>() {
            let counter = &mut self.counters[id];
            let (topology, scope, group) = (counter.topology, counter.scope, counter.group);
            let ranked = counter.ranked.take().is_some();
            (counter.counts, counter.total) = (vec![0; self.topologies[topology].domains], 0);
            for n in (0..self.tallies.len()).filter(|&n| self.scopes[scope].includes[n]) {
                let members = group_count(&self.tallies[n], &self.classes, &self.groups, group);
                self.counters[id].add(self.topologies[topology].domain_of[n], members);
            }
            if ranked {
                self.rank(id);
            }
        }
    }

    /// Makes a class known: its membership in all groups so far.
    pub(super) fn add_class(&mut self, template: TemplateId, workload: Option<WorkloadId>) -> ClassId {
        let kind = Kind { id: template, template: &self.catalog.templates[template], workload };
        let names = &self.catalog.names;
        let times = self.groups.iter().map(|(id, group)| (id, group.members.times(kind, names)));
        let member_of = times.filter(|(_, times)| *times > 0).collect();
        self.classes.push(ClassRow { template, workload, member_of })
    }

    /// The workload whose pods a class is of.
    pub(super) fn workload_of(&self, class: ClassId) -> Option<WorkloadId> {
        self.classes[class].workload
    }

    /// The topology of a key, made on first use.
    pub(super) fn topology_for(&mut self, key: Key) -> TopologyId {
        let found = self.topologies.iter().find(|(_, t)| t.key == key).map(|(id, _)| id);
        found.unwrap_or_else(|| self.topologies.push(Topology::new(key, &self.catalog)))
    }

    /// The counter of a group over a topology and scope, made and filled on first use.
    pub(super) fn counter_for(&mut self, members: Members, key: Key, scope: Scope) -> CounterId {
        let topology = self.topology_for(key);
        let group = self.group_for(members);
        let scope = self.scope_for(scope.simplified());
        let same = |id: &CounterId| {
            let counter = &self.counters[*id];
            counter.topology == topology && counter.scope == scope
        };
        if let Some(&id) = self.groups[group].counters.iter().find(|id| same(id)) {
            return id;
        }
        let counts = vec![0; self.topologies[topology].domains];
        let id = self.counters.push(Counter { group, topology, scope, counts, total: 0, ranked: None });
        self.groups[group].counters.push(id);
        self.scopes[scope].counters.push(id);
        for n in 0..self.tallies.len() {
            if self.scopes[scope].includes[n] {
                let domain = self.topologies[topology].domain_of[n];
                let members = group_count(&self.tallies[n], &self.classes, &self.groups, group);
                self.counters[id].add(domain, members);
            }
        }
        id
    }

    /// Makes a counter keep its smallest count too.
    pub(super) fn rank(&mut self, id: CounterId) {
        let counter = &mut self.counters[id];
        if counter.ranked.is_some() {
            return;
        }
        counter.ranked = Some(Ranked::new(counter.counts.len()));
        let domains = &self.topologies[counter.topology].domain_of;
        for (n, _) in self.scopes[counter.scope].includes.iter().enumerate().filter(|(_, included)| **included) {
            counter.node_in_scope(domains[n], 1);
        }
    }

    fn group_for(&mut self, members: Members) -> GroupId {
        if let Some((id, _)) = self.groups.iter().find(|(_, group)| group.members == members) {
            return id;
        }
        let id = self.groups.next_id();
        let catalog = Arc::clone(&self.catalog);
        for (_, class) in self.classes.iter_mut() {
            let template = &catalog.templates[class.template];
            let kind = Kind { id: class.template, template, workload: class.workload };
            let times = members.times(kind, &catalog.names);
            if times > 0 {
                class.member_of.push((id, times));
            }
        }
        self.groups.push(Group { members, counters: Vec::new() })
    }

    fn scope_for(&mut self, scope: Scope) -> ScopeId {
        if let Some((id, _)) = self.scopes.iter().find(|(_, row)| row.scope == scope) {
            return id;
        }
        let nodes = self.catalog.nodes.rows().iter().zip(&self.states);
        let includes = nodes.map(|(node, state)| scope.includes(node, state.as_ref(), &self.catalog)).collect();
        self.scopes.push(ScopeRow { scope, includes, counters: Vec::new() })
    }
}

/// Which groups a change of a pod concerns.
#[derive(Clone, Copy)]
enum Part {
    /// All groups.
    All,
    /// Groups that count only pods that are not being deleted.
    OnlyLive,
    /// Groups that count pods until they are gone.
    Lasting,
}

impl Part {
    const fn concerns(self, only_live: bool) -> bool {
        match self {
            Self::All => true,
            Self::OnlyLive => only_live,
            Self::Lasting => !only_live,
        }
    }
}

fn in_group(tally: &Tally, only_live: bool) -> i64 {
    i64::from(tally.live) + if only_live { 0 } else { i64::from(tally.terminating) }
}

/// Members of every group among one node's pods.
fn group_counts(
    tallies: &[Tally],
    classes: &Table<ClassId, ClassRow>,
    groups: &Table<GroupId, Group>,
) -> BTreeMap<GroupId, i64> {
    let mut counts = BTreeMap::new();
    for tally in tallies {
        for &(group, times) in &classes[tally.class].member_of {
            let pods = in_group(tally, groups[group].members.only_live());
            *counts.entry(group).or_insert(0) += pods * i64::from(times);
        }
    }
    counts
}

/// Members of one group among one node's pods.
fn group_count(
    tallies: &[Tally],
    classes: &Table<ClassId, ClassRow>,
    groups: &Table<GroupId, Group>,
    group: GroupId,
) -> i64 {
    let only_live = groups[group].members.only_live();
    let times = |class: ClassId| classes[class].member_of.iter().find(|m| m.0 == group).map_or(0, |m| i64::from(m.1));
    tallies.iter().map(|tally| in_group(tally, only_live) * times(tally.class)).sum()
}
