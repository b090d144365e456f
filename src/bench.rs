//! `shakedown bench`: how fast this program decides, measured on this machine.
//!
//! Criterion's benches (`cargo bench`) compare versions of the code with care; this is the quick figure for anybody
//! with the program. The only place that reads the clock.

use std::fs;

use clap::Subcommand;
use serde_json::json;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::fleet::{Placing, Size};
use crate::plans;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Place equal pods on equal nodes, one after the other, as fast as possible
    Placement(PlacementArgs),
    /// Run the shapes of kube-scheduler's own performance tests
    SchedulerPerf(crate::bench_scheduler::Args),
}

/// Arguments of `bench placement`.
#[derive(Debug, clap::Args)]
pub(crate) struct PlacementArgs {
    /// Nodes of 4 CPUs, 32 GiB and 110 pods, in three zones
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    nodes: u32,
    /// Pods of 0.1 CPU and 500 MiB, 1,000 a workload
    #[arg(long, default_value_t = 10_000, value_name = "P", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pods: u32,
    /// Whose scheduler
    #[arg(long, default_value = "kubernetes", value_name = "ORCHESTRATOR")]
    profile: String,
    /// Where tie-breaks come from
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was measured.
struct Measured {
    placed: usize,
    unschedulable: usize,
    seconds: f64,
    /// Nanoseconds of each decision, sorted.
    costs: Vec<u64>,
    peak_bytes: Option<u64>,
}

pub(crate) fn bench(verb: &Verb, console: &mut Console) -> Result<Exit, Failure> {
    let args = match verb {
        Verb::Placement(args) => args,
        Verb::SchedulerPerf(args) => return crate::bench_scheduler::bench(args, console),
    };
    plans::known(&args.profile)?;
    let profile = shakedown_scenarios::profile_named(&args.profile)?;
    let size = Size { nodes: args.nodes as usize, pods: args.pods as usize };
    let measured = measure(Placing::new(size, &profile, args.seed), size.pods);
    match args.format {
        Format::Text => console.print(&text(args, &measured)),
        Format::Json => console.line(format_args!("{:#}", document(args, &measured))),
    }
    Ok(Exit::Passed)
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark measures time; nothing decides by it"
)]
fn measure(mut placing: Placing, pods: usize) -> Measured {
    use std::time::Instant;
    let mut costs = Vec::with_capacity(pods);
    let mut placed = 0;
    let start = Instant::now();
    loop {
        let before = Instant::now();
        let Some(outcome) = placing.next() else { break };
        costs.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
        placed += usize::from(outcome.is_some());
    }
    let seconds = start.elapsed().as_secs_f64();
    costs.sort_unstable();
    Measured { placed, unschedulable: costs.len() - placed, seconds, costs, peak_bytes: peak_memory() }
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.placed as f64 / self.seconds.max(1e-9)
    }

    /// The cost that so many thousandths of all decisions did not exceed.
    fn cost(&self, permille: usize) -> u64 {
        let rank = (self.costs.len() * permille).div_ceil(1000).saturating_sub(1);
        self.costs.get(rank).copied().unwrap_or(0)
    }
}

fn text(args: &PlacementArgs, measured: &Measured) -> String {
    let micros = |nanos: u64| format!("{:.1} us", nanos as f64 / 1e3);
    let memory = measured.peak_bytes.map_or_else(|| "unknown".to_owned(), |b| format!("{} MiB", b >> 20));
    format!(
        "{} nodes, {} pods, {}\nplacements per second  {:.0}\ndecision cost p50      {}\ndecision cost p99      {}\n\
         unschedulable          {}\npeak memory            {memory}\n",
        args.nodes,
        args.pods,
        args.profile,
        measured.per_second(),
        micros(measured.cost(500)),
        micros(measured.cost(990)),
        measured.unschedulable,
    )
}

fn document(args: &PlacementArgs, measured: &Measured) -> serde_json::Value {
    json!({
        "schema_version": 1,
        "bench": "placement",
        "profile": args.profile,
        "nodes": args.nodes,
        "pods": args.pods,
        "seed": args.seed,
        "placed": measured.placed,
        "unschedulable": measured.unschedulable,
        "seconds": measured.seconds,
        "placements_per_second": measured.per_second(),
        "decision_ns_p50": measured.cost(500),
        "decision_ns_p99": measured.cost(990),
        "peak_memory_bytes": measured.peak_bytes,
    })
}

/// The most memory that this process ever held; `None` where the system does not say.
///
/// Source: proc_pid_status(5), `VmHWM`.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_sorted_costs() {
        let costs = (1..=100).collect();
        let measured = Measured { placed: 100, unschedulable: 0, seconds: 1.0, costs, peak_bytes: None };
        assert_eq!((measured.cost(500), measured.cost(990), measured.cost(1000)), (50, 99, 100));
    }
}
