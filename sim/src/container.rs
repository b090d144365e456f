//! Pods and containers as the world has them: phase, work under way, CPU. Data only; `runtime` moves it along.

use shakedown_engine::fact::{Exit, FactId};
use shakedown_engine::ids::{NodeId, PodId, ServiceId, TemplateId, TrafficId};
use shakedown_engine::message::ContainerRef;
use shakedown_engine::model::{Container, PodTemplate};
use shakedown_engine::time::{Span, Time};

use crate::cpu::{CORE, proportion};
use crate::event::Stamp;
use crate::measure::Reading;
use crate::memory::Reservoir;
use crate::probe::Probing;

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not there, or ended.
    Absent,
    /// The runtime makes it.
    Creating,
    /// It runs and prepares to serve.
    Warming,
    /// It has started up.
    Running,
    /// It was asked to stop; the hook before the stop runs and it still serves.
    Hook,
    /// It shuts down and serves no more.
    Stopping,
}

/// Work that is under way at a speed that may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Nanoseconds left at full speed, as of `since`.
    left: u64,
    since: Time,
    speed: (u64, u64),
    /// Nothing is planned for its end yet.
    fresh: bool,
}

impl Work {
    /// Work that takes `span` at full speed and has not begun.
    pub(crate) fn new(now: Time, span: Span) -> Self {
        Self { left: span.as_nanos(), since: now, speed: (1, 1), fresh: true }
    }

    /// Goes on at another speed (a fraction of full speed).
    pub(crate) fn set_speed(&mut self, now: Time, speed: (u64, u64)) {
        let done = proportion(now.since(self.since).as_nanos(), self.speed.0, self.speed.1);
        self.left = self.left.saturating_sub(done);
        self.since = now;
        self.speed = speed;
        self.fresh = false;
    }

    /// True until its speed was first set.
    pub(crate) fn fresh(&self) -> bool {
        self.fresh
    }

    /// The speed it goes on with.
    pub(crate) fn speed(&self) -> (u64, u64) {
        self.speed
    }

    /// When it is done at the present speed.
    pub(crate) fn done_at(&self) -> Time {
        let (numerator, denominator) = self.speed;
        let wall = (u128::from(self.left) * u128::from(denominator)).div_ceil(u128::from(numerator.max(1)));
        self.since + Span::from_nanos(u64::try_from(wall).unwrap_or(u64::MAX))
    }
}

/// One container.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) phase: Phase,
    pub(crate) work: Option<Work>,
    /// Of the plan for the end of the work.
    pub(crate) done: Stamp,
    /// Of this incarnation: plans for its crash carry it.
    pub(crate) life: Stamp,
    /// Of the forced stop.
    pub(crate) kill: Stamp,
    /// When the forced stop is.
    pub(crate) kill_at: Time,
    /// The newest order that concerned it.
    pub(crate) cause: FactId,
    /// From then on it answers nobody.
    pub(crate) hangs_at: Time,
    /// CPU it wants, in millionths of a core, its limit not applied.
    pub(crate) demand: u64,
    /// CPU it gets.
    pub(crate) share: u64,
    /// CPU it would get for a moment if it wanted a whole core.
    pub(crate) burst: u64,
    /// Part of `demand` that comes from requests.
    pub(crate) load: u64,
    /// CPU used until `used_at`, in millionths of a core times nanoseconds.
    pub(crate) used: u128,
    pub(crate) used_at: Time,
    /// How often it was made.
    pub(crate) runs_begun: u32,
    /// How it ends when its work is done.
    pub(crate) ends: Exit,
    /// Memory that it holds.
    pub(crate) memory: Reservoir,
    /// What it and its former runs wrote.
    pub(crate) disk: Reservoir,
    /// Of the plan for its death beyond its own memory limit.
    pub(crate) oom: Stamp,
    pub(crate) probes: Vec<Probing>,
}

impl Cell {
    fn new() -> Self {
        Self {
            phase: Phase::Absent,
            work: None,
            done: 0,
            life: 0,
            kill: 0,
            kill_at: Time::MAX,
            hangs_at: Time::MAX,
            cause: FactId::NONE,
            demand: 0,
            share: 0,
            burst: 0,
            load: 0,
            used: 0,
            used_at: Time::ZERO,
            runs_begun: 0,
            ends: Exit::Completed,
            memory: Reservoir::default(),
            disk: Reservoir::default(),
            oom: 0,
            probes: Vec::new(),
        }
    }

    /// True while a process exists.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self.phase, Phase::Absent | Phase::Creating)
    }

    /// Demand cut down to the limit: what it competes for.
    pub(crate) fn claim(&self, limits: &Limits) -> u64 {
        self.demand.min(limits.cpu)
    }
}

/// What a container may use, from its template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Weight against other containers.
    pub(crate) weight: u64,
    /// Most CPU, in millionths of a core.
    pub(crate) cpu: u64,
}

/// Smallest `cpu.shares` of a container, which one without requests gets.
/// Source: kubernetes/kubernetes:pkg/kubelet/cm/helpers_linux.go, `MinShares`.
pub(crate) const MIN_SHARES: u64 = 2;

impl Limits {
    /// The limits of a container as declared: `cpu.shares = max(2, milli * 1024 / 1000)`.
    /// Source: kubernetes/kubernetes:pkg/kubelet/cm/helpers_linux.go, `MilliCPUToShares`.
    pub(crate) fn of(spec: &Container) -> Self {
        let milli = |cpu: i64| u64::try_from(cpu).unwrap_or(0);
        let weight = (milli(spec.requests.cpu.0) * 1024 / 1000).max(MIN_SHARES);
        let cpu = spec.cpu_limit.map_or(u64::MAX, |limit| (milli(limit.0) * (CORE / 1000)).max(1));
        Self { weight, cpu }
    }
}

/// One pod on its host.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) node: NodeId,
    pub(crate) template: TemplateId,
    /// Its sandbox exists or is being made.
    pub(crate) sandbox: bool,
    /// Noise of its application: its service times are this many thousandths of the nominal ones.
    pub(crate) pace: u64,
    /// Init containers, then the others.
    pub(crate) cells: Vec<Cell>,
    /// Services with load that have ever published it.
    pub(crate) exposed: Vec<ServiceId>,
    /// Load on its server that comes from each source.
    pub(crate) loads: Vec<(TrafficId, u64)>,
    /// What autoscalers last read of its CPU clock.
    pub(crate) readings: Vec<Reading>,
}

impl Pod {
    pub(crate) fn new(node: NodeId, template: TemplateId, spec: &PodTemplate, pace: u64) -> Self {
        let cells = vec![Cell::new(); spec.init.len() + spec.containers.len()];
        Self {
            node,
            template,
            sandbox: false,
            pace,
            cells,
            exposed: Vec::new(),
            loads: Vec::new(),
            readings: Vec::new(),
        }
    }
}

/// The declaration behind a position in `Pod::cells`.
pub(crate) fn declared(spec: &PodTemplate, cell: u8) -> &Container {
    let cell = usize::from(cell);
    if cell < spec.init.len() { &spec.init[cell] } else { &spec.containers[cell - spec.init.len()] }
}

/// The name that the engine uses for a position in `Pod::cells`.
pub(crate) fn reference(spec: &PodTemplate, cell: u8) -> ContainerRef {
    let init = spec.init.len() as u8;
    if cell < init { ContainerRef::Init(cell) } else { ContainerRef::Main(cell - init) }
}

/// The name of the container that the agent counts as this one: init containers come last.
pub(crate) fn by_slot(spec: &PodTemplate, slot: u8) -> ContainerRef {
    let mains = spec.containers.len() as u8;
    if slot < mains { ContainerRef::Main(slot) } else { ContainerRef::Init(slot - mains) }
}

/// How the agent counts the container at a position in `Pod::cells`.
pub(crate) fn slot_of(spec: &PodTemplate, cell: u8) -> u8 {
    match reference(spec, cell) {
        ContainerRef::Main(main) => main,
        ContainerRef::Init(init) => spec.containers.len() as u8 + init,
    }
}

/// The position in `Pod::cells` of a container that the engine names, if the template has it.
pub(crate) fn position(spec: &PodTemplate, container: ContainerRef) -> Option<u8> {
    let (cell, declared) = match container {
        ContainerRef::Init(i) => (usize::from(i), usize::from(i) < spec.init.len()),
        ContainerRef::Main(i) => (spec.init.len() + usize::from(i), usize::from(i) < spec.containers.len()),
    };
    declared.then(|| u8::try_from(cell).expect("a pod has fewer than 256 containers"))
}

/// All pods that are on some host, by id, and where each one ever was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    rows: Vec<Option<Box<Pod>>>,
    homes: Vec<NodeId>,
}

impl Pods {
    pub(crate) fn get(&self, pod: PodId) -> Option<&Pod> {
        self.rows.get(pod.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, pod: PodId) -> Option<&mut Pod> {
        self.rows.get_mut(pod.0 as usize)?.as_deref_mut()
    }

    pub(crate) fn insert(&mut self, pod: PodId, row: Pod) {
        let index = pod.0 as usize;
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, || None);
            self.homes.resize(index + 1, NodeId(u32::MAX));
        }
        self.homes[index] = row.node;
        self.rows[index] = Some(Box::new(row));
    }

    pub(crate) fn remove(&mut self, pod: PodId) -> Option<Pod> {
        self.rows.get_mut(pod.0 as usize)?.take().map(|row| *row)
    }

    /// Where a pod is or was last.
    pub(crate) fn home(&self, pod: PodId) -> Option<NodeId> {
        self.homes.get(pod.0 as usize).copied().filter(|node| node.0 != u32::MAX)
    }
}
