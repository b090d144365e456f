//! What one gets who sends a host's agent a request: standing orders that cost nothing while nothing changes.
//!
//! A host that is off or cut off is unreachable: neighbours on its wire look for its address and say so after a while (how
//! soon is the profile's matter, who gives up the request). A slow agent answers all the same. Start at `refresh_reach`.

use shakedown_engine::fact::FactId;
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::{InputKind, Reach};

use crate::network::Place;
use crate::world::SimWorld;

impl SimWorld {
    /// The engine wants to know from now on.
    pub(crate) fn order_knock(&mut self, node: NodeId) {
        self.reaches.insert(node, Reach::Open);
        self.refresh_reach(node);
    }

    /// Something that an answer depends on has changed.
    pub(crate) fn refresh_reach(&mut self, node: NodeId) {
        let away = self.hosts[node].why_away();
        let cause = if self.hosts[node].up { away.unwrap_or(self.links[node].cause) } else { self.down_facts[node] };
        self.reach_after(node, cause);
    }

    /// The same, and why.
    pub(crate) fn reach_after(&mut self, node: NodeId, cause: FactId) {
        let Some(&before) = self.reaches.get(&node) else { return };
        let (here, control) = (Place::Node(node), Place::Control);
        let cut = self.net.path(here, control).cut || self.net.path(control, here).cut;
        let reach = if self.hosts[node].up && !cut { self.hosts[node].reach() } else { Reach::Unreachable };
        if reach != before {
            self.reaches.insert(node, reach);
            self.emit(cause, InputKind::Reach { node, reach });
        }
    }
}
