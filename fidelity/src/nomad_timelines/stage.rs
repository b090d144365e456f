//! One run of a story: a small cluster like the recorded one, set going for a minute, then the act.
//!
//! Start at [`play`].

use std::sync::Arc;

use shakedown_engine::Engine;
use shakedown_engine::fact::{FactId, FactLog};
use shakedown_engine::ids::{NodeId, TemplateId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::message::{Input, InputKind, Operation};
use shakedown_engine::model::{
    Bytes, Catalog, Container, Details, JobSpec, MilliCpu, NodeSpec, PodTemplate, Resources, RestartPolicy, UpdateWish,
    WorkloadKind, WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, run};

use super::event::{Event, observed, of_run};
use super::story::{Act, Story, Update};
use super::world::Hosts;

/// The release that was recorded.
const RELEASE: &str = "nomad@1.1";
/// The act begins then: every job is at work and every deployment is over.
const BEGIN: u64 = 80;
/// Clients of a story.
const CLIENTS: u32 = 6;

/// What happens in one run, from the act on.
pub(super) fn play(story: &Story, seed: u64) -> Vec<Event> {
    let streams = Streams::new(seed);
    let mut luck = streams.stream(Purpose::Fault, 0);
    let mut stage = Stage::new(story, streams);
    let begin = Time::from_secs(BEGIN) + luck.span(Span::ZERO, Span::from_secs(20));
    stage.until(begin);
    stage.act(story, begin);
    stage.until(begin + Span::from_secs(story.lasts));
    let view = stage.engine.view();
    let events = of_run(stage.facts.facts(), begin.as_secs_f64(), |pod| view.slot(pod));
    observed(events, &mut luck)
}

struct Stage {
    engine: Engine,
    world: Hosts,
    facts: FactLog,
    exchange: Exchange,
    job: WorkloadId,
    second: TemplateId,
}

impl Stage {
    fn new(story: &Story, streams: Streams) -> Self {
        let mut catalog = Catalog::new();
        clients(&mut catalog);
        let first = template(&mut catalog, "task:1");
        let second = template(&mut catalog, "task:2");
        let (name, namespace) = (catalog.names.intern("job"), catalog.names.intern("default"));
        let selector = Selector::equals([(catalog.names.intern("app"), name)]);
        let mut spec =
            WorkloadSpec { replicas: story.count, ..WorkloadSpec::deployment(name, namespace, first, selector) };
        spec.wishes.update = wish(&story.update);
        let mut profile = Profile::named(RELEASE).expect("it is built in");
        let mut broken = None;
        match story.act {
            Act::Submit { batch } => {
                spec.at_start = false;
                broken = Some(first);
                if batch {
                    spec.kind = WorkloadKind::Job;
                    spec.details = Details::Job(once());
                    catalog.templates[first].restart = RestartPolicy::OnFailure;
                }
            }
            Act::Deploy { bad: true, .. } => broken = Some(second),
            Act::Drain { deadline } => {
                profile.set("drain-deadline", &format!("{deadline}s")).expect("the profile has this flag");
            }
            _ => {}
        }
        let job = catalog.workloads.push(spec);
        let mut world = Hosts::new(streams.stream(Purpose::Runtime, 0));
        world.broken.extend(broken);
        for node in catalog.nodes.ids() {
            world.later(Span::ZERO, FactId::NONE, InputKind::HostUp { node });
        }
        let engine = Engine::new(Arc::new(catalog), profile, streams);
        Self { engine, world, facts: FactLog::new(), exchange: Exchange::default(), job, second }
    }

    fn until(&mut self, end: Time) {
        run(&mut self.engine, &mut self.world, &mut self.facts, end, &mut self.exchange);
    }

    fn command(&mut self, operation: Operation) {
        self.exchange.command(Input { cause: FactId::NONE, kind: InputKind::Operator(operation) });
    }

    fn act(&mut self, story: &Story, begin: Time) {
        let (workload, node) = (self.job, self.fullest());
        match story.act {
            Act::Kill => self.world.kill(begin, node),
            Act::Cut { seconds, stopped } => {
                self.world.cut(begin, node);
                let heal = begin + Span::from_nanos((seconds * 1e9) as u64);
                self.until(heal);
                self.world.heal(heal, node, stopped);
            }
            Act::Submit { .. } => self.command(Operation::Apply { workload }),
            Act::Deploy { promote, .. } => {
                self.command(Operation::Deploy { workload, template: self.second });
                if let Some(at) = promote {
                    self.until(begin + Span::from_nanos((at * 1e9) as u64));
                    self.command(Operation::Promote { workload });
                }
            }
            Act::Drain { .. } => self.command(Operation::Drain { nodes: vec![node] }),
            Act::Scale { to } => self.command(Operation::Scale { workload, replicas: to }),
        }
    }

    /// The client with most allocations.
    fn fullest(&self) -> NodeId {
        let view = self.engine.view();
        let nodes = (0..CLIENTS).map(NodeId);
        nodes.max_by_key(|&node| (view.node(node).pods, node)).expect("there are clients")
    }
}

fn clients(catalog: &mut Catalog) {
    let zone = catalog.zone("dc1");
    for i in 0..CLIENTS {
        let name = catalog.names.intern(&format!("c{}", i + 1));
        catalog.nodes.push(NodeSpec {
            name,
            labels: Labels::new([(catalog.known.hostname, name)]),
            zone,
            allocatable: Resources::new(MilliCpu(4_000), Bytes(4_096 << 20)),
            max_pods: 1_000,
            taints: Vec::new(),
            unschedulable: false,
            at_start: true,
            pool: None,
            volume_limits: Vec::new(),
            roles: Vec::new(),
        });
    }
}

fn template(catalog: &mut Catalog, image: &str) -> TemplateId {
    let image = catalog.image(image, Bytes(0));
    let requests = Resources::new(MilliCpu(100), Bytes(32 << 20));
    let container = Container::new(catalog.names.intern("t"), image, requests);
    let labels = Labels::new([(catalog.names.intern("app"), catalog.names.intern("job"))]);
    let namespace = catalog.names.intern("default");
    catalog.templates.push(PodTemplate::new(namespace, labels, vec![container]))
}

fn wish(update: &Update) -> UpdateWish {
    let span = |seconds: f64| Span::from_nanos((seconds * 1e9) as u64);
    UpdateWish {
        parallelism: update.max_parallel,
        canary: update.canary,
        min_healthy: update.min_healthy.map(span),
        healthy_deadline: update.healthy_deadline.map(span),
        progress_deadline: update.progress_deadline.map(span),
        auto_revert: Some(update.auto_revert),
        auto_promote: Some(update.auto_promote),
        ..UpdateWish::default()
    }
}

fn once() -> JobSpec {
    JobSpec {
        parallelism: 1,
        completions: Some(1),
        backoff_limit: 0,
        backoff_limit_per_index: None,
        max_failed_indexes: None,
        indexed: false,
        active_deadline: None,
        suspend: false,
        failure_rules: Vec::new(),
        replace_when_failed: false,
        success_rules: Vec::new(),
        ttl_after_finished: None,
    }
}
