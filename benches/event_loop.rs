//! Cost of the simulated world's event queue: one event taken and another one scheduled, with so many waiting.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shakedown_engine::rng::{Purpose, Stream, Streams};
use shakedown_engine::time::Span;
use shakedown_sim::EventQueue;

fn ahead(luck: &mut Stream) -> Span {
    luck.span(Span::ZERO, Span::from_secs(60))
}

fn event_loop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event_loop");
    group.throughput(Throughput::Elements(1));
    for waiting in [1_000, 100_000, 1_000_000] {
        let mut luck = Streams::new(1).stream(Purpose::Runtime, 0);
        let mut queue = EventQueue::new();
        for item in 0..waiting {
            queue.push(shakedown_engine::time::Time::ZERO + ahead(&mut luck), item);
        }
        group.bench_function(format!("{waiting}_waiting"), |bencher| {
            bencher.iter(|| {
                let (now, item) = queue.pop().expect("each event taken is replaced");
                queue.push(now + ahead(&mut luck), item);
                now
            });
        });
    }
    group.finish();
}

criterion_group!(benches, event_loop);
criterion_main!(benches);
