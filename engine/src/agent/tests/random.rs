//! Random lives of a node: whatever happens, it ends as it should, and the same way twice.

use super::*;
use crate::rng::{Purpose, Stream};

const PODS: u64 = 4;

/// A template with an init container, two main ones and all probes, and a runtime that fails at random.
fn troubled(seed: u64) -> (Node, Stream) {
    let mut dice = Streams::new(seed).stream(Purpose::Fault, 0);
    let mut node = Node::new(if dice.chance(300) { "swarm" } else { "kubernetes" }, dice.span(s(0.0), s(1.5)));
    node.profile.agent.serialize_pulls = dice.chance(500);
    node.profile.control.limits = [RateLimit { qps: 5, burst: 5 }; Client::COUNT];
    node.script.registry_back = at(dice.below(20) as f64);
    node.script.stop = dice.span(s(0.1), s(40.0));
    let (other, mut init) = (node.another_container(), node.another_container());
    init.pull = [PullPolicy::Always, PullPolicy::IfNotPresent][dice.index(2)];
    node.app().init.push(init);
    node.app().containers.push(other);
    node.app().restart = [RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never][dice.index(3)];
    node.script.ends.insert(ContainerRef::Init(0), vec![(1.0, Exit::Crashed), (2.0, Exit::Completed)]);
    let ends = |dice: &mut Stream| (dice.below(90) as f64 + 0.1, [Exit::Crashed, Exit::Completed][dice.index(2)]);
    node.script.ends.insert(ContainerRef::Main(0), (0..4).map(|_| ends(&mut dice)).collect());
    for role in [ProbeRole::Startup, ProbeRole::Liveness, ProbeRole::Readiness] {
        let from = dice.below(200) as f64;
        node.app().containers[0].probes.push(probe(role, 1.0 + dice.below(9) as f64));
        node.script.sick.push((role, from, from + dice.below(90) as f64));
    }
    (node, dice)
}

/// Some minutes of assignments, terminations, snapshots and power cuts. Pods are never assigned twice.
fn live(seed: u64) -> Node {
    let (mut node, mut dice) = troubled(seed);
    let mut now = 0.0;
    node.boot();
    for pod in 0..PODS {
        node.assign(PodId(pod as u32));
    }
    for _ in 0..12 {
        now += dice.below(60_000) as f64 / 1000.0;
        node.run(now);
        let pod = PodId(dice.below(PODS) as u32);
        match dice.below(4) {
            0 => node.message(Message::Terminate { pod, grace: dice.span(s(0.0), s(30.0)) }),
            1 => node.message(Message::Snapshot { pods: node.kept(pod) }),
            2 => node.power_cut(),
            _ => node.act_reconnected(),
        };
    }
    node
}

impl Node {
    /// What the store would say if it wanted all pods of the node but one.
    fn kept(&self, without: PodId) -> Vec<(PodId, TemplateId, Option<Span>)> {
        self.agent.pods.iter().filter(|pod| pod.id != without).map(|pod| (pod.id, APP, None)).collect()
    }

    fn power_cut(&mut self) -> &mut Self {
        self.queue.retain(|_, item| matches!(item, Item::Timer(..)));
        self.runs.values_mut().for_each(|run| run.1 = false);
        let pods = self.kept(PodId(u32::MAX));
        self.boot().message(Message::Snapshot { pods })
    }

    fn act_reconnected(&mut self) -> &mut Self {
        self.act(|agent, cx| agent.reconnected(cx, FactId::NONE));
        self
    }
}

#[test]
fn after_a_snapshot_without_pods_nothing_is_left() {
    for seed in 0..300 {
        let mut node = live(seed);
        let end = node.now.as_secs_f64() + 300.0;
        node.message(Message::Snapshot { pods: Vec::new() }).run(end);
        assert!(node.agent.pods.is_empty(), "seed {seed}: {:#?}", node.agent.pods);
        assert!(node.runs.values().all(|run| !run.1), "seed {seed}: a container still runs");
    }
}

#[test]
fn readiness_told_to_the_control_plane_is_what_the_agent_sees() {
    for seed in 0..300 {
        let mut node = live(seed);
        let end = node.now.as_secs_f64() + 60.0;
        // Past the last failure everything holds still long enough for the rate limit to let all out.
        node.run(end);
        for pod in &node.agent.pods {
            let last = node.story.iter().rev().find(|line| line.contains(&format!("> {} ", pod.id.0)));
            let told = last.is_some_and(|line| line.contains("ready: true"));
            let leaving = pod.fate == super::super::pod::Fate::Terminating;
            assert!(leaving || told == pod.ready, "seed {seed}: {last:?} but {pod:#?}");
        }
    }
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in 0..20 {
        let (one, two) = (live(seed), live(seed));
        assert_eq!(one.story, two.story);
        assert_eq!(one.facts.digest(), two.facts.digest());
    }
}
