//! Whether a pod that came or went, or a node that changed, can make a refused pod feasible: the queueing hints.
//!
//! Which filters an event concerns at all is [`super::queue::Event::helps`]; this is the second, finer question. Start
//! at [`Scheduler::helps`] for pods and [`Scheduler::node_helps`] for nodes.
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/{noderesources/fit,nodeports/node_ports,
//! nodeunschedulable/node_unschedulable,nodeaffinity/node_affinity,tainttoleration/taint_toleration,
//! podtopologyspread/plugin,interpodaffinity/plugin}.go, `isSchedulableAfterPod…` and `isSchedulableAfterNodeChange`.

use crate::ids::{NodeId, TemplateId};
use crate::model::{NodeSpec, PodTemplate, WhenUnsatisfiable};
use crate::profile::Filter;
use crate::scheduler::Scheduler;
use crate::scheduler::counters::term_matches;
use crate::scheduler::fixed::{NodeState, Rules};
use crate::scheduler::outcome::FilterSet;
use crate::scheduler::queue::Event;
use crate::scheduler::usage::clash;

/// The node that was last told of, and what it was before; `None` when it is new.
pub(super) type NodeNews = (NodeId, Option<NodeState>);

impl Scheduler {
    /// True when the node that was last told of ([`Scheduler::set_node`]) can help a pod of template `waiting`, which
    /// `filters` refused.
    ///
    /// Whether the node has room now is not asked: as in the original, it is enough that the empty node has.
    pub fn node_helps(&self, event: Event, waiting: (TemplateId, FilterSet)) -> bool {
        let (Some((node, was)), (waiting, filters)) = (&self.news, waiting) else { return true };
        let Some(now) = self.ledger.state(*node) else { return true };
        let (spec, template) = (&self.catalog.nodes[*node], &self.catalog.templates[waiting]);
        let profile = self.profile_of(template.scheduler).unwrap_or(0);
        let rules = Rules::of(template, &self.profiles[profile].placement);
        let refuses = |filter, state: &NodeState| rules.refusal(filter, spec, state, &self.catalog).is_some();
        let opens = |filter| was.as_ref().is_none_or(|was| refuses(filter, was)) && !refuses(filter, now);
        let (helps, new) = (event.helps(), was.is_none());
        let concerned = |filter: &Filter| filters.contains(*filter) && helps.contains(*filter);
        self.profiles[profile].placement.filters.iter().copied().filter(concerned).any(|filter| match filter {
            Filter::NodeResourcesFit => new && fits_empty(template, spec),
            Filter::NodeUnschedulable | Filter::NodeName | Filter::TaintToleration | Filter::NodeAffinity => {
                opens(filter)
            }
            Filter::PodTopologySpread => {
                let mut hard = template.spread.iter().filter(|c| c.when == WhenUnsatisfiable::DoNotSchedule);
                hard.all(|c| spec.labels.get(c.topology_key).is_some())
                    && was.as_ref().is_none_or(|was| was.taints != now.taints)
            }
            Filter::InterPodAffinity => {
                let affinity = &template.affinity;
                let own = affinity.pod_required.iter().chain(&affinity.anti_required);
                // Without terms of its own it was refused by another pod's anti-affinity, which may not reach so far.
                own.clone().count() == 0 || own.clone().any(|term| spec.labels.get(term.topology_key).is_some())
            }
            Filter::NodePorts
            | Filter::MaxPerNode
            | Filter::VolumeRestrictions
            | Filter::NodeVolumeLimits
            | Filter::VolumeBinding
            | Filter::VolumeZone => true,
        })
    }

    /// True when a pod of template `moved` that took its place or left it can help a pod of template `waiting`, which
    /// `filters` refused.
    pub fn helps(&self, event: Event, moved: TemplateId, waiting: (TemplateId, FilterSet)) -> bool {
        let (waiting, filters) = waiting;
        let (moved, waiting) = (&self.catalog.templates[moved], &self.catalog.templates[waiting]);
        let left = event == Event::PodReleased;
        // Whatever leaves a node gives back room, and any room may be enough.
        let room = [Filter::NodeResourcesFit, Filter::VolumeRestrictions, Filter::NodeVolumeLimits];
        (left && room.into_iter().any(|filter| filters.contains(filter)))
            || (left && filters.contains(Filter::NodePorts) && self.frees_ports(moved, waiting))
            || (left && filters.contains(Filter::MaxPerNode))
            || (filters.contains(Filter::PodTopologySpread) && self.moves_skew(moved, waiting))
            || (filters.contains(Filter::InterPodAffinity) && self.moves_affinity(left, moved, waiting))
    }

    fn frees_ports(&self, moved: &PodTemplate, waiting: &PodTemplate) -> bool {
        let all = self.usage.all_addresses();
        waiting.host_ports.iter().any(|wanted| moved.host_ports.iter().any(|freed| clash(wanted, freed, all)))
    }

    fn moves_skew(&self, moved: &PodTemplate, waiting: &PodTemplate) -> bool {
        let mut hard = waiting.spread.iter().filter(|c| c.when == WhenUnsatisfiable::DoNotSchedule);
        // Without constraints of its own it was refused by the profile's, whose selector is that of its services.
        let counted = hard.any(|c| c.selector.matches(&moved.labels, &self.catalog.names));
        moved.namespace == waiting.namespace && (waiting.spread.is_empty() || counted)
    }

    fn moves_affinity(&self, left: bool, moved: &PodTemplate, waiting: &PodTemplate) -> bool {
        let names = &self.catalog.names;
        if !left {
            let wanted = &waiting.affinity.pod_required;
            return !wanted.is_empty() && wanted.iter().all(|term| term_matches(term, moved, names));
        }
        waiting.affinity.anti_required.iter().any(|term| term_matches(term, moved, names))
            || moved.affinity.anti_required.iter().any(|term| term_matches(term, waiting, names))
    }
}

/// True when a node has enough of everything that a pod requests, as long as nobody else is there.
fn fits_empty(template: &PodTemplate, node: &NodeSpec) -> bool {
    let (wanted, has) = (&template.requests, &node.allocatable);
    node.max_pods > 0
        && (wanted.cpu.0 <= 0 || wanted.cpu <= has.cpu)
        && (wanted.memory.0 <= 0 || wanted.memory <= has.memory)
        && (wanted.ephemeral.0 <= 0 || wanted.ephemeral <= has.ephemeral)
        && wanted.extended.iter().all(|&(name, amount)| amount <= 0 || amount <= has.extended(name))
}
