//! The seam between an experiment and the world that suffers it.

use shakedown_engine::fact::{FactId, FactLog};
use shakedown_engine::ids::FaultId;
use shakedown_engine::time::Time;

use crate::fault::Effect;

/// A world in which faults can be produced.
pub trait FaultTarget {
    /// Produces an effect until it is lifted. `cause` is the fact that says so.
    ///
    /// A fault may be applied again while it holds: its targets are replaced.
    ///
    /// # Errors
    /// When this world cannot produce it; nothing has happened then.
    fn apply(
        &mut self,
        now: Time,
        fault: FaultId,
        effect: &Effect,
        cause: FactId,
        facts: &mut FactLog,
    ) -> Result<(), Unsupported>;

    /// Ends an effect. Nothing happens when it does not hold.
    fn lift(&mut self, now: Time, fault: FaultId, cause: FactId, facts: &mut FactLog);
}

/// A fault that a world cannot produce, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Why, as a sentence fragment: `this kernel has no netem`.
    pub reason: String,
}
