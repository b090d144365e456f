//! Images of a pod: asking for them, getting them, failing to.
//!
//! The queue of pulls is the node's and is kept in `images`. Start at [`Pod::settle_images`].

use super::Due;
use super::desk::Hands;
use super::images::Pull;
use super::lifecycle::doubled;
use super::pod::{self, Fate, ImageState, Pod, State};
use crate::fact::{FactId, FactKind};
use crate::ids::ImageId;
use crate::model::{PodTemplate, PullPolicy};

impl Pod {
    /// Asks for missing images and records when all are there for the first time. Returns the newest cause.
    pub(super) fn settle_images(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> FactId {
        for slot in 0..self.slots.len() {
            self.want_image(slot, hands, cause);
        }
        if self.pulled || self.slots.iter().any(|slot| slot.image != ImageState::Present) {
            return cause;
        }
        self.pulled = true;
        hands.record(cause, FactKind::PodPulled { pod: self.id })
    }

    fn want_image(&mut self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId) {
        let this = &mut self.slots[slot];
        if this.image == ImageState::Present || this.state != State::Idle {
            return;
        }
        let container = pod::container(hands.template(self.template), slot);
        let (pod, image) = (self.id, container.image);
        match container.pull {
            PullPolicy::IfNotPresent | PullPolicy::Never if hands.desk.images.has(image) => {
                this.image = ImageState::Present
            }
            PullPolicy::Never if this.image == ImageState::Refused => {}
            PullPolicy::Never => {
                this.image = ImageState::Refused;
                let cause = hands.record(cause, FactKind::PullFailed { pod, image });
                self.end_without_image(hands, cause);
            }
            PullPolicy::Always | PullPolicy::IfNotPresent if self.pull_stamp != 0 => {}
            policy => hands.desk.images.ask(Pull::new(pod, image, policy == PullPolicy::Always, cause)),
        }
    }

    /// An image arrived: `mine` when this pod asked for it. Returns whether a container waited for it.
    pub(super) fn image_arrived(&mut self, template: &PodTemplate, image: ImageId, mine: Mine) -> bool {
        let mut waited = false;
        for (i, slot) in self.slots.iter_mut().enumerate() {
            let container = pod::container(template, i);
            let will_do = mine == Mine::Yes || container.pull != PullPolicy::Always;
            if slot.image != ImageState::Present && container.image == image && will_do {
                slot.image = ImageState::Present;
                waited = true;
            }
        }
        if waited {
            self.failed_pulls = 0;
        }
        waited
    }

    /// Whether a container waits for `image` without a wish of its own, if the pod has none in the queue.
    pub(super) fn relies_on(&self, template: &PodTemplate, image: ImageId) -> bool {
        let waits = |i: usize| {
            let container = pod::container(template, i);
            let slot = &self.slots[i];
            container.image == image && slot.image == ImageState::Missing && container.pull == PullPolicy::IfNotPresent
        };
        let idle = self.fate == Fate::Live && self.pull_stamp == 0;
        idle && (0..self.slots.len()).any(waits)
    }

    /// A pull failed: wait, longer each time. Agents that do not restart in place give the pod up.
    /// Returns the newest fact.
    pub(super) fn pull_failed(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, image: ImageId) -> FactId {
        let pod = self.id;
        let cause = hands.record(cause, FactKind::PullFailed { pod, image });
        self.end_without_image(hands, cause);
        if self.fate == Fate::Live && self.pull_stamp == 0 {
            let policy = &hands.profile().agent;
            let wait = doubled(policy.pull_backoff, self.failed_pulls, policy.pull_backoff_max);
            self.failed_pulls = self.failed_pulls.saturating_add(1);
            self.pull_stamp = hands.timer(hands.now() + wait, cause, Due::Pull { pod });
        }
        cause
    }

    /// Source for replacing agents: moby/swarmkit:agent/exec/controller.go, a task whose preparation fails is rejected.
    fn end_without_image(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        if self.fate == Fate::Live && pod::gated(hands.profile()) {
            self.end(hands, cause, false);
        }
    }
}

/// Whether a pull was asked for by the pod that is told of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mine {
    Yes,
    No,
}
