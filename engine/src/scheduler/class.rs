//! Compiling a template once: which rules, counters and amounts its pods are placed by.
//!
//! Pods of one template and workload form a class. Whatever the profile does not ask for is left out, and what is left
//! out costs a placement nothing. Start at [`Compiler::compile`].

use crate::ids::{ImageId, Symbol, TemplateId, WorkloadId};
use crate::labels::Selector;
use crate::model::{Catalog, PodTemplate, PodTerm, SpreadConstraint, Toleration, WhenUnsatisfiable, WorkloadKind};
use crate::profile::{Choice, Filter, Placement, SchedulerProfile, Score};
use crate::scheduler::counters::{ClassId, CounterId, Effect, FixedId, Members, TopologyId, carried, term_matches};
use crate::scheduler::fitting::{FitId, Fitting, Shape};
use crate::scheduler::fixed::NodeRule;
use crate::scheduler::ledger::Ledger;
use crate::scheduler::ranking::{Rank, ranks};
use crate::scheduler::topology::{Key, Scope};
use crate::scheduler::usage::Demand;

/// How pods of one template and workload are placed.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) template: TemplateId,
    pub(super) workload: Option<WorkloadId>,
    /// Which profile of the scheduler places it.
    pub(super) profile: usize,
    pub(super) priority: i32,
    pub(super) fixed: FixedId,
    pub(super) demand: Demand,
    pub(super) hard: Vec<HardSpread>,
    pub(super) soft: Vec<SoftSpread>,
    /// Nodes that lack the label of any soft constraint are not scored (explicit constraints only).
    pub(super) soft_needs_all: bool,
    /// Required affinity: pods that all terms match, over the topology of each term.
    pub(super) near: Vec<CounterId>,
    /// The pod itself matches all of them, so it may be the first.
    pub(super) near_self: bool,
    /// Required anti-affinity.
    pub(super) far: Vec<CounterId>,
    /// Anti-affinity of placed pods that matches this pod.
    pub(super) repelled_by: Vec<CounterId>,
    /// Everything that adds to a domain's affinity score, with its weight.
    pub(super) pulls: Vec<(CounterId, i64)>,
    /// Pods of the same workload, by node.
    pub(super) siblings: Option<CounterId>,
    /// The same by zone.
    pub(super) siblings_by_zone: Option<CounterId>,
    /// At most so many of those on a node.
    pub(super) at_most: Option<(CounterId, u32)>,
    /// By which rules a node is chosen, where that is not a matter of scores.
    pub(super) ranks: Vec<Rank>,
    /// It is a pod of a job.
    pub(super) runs_to_completion: bool,
    /// Which nodes admit it by themselves.
    pub(super) fit: FitId,
    /// No rule looks at anything but the node itself and free amounts.
    pub(super) amounts_only: bool,
    /// What a node says by itself comes before all other filters' words: it need not be asked twice.
    pub(super) node_first: bool,
    /// Images of all containers, one entry a container.
    pub(super) images: Vec<ImageId>,
}

/// A hard spread constraint.
#[derive(Clone, Debug)]
pub(super) struct HardSpread {
    pub(super) counter: CounterId,
    /// 1 when the pod is counted itself.
    pub(super) own: i64,
    pub(super) max_skew: i64,
    pub(super) min_domains: u32,
}

/// A soft spread constraint.
#[derive(Clone, Debug)]
pub(super) struct SoftSpread {
    pub(super) counter: CounterId,
    /// Domains are the nodes themselves.
    pub(super) by_node: bool,
    pub(super) max_skew: i32,
    /// Where the label's presence is looked up.
    pub(super) topology: TopologyId,
}

/// Counters of terms that placed pods carry.
pub(super) type Carriers = Vec<(CounterId, PodTerm, Effect)>;

/// What compiling a class needs of the scheduler.
pub(super) struct Compiler<'a> {
    pub(super) catalog: &'a Catalog,
    /// All profiles: pods of this one are counted for those of the others, too.
    pub(super) profiles: &'a [SchedulerProfile],
    pub(super) placement: &'a Placement,
    pub(super) ledger: &'a mut Ledger,
    pub(super) carriers: &'a mut Carriers,
    pub(super) fitting: &'a mut Fitting,
}

impl Compiler<'_> {
    /// Registers the class and all that it counts by. Carriers that are new concern the classes before it, too:
    /// the caller passes them on by [`notice`].
    pub(super) fn compile(
        &mut self,
        kind: (TemplateId, Option<WorkloadId>),
        rules: (FixedId, usize),
    ) -> (ClassId, Class) {
        let ((template, workload), (fixed, profile)) = (kind, rules);
        let id = self.ledger.add_class(template, workload);
        let spec = &self.catalog.templates[template];
        let mut class = Class {
            template,
            workload,
            profile,
            priority: spec.priority,
            fixed,
            demand: Demand::of(spec, self.placement),
            hard: Vec::new(),
            soft: Vec::new(),
            soft_needs_all: !spec.spread.is_empty() || self.placement.args.default_constraints.is_some(),
            near: Vec::new(),
            near_self: spec.affinity.pod_required.iter().all(|term| term_matches(term, spec, &self.catalog.names)),
            far: Vec::new(),
            repelled_by: Vec::new(),
            pulls: Vec::new(),
            siblings: None,
            siblings_by_zone: None,
            at_most: None,
            ranks: ranks((self.catalog, self.ledger), self.placement, (spec, workload)),
            runs_to_completion: workload.is_some_and(|owner| {
                matches!(self.catalog.workloads[owner].kind, WorkloadKind::Job | WorkloadKind::CronJob)
            }),
            fit: FitId::default(),
            amounts_only: false,
            node_first: false,
            images: spec.init.iter().chain(&spec.containers).map(|container| container.image).collect(),
        };
        self.spread((template, workload), &mut class);
        self.affinity(spec, &mut class);
        self.carry(spec);
        for (counter, term, effect) in self.carriers.iter() {
            notice(&mut class, (spec, self.placement), self.catalog, (*counter, term, *effect));
        }
        if let (true, Some(workload)) = (self.scores(Score::FewestOfWorkload), workload) {
            class.siblings = Some(self.ledger.counter_for(Members::OfWorkload(workload), Key::Node, Scope::Anywhere));
        }
        if let (true, Some(workload)) = (self.scores(Score::SelectorSpread), workload) {
            let (own, zone) = (Members::OfWorkload(workload), Key::Label(self.catalog.known.zone));
            class.siblings = Some(self.ledger.counter_for(own.clone(), Key::Node, Scope::Anywhere));
            class.siblings_by_zone = Some(self.ledger.counter_for(own, zone, Scope::Anywhere));
        }
        if let (Choice::FewestOfWorkload { .. }, Some(workload)) = (&self.placement.choice, workload) {
            class.siblings = Some(self.ledger.counter_for(Members::OfWorkload(workload), Key::Node, Scope::Anywhere));
        }
        let per_node = spec.wishes.distinct.iter().filter(|rule| rule.attribute == self.catalog.known.hostname);
        if let (true, Some(workload), Some(at_most)) =
            (self.filters(Filter::MaxPerNode), workload, per_node.map(|rule| rule.at_most).min())
        {
            let counter = self.ledger.counter_for(Members::OfWorkload(workload), Key::Node, Scope::Anywhere);
            class.at_most = Some((counter, at_most));
        }
        class.fit = self.fitting.row(Shape::of(&class));
        class.amounts_only = class.looks_at_amounts_only();
        class.node_first = class.demand.is_amounts() && node_comes_first(&self.placement.filters);
        (id, class)
    }

    fn any(&self, is: impl Fn(&Placement) -> bool) -> bool {
        self.profiles.iter().any(|profile| is(&profile.placement))
    }

    fn filters(&self, filter: Filter) -> bool {
        self.placement.filters.contains(&filter)
    }

    fn scores(&self, score: Score) -> bool {
        self.placement.scores.iter().any(|(s, _)| *s == score)
    }

    fn spread(&mut self, kind: (TemplateId, Option<WorkloadId>), class: &mut Class) {
        let spec = &self.catalog.templates[kind.0];
        let hard = self.filters(Filter::PodTopologySpread);
        let soft = self.scores(Score::PodTopologySpread);
        if !spec.spread.is_empty() {
            class.hard = if hard { self.hard_spread(spec) } else { Vec::new() };
            class.soft = if soft { self.soft_spread(spec) } else { Vec::new() };
            return;
        }
        let Some(members) = self.default_members(kind.0, kind.1) else { return };
        match self.placement.args.default_constraints.clone() {
            None if soft => class.soft = self.default_spread(spec, &members),
            None => {}
            Some(constraints) => {
                let scope = |key: &[Symbol]| Scope::Eligible {
                    rule: NodeRule::of(spec),
                    keys: key.to_vec(),
                    tolerations: None,
                };
                let keys = |when| -> Vec<Symbol> {
                    constraints.iter().filter(|c| c.when == when).map(|c| c.topology_key).collect()
                };
                let hard_keys = keys(WhenUnsatisfiable::DoNotSchedule);
                let soft_keys = keys(WhenUnsatisfiable::ScheduleAnyway);
                for c in &constraints {
                    match c.when {
                        WhenUnsatisfiable::DoNotSchedule if hard => {
                            let key = Key::Label(c.topology_key);
                            let counter = self.ledger.counter_for(members.clone(), key, scope(&hard_keys));
                            self.ledger.rank(counter);
                            // Its own services and owner select it.
                            let (max_skew, min_domains) = (i64::from(c.max_skew), 1);
                            class.hard.push(HardSpread { counter, own: 1, max_skew, min_domains });
                        }
                        WhenUnsatisfiable::ScheduleAnyway if soft => {
                            class.soft.push(self.soft(c.topology_key, c.max_skew, members.clone(), scope(&soft_keys)));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn hard_spread(&mut self, template: &PodTemplate) -> Vec<HardSpread> {
        let constraints = of_kind(template, WhenUnsatisfiable::DoNotSchedule);
        let keys: Vec<Symbol> = constraints.iter().map(|c| c.topology_key).collect();
        let mut compiled = Vec::new();
        for constraint in constraints {
            let scope = eligible(template, constraint, &keys);
            let key = Key::Label(constraint.topology_key);
            let counter = self.ledger.counter_for(members(template, constraint), key, scope);
            self.ledger.rank(counter);
            let own = constraint.selector.matches(&template.labels, &self.catalog.names);
            compiled.push(HardSpread {
                counter,
                own: i64::from(own),
                max_skew: i64::from(constraint.max_skew),
                min_domains: constraint.min_domains.unwrap_or(1),
            });
        }
        compiled
    }

    fn soft_spread(&mut self, template: &PodTemplate) -> Vec<SoftSpread> {
        let constraints = of_kind(template, WhenUnsatisfiable::ScheduleAnyway);
        let keys: Vec<Symbol> = constraints.iter().map(|c| c.topology_key).collect();
        let soft = |c: &&SpreadConstraint| {
            let scope = eligible(template, c, &keys);
            (c.topology_key, c.max_skew, members(template, c), scope)
        };
        let wanted: Vec<_> = constraints.iter().map(soft).collect();
        wanted.into_iter().map(|(key, skew, members, scope)| self.soft(key, skew, members, scope)).collect()
    }

    fn soft(&mut self, label: Symbol, max_skew: i32, members: Members, scope: Scope) -> SoftSpread {
        // Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/scoring.go, `Score`: the
        // hostname label counts the node itself, whatever the inclusion policies say.
        let by_node = label == self.catalog.known.hostname;
        let (key, scope) = if by_node { (Key::NodeWith(label), Scope::Anywhere) } else { (Key::Label(label), scope) };
        let counter = self.ledger.counter_for(members, key, scope);
        SoftSpread { counter, by_node, max_skew, topology: self.ledger.topology_for(key) }
    }

    /// The system's own constraints, for pods that declare none and that a service or workload selects.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/helper/spread.go, `DefaultSelector`.
    fn default_spread(&mut self, spec: &PodTemplate, members: &Members) -> Vec<SoftSpread> {
        let rule = NodeRule::of(spec);
        let scope = Scope::Eligible { rule, keys: Vec::new(), tolerations: None };
        let labels: Vec<_> = self.placement.default_spread.clone();
        // A label that no object carries was never interned: then no node has it and the constraint is void.
        let known = labels.into_iter().filter_map(|(label, skew)| Some((self.catalog.names.find(label)?, skew)));
        known.map(|(label, skew)| self.soft(label, skew, members.clone(), scope.clone())).collect()
    }

    /// Pods that share services and owner with this one. A deployment's pods are owned by the ReplicaSet of their
    /// revision, whose selector carries the template's hash: hence the template.
    fn default_members(&self, template: TemplateId, workload: Option<WorkloadId>) -> Option<Members> {
        let spec = &self.catalog.templates[template];
        let services = self.catalog.services.rows().iter().filter(|service| service.namespace == spec.namespace);
        let selectors = services.filter_map(|service| service.selector.as_ref());
        let selecting = selectors.filter(|selector| selector.matches(&spec.labels, &self.catalog.names));
        let mut all: Vec<_> = selecting.flat_map(|selector| selector.all.clone()).collect();
        let owner = workload.map(|workload| &self.catalog.workloads[workload]);
        // Other owners are not asked: pods of Jobs and DaemonSets have no spread unless a service selects them.
        let owner = owner.filter(|owner| {
            matches!(owner.kind, WorkloadKind::Deployment | WorkloadKind::ReplicaSet | WorkloadKind::StatefulSet)
        });
        all.extend(owner.into_iter().flat_map(|owner| owner.selector.all.clone()));
        all.sort();
        all.dedup();
        let revision = owner.is_some_and(|owner| owner.kind == WorkloadKind::Deployment).then_some(template);
        (!all.is_empty()).then_some(Members::Selected {
            namespace: spec.namespace,
            selector: Selector { all },
            template: revision,
        })
    }

    fn affinity(&mut self, template: &PodTemplate, class: &mut Class) {
        let affinity = &template.affinity;
        if self.filters(Filter::InterPodAffinity) {
            let all = Members::Matching(affinity.pod_required.clone());
            class.near = affinity.pod_required.iter().map(|term| self.present(all.clone(), term)).collect();
            class.far = affinity.anti_required.iter().map(|term| self.present(matching(term), term)).collect();
        }
        if self.scores(Score::InterPodAffinity) {
            let near = affinity.pod_preferred.iter().map(|w| (&w.item, i64::from(w.weight)));
            let far = affinity.anti_preferred.iter().map(|w| (&w.item, -i64::from(w.weight)));
            class.pulls = near.chain(far).map(|(term, weight)| (self.present(matching(term), term), weight)).collect();
        }
    }

    /// Counters of the terms that pods of this template will carry.
    fn carry(&mut self, template: &PodTemplate) {
        for term in carried(template) {
            let matters = match term.effect {
                Effect::Repels => self.any(|p| p.filters.contains(&Filter::InterPodAffinity)),
                Effect::Wants | Effect::Weighs(_) => {
                    self.any(|p| p.scores.iter().any(|(score, _)| *score == Score::InterPodAffinity))
                }
            };
            if matters && !self.carriers.iter().any(|(_, t, effect)| *t == term.term && *effect == term.effect) {
                let counter = self.present(Members::Carrying(term.clone()), &term.term);
                self.carriers.push((counter, term.term, term.effect));
            }
        }
    }

    fn present(&mut self, members: Members, term: &PodTerm) -> CounterId {
        self.ledger.counter_for(members, Key::Label(term.topology_key), Scope::Present)
    }
}

/// Tells a class of a carrier, which matters to it when the term speaks of its pods.
pub(super) fn notice(
    class: &mut Class,
    pod: (&PodTemplate, &Placement),
    catalog: &Catalog,
    carrier: (CounterId, &PodTerm, Effect),
) {
    let ((template, placement), (counter, term, effect)) = (pod, carrier);
    if !term_matches(term, template, &catalog.names) {
        return;
    }
    let weight = match effect {
        Effect::Repels => {
            if placement.filters.contains(&Filter::InterPodAffinity) {
                class.repelled_by.push(counter);
            }
            return;
        }
        Effect::Wants => placement.args.hard_affinity_weight,
        Effect::Weighs(weight) => weight,
    };
    // Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/interpodaffinity/scoring.go, `PreScore`.
    let own = !template.affinity.pod_preferred.is_empty() || !template.affinity.anti_preferred.is_empty();
    let ignored = placement.args.ignore_existing_terms && !own;
    let scored = placement.scores.iter().any(|(score, _)| *score == Score::InterPodAffinity);
    if scored && !ignored && weight != 0 {
        class.pulls.push((counter, weight));
    }
}

/// True when node-only filters come first, then amounts, then whatever looks further.
fn node_comes_first(filters: &[Filter]) -> bool {
    let rank = |filter: &Filter| match filter {
        Filter::NodeUnschedulable | Filter::NodeName | Filter::TaintToleration | Filter::NodeAffinity => Some(0),
        // A pod without ports never fails it.
        Filter::NodePorts => None,
        Filter::NodeResourcesFit => Some(1),
        _ => Some(2),
    };
    filters.iter().filter_map(rank).is_sorted()
}

fn of_kind(template: &PodTemplate, when: WhenUnsatisfiable) -> Vec<&SpreadConstraint> {
    template.spread.iter().filter(|c| c.when == when).collect()
}

fn members(template: &PodTemplate, constraint: &SpreadConstraint) -> Members {
    Members::Selected { namespace: template.namespace, selector: constraint.selector.clone(), template: None }
}

fn matching(term: &PodTerm) -> Members {
    Members::Matching(vec![term.clone()])
}

fn eligible(template: &PodTemplate, constraint: &SpreadConstraint, keys: &[Symbol]) -> Scope {
    let rule = if constraint.honor_affinity { NodeRule::of(template) } else { NodeRule::default() };
    let tolerations: Option<Vec<Toleration>> = constraint.honor_taints.then(|| template.tolerations.clone());
    Scope::Eligible { rule, keys: keys.to_vec(), tolerations }
}
