//! Heartbeats: standing orders that cost nothing while they arrive.
//!
//! The beats of a healthy node are not simulated; their times are worked out when the run of arrivals breaks. On a
//! link that loses packets each beat is simulated. Start at `refresh_beats`.
//!
//! Assumptions: a beat takes the agent `heartbeat_cpu` at the CPU that it gets for a moment, and is given up when
//! that, or the round trip, takes as long as the period: agents set such a deadline
//! (kubernetes/kubernetes:cmd/kubelet/app/server.go, `heartbeatClientConfig.Timeout`; moby/swarmkit:agent/session.go,
//! `dispatcherRPCTimeout`). So busy hosts never miss one and starved ones miss all. Beats need both directions; after
//! a cut from control plane to node only, one more still arrives. The grid of due times goes on through a failure.

use shakedown_engine::fact::FactId;
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::{Beats, InputKind, Missed};
use shakedown_engine::rng::Stream;
use shakedown_engine::time::{Span, Time};

use crate::cpu::{CORE, proportion};
use crate::event::{Event, Stamp};
use crate::network::{CERTAIN, Place};
use crate::world::SimWorld;

/// What becomes of a node's beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Each arrives so long after it was due.
    Timely(Span),
    /// Some are lost or late.
    Lossy,
    /// None arrives.
    Silent,
}

/// How a node's beats are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// None were ordered.
    #[default]
    Off,
    /// The next due time is planned, to see what becomes of it.
    Watching,
    /// They arrive; nothing is planned.
    Steady,
    /// They do not arrive; nothing is planned.
    Silent,
}

/// The beats of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beat {
    mode: Mode,
    /// The engine believes that they arrive.
    promised: bool,
    period: Span,
    jitter: Span,
    /// The next due time that has not been looked at.
    next: Time,
    /// When the last one arrived.
    last: Time,
    /// From due to arrival.
    delay: Span,
    /// The host went down since they were ordered.
    dead: bool,
    missed: Missed,
    stamp: Stamp,
    cause: FactId,
}

impl Beat {
    /// Moves past due times up to `now` and returns the last of them.
    fn pass(&mut self, now: Time, draws: &mut Stream) -> Option<Time> {
        let mut passed = None;
        while self.next <= now {
            passed = Some(self.next);
            self.step(draws);
        }
        passed
    }

    fn step(&mut self, draws: &mut Stream) {
        let length = draws.span(self.period - self.jitter, self.period + self.jitter);
        self.next += length.max(Span::from_nanos(1));
    }
}

impl SimWorld {
    /// Carries a node's heartbeats from `first` on.
    pub(crate) fn order_beats(
        &mut self,
        node: NodeId,
        (period, jitter): (Span, Span),
        when: (Time, Missed),
        cause: FactId,
    ) {
        let stamp = self.stamp();
        if self.beats[node].promised {
            self.settle_last(node);
            self.cease(node);
        }
        let beat = &mut self.beats[node];
        *beat = Beat {
            mode: Mode::Watching,
            period,
            jitter,
            next: when.0.max(self.now),
            missed: when.1,
            dead: false,
            stamp,
            cause,
            ..*beat
        };
        self.queue.push(beat.next, Event::BeatDue { node, stamp });
    }

    /// Something that a node's beats depend on has changed: CPU, links, the host itself.
    pub(crate) fn refresh_beats(&mut self, node: NodeId) {
        self.refresh_reach(node);
        let health = self.health(node);
        let relevant = match self.beats[node].mode {
            Mode::Off | Mode::Watching => false,
            Mode::Steady => !matches!(health, Health::Timely(_)),
            Mode::Silent => health != Health::Silent,
        };
        if !relevant {
            return;
        }
        if self.beats[node].mode == Mode::Steady {
            self.settle_last(node);
            if self.last_one_passes(node) {
                let beat = &mut self.beats[node];
                beat.last = beat.next + beat.delay;
                beat.step(self.beat_draws.of(node));
            }
            self.beats[node].cause = self.reason(node);
        } else {
            self.beats[node].pass(self.now, self.beat_draws.of(node));
            if self.links[node].stamp == 0 {
                self.hurry(node);
            }
        }
        self.watch(node);
    }

    /// An agent that could not deliver one, and may now, tries again, where that is its habit.
    pub(crate) fn beat_again(&mut self, node: NodeId) {
        let beat = &self.beats[node];
        if beat.mode == Mode::Watching && !beat.promised && beat.next > self.now {
            self.hurry(node);
            self.watch(node);
        }
    }

    fn hurry(&mut self, node: NodeId) {
        if self.beats[node].missed == Missed::Again {
            self.beats[node].next = self.now;
        }
    }

    /// A beat is due: see what becomes of it.
    pub(crate) fn on_beat_due(&mut self, node: NodeId, stamp: Stamp) {
        if self.beats[node].stamp != stamp {
            return;
        }
        let health = self.health(node);
        match health {
            Health::Timely(_) if self.beats[node].promised => self.beats[node].mode = Mode::Steady,
            Health::Timely(delay) => {
                self.beats[node].delay = delay;
                self.queue.push(self.now + delay, Event::BeatArrives { node, stamp, steady: true });
            }
            Health::Silent => {
                if self.beats[node].promised {
                    self.beats[node].cause = self.reason(node);
                    self.cease(node);
                }
                self.beats[node].pass(self.now, self.beat_draws.of(node));
                self.beats[node].mode = Mode::Silent;
            }
            Health::Lossy => self.try_beat(node, stamp),
        }
    }

    fn try_beat(&mut self, node: NodeId, stamp: Stamp) {
        if self.beats[node].promised {
            self.cease(node);
        }
        let there = self.net.transit(Place::Node(node), Place::Control, self.network_draws.of(node));
        let back = self.net.transit(Place::Control, Place::Node(node), self.network_draws.of(node));
        let arrives = there.zip(back).filter(|(there, back)| *there + *back < self.beats[node].period);
        if let Some((trip, _)) = arrives {
            self.queue.push(self.now + trip, Event::BeatArrives { node, stamp, steady: false });
        }
        let beat = &mut self.beats[node];
        beat.pass(self.now, self.beat_draws.of(node));
        self.queue.push(beat.next, Event::BeatDue { node, stamp });
    }

    /// A beat reaches the control plane.
    pub(crate) fn on_beat_arrives(&mut self, node: NodeId, stamp: Stamp, steady: bool) {
        let now = self.now;
        let beat = &mut self.beats[node];
        if beat.stamp != stamp {
            return;
        }
        beat.last = now;
        let (cause, next) = (beat.cause, beat.next);
        if !steady {
            return self.emit(cause, InputKind::Heartbeats { node, beats: Beats::Once { next } });
        }
        beat.promised = true;
        beat.mode = Mode::Steady;
        beat.pass(now, self.beat_draws.of(node));
        self.emit(cause, InputKind::Heartbeats { node, beats: Beats::Steady });
        self.refresh_beats(node);
    }

    /// The host went down: what it ordered is void, but the control plane has yet to miss a beat.
    pub(crate) fn kill_beats(&mut self, node: NodeId) {
        self.beats[node].dead = true;
        self.refresh_beats(node);
    }

    /// Plans a look at the next due time.
    fn watch(&mut self, node: NodeId) {
        let stamp = self.stamp();
        let beat = &mut self.beats[node];
        beat.mode = Mode::Watching;
        beat.stamp = stamp;
        self.queue.push(beat.next.max(self.now), Event::BeatDue { node, stamp });
    }

    fn cease(&mut self, node: NodeId) {
        let beat = &mut self.beats[node];
        beat.promised = false;
        let (last, next, cause) = (beat.last, beat.next, beat.cause);
        self.emit(cause, InputKind::Heartbeats { node, beats: Beats::Ceased { last, next } });
    }

    /// Works out when the last beat of a steady run arrived.
    fn settle_last(&mut self, node: NodeId) {
        if self.beats[node].mode != Mode::Steady {
            return;
        }
        let beat = &mut self.beats[node];
        if let Some(due) = beat.pass(self.now, self.beat_draws.of(node)) {
            beat.last = due + beat.delay;
        }
    }

    /// How long the agent of a node takes to write a request, `None` when its deadline is over before.
    pub(crate) fn write_time(&self, node: NodeId) -> Option<Span> {
        let work = self.experiment.setting.host.heartbeat_cpu.as_nanos();
        let cpu = Span::from_nanos(proportion(work, CORE, self.hosts[node].agent_burst));
        let period = self.beats[node].period;
        (period.is_zero() || cpu < period).then_some(cpu)
    }

    fn health(&self, node: NodeId) -> Health {
        let host = &self.hosts[node];
        let (here, control) = (Place::Node(node), Place::Control);
        let (there, back) = (self.net.path(here, control), self.net.path(control, here));
        let period = self.beats[node].period;
        let trip = self.net.latency(here, control) + there.delay;
        let round_trip = trip + self.net.latency(control, here) + back.delay;
        let Some(cpu) = self.write_time(node).filter(|cpu| *cpu + round_trip < period) else { return Health::Silent };
        if !host.up || host.kept.away() || self.beats[node].dead || there.cut || back.cut {
            Health::Silent
        } else if there.pass < CERTAIN || back.pass < CERTAIN || round_trip + there.jitter + back.jitter >= period {
            Health::Lossy
        } else {
            Health::Timely(cpu + trip)
        }
    }

    /// After a cut from control plane to node only, the next beat still arrives: nobody has told the node yet.
    fn last_one_passes(&self, node: NodeId) -> bool {
        let (here, control) = (Place::Node(node), Place::Control);
        self.hosts[node].up && self.net.path(control, here).cut && !self.net.path(here, control).cut
    }

    /// The fact that keeps beats from arriving.
    fn reason(&self, node: NodeId) -> FactId {
        let host = &self.hosts[node];
        if !host.up {
            return self.down_facts[node];
        }
        if let Some(away) = host.why_away() {
            return away;
        }
        let link = self.net.cut_off(node);
        link.or_else(|| host.hog().map(|hog| hog.1)).unwrap_or(self.beats[node].cause)
    }
}
