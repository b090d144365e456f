//! Pods counted by domain: kept up with each pod that comes or goes, so that no placement walks over pods.
//!
//! A [`Group`] says which pods are counted, a [`Counter`] counts one group over one topology and scope. Groups of
//! equal meaning are shared between templates. Who is a member is decided once per class of pods, not per pod.
//! Start at [`Counter::add`].

use crate::ids::{Id, NodeId, Symbol, TemplateId, WorkloadId};
use crate::labels::{Interner, Selector};
use crate::model::{PodTemplate, PodTerm};
use crate::scheduler::topology::NO_DOMAIN;

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name(u32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("a table holds at most 2^32 rows"))
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

rows! {
    /// Pods with the same template and workload.
    ClassId,
    /// A group of pods.
    GroupId,
    /// A count of a group.
    CounterId,
    /// A topology.
    TopologyId,
    /// A scope.
    ScopeId,
    /// A set of node-only rules.
    FixedId
}

/// What a pod is to the groups: its template and workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind<'a> {
    pub(super) id: TemplateId,
    pub(super) template: &'a PodTemplate,
    pub(super) workload: Option<WorkloadId>,
}

/// Which pods are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// Pods of a namespace that a selector matches, and of one template where it is given (a revision's own pods).
    /// Pods that are being deleted do not count, and an empty selector counts nothing.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/common.go,
    /// `countPodsMatchSelector`.
    Selected { namespace: Symbol, selector: Selector, template: Option<TemplateId> },
    /// Pods of a workload, without those that are being deleted.
    OfWorkload(WorkloadId),
    /// Pods that all terms match.
    Matching(Vec<PodTerm>),
    /// Pods that carry this term themselves, once for each time they do.
    Carrying(Carried),
}

/// A term that placed pods carry and that speaks about pods to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) term: PodTerm,
    pub(super) effect: Effect,
}

/// What a carried term does to a pod that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Keeps it out of the domain.
    Repels,
    /// Adds to the domain's score as much as the scheduler's profile says of required affinity.
    Wants,
    /// Adds to the domain's score.
    Weighs(i64),
}

/// The terms that pods of a template carry; one that occurs twice is listed twice.
pub(super) fn carried(template: &PodTemplate) -> impl Iterator<Item = Carried> + '_ {
    let affinity = &template.affinity;
    let make = |term: &PodTerm, effect| Carried { term: term.clone(), effect };
    let repels = affinity.anti_required.iter().map(move |t| make(t, Effect::Repels));
    let hard = affinity.pod_required.iter().map(move |t| make(t, Effect::Wants));
    let near = affinity.pod_preferred.iter().map(move |w| make(&w.item, Effect::Weighs(i64::from(w.weight))));
    let far = affinity.anti_preferred.iter().map(move |w| make(&w.item, Effect::Weighs(-i64::from(w.weight))));
    repels.chain(hard).chain(near).chain(far)
}

/// True when a term speaks of pods of this template.
pub(super) fn term_matches(term: &PodTerm, template: &PodTemplate, names: &Interner) -> bool {
    (term.all_namespaces || term.namespaces.contains(&template.namespace))
        && term.selector.matches(&template.labels, names)
}

impl Members {
    /// How often a pod counts: 0 for no member.
    pub(super) fn times(&self, kind: Kind<'_>, names: &Interner) -> u32 {
        let template = kind.template;
        let member = match self {
            Self::Selected { namespace, selector, template: only } => {
                *namespace == template.namespace
                    && only.is_none_or(|id| id == kind.id)
                    && !selector.all.is_empty()
                    && selector.matches(&template.labels, names)
            }
            Self::OfWorkload(workload) => kind.workload == Some(*workload),
            Self::Matching(terms) => terms.iter().all(|term| term_matches(term, template, names)),
            Self::Carrying(term) => return carried(template).filter(|own| own == term).count() as u32,
        };
        u32::from(member)
    }

    /// True when a pod stops counting as soon as its deletion begins.
    pub(super) const fn only_live(&self) -> bool {
        matches!(self, Self::Selected { .. } | Self::OfWorkload(_))
    }
}

/// A group of pods and its counts.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) members: Members,
    pub(super) counters: Vec<CounterId>,
}

/// A pod that comes (1) or goes (-1), times its membership.
pub(super) type Delta = i64;

/// Members of one group, counted by domain.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub(super) group: GroupId,
    pub(super) topology: TopologyId,
    pub(super) scope: ScopeId,
    /// Members in each domain, on nodes in scope.
    pub(super) counts: Vec<u32>,
    /// Sum of `counts`.
    pub(super) total: u64,
    /// Domains with a node in scope, by their count; only where somebody asks for the smallest.
    pub(super) ranked: Option<Ranked>,
}

impl Counter {
    /// Counts `delta` members more in a domain.
    #[inline]
    pub(super) fn add(&mut self, domain: u32, delta: Delta) {
        if domain == NO_DOMAIN || delta == 0 {
            return;
        }
        let count = &mut self.counts[domain as usize];
        let before = *count;
        *count = u32::try_from(i64::from(before) + delta).expect("no more pods leave a domain than came");
        self.total = self.total.checked_add_signed(delta).expect("no more pods leave a topology than came");
        if let Some(ranked) = &mut self.ranked {
            ranked.moved(domain, before, *count);
        }
    }

    /// Counts of a domain; 0 for a node without domain.
    #[inline]
    pub(super) fn of(&self, domain: u32) -> u32 {
        if domain == NO_DOMAIN { 0 } else { self.counts[domain as usize] }
    }

    /// A node of the domain entered (1) or left (-1) the scope. Its members are counted separately.
    pub(super) fn node_in_scope(&mut self, domain: u32, delta: i32) {
        if domain == NO_DOMAIN {
            return;
        }
        let count = self.counts[domain as usize];
        if let Some(ranked) = &mut self.ranked {
            ranked.node(domain, count, delta);
        }
    }
}

/// How many domains have which count, to know the smallest at any time.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    /// Nodes in scope, by domain.
    nodes: Vec<u32>,
    /// Domains with a node in scope, by count.
    with_count: Vec<u32>,
    /// Domains with a node in scope.
    pub(super) domains: u32,
    /// The smallest count among them; meaningless without any.
    pub(super) smallest: usize,
}

impl Ranked {
    pub(super) fn new(domains: usize) -> Self {
        Self { nodes: vec![0; domains], with_count: vec![0; 1], domains: 0, smallest: 0 }
    }

    fn moved(&mut self, domain: u32, before: u32, after: u32) {
        if self.nodes[domain as usize] > 0 {
            self.take(before);
            self.put(after);
            self.settle();
        }
    }

    fn node(&mut self, domain: u32, count: u32, delta: i32) {
        let nodes = &mut self.nodes[domain as usize];
        let before = *nodes;
        *nodes = before.checked_add_signed(delta).expect("no more nodes leave a domain than came");
        match (before, *nodes) {
            (0, 1..) => {
                self.domains += 1;
                self.put(count);
            }
            (1.., 0) => {
                self.domains -= 1;
                self.take(count);
            }
            _ => {}
        }
        self.settle();
    }

    fn put(&mut self, count: u32) {
        let count = count as usize;
        if count >= self.with_count.len() {
            self.with_count.resize(count + 1, 0);
        }
        self.with_count[count] += 1;
        self.smallest = self.smallest.min(count);
    }

    fn take(&mut self, count: u32) {
        self.with_count[count as usize] -= 1;
    }

    /// Moves `smallest` up to the next count that a domain has. Counts change by ones, so this is a step or none.
    fn settle(&mut self) {
        if self.domains == 0 {
            self.smallest = usize::MAX;
            return;
        }
        self.smallest = self.smallest.min(self.with_count.len() - 1);
        while self.with_count[self.smallest] == 0 {
            self.smallest += 1;
        }
    }
}

/// Pods of one class on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) class: ClassId,
    pub(super) live: u32,
    pub(super) terminating: u32,
}

/// Where a pod took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) class: ClassId,
    pub(super) node: NodeId,
    pub(super) terminating: bool,
    /// It makes way for another pod.
    pub(super) preempted: bool,
    /// It was told to stop, and its place counts as free already.
    pub(super) given_up: bool,
    /// Its containers do not run yet.
    pub(super) starting: bool,
}
