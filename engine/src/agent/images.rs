//! Images: which are on the node, which are being pulled, which the control plane knows of.
//!
//! It does not know who waits for an image; the pods do. Start at [`Images::ask`].

use crate::fact::FactId;
use crate::ids::{ImageId, PodId};
use crate::message::RuntimeOp;

/// The images of a node as its agent knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    /// On disk, in id order. Survives a reboot.
    present: Vec<ImageId>,
    /// Not reported yet.
    unreported: Vec<(ImageId, FactId)>,
    report_due: bool,
    /// Asked for, oldest first.
    pulls: Vec<Pull>,
}

/// A pod's wish for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pull {
    pub(super) pod: PodId,
    pub(super) image: ImageId,
    /// Even if present.
    pub(super) always: bool,
    pub(super) cause: FactId,
    /// The runtime is at work on it.
    under_way: bool,
}

impl Pull {
    pub(super) fn new(pod: PodId, image: ImageId, always: bool, cause: FactId) -> Self {
        Self { pod, image, always, cause, under_way: false }
    }
}

impl Images {
    /// Whether an image is on the node.
    pub(super) fn has(&self, image: ImageId) -> bool {
        self.present.binary_search(&image).is_ok()
    }

    /// Queues a pull unless one that will do is under way or this pod already asked.
    pub(super) fn ask(&mut self, pull: Pull) {
        let same = |p: &Pull| p.image == pull.image && (p.pod == pull.pod || (p.under_way && !pull.always));
        if !self.pulls.iter().any(same) {
            self.pulls.push(pull);
        }
    }

    /// The next pull to order: one after the other when `serial`, at once otherwise.
    pub(super) fn next_pull(&mut self, serial: bool) -> Option<(FactId, RuntimeOp)> {
        if serial && self.pulls.iter().any(|p| p.under_way) {
            return None;
        }
        let pull = self.pulls.iter_mut().find(|p| !p.under_way)?;
        pull.under_way = true;
        Some((pull.cause, RuntimeOp::Pull { pod: pull.pod, image: pull.image, always: pull.always }))
    }

    /// An image arrived at the wish of `pod`. Wishes that it fulfils as well are dropped.
    pub(super) fn arrived(&mut self, pod: PodId, image: ImageId, cause: FactId) {
        self.pulls.retain(|p| p.image != image || if p.under_way { p.pod != pod } else { p.always });
        if let Err(place) = self.present.binary_search(&image) {
            self.present.insert(place, image);
            self.unreported.push((image, cause));
        }
    }

    /// A pull at the wish of `pod` failed.
    pub(super) fn failed(&mut self, pod: PodId, image: ImageId) {
        self.pulls.retain(|p| p.image != image || p.pod != pod);
    }

    /// Whether a pull of `image` is queued or under way for `pod` itself.
    pub(super) fn asked_by(&self, pod: PodId, image: ImageId) -> bool {
        self.pulls.iter().any(|p| p.pod == pod && p.image == image)
    }

    /// Drops what a pod asked for. What is under way goes on: others may have come to rely on it.
    pub(super) fn forget(&mut self, pod: PodId) {
        self.pulls.retain(|p| p.pod != pod || p.under_way);
    }

    /// Everything has to be reported again, because the control plane may have missed it.
    pub(super) fn unreport(&mut self, cause: FactId) {
        self.unreported = self.present.iter().map(|&image| (image, cause)).collect();
    }

    /// True when there is something to report and no report is due yet; then one is.
    pub(super) fn begin_report(&mut self) -> bool {
        let begin = !self.report_due && !self.unreported.is_empty();
        self.report_due |= begin;
        begin
    }

    /// What to report now.
    pub(super) fn end_report(&mut self) -> Vec<(ImageId, FactId)> {
        self.report_due = false;
        std::mem::take(&mut self.unreported)
    }

    /// Forgets the images for which `used` says no. They are to be deleted.
    pub(super) fn drop_unused(&mut self, used: impl Fn(ImageId) -> bool) -> Vec<ImageId> {
        let pulled = |image: ImageId| self.pulls.iter().any(|pull| pull.image == image);
        let unused: Vec<ImageId> = self.present.iter().copied().filter(|&i| !used(i) && !pulled(i)).collect();
        self.present.retain(|image| unused.binary_search(image).is_err());
        self.unreported.retain(|(image, _)| unused.binary_search(image).is_err());
        unused
    }

    /// The host was down: what was on disk is still there, what was under way is lost.
    pub(super) fn reboot(&mut self) {
        self.pulls.clear();
        self.unreported.clear();
        self.report_due = false;
    }
}
