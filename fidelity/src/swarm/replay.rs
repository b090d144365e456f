//! Runs of ours under a recorded experiment, one a seed, and what its observer would have read out of each.
//!
//! Start at [`seeds`].

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use shakedown_chaos::session::Session;
use shakedown_engine::Engine;
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::Streams;
use shakedown_scenarios::{Files, Plan, ReadError, load_text};
use shakedown_sim::SimWorld;

use crate::swarm::machine::Machine;
use crate::swarm::recording::Recording;
use crate::swarm::seen::{Observer, look};
use crate::swarm::setup::{FAULT, Setup, setup};
use crate::swarm::values::{Class, Scope, Values, values};

/// The Compose file of a setup, and nothing else.
struct Beside(Arc<str>);

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        if path.ends_with("swarm.yaml") { Ok(Arc::clone(&self.0)) } else { Err(ReadError::Missing) }
    }
}

/// An experiment that is ready to run.
pub(super) struct Experiment {
    plan: Plan,
    profile: Profile,
    /// What reading its values depends on.
    pub(super) scope: Scope,
    ends: f64,
    poll: f64,
}

impl Experiment {
    /// The experiment of a recording.
    ///
    /// # Errors
    /// When it is of a kind that is not known here.
    pub(super) fn of(recording: &Recording) -> Result<Self, String> {
        let Setup { scenario, compose, victim } = setup(recording)?;
        let plan = load_text("recorded.yaml", &scenario, &Beside(compose.as_str().into()))
            .map_err(|problems| format!("{problems:?}\n{scenario}\n{compose}"))?;
        let profile = plan.profile("swarm").map_err(|problems| format!("{problems:?}"))?;
        let seen = &recording.seen;
        let wanted = seen.live.iter().rev().find(|(t, _)| *t <= 0.0).map_or(0.0, |sample| sample.1);
        let scope = Scope { victim, heal: recording.heal, ends: recording.ends, wanted, moments: moments(recording) };
        Ok(Self { plan, profile, scope, ends: recording.ends, poll: recording.poll })
    }

    /// One run.
    pub(super) fn run(&self, seed: u64) -> Values {
        let machine = Machine::of(seed);
        let mut experiment = (*self.plan.experiment).clone();
        machine.give(&mut experiment, &self.plan.catalog);
        let experiment = Arc::new(experiment);
        let streams = Streams::new(seed);
        let engine = Engine::new(Arc::clone(&self.plan.catalog), self.profile.clone(), streams);
        let world = SimWorld::new(Arc::clone(&self.plan.catalog), Arc::clone(&experiment), streams);
        let mut session = Session::new(engine, world, experiment, streams);
        session.run();
        let outcome = session.finish(SimWorld::finish);
        let phase = self.poll * machine.phase as f64 / 1e3;
        let fault = FAULT + machine.shift.as_secs_f64();
        let observer = Observer { fault, poll: self.poll, phase, ends: self.ends };
        values(&look(&outcome.facts, &self.plan.catalog, observer), &self.scope)
    }
}

/// Scaling, first placement and an update of all slots at once wait for no timer.
fn moments(recording: &Recording) -> Class {
    let untimed = ["e_scale", "e_empty", "e_second", "h_", "g_dns_scale"];
    let at_once = recording.number("Parallelism") == Some(0.0);
    let timed = !at_once && !untimed.iter().any(|begin| recording.name.starts_with(begin));
    if timed { Class::Time } else { Class::Latency }
}

/// What is read out of so many runs.
pub(super) fn seeds(experiment: &Experiment, count: usize, workers: NonZeroUsize) -> Vec<Values> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Values)>> = Mutex::new(Vec::with_capacity(count));
    let labour = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let values = experiment.run(index as u64 + 1);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, values));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.get() {
            scope.spawn(labour);
        }
        labour();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|run| run.0);
    done.into_iter().map(|run| run.1).collect()
}
