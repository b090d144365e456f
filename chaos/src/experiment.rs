//! One experiment: timeline, load, setting and what is expected of it.

use shakedown_engine::ids::{FaultId, Table, TrafficId};
use shakedown_engine::time::{Span, Time};

use crate::expect::Expectation;
use crate::fault::Action;
use crate::load::Traffic;
use crate::setting::Setting;

/// Everything about a run besides catalog, profile and seed.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What happens, in order of time; entries at one instant keep their order in the file.
    pub timeline: Table<FaultId, Entry>,
    /// Who asks for what.
    pub traffic: Table<TrafficId, Traffic>,
    /// How hosts, network and images behave.
    pub setting: Setting,
    /// Length of the run.
    pub duration: Span,
    /// After the last fault is lifted, everything wanted must run within this. `None`: not checked.
    pub converge_within: Option<Span>,
    /// By what the run is judged.
    pub expectations: Vec<Expectation>,
}

/// One line of the timeline.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it happens.
    pub at: Time,
    /// How long it lasts. `None`: until undone by another entry, or it is a one-off.
    pub lasts: Option<Span>,
    /// Targets are chosen again while it lasts, so that newcomers are hit too.
    pub continuous: bool,
    /// What.
    pub action: Action,
    /// As people read it: `kill node doe`.
    pub label: String,
}
