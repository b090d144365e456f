//! One run: a plan under one orchestrator with one seed, in the simulated world.
//!
//! Pure but for the time it takes. Start at [`Job::run`].

use std::sync::Arc;

use shakedown_chaos::director::{Remark, RemarkKind};
use shakedown_chaos::session::{Outcome, Session};
use shakedown_engine::Engine;
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::Streams;
use shakedown_engine::time::Time;
use shakedown_reports::Run;
use shakedown_sim::SimWorld;

use crate::plans::Named;

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The plan.
    pub(crate) scenario: Named,
    /// Under which orchestrator, settings included.
    pub(crate) profile: Profile,
    /// What the column of this run is called.
    pub(crate) heading: String,
    /// Where all randomness comes from.
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// For the reports.
    pub(crate) run: Run,
    /// What the world could not do, one sentence each.
    pub(crate) unsupported: Vec<String>,
}

impl Job {
    /// Runs it to its end.
    pub(crate) fn run(&self) -> Finished {
        let plan = &self.scenario.plan;
        let streams = Streams::new(self.seed);
        let engine = Engine::new(Arc::clone(&plan.catalog), self.profile.clone(), streams);
        let world = SimWorld::new(Arc::clone(&plan.catalog), Arc::clone(&plan.experiment), streams);
        let mut session = Session::new(engine, world, Arc::clone(&plan.experiment), streams);
        session.run();
        self.finish(session.finish(SimWorld::finish))
    }

    fn finish(&self, outcome: Outcome) -> Finished {
        let plan = &self.scenario.plan;
        let mut notes: Vec<String> = plan.notes.iter().map(ToString::to_string).collect();
        notes.extend(plan.unhonoured(&self.profile).iter().map(ToString::to_string));
        let (mut unsupported, mut missed) = (Vec::new(), Vec::new());
        for remark in &outcome.remarks {
            let sentence = self.sentence(remark);
            match remark.kind {
                RemarkKind::NoTarget => missed.push(sentence),
                RemarkKind::Unsupported { .. } => unsupported.push(sentence),
            }
        }
        notes.extend(missed);
        notes.extend(unsupported.iter().cloned());
        notes.extend(self.undecided(&outcome));
        let run = Run {
            scenario: self.scenario.typed.clone(),
            about: plan.about.clone(),
            orchestrator: self.heading.clone(),
            seed: self.seed,
            digest: outcome.digest,
            end: outcome.end,
            catalog: Arc::clone(&plan.catalog),
            profile: self.profile.clone(),
            experiment: Arc::clone(&plan.experiment),
            facts: outcome.facts,
            notes,
        };
        Finished { run, unsupported }
    }

    fn sentence(&self, remark: &Remark) -> String {
        let label = &self.scenario.plan.experiment.timeline[remark.fault].label;
        match &remark.kind {
            RemarkKind::NoTarget => format!("`{label}` at {} matched nothing", remark.at),
            RemarkKind::Unsupported { reason } => format!("`{label}` at {} was not possible: {reason}", remark.at),
        }
    }

    /// A bound on convergence that the run was too short to check.
    fn undecided(&self, outcome: &Outcome) -> Option<String> {
        let experiment = &self.scenario.plan.experiment;
        let within = experiment.converge_within?;
        let ends = experiment.timeline.rows().iter().map(|entry| entry.lasts.map_or(entry.at, |l| entry.at + l));
        let last = ends.max().unwrap_or(Time::ZERO);
        let undecided = !outcome.converged && last + within > outcome.end;
        undecided.then(|| format!("the run ended at {} before it had {within} to converge", outcome.end))
    }
}
