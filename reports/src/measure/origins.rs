//! Which fault each fact goes back to, found in one pass because causes come before their effects.
//!
//! A fault that is applied again while it holds (continuous targets) stays one fault. Start at [`Origins`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Fact, FactKind};
use shakedown_engine::ids::FaultId;
use shakedown_engine::time::Time;

/// The fault behind each fact.
pub struct Origins {
    /// For each fact, in order.
    of: Vec<Option<FaultId>>,
    /// Every fault that took effect.
    pub faults: BTreeMap<FaultId, Applied>,
}

/// When a fault took effect.
#[derive(Clone, Copy, Debug)]
pub struct Applied {
    /// First application.
    pub at: Time,
    /// When it was lifted for the last time.
    pub lifted: Option<Time>,
    /// Most targets at once.
    pub targets: u32,
}

impl Origins {
    /// Follows all causes.
    pub fn new(facts: &[Fact]) -> Self {
        let mut origins = Self { of: Vec::with_capacity(facts.len()), faults: BTreeMap::new() };
        for fact in facts {
            let origin = match fact.kind {
                FactKind::FaultApplied { fault, targets } => {
                    let applied = Applied { at: fact.at, lifted: None, targets };
                    let known = origins.faults.entry(fault).or_insert(applied);
                    known.targets = known.targets.max(targets);
                    Some(fault)
                }
                FactKind::FaultLifted { fault } => {
                    if let Some(applied) = origins.faults.get_mut(&fault) {
                        applied.lifted = Some(fact.at);
                    }
                    Some(fault)
                }
                _ => origins.inherited(fact),
            };
            origins.of.push(origin);
        }
        origins
    }

    /// The fault that a fact goes back to.
    pub fn of(&self, fact: &Fact) -> Option<FaultId> {
        let index = (fact.id.0 as usize).checked_sub(1)?;
        self.of.get(index).copied().flatten()
    }

    fn inherited(&self, fact: &Fact) -> Option<FaultId> {
        let index = (fact.cause.0 as usize).checked_sub(1)?;
        self.of.get(index).copied().flatten()
    }
}
