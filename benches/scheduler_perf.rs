//! A few of kube-scheduler's performance tests at a fifth of their size: one iteration is a whole workload.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shakedown::perf::{Drive, WORKLOADS};
use shakedown_engine::profile::Profile;

const CHOSEN: [&str; 4] = ["SchedulingBasic", "SchedulingPodAntiAffinity", "PreemptionBasic", "TopologySpreading"];
const NODES: usize = 1_000;

fn scheduler_perf(criterion: &mut Criterion) {
    let profile = Profile::named("kubernetes").expect("it is built in");
    let mut group = criterion.benchmark_group("scheduler_perf");
    group.sample_size(10);
    for name in CHOSEN {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name).expect("it is in the table");
        group.throughput(Throughput::Elements(workload.scaled(workload.measured.1, NODES) as u64));
        group.bench_function(name, |bencher| {
            let fresh = || Drive::new(workload, NODES, &profile);
            bencher.iter_batched(fresh, |mut drive| drive.run(), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, scheduler_perf);
criterion_main!(benches);
