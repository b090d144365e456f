//! Entries for what people do by hand: taints, evictions, update strategies, default priorities.
//!
//! Some of them speak of what is complete only when all manifests are lowered; [`Checker::complete`] fills that in. Start
//! at [`Checker::by_hand`].

use shakedown_chaos::experiment::Entry;
use shakedown_chaos::fault::Action;
use shakedown_engine::ids::{FaultId, Symbol, Table, TemplateId};
use shakedown_engine::model::{Details, Taint, TaintEffect, WorkloadKind};

use super::Labelled;
use super::actions::Operation;
use super::history::History;
use crate::check::Checker;
use crate::manifest::effect;
use crate::problem::Mark;
use crate::raw::{
    DefaultPriorityRaw, EntryRaw, LabelRaw, NodesRaw, PreemptionRaw, TaintRaw, UntaintRaw, UpdateStrategyRaw,
    UpdateType,
};

/// Says that a machine is off for good: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/well_known_taints.go,
/// `TaintNodeOutOfService`.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Users' priority classes go up to this. Source: kubernetes/kubernetes:pkg/apis/scheduling/types.go,
/// `HighestUserDefinablePriority`.
const HIGHEST_PRIORITY: i32 = 1_000_000_000;

/// What entries need of the finished catalog.
#[derive(Default)]
pub(in crate::check) struct Late {
    /// Priority classes that entries create, in order of time.
    classes: Vec<Class>,
}

/// A priority class that counts for pods without one.
#[derive(Clone, Copy)]
struct Class {
    name: Symbol,
    value: i32,
    preempts: bool,
}

impl Checker<'_> {
    /// The action of an entry about taints, evictions or update strategies.
    pub(super) fn by_hand(&mut self, raw: &EntryRaw, history: &History) -> Option<Action> {
        if let Some(label) = &raw.label_nodes {
            return self.set_label(&label.value, label.mark);
        }
        if let Some(taint) = &raw.taint {
            return self.set_taint(&taint.value, taint.mark);
        }
        if let Some(taint) = &raw.untaint {
            return self.remove_taint(&taint.value, taint.mark);
        }
        if let Some(evict) = &raw.evict {
            return self.pods_of(&evict.value.selection(), evict.mark).map(Action::Evict);
        }
        if let Some(cost) = &raw.deletion_cost {
            let pods = self.pods_of(&cost.value.selection(), cost.mark)?;
            return Some(Action::DeletionCost { pods, cost: cost.value.cost.value.0 });
        }
        raw.update_strategy.as_ref().and_then(|strategy| self.update_strategy(&strategy.value, strategy.mark, history))
    }

    fn set_label(&mut self, raw: &LabelRaw, mark: Mark) -> Option<Action> {
        let nodes = self.selector(&raw.selector(), mark)?;
        let names = &mut self.low.catalog.names;
        let key = names.intern(&raw.key.value);
        let value = raw.value.as_ref().map(|value| names.intern(&value.value));
        Some(Action::Label { nodes, key, value })
    }

    fn set_taint(&mut self, raw: &TaintRaw, mark: Mark) -> Option<Action> {
        let nodes = self.selector(&raw.selector(), mark);
        let taint = self.taint(&raw.taint.value, raw.taint.mark);
        Some(Action::Taint { nodes: nodes?, taint: taint? })
    }

    fn remove_taint(&mut self, raw: &UntaintRaw, mark: Mark) -> Option<Action> {
        let nodes = self.selector(&raw.selector(), mark)?;
        let text = raw.taint.value.trim_end_matches('-');
        let (pair, word) = text.rsplit_once(':').map_or((text, None), |(pair, word)| (pair, Some(word)));
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        let which = word.map(effect);
        if key.is_empty() || which == Some(None) {
            self.low
                .problems
                .error("E0204", raw.taint.mark, format!("`{}` names no taint", raw.taint.value))
                .expected("expected a key, or `key:NoExecute`; effects are NoSchedule, PreferNoSchedule and NoExecute");
            return None;
        }
        let names = &mut self.low.catalog.names;
        let effect = which.flatten().unwrap_or(TaintEffect::NoSchedule);
        let taint = Taint { key: names.intern(key), value: names.intern(""), effect };
        Some(Action::Untaint { nodes, taint, every_effect: which.is_none() })
    }

    /// Nodes are declared out of service: a taint with a name of its own.
    pub(super) fn out_of_service(&mut self, raw: &NodesRaw, mark: Mark) -> Option<Labelled> {
        let nodes = self.nodes_of(raw, mark)?;
        let label = format!("out of service: {}", self.nodes_in_words(&nodes));
        let names = &mut self.low.catalog.names;
        let (key, value) = (names.intern(OUT_OF_SERVICE), names.intern("nodeshutdown"));
        let taint = Taint { key, value, effect: TaintEffect::NoExecute };
        Some(Labelled { action: Action::Taint { nodes, taint }, label })
    }

    fn update_strategy(&mut self, raw: &UpdateStrategyRaw, mark: Mark, history: &History) -> Option<Action> {
        let workload = self.operable(&raw.workload, Operation::Redeclare)?;
        let spec = &self.low.catalog.workloads[workload];
        let mut details = history.details(workload).unwrap_or(&spec.details).clone();
        let kind = spec.kind;
        let on_delete = raw.r#type.map(|kind| matches!(kind, UpdateType::OnDelete));
        let says_something =
            on_delete.is_some() || raw.partition.is_some() || raw.max_unavailable.is_some() || raw.max_surge.is_some();
        if !says_something {
            self.low
                .problems
                .error("E0202", mark, "`update_strategy` says not what changes")
                .expected("expected at least one of `type`, `partition`, `max_unavailable` and `max_surge`");
            return None;
        }
        match &mut details {
            Details::Stateful(set) => {
                self.foreign(raw.max_surge.map(|v| v.mark), "max_surge", kind)?;
                set.on_delete = on_delete.unwrap_or(set.on_delete);
                set.partition = raw.partition.map_or(set.partition, |v| v.value);
                set.max_unavailable = raw.max_unavailable.map_or(set.max_unavailable, |v| v.value.0);
            }
            Details::Daemon(set) => {
                self.foreign(raw.partition.map(|v| v.mark), "partition", kind)?;
                set.on_delete = on_delete.unwrap_or(set.on_delete);
                set.max_unavailable = raw.max_unavailable.map_or(set.max_unavailable, |v| v.value.0);
                set.max_surge = raw.max_surge.map_or(set.max_surge, |v| v.value.0);
                // Source: kubernetes/kubernetes:pkg/apis/apps/validation/validation.go, `ValidateRollingUpdateDaemonSet`.
                let (away, extra) = (set.max_unavailable.of_rounded_up(100), set.max_surge.of_rounded_up(100));
                if (away == 0) == (extra == 0) {
                    let problem = if away == 0 { "both are 0" } else { "both are above 0" };
                    self.low
                        .problems
                        .error("E0505", mark, format!("`max_unavailable` and `max_surge`: {problem}"))
                        .expected("expected one of the two to be 0 and the other one above 0");
                    return None;
                }
            }
            Details::None | Details::Job(_) | Details::Cron(_) => return None,
        }
        Some(Action::Redeclare { workload, details: Box::new(details) })
    }

    /// Files a problem for a field that a kind of workload does not have.
    fn foreign(&mut self, mark: Option<Mark>, field: &str, kind: WorkloadKind) -> Option<()> {
        let Some(mark) = mark else { return Some(()) };
        let (what, has) = match kind {
            WorkloadKind::StatefulSet => ("stateful set", "`type`, `partition` and `max_unavailable`"),
            _ => ("daemon set", "`type`, `max_unavailable` and `max_surge`"),
        };
        self.low
            .problems
            .error("E0201", mark, format!("`{field}` has no meaning for a {what}"))
            .expected(format!("expected {has}"));
        None
    }

    /// A priority class with `globalDefault` comes to be; its templates are made when all others are there.
    pub(super) fn default_priority(&mut self, raw: &DefaultPriorityRaw) -> Option<Labelled> {
        let value = raw.value.value.0;
        if value > HIGHEST_PRIORITY {
            self.low
                .problems
                .error("E0204", raw.value.mark, format!("{value} is above what priority classes may have"))
                .expected(format!("expected at most {HIGHEST_PRIORITY}"));
            return None;
        }
        if !self.named(&raw.class) {
            return None;
        }
        let name = self.low.catalog.names.intern(&raw.class.value);
        let preempts = !matches!(raw.preemption, Some(PreemptionRaw::Never));
        self.late.classes.push(Class { name, value, preempts });
        let label = format!("default priority class {} of {value}", raw.class.value);
        Some(Labelled { action: Action::DefaultPriority { twins: Vec::new() }, label })
    }

    /// Fills in what entries need of the finished catalog: claims of stateful sets, twins of templates.
    pub(in crate::check) fn complete(&mut self, timeline: &mut Table<FaultId, Entry>) {
        let mut classes = std::mem::take(&mut self.late.classes).into_iter();
        // Twins have a class, so none of them gets a twin itself.
        let all = self.low.catalog.templates.iter();
        let bare = |(id, template): (TemplateId, &shakedown_engine::model::PodTemplate)| {
            (template.priority_class.is_none() && template.priority == 0).then_some(id)
        };
        let bare: Vec<TemplateId> = all.filter_map(bare).collect();
        for fault in timeline.ids().collect::<Vec<_>>() {
            match &mut timeline[fault].action {
                Action::Redeclare { workload, details } => {
                    let declared = &self.low.catalog.workloads[*workload].details;
                    if let (Details::Stateful(to), Details::Stateful(from)) = (&mut **details, declared) {
                        to.claims.clone_from(&from.claims);
                    }
                }
                Action::DefaultPriority { twins } => {
                    let Some(class) = classes.next() else { continue };
                    *twins = bare.iter().map(|&id| (id, self.twin(id, class))).collect();
                }
                _ => {}
            }
        }
    }

    fn twin(&mut self, template: TemplateId, class: Class) -> TemplateId {
        let mut twin = self.low.catalog.templates[template].clone();
        twin.priority = class.value;
        twin.priority_class = Some(class.name);
        twin.preempts &= class.preempts;
        self.low.catalog.templates.push(twin)
    }

    /// A taint as kubectl writes it.
    pub(super) fn taint_in_words(&self, taint: Taint) -> String {
        let text = |symbol| self.low.catalog.text(symbol);
        let value = text(taint.value);
        let equals = if value.is_empty() { "" } else { "=" };
        format!("{}{equals}{value}:{:?}", text(taint.key), taint.effect)
    }
}
