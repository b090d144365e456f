//! Whether a pod that came or went can make a refused pod feasible: the queueing hints that look at the event's pod.
//!
//! Which filters an event concerns at all is [`super::queue::Event::helps`]; this is the second, finer question. Start
//! at [`Scheduler::helps`].
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/{noderesources/fit,nodeports/node_ports,
//! podtopologyspread/plugin,interpodaffinity/plugin}.go, `isSchedulableAfterPod…`.

use crate::ids::TemplateId;
use crate::model::{PodTemplate, WhenUnsatisfiable};
use crate::profile::Filter;
use crate::scheduler::Scheduler;
use crate::scheduler::counters::term_matches;
use crate::scheduler::outcome::FilterSet;
use crate::scheduler::queue::Event;
use crate::scheduler::usage::clash;

impl Scheduler {
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
