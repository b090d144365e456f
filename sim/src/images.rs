//! Images: what each host has, and pulls that share bandwidth.
//!
//! Every transfer gets an equal part of its host's bandwidth, and when the registry cannot serve all pulling hosts in
//! full, it gives each of them the same (assumption: fair by host, not by transfer). Because all hosts then receive at
//! one common rate, progress is kept in virtual time: a change costs the logarithm of the pulls, not their number.
//! Several pods of a host that want the same image wait for one transfer. Back-off and serial pulls are the agent's.
//! Start at `begin_pull`.

use std::collections::{BTreeMap, BTreeSet};

use shakedown_chaos::setting::{Defect, HostModel};
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{Id, ImageId, NodeId, PodId};
use shakedown_engine::message::{InputKind, RuntimeEvent};
use shakedown_engine::time::{Span, Time};

use crate::event::{Event, Stamp};
use crate::network::Place;
use crate::world::SimWorld;

/// A dial to a registry that does not answer is given up after this.
/// Source: containerd/containerd:remotes/docker (dialer time-out of 30 s).
const DIAL_TIMEOUT: Span = Span::from_secs(30);
/// Progress is counted in billionths of a byte, so that rate times nanoseconds needs no division.
const NANO: u128 = 1_000_000_000;

/// A pod that waits for an image.
type Waiter = (PodId, FactId);

/// All pulls of all hosts.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    hosts: Vec<Shelf>,
    /// What each pulling host has received since the start, had it pulled all the time, in billionths of a byte.
    clock: u128,
    clock_at: Time,
    /// When, on that clock, each pulling host completes its next transfer.
    next: BTreeSet<(u128, NodeId)>,
    stamp: Stamp,
}

/// Images of one host.
#[derive(Clone, Debug, Default)]
struct Shelf {
    present: BTreeSet<ImageId>,
    /// Waiting for the registry's first answer.
    asked: BTreeMap<ImageId, (Stamp, Vec<Waiter>)>,
    transfers: BTreeMap<ImageId, Transfer>,
    /// What each transfer has received, had it run all the time.
    clock: u128,
    /// The common clock at that moment.
    seen: u128,
}

#[derive(Clone, Debug)]
struct Transfer {
    /// On the host's own clock.
    complete_at: u128,
    waiters: Vec<Waiter>,
}

impl Shelf {
    fn catch_up(&mut self, clock: u128) {
        let transfers = self.transfers.len() as u128;
        self.clock += (clock - self.seen).checked_div(transfers).unwrap_or(0);
        self.seen = clock;
    }

    /// When, on the common clock, the next transfer is complete.
    fn next(&self) -> Option<u128> {
        let first = self.transfers.values().map(|t| t.complete_at).min()?;
        Some(self.seen + first.saturating_sub(self.clock) * self.transfers.len() as u128)
    }
}

impl Images {
    pub(crate) fn new(hosts: usize, present: impl Iterator<Item = ImageId> + Clone) -> Self {
        let shelf = Shelf { present: present.collect(), ..Shelf::default() };
        Self { hosts: vec![shelf; hosts], clock: 0, clock_at: Time::ZERO, next: BTreeSet::new(), stamp: 0 }
    }

    fn rate(&self, model: &HostModel) -> u64 {
        let hosts = self.next.len().max(1) as u64;
        model.pull_bandwidth.min(model.registry_bandwidth / hosts).max(1)
    }

    fn catch_up(&mut self, now: Time, model: &HostModel) {
        self.clock += u128::from(self.rate(model)) * u128::from(now.since(self.clock_at).as_nanos());
        self.clock_at = now;
    }

    /// Changes the transfers of one host and keeps the schedule in step.
    fn change<R>(&mut self, node: NodeId, change: impl FnOnce(&mut Shelf) -> R) -> R {
        let shelf = &mut self.hosts[node.index()];
        if let Some(next) = shelf.next() {
            self.next.remove(&(next, node));
        }
        shelf.catch_up(self.clock);
        let result = change(shelf);
        if let Some(next) = shelf.next() {
            self.next.insert((next, node));
        }
        result
    }
}

impl SimWorld {
    /// Fetches an image for a pod.
    pub(crate) fn begin_pull(&mut self, (node, pod): (NodeId, PodId), image: ImageId, always: bool, cause: FactId) {
        let stamp = self.stamp();
        let round_trip = self.experiment.setting.host.registry_round_trip;
        let cut = self.net.path(Place::Node(node), Place::Outside).cut
            || self.net.path(Place::Outside, Place::Node(node)).cut;
        let shelf = &mut self.images.hosts[node.index()];
        if shelf.present.contains(&image) && !always {
            return self.pulled((node, image), &[(pod, cause)], true);
        }
        if let Some(transfer) = shelf.transfers.get_mut(&image) {
            return transfer.waiters.push((pod, cause));
        }
        if let Some((_, waiters)) = shelf.asked.get_mut(&image) {
            return waiters.push((pod, cause));
        }
        shelf.asked.insert(image, (stamp, vec![(pod, cause)]));
        let wait = if cut { DIAL_TIMEOUT } else { round_trip };
        self.queue.push(self.now + wait, Event::Registry { node, image, stamp });
    }

    /// The registry answered, or the host gave up waiting.
    pub(crate) fn on_registry(&mut self, node: NodeId, image: ImageId, stamp: Stamp) {
        let shelf = &mut self.images.hosts[node.index()];
        if shelf.asked.get(&image).is_none_or(|asked| asked.0 != stamp) {
            return;
        }
        let (_, waiters) = shelf.asked.remove(&image).expect("it was just seen");
        let present = shelf.present.contains(&image);
        let reached = !self.net.path(Place::Node(node), Place::Outside).cut
            && !self.net.path(Place::Outside, Place::Node(node)).cut;
        if !reached || self.behaviour(image).defect == Defect::Missing {
            return self.pulled((node, image), &waiters, false);
        }
        if present {
            return self.pulled((node, image), &waiters, true);
        }
        let size = u128::try_from(self.catalog.images[image].size.0).unwrap_or(0) * NANO;
        self.images.catch_up(self.now, &self.experiment.setting.host);
        self.images.change(node, |shelf| {
            let complete_at = shelf.clock + size;
            shelf.transfers.insert(image, Transfer { complete_at, waiters });
        });
        self.plan_transfers();
    }

    /// The transfer that was to complete first is complete.
    pub(crate) fn on_transferred(&mut self, stamp: Stamp) {
        if self.images.stamp != stamp {
            return;
        }
        self.images.catch_up(self.now, &self.experiment.setting.host);
        while let Some(&(due, node)) = self.images.next.first() {
            if due > self.images.clock {
                break;
            }
            let complete = self.images.change(node, |shelf| {
                let image =
                    shelf.transfers.iter().min_by_key(|(image, t)| (t.complete_at, **image)).map(|(i, _)| *i)?;
                shelf.present.insert(image);
                shelf.transfers.remove(&image).map(|transfer| (image, transfer.waiters))
            });
            if let Some((image, waiters)) = complete {
                let cause = waiters.first().map_or(FactId::NONE, |waiter| waiter.1);
                self.image_on_disk(node, image, 1, cause);
                self.pulled((node, image), &waiters, true);
            }
        }
        self.plan_transfers();
    }

    /// The agent deletes an image.
    pub(crate) fn remove_image(&mut self, node: NodeId, image: ImageId, cause: FactId) {
        if self.images.hosts[node.index()].present.remove(&image) {
            self.image_on_disk(node, image, -1, cause);
        }
    }

    /// A host went down: its pulls are gone, its images are not.
    pub(crate) fn drop_pulls(&mut self, node: NodeId) {
        self.images.catch_up(self.now, &self.experiment.setting.host);
        self.images.change(node, |shelf| shelf.transfers.clear());
        self.images.hosts[node.index()].asked.clear();
        self.plan_transfers();
    }

    fn plan_transfers(&mut self) {
        self.images.stamp = self.stamp();
        let Some(&(due, _)) = self.images.next.first() else { return };
        let rate = u128::from(self.images.rate(&self.experiment.setting.host));
        let wait = u64::try_from(due.saturating_sub(self.images.clock).div_ceil(rate)).unwrap_or(u64::MAX);
        self.queue.push(self.now + Span::from_nanos(wait), Event::Transferred { stamp: self.images.stamp });
    }

    fn pulled(&mut self, (node, image): (NodeId, ImageId), waiters: &[Waiter], ok: bool) {
        for &(pod, cause) in waiters {
            self.emit(cause, InputKind::Runtime { node, event: RuntimeEvent::Pulled { pod, image, ok } });
        }
    }
}
