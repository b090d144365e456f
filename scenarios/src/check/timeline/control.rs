//! Entries about the control plane itself: parts that stop, floods of requests, namespaces.
//!
//! Start at [`Checker::on_control`].

use shakedown_chaos::fault::Action;
use shakedown_engine::fact::Component;
use shakedown_engine::message::{Flood, Instances, Level};

use crate::check::Checker;
use crate::problem::Mark;
use crate::raw::{ControlPlaneRaw, EntryRaw, FloodRaw, LevelRaw, Part, Which};
use crate::text::At;

impl Checker<'_> {
    /// The action of an entry that concerns the control plane.
    pub(super) fn on_control(&mut self, raw: &EntryRaw) -> Option<Action> {
        if let Some(control) = &raw.control_plane {
            return self.control_plane(&control.value, control.mark);
        }
        if let Some(flood) = &raw.flood {
            return self.flood(&flood.value);
        }
        raw.delete_namespace.as_ref().and_then(|name| self.delete_namespace(name))
    }

    fn control_plane(&mut self, raw: &ControlPlaneRaw, mark: Mark) -> Option<Action> {
        let instances = match raw.instances {
            Some(Which::Follower) => Instances::Follower,
            Some(Which::Quorum) => Instances::Quorum,
            Some(Which::All) => Instances::All,
            Some(Which::Leader) | None => Instances::Leader,
        };
        match (&raw.stop, &raw.start) {
            (Some(part), None) => Some(Action::StopPart { part: component(part.value), instances }),
            (None, Some(part)) => Some(Action::StartPart { part: component(part.value), instances }),
            _ => {
                self.low
                    .problems
                    .error("E0207", mark, "`control_plane` stops or starts one part")
                    .expected("expected either `stop: PART` or `start: PART`");
                None
            }
        }
    }

    fn flood(&mut self, raw: &FloodRaw) -> Option<Action> {
        if raw.requests.value == 0 {
            self.low
                .problems
                .error("E0204", raw.requests.mark, "a flood of 0 requests/s is none")
                .expected("expected more than 0");
            return None;
        }
        let level = match raw.level {
            Some(LevelRaw::System) => Level::System,
            Some(LevelRaw::NodeHigh) => Level::NodeHigh,
            Some(LevelRaw::LeaderElection) => Level::LeaderElection,
            Some(LevelRaw::WorkloadHigh) => Level::WorkloadHigh,
            Some(LevelRaw::WorkloadLow) | None => Level::WorkloadLow,
            Some(LevelRaw::GlobalDefault) => Level::GlobalDefault,
            Some(LevelRaw::CatchAll) => Level::CatchAll,
        };
        let list_objects = raw.list_objects.as_ref().map_or(0, |n| n.value);
        Some(Action::Flood(Flood { level, rate: raw.requests.value, list_objects }))
    }

    fn delete_namespace(&mut self, name: &At<String>) -> Option<Action> {
        let catalog = &*self.low.catalog;
        let known: Vec<&str> = catalog.workloads.iter().map(|(_, w)| catalog.text(w.namespace)).collect();
        if known.contains(&name.value.as_str()) {
            return Some(Action::DeleteNamespace(self.low.catalog.names.intern(&name.value)));
        }
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        self.low
            .problems
            .error("E0303", name.mark, format!("no workload is in a namespace `{}`", name.value))
            .expected("expected a namespace that something is deployed to")
            .suggest(&name.value, known.iter().map(String::as_str));
        None
    }
}

fn component(part: Part) -> Component {
    match part {
        Part::Scheduler => Component::Scheduler,
        Part::Controllers => Component::Controllers,
        Part::ApiServer => Component::ApiServer,
        Part::Etcd => Component::Store,
        Part::Manager => Component::Manager,
    }
}

/// What people call instances of a part: `the leading scheduler`.
pub(super) fn part_in_words(part: Component, instances: Instances) -> &'static str {
    match (part, instances) {
        (Component::Scheduler, Instances::All) => "all schedulers",
        (Component::Scheduler, Instances::Leader) => "the leading scheduler",
        (Component::Scheduler, Instances::Follower) => "a scheduler that stands by",
        (Component::Controllers, Instances::All) => "all controllers",
        (Component::Controllers, Instances::Leader) => "the leading controllers",
        (Component::Controllers, Instances::Follower) => "controllers that stand by",
        (Component::ApiServer, Instances::All) => "all API servers",
        (Component::ApiServer, Instances::Leader | Instances::Follower) => "one API server",
        (Component::Scheduler, Instances::Quorum) => "most schedulers",
        (Component::Controllers, Instances::Quorum) => "most controllers",
        (Component::ApiServer, Instances::Quorum) => "most API servers",
        (Component::Store, Instances::Quorum) => "a majority of the store",
        (Component::Manager, Instances::All) => "the whole control plane",
        (Component::Manager, Instances::Leader) => "the leading manager",
        (Component::Manager, Instances::Follower) => "a manager that does not lead",
        (Component::Manager, Instances::Quorum) => "a majority of the managers",
        (Component::Store, Instances::All) => "all members of the store",
        (Component::Store, Instances::Leader) => "the leader of the store",
        (Component::Store, Instances::Follower) => "a follower of the store",
    }
}
