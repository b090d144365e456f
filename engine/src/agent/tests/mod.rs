//! Tests of the agent against a scripted runtime of a few lines.
//!
//! The script answers pulls, starts, stops and probes after fixed times, and writes down what it sees as a story of
//! one line each. Start at [`Node`].

mod images;
mod pressure;
mod probes;
mod random;
mod reports;
mod restart;
mod sidecars;
mod start;
mod stop;

use std::collections::BTreeMap;

use super::{Agent, AgentTimer, Context};
use crate::fact::{Client, Exit, FactId, FactKind, FactLog};
use crate::ids::{ImageId, NodeId, PodId, TemplateId};
use crate::message::{
    ContainerRef, Footprint, Message, NodeStats, Order, OrderKind, PodReport, RuntimeEvent, RuntimeOp, Signal,
};
use crate::model::{
    Bytes, Catalog, Container, PodTemplate, Probe, ProbeKind, ProbeRole, PullPolicy, Resources, RestartPolicy,
};
use crate::profile::{Profile, RateLimit};
use crate::rng::Streams;
use crate::time::{Span, Time};

const POD: PodId = PodId(7);
const APP: TemplateId = TemplateId(0);

/// Seconds, with a fraction.
fn s(seconds: f64) -> Span {
    Span::from_millis((seconds * 1000.0).round() as u64)
}

fn at(seconds: f64) -> Time {
    Time::ZERO + s(seconds)
}

/// What the runtime does.
struct Script {
    pull: Span,
    /// Pulls that begin before this time fail.
    registry_back: Time,
    start: Span,
    /// How a container's runs end, in order; runs beyond the list go on.
    ends: BTreeMap<ContainerRef, Vec<(f64, Exit)>>,
    /// How long a polite stop takes.
    stop: Span,
    /// When which probe fails, in seconds.
    sick: Vec<(ProbeRole, f64, f64)>,
}

enum Item {
    Runtime(u32, FactId, RuntimeEvent),
    Timer(FactId, AgentTimer),
    /// The agent looks at its node.
    Observed(FactId),
    Ask {
        pod: PodId,
        role: ProbeRole,
        run: u32,
        last: Option<bool>,
    },
}

/// One node: an agent and its scripted runtime.
struct Node {
    now: Time,
    agent: Agent,
    catalog: Catalog,
    profile: Profile,
    script: Script,
    facts: FactLog,
    queue: BTreeMap<(Time, u32), Item>,
    sequence: u32,
    /// Runs so far and whether the newest one is alive.
    runs: BTreeMap<(PodId, ContainerRef), (u32, bool)>,
    story: Vec<String>,
    /// Memory and disk available, of 8 GiB and 100 GiB.
    available: (i64, i64),
    /// What pods hold: each gives its memory back when it has ended.
    held: BTreeMap<PodId, (i64, i64)>,
}

fn container(image: ImageId) -> Container {
    Container::new(crate::ids::Symbol(0), image, Resources::default())
}

fn probe(role: ProbeRole, period: f64) -> Probe {
    Probe {
        role,
        kind: ProbeKind::Http,
        initial_delay: Span::ZERO,
        period: s(period),
        timeout: s(1.0),
        success_threshold: 1,
        failure_threshold: 3,
    }
}

fn template(containers: Vec<Container>) -> PodTemplate {
    PodTemplate::new(crate::ids::Symbol(0), crate::labels::Labels::default(), containers)
}

/// A Swarm node, which replaces instead of restarting.
fn swarm() -> Node {
    Node::new("swarm", Span::ZERO)
}

/// A Kubernetes node that notices everything at once, with one template of one container.
fn node() -> Node {
    Node::new("kubernetes", Span::ZERO)
}

impl Node {
    fn new(profile: &str, relist: Span) -> Self {
        let mut profile = Profile::named(profile).unwrap();
        profile.agent.relist = relist;
        profile.control.limits = [RateLimit::UNLIMITED; Client::COUNT];
        let mut catalog = Catalog::new();
        let image = catalog.image("app", Bytes(1));
        catalog.templates.push(template(vec![container(image)]));
        Self {
            now: Time::ZERO,
            agent: Agent::new(NodeId(3), Streams::new(1)),
            catalog,
            profile,
            script: Script {
                pull: s(2.0),
                registry_back: Time::ZERO,
                start: s(0.5),
                ends: BTreeMap::new(),
                stop: s(1.0),
                sick: Vec::new(),
            },
            facts: FactLog::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            runs: BTreeMap::new(),
            story: Vec::new(),
            available: (8 << 30, 100 << 30),
            held: BTreeMap::new(),
        }
    }

    fn app(&mut self) -> &mut PodTemplate {
        &mut self.catalog.templates[APP]
    }

    /// Adds an image whose containers have their own.
    fn another_container(&mut self) -> Container {
        let name = format!("image {}", self.catalog.images.len());
        container(self.catalog.image(&name, Bytes(1)))
    }

    fn with_probe(mut self, probe: Probe) -> Self {
        self.app().containers[0].probes.push(probe);
        self
    }

    fn act(&mut self, act: impl FnOnce(&mut Agent, &mut Context<'_>)) {
        let (mut orders, mut timers, before) = (Vec::new(), Vec::new(), self.facts.count() as usize);
        let mut cx = Context {
            now: self.now,
            catalog: &self.catalog,
            profile: &self.profile,
            orders: &mut orders,
            facts: &mut self.facts,
            timers: &mut timers,
        };
        act(&mut self.agent, &mut cx);
        let told: Vec<String> = self.facts.facts()[before..].iter().map(|fact| fact_line(&fact.kind)).collect();
        told.into_iter().for_each(|line| self.tell(&line));
        for order in orders {
            self.obey(order);
        }
        for (at, cause, timer) in timers {
            assert!(at >= self.now, "a timer in the past");
            self.push(at, Item::Timer(cause, timer));
        }
    }

    fn tell(&mut self, line: &str) {
        self.story.push(format!("{} {line}", self.now.as_secs_f64()));
    }

    fn push(&mut self, at: Time, item: Item) {
        // What the runtime reports comes before timers of the same instant, as in the engine.
        let rank = if matches!(item, Item::Timer(..)) { 1 << 30 } else { 0 };
        self.sequence += 1;
        self.queue.insert((at, rank + self.sequence), item);
    }

    fn obey(&mut self, order: Order) {
        match order.kind {
            OrderKind::Send { message: Message::Status { pod, state }, .. } => {
                let text = match state {
                    PodReport::Finished { success, .. } => format!("Finished {{ success: {success} }}"),
                    other => format!("{other:?}"),
                };
                self.tell(&format!("> {} {text}", pod.0))
            }
            OrderKind::Send { message, .. } => self.tell(&format!("> {message:?}")),
            OrderKind::Heartbeats { .. }
            | OrderKind::Publish(_)
            | OrderKind::Measure { .. }
            | OrderKind::Balance { .. }
            | OrderKind::Knock { .. }
            | OrderKind::Machine { .. } => {}
            OrderKind::Runtime { op, .. } => self.operate(order.cause, op),
        }
    }

    fn operate(&mut self, cause: FactId, op: RuntimeOp) {
        match op {
            RuntimeOp::Pull { pod, image, .. } => {
                self.tell(&format!("pull {} for {}", image.0, pod.0));
                let event = RuntimeEvent::Pulled { pod, image, ok: self.now >= self.script.registry_back };
                self.push(self.now + self.script.pull, Item::Runtime(0, cause, event));
            }
            RuntimeOp::Start { pod, container, .. } => self.start(cause, (pod, container)),
            RuntimeOp::Stop { pod, container, grace, .. } => {
                self.tell(&format!("stop {} {container:?} {grace}", pod.0));
                let run = self.runs[&(pod, container)].0;
                let why = if self.script.stop <= grace { Exit::Stopped } else { Exit::Killed };
                let event = RuntimeEvent::Exited { pod, container, why };
                self.push(self.now + self.script.stop.min(grace), Item::Runtime(run, cause, event));
            }
            RuntimeOp::Probe { pod, role, first, .. } => {
                self.tell(&format!("probe {role:?} from {}", first.as_secs_f64()));
                let run = self.runs[&(pod, ContainerRef::Main(0))].0;
                self.push(first, Item::Ask { pod, role, run, last: None });
            }
            RuntimeOp::Remove { pod } => self.tell(&format!("remove {}", pod.0)),
            RuntimeOp::RemoveImage { image } => {
                self.tell(&format!("delete image {}", image.0));
                self.available.1 += 20 << 30;
            }
            RuntimeOp::Observe => self.push(self.now, Item::Observed(cause)),
            RuntimeOp::Watch { .. } => {}
        }
    }

    fn start(&mut self, cause: FactId, (pod, container): (PodId, ContainerRef)) {
        self.tell(&format!("start {} {container:?}", pod.0));
        let entry = self.runs.entry((pod, container)).or_insert((0, false));
        assert!(!entry.1, "a container that runs is not started");
        *entry = (entry.0 + 1, true);
        let run = entry.0;
        let up = self.now + self.script.start;
        self.push(up, Item::Runtime(run, cause, RuntimeEvent::Started { pod, container }));
        let end = self.script.ends.get(&container).and_then(|ends| ends.get(run as usize - 1)).copied();
        if let Some((after, why)) = end {
            self.push(up + s(after), Item::Runtime(run, cause, RuntimeEvent::Exited { pod, container, why }));
        }
    }

    /// Runs until `seconds`.
    fn run(&mut self, seconds: f64) -> &mut Self {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= at(seconds)) {
            self.now = entry.key().0;
            match entry.remove() {
                Item::Timer(cause, timer) => self.act(|agent, cx| agent.timer(cx, cause, timer)),
                Item::Runtime(run, cause, event) => self.happen(run, cause, event),
                Item::Observed(cause) => {
                    let stats = self.stats();
                    self.act(|agent, cx| agent.observed(cx, cause, &stats));
                }
                Item::Ask { pod, role, run, last } => self.ask(pod, (role, run), last),
            }
        }
        self.now = at(seconds);
        self
    }

    fn happen(&mut self, run: u32, cause: FactId, event: RuntimeEvent) {
        if let RuntimeEvent::Exited { pod, container, .. } = event {
            let newest = self.runs.get_mut(&(pod, container)).unwrap();
            if *newest != (run, true) {
                return;
            }
            newest.1 = false;
            if let Some((memory, _)) = self.held.remove(&pod) {
                self.available.0 += memory;
            }
        }
        self.act(|agent, cx| agent.runtime(cx, cause, &event));
    }

    /// Asks at each period, but tells the agent of changes only. A failure takes the whole time-out.
    fn ask(&mut self, pod: PodId, (role, run): (ProbeRole, u32), last: Option<bool>) {
        if self.runs[&(pod, ContainerRef::Main(0))] != (run, true) {
            return;
        }
        let now = self.now.as_secs_f64();
        let ok = !self.script.sick.iter().any(|&(r, from, to)| r == role && from <= now && now < to);
        if last != Some(ok) {
            let event = RuntimeEvent::Probed { pod, container: 0, role, ok };
            let delay = if ok { Span::ZERO } else { s(1.0) };
            self.push(self.now + delay, Item::Runtime(run, FactId::NONE, event));
        }
        let period = self.catalog.templates[APP].containers[0].probe(role).unwrap().period;
        self.push(self.now + period, Item::Ask { pod, role, run, last: Some(ok) });
    }

    /// What the agent would see.
    fn stats(&self) -> NodeStats {
        let pods = self.held.iter().map(|(&pod, &(memory, disk))| Footprint { pod, memory, disk }).collect();
        NodeStats { available: [self.available.0, self.available.1], capacity: [8 << 30, 100 << 30], pods }
    }

    /// So much is available from now on, and the agent is told that it is little.
    fn shortage(&mut self, signal: Signal, available: i64) -> &mut Self {
        match signal {
            Signal::Memory => self.available.0 = available,
            Signal::Disk => self.available.1 = available,
        }
        self.act(|agent, cx| agent.runtime(cx, FactId::NONE, &RuntimeEvent::Short { signal }));
        self
    }

    fn boot(&mut self) -> &mut Self {
        self.act(|agent, cx| agent.host_up(cx, FactId::NONE));
        self
    }

    fn message(&mut self, message: Message) -> &mut Self {
        self.act(|agent, cx| agent.message(cx, FactId::NONE, &message));
        self
    }

    fn assign(&mut self, pod: PodId) -> &mut Self {
        self.message(Message::Assign { pod, template: APP })
    }

    fn terminate(&mut self, grace: f64) -> &mut Self {
        self.message(Message::Terminate { pod: POD, grace: s(grace) })
    }

    /// The story without images.
    fn story(&self) -> Vec<&str> {
        self.story.iter().map(String::as_str).filter(|line| !line.contains("HasImage")).collect()
    }

    /// Lines of the story that contain one of `words`.
    fn lines(&self, words: &[&str]) -> Vec<&str> {
        self.story.iter().map(String::as_str).filter(|line| words.iter().any(|word| line.contains(word))).collect()
    }

    /// Seconds at which a line with `word` was told.
    fn times(&self, word: &str) -> Vec<f64> {
        let time = |line: &&str| line.split(' ').next().unwrap().parse().unwrap();
        self.lines(&[word]).iter().map(time).collect()
    }
}

/// A fact in few words, the pod left out.
fn fact_line(kind: &FactKind) -> String {
    match *kind {
        FactKind::PodPulled { .. } => "pulled".into(),
        FactKind::PullFailed { image, .. } => format!("pull of {} failed", image.0),
        FactKind::ContainerStarted { container, restarts, .. } => format!("started {container} after {restarts}"),
        FactKind::ContainerExited { container, why, .. } => format!("exited {container} {why:?}"),
        FactKind::CrashLoop { container, wait, .. } => format!("crash loop {container} {wait}"),
        FactKind::ProbeFailed { role, .. } => format!("failed {role:?}"),
        FactKind::AgentReady { .. } => "ready".into(),
        FactKind::AgentUnready { .. } => "unready".into(),
        ref other => format!("{other:?}"),
    }
}

/// Asserts that the story is `want`, line by line.
#[track_caller]
fn check(got: &[impl AsRef<str>], want: &str) {
    let want: Vec<&str> = want.trim().lines().map(str::trim).collect();
    let got: Vec<&str> = got.iter().map(AsRef::as_ref).collect();
    assert_eq!(got, want, "\ngot:\n{}\n", got.join("\n"));
}
