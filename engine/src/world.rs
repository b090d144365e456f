//! The seam between engine and world, and the loop that drives both.

use crate::Engine;
use crate::fact::FactLog;
use crate::message::{Input, Order};
use crate::time::Time;

/// Whatever carries out the engine's orders: the simulated cluster or real hosts.
pub trait World {
    /// Carries out what the engine ordered, draining `orders`. Leaves no choice to the world.
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, facts: &mut FactLog);

    /// Sleeps, or jumps, to the next thing that happens, at the latest `until`, and appends what the engine must know.
    ///
    /// Returns the new time: `until` when nothing happened before it.
    fn advance(&mut self, until: Time, inputs: &mut Vec<Input>, facts: &mut FactLog) -> Time;
}

/// Buffers of the loop, and the door for operators' commands.
#[derive(Clone, Default)]
pub struct Exchange {
    inputs: Vec<Input>,
    orders: Vec<Order>,
}

impl Exchange {
    /// Hands the engine an input that does not come from the world, at the time at which [`run`] stopped.
    pub fn command(&mut self, input: Input) {
        self.inputs.push(input);
    }
}

/// Runs engine and world together until `end`, which both reach exactly.
///
/// Everything that happens at `end` itself has happened when this returns, so that a timeline can act between two calls.
pub fn run(engine: &mut Engine, world: &mut dyn World, facts: &mut FactLog, end: Time, exchange: &mut Exchange) {
    let Exchange { inputs, orders } = exchange;
    if !inputs.is_empty() {
        engine.step(engine.now(), inputs, orders, facts);
    }
    loop {
        world.submit(engine.now(), orders, facts);
        let wake = engine.next_wake().unwrap_or(Time::MAX);
        let until = wake.min(end);
        let now = world.advance(until, inputs, facts);
        assert!(now <= until, "a world must not sleep past `until`");
        let idle = inputs.is_empty() && wake > now;
        engine.step(now, inputs, orders, facts);
        if now >= end && idle && orders.is_empty() {
            return;
        }
    }
}
