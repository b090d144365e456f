//! A session: engine, world, timeline and properties, run together.
//!
//! It is one thread and one run. Cloning it forks the run. Start at [`Session::run`].

use std::sync::Arc;

use shakedown_engine::Engine;
use shakedown_engine::fact::{Digest, Fact, FactLog};
use shakedown_engine::rng::Streams;
use shakedown_engine::time::Time;
use shakedown_engine::world::{self, Exchange, World};

use crate::director::{Director, Remark, Stage};
use crate::experiment::Experiment;
use crate::property::Monitor;
use crate::target::FaultTarget;

/// One run under way.
#[derive(Clone)]
pub struct Session<W> {
    engine: Engine,
    world: W,
    experiment: Arc<Experiment>,
    director: Director,
    monitor: Monitor,
    facts: FactLog,
    exchange: Exchange,
}

/// What is left of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that happened, in order.
    pub facts: Vec<Fact>,
    /// Its fingerprint.
    pub digest: Digest,
    /// When the run ended.
    pub end: Time,
    /// What must be reported beside the facts.
    pub remarks: Vec<Remark>,
    /// Whether everything came to rest after the timeline did.
    pub converged: bool,
}

impl<W: World + FaultTarget> Session<W> {
    /// A session before its first instant.
    pub fn new(engine: Engine, world: W, experiment: Arc<Experiment>, streams: Streams) -> Self {
        let director = Director::new(Arc::clone(&experiment), streams);
        let monitor = Monitor::new(experiment.converge_within);
        Self { engine, world, experiment, director, monitor, facts: FactLog::new(), exchange: Exchange::default() }
    }

    /// Time of the run.
    pub fn now(&self) -> Time {
        self.engine.now()
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The world, to look at.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// The facts so far.
    pub fn facts(&self) -> &FactLog {
        &self.facts
    }

    /// Runs to the experiment's end.
    pub fn run(&mut self) {
        self.run_until(Time::ZERO + self.experiment.duration);
    }

    /// Runs until `end`; whatever the timeline has for that instant is done too.
    pub fn run_until(&mut self, end: Time) {
        let mut stop = self.engine.now();
        loop {
            world::run(&mut self.engine, &mut self.world, &mut self.facts, stop, &mut self.exchange);
            self.act(stop);
            if stop >= end {
                return;
            }
            let check = self.monitor.next_time(&self.director);
            stop = self.director.next_time().unwrap_or(Time::MAX).min(check).min(end).max(stop);
        }
    }

    fn act(&mut self, now: Time) {
        let view = self.engine.view();
        if self.director.next_time().is_some_and(|next| next <= now) {
            let mut commands = Vec::new();
            let stage =
                &mut Stage { scene: &view, target: &mut self.world, facts: &mut self.facts, commands: &mut commands };
            self.director.act(now, stage);
            commands.into_iter().for_each(|command| self.exchange.command(command));
        }
        self.monitor.check(now, &view, &self.director, &mut self.facts);
    }

    /// Ends the run where it stands. `close` lets the world record what it still holds back.
    pub fn finish(mut self, close: impl FnOnce(&mut W, Time, &mut FactLog)) -> Outcome {
        close(&mut self.world, self.engine.now(), &mut self.facts);
        Outcome {
            end: self.engine.now(),
            digest: self.facts.digest(),
            remarks: self.director.remarks().to_vec(),
            converged: self.monitor.converged(),
            facts: self.facts.into_facts(),
        }
    }
}

#[cfg(test)]
mod tests;
