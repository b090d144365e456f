//! The machine on which the swarm was recorded: durations of its hosts, fitted once to all files together.
//!
//! All hosts shared one busy machine, whose load differed from file to file (8 to 45 on two cores). So durations are a
//! base times a factor that is drawn once a run. Nothing here belongs to the orchestrator. Start at [`Machine::of`].

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::fault::Action;
use shakedown_chaos::setting::Defect;
use shakedown_engine::ids::{Id, ImageId};
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::Span;

/// What is drawn for one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// How slow the machine is, in thousandths.
    pub(super) slow: u64,
    /// Until an operator's command has its effect.
    pub(super) command: Span,
    /// From the usual time of the fault to this run's: the phase of heartbeats is unknown.
    pub(super) shift: Span,
    /// From the fault to the observer's first look, as a share of a poll, in thousandths.
    pub(super) phase: u64,
}

/// Slowness of a run, in thousandths: load of the recorded machine.
const SLOW: (u64, u64) = (600, 3_000);
/// Making a task's sandbox and network, at a slowness of one.
const SANDBOX: (Span, Span) = (Span::from_millis(100), Span::from_millis(400));
/// Starting its container.
const START: (Span, Span) = (Span::from_millis(100), Span::from_millis(400));
/// Until a started process serves.
const SERVES: Span = Span::from_millis(60);
/// A polite stop, whatever the load, and by load: the recorded image ends at once, the daemon waits before it asks.
const STOPS: (Span, Span) = (Span::from_millis(700), Span::from_millis(400));
/// A stop of a container that its health check gave up, checks that took their time included.
const STOPS_SICK: (Span, Span) = (Span::ZERO, Span::from_millis(350));
/// The recorded slow image takes longer to stop: 4 s by itself.
const STOPS_SLOWLY: (Span, Span) = (Span::from_millis(6_600), Span::from_millis(350));
/// The recorded image that crashes sleeps for a second.
const LIVES: Span = Span::from_millis(1_000);
/// From the start of a host until its daemon is there.
const BOOT: (Span, Span) = (Span::from_millis(2_000), Span::from_millis(900));
/// From a link that works again until an agent has a session again: attempts back off, up to 8 s at random.
/// Source: moby/swarmkit:agent/agent.go, `maxSessionFailureBackoff`; recorded 0.3-4.6 s.
const RECONNECT: (Span, Span) = (Span::from_millis(100), Span::from_millis(5_000));
/// Until an operator's command has its effect.
const COMMAND: (Span, Span) = (Span::from_millis(10), Span::from_millis(130));
/// Until a daemon knows that a container of its died.
const DEATH: Span = Span::from_millis(450);

impl Machine {
    /// The machine of a run.
    pub(super) fn of(seed: u64) -> Self {
        let mut luck = Streams::new(seed).stream(Purpose::Fault, u32::MAX);
        let slow = SLOW.0 + luck.below(SLOW.1 - SLOW.0);
        Self {
            slow,
            command: luck.span(COMMAND.0, COMMAND.1).permille(slow),
            shift: luck.span(Span::ZERO, Span::from_secs(5)),
            phase: luck.below(1_000),
        }
    }

    /// The experiment on this machine.
    pub(super) fn give(self, experiment: &mut Experiment, catalog: &Catalog) {
        let slow = |span: Span| span.permille(self.slow);
        let host = &mut experiment.setting.host;
        host.sandbox = (slow(SANDBOX.0), slow(SANDBOX.1));
        host.start = (slow(START.0), slow(START.1));
        host.boot = BOOT.0 + slow(BOOT.1);
        experiment.setting.network.reconnect = RECONNECT;
        for (index, (_, image)) in catalog.images.iter().enumerate() {
            let name = catalog.text(image.name);
            let behaviour = &mut experiment.setting.images[ImageId::from_index(index)];
            behaviour.defect = match name {
                "app:bad" => Defect::NeverReady,
                "crash:1" => Defect::Crashes { after: LIVES },
                _ => Defect::None,
            };
            behaviour.startup = slow(SERVES);
            let (always, by_load) = match name {
                "app:bad" => STOPS_SICK,
                "app:slow" | "app:slow0" => STOPS_SLOWLY,
                _ => STOPS,
            };
            behaviour.shutdown = always + slow(by_load);
        }
        for (_, entry) in experiment.timeline.iter_mut() {
            entry.at += self.shift;
            match entry.action {
                Action::Deploy { .. } | Action::Scale { .. } | Action::Apply(_) => entry.at += self.command,
                Action::KillPods { .. } => entry.at += slow(DEATH),
                _ => {}
            }
        }
        experiment.duration += self.shift;
    }
}
