//! Cost of one placement at 100, 1,000 and 10,000 nodes, in a cluster that is a tenth full.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shakedown::fleet::{Placing, Size};
use shakedown_engine::profile::Profile;

fn placement(criterion: &mut Criterion) {
    let profile = Profile::named("kubernetes").expect("it is shipped");
    let mut group = criterion.benchmark_group("placement");
    group.throughput(Throughput::Elements(1));
    for nodes in [100, 1_000, 10_000] {
        // 40 pods fill a node.
        let size = Size { nodes, pods: nodes * 4 + 1 };
        let mut placing = Placing::new(size, &profile, 1);
        for _ in 1..size.pods {
            placing.next();
        }
        group.bench_function(format!("{nodes}_nodes"), |bencher| {
            bencher.iter(|| {
                let outcome = placing.next();
                placing.undo();
                outcome
            });
        });
    }
    group.finish();
}

criterion_group!(benches, placement);
criterion_main!(benches);
