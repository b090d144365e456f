//! Size: a log of half a million facts is evaluated in one go, and its numbers still add up.

use shakedown_chaos::expect::Metric;
use shakedown_chaos::expect::Statistic;
use shakedown_chaos::fault::Action;
use shakedown_chaos::select::NodeSelection;
use shakedown_engine::fact::FactKind;
use shakedown_engine::ids::{NodeId, PodId};
use shakedown_reports::evaluate;
use shakedown_reports::measure::Measured;

use crate::logbook::{Logbook, give_up_node, ms};

#[test]
fn thirty_thousand_pods_are_evaluated() {
    let nodes: Vec<String> = (0..1000).map(|i| format!("n{i}")).collect();
    let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut book = Logbook::new(&names, "frontend", 30_000);
    let pods = book.start();
    let kill = book.entry(ms(300_000), Action::Kill(NodeSelection::default()), "kill ten nodes");
    let applied = book.apply(kill, 10);
    for n in 0..10 {
        let down = book.fact(ms(300_000), applied, FactKind::HostDown { node: NodeId(n) });
        let here: Vec<PodId> = pods.iter().copied().filter(|pod| pod.0 % 1000 == n).collect();
        give_up_node(&mut book, (NodeId(n), &here), down, NodeId(500));
    }
    while book.log.count() < 500_000 {
        let since = ms(900_000 + u64::from(book.log.count()));
        book.traffic(since, ms(900_001 + u64::from(book.log.count())), 0);
    }
    let run = book.close("large", "");
    let evaluation = evaluate(&run);
    assert_eq!(evaluation.faults[0].lost.replaced, 300);
    let evicted = evaluation.metrics.iter().find(|of| of.metric == Metric::Evictions).expect("it is evaluated");
    assert_eq!(evicted.samples.statistic(Statistic::Max), Measured::Value(300));
}
