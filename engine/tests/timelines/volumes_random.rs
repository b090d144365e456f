//! Random faults and deletions in a cluster with volumes: whatever happens, no volume is on two nodes and the tables
//! agree, and when all is healed every replica has its volumes back and nothing is left to do.
//!
//! Each seed is one story. How long things take is in `volumes`. Start at [`live`].

use crate::script::{Lab, Setup};
use crate::volumes::{claim, class, mounting, stateful_with_claims};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{AccessMode, BindingMode, Bytes, PodVolume, Strategy, Taint, TaintEffect};
use shakedown_engine::rng::{Purpose, Stream, Streams};
use shakedown_engine::time::Span;

const NODES: u32 = 6;
const STORIES: u64 = 200;
const OUT: &str = "node.kubernetes.io/out-of-service";

struct Story {
    lab: Lab,
    dice: Stream,
    workloads: Vec<WorkloadId>,
    log: Vec<String>,
}

fn begin(seed: u64) -> Story {
    let mut dice = Streams::new(seed).stream(Purpose::Fault, 1);
    let mut setup = Setup::new("kubernetes").nodes("a", 3).nodes("b", 3);
    setup.catalog.names.intern(OUT);
    let binding = [BindingMode::Immediate, BindingMode::WaitForFirstConsumer][dice.index(2)];
    let class = class(&mut setup, binding);
    let claim = claim(&mut setup, Some(class), AccessMode::ReadWriteOnce);
    let db = mounting(&mut setup, claim);
    setup.catalog.workloads[db].strategy = Strategy::Recreate;
    let set = stateful_with_claims(&mut setup, class, 3);
    let scratch = setup.deployment("scratch", 3);
    let template = setup.catalog.workloads[scratch].template;
    setup.catalog.templates[template]
        .volumes
        .push(PodVolume::Ephemeral { class: Some(class), request: Bytes(1 << 30) });
    Story { lab: setup.start(seed), dice, workloads: vec![db, set, scratch], log: vec![format!("seed {seed}")] }
}

impl Story {
    fn some_nodes(&mut self) -> Vec<NodeId> {
        (0..NODES).map(NodeId).filter(|_| self.dice.chance(300)).collect()
    }

    fn taint(&self) -> Taint {
        let catalog = self.lab.view().catalog();
        let key = catalog.names.find(OUT).expect("it was named");
        Taint { key, value: catalog.known.empty, effect: TaintEffect::NoExecute }
    }

    fn act(&mut self) {
        let nodes = self.some_nodes();
        let up: Vec<NodeId> = nodes.iter().copied().filter(|n| !self.lab.world.down.contains(n)).collect();
        let what = self.dice.below(9);
        self.log.push(format!("{} {what} {nodes:?}", self.lab.engine.now()));
        match what {
            0 | 1 => self.lab.kill(up),
            2 => {
                let down: Vec<NodeId> = self.lab.world.down.iter().copied().collect();
                self.lab.boot(down);
            }
            3 => self.lab.cut(nodes),
            4 => self.lab.heal(),
            5 => {
                let taint = self.taint();
                self.lab.command(Operation::Taint { nodes, taint });
            }
            6 => {
                let taint = self.taint();
                self.lab.command(Operation::Untaint { nodes, taint, every_effect: true });
            }
            _ => {
                let pods: Vec<PodId> = self.lab.view().pods().map(|p| p.id).collect();
                let pods = pods.into_iter().filter(|_| self.dice.chance(300)).collect();
                let grace = self.dice.chance(500).then_some(Span::ZERO);
                self.lab.command(Operation::DeletePods { pods, grace });
            }
        }
    }

    fn wait(&mut self) {
        let most = [Span::from_millis(300), Span::from_secs(5), Span::from_secs(60), Span::from_secs(500)];
        let most = most[self.dice.index(most.len())];
        let wait = self.dice.span(Span::ZERO, most);
        let now = self.lab.engine.now();
        self.lab.until_time(now + wait);
        self.check();
    }

    fn check(&self) {
        let wrong = self.lab.view().contradictions();
        assert!(wrong.is_empty(), "{wrong:#?} at {} after {:#?}", self.lab.engine.now(), self.log);
    }

    fn heal_everything(&mut self) {
        let nodes: Vec<NodeId> = (0..NODES).map(NodeId).collect();
        self.lab.heal();
        let down: Vec<NodeId> = self.lab.world.down.iter().copied().collect();
        self.lab.boot(down);
        let taint = self.taint();
        self.lab.command(Operation::Untaint { nodes, taint, every_effect: true });
    }
}

fn live(seed: u64) {
    let mut story = begin(seed);
    story.lab.until(30);
    for _ in 0..3 + story.dice.below(12) {
        story.act();
        story.wait();
    }
    story.heal_everything();
    let now = story.lab.engine.now();
    story.lab.until_time(now + Span::from_secs(1_500));
    story.check();
    for &workload in &story.workloads {
        let seen = story.lab.view().workload(workload);
        assert_eq!((seen.active, seen.ready), (seen.desired, seen.desired), "{workload:?} after {:#?}", story.log);
    }
    assert_eq!(story.lab.engine.planned(), 0, "nothing is left to do after {:#?}", story.log);
}

#[test]
fn volumes_follow_their_pods_through_any_story() {
    (0..STORIES).for_each(live);
}
