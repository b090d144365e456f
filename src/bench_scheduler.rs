//! `shakedown bench scheduler-perf`: kube-scheduler's own performance tests, decided by this program's scheduler.
//!
//! Figures stand beside what the project demands of kube-scheduler and what was measured of it. They are not the same
//! thing: the original's include its API server, ours are decisions and the queue alone, and the heading says so.

use std::fs;

use serde_json::{Value, json};
use shakedown_engine::profile::Profile;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::perf::{Drive, Tally, WORKLOADS, Workload};

/// The real scheduler's own cycle, in pods per CPU-second: v1.36.2 in process, without API server and queue, 5,000
/// nodes, default sampling, measured on a Xeon with 2 cores.
const REAL: [(&str, u32); 2] = [("SchedulingBasic", 917), ("TopologySpreading", 434)];

/// The system counts a thread's CPU time by ticks of up to 10 ms: of less than ten of them no rate is told.
const CPU_SECONDS_MIN: f64 = 0.1;

/// Arguments of `bench scheduler-perf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only test cases of this name, such as `SchedulingBasic` or `SchedulingBasic/5000Nodes_10000Pods`
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Another number of nodes; pods grow and shrink with it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: Option<u32>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A workload and what came of it.
struct Measured<'a> {
    workload: &'a Workload,
    nodes: usize,
    tally: Tally,
    wall_seconds: f64,
    /// `None` where the system does not say.
    cpu_seconds: Option<f64>,
}

pub(crate) fn bench(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let wanted = |workload: &&Workload| match &args.workload {
        Some(name) => workload.name == name || workload.full_name() == *name,
        None => true,
    };
    let chosen: Vec<&Workload> = WORKLOADS.iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(unknown(args.workload.as_deref().unwrap_or_default()));
    }
    let profile = Profile::named("kubernetes").expect("it is built in");
    if args.format == Format::Text {
        console.print(HEADING);
    }
    let mut rows = Vec::new();
    for workload in chosen {
        let nodes = args.nodes.filter(|_| workload.nodes > 0).map_or(workload.nodes, |nodes| nodes as usize);
        let measured = measure(workload, nodes, &profile);
        match args.format {
            Format::Text => console.line(line(&measured)),
            Format::Json => rows.push(object(&measured)),
        }
    }
    if args.format == Format::Json {
        console
            .line(format_args!("{:#}", json!({ "schema_version": 1, "bench": "scheduler-perf", "workloads": rows })));
    }
    Ok(Exit::Passed)
}

fn unknown(name: &str) -> Failure {
    let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
    names.dedup();
    Failure::usage(format!("there is no workload `{name}`"), format!("choose one of {}", names.join(", ")))
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark measures time; nothing decides by it"
)]
fn measure<'a>(workload: &'a Workload, nodes: usize, profile: &Profile) -> Measured<'a> {
    let mut drive = Drive::new(workload, nodes, profile);
    let (start, cpu) = (std::time::Instant::now(), cpu_seconds());
    let tally = drive.run();
    let cpu_seconds = cpu.zip(cpu_seconds()).map(|(before, after)| after - before);
    Measured { workload, nodes, tally, wall_seconds: start.elapsed().as_secs_f64(), cpu_seconds }
}

/// CPU time of this thread so far; `None` where the system does not say.
///
/// Source: Linux, Documentation/scheduler/sched-stats.rst, `/proc/<pid>/schedstat`: nanoseconds spent on the CPU.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}

impl Measured<'_> {
    fn per_second(&self) -> f64 {
        self.tally.placed as f64 / self.wall_seconds.max(1e-9)
    }

    fn per_cpu_second(&self) -> Option<f64> {
        let measurable = self.cpu_seconds.filter(|seconds| *seconds >= CPU_SECONDS_MIN);
        measurable.map(|seconds| self.tally.placed as f64 / seconds)
    }

    fn real(&self) -> Option<u32> {
        let comparable = self.nodes == 5_000;
        REAL.iter().find(|(name, _)| comparable && *name == self.workload.name).map(|(_, pods)| *pods)
    }
}

const HEADING: &str = "\
kube-scheduler's performance tests, decided by this scheduler: filters, scores, preemption and queue, on one core.
Not included here, but in the floors: API server, store and bindings. `floor` is what the project's continuous
integration demands; `real` is the real scheduler's own cycle, v1.36.2, without API server, in pods per CPU-second.

workload                                                                  nodes    pods     pods/s  per CPU-s  floor   real
";

fn line(measured: &Measured<'_>) -> String {
    let or_dash = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let workload = measured.workload;
    let mut line = format!(
        "{:<71}{:>8}{:>8}{:>11.0}{:>11}{:>7}{:>7}",
        workload.full_name(),
        measured.nodes.max(1),
        measured.tally.placed,
        measured.per_second(),
        or_dash(measured.per_cpu_second().map(|rate| format!("{rate:.0}"))),
        or_dash(workload.threshold.map(|floor| floor.to_string())),
        or_dash(measured.real().map(|real| real.to_string())),
    );
    if measured.tally.refused > 0 {
        line.push_str(&format!("  {} attempts refused, {} victims", measured.tally.refused, measured.tally.victims));
    }
    line
}

fn object(measured: &Measured<'_>) -> Value {
    let (workload, tally) = (measured.workload, measured.tally);
    json!({
        "name": workload.full_name(),
        "nodes": measured.nodes.max(1),
        "placed": tally.placed,
        "attempts": tally.attempts,
        "refused": tally.refused,
        "victims": tally.victims,
        "seconds": measured.wall_seconds,
        "cpu_seconds": measured.cpu_seconds,
        "pods_per_second": measured.per_second(),
        "pods_per_cpu_second": measured.per_cpu_second(),
        "published_floor_pods_per_second": workload.threshold,
        "real_scheduler_pods_per_cpu_second": measured.real(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_figure_stands_only_beside_its_own_size() {
        let basic = WORKLOADS.first().expect("the table is not empty");
        let measured = |nodes| Measured {
            workload: basic,
            nodes,
            tally: Tally { placed: 10, ..Tally::default() },
            wall_seconds: 0.5,
            cpu_seconds: Some(0.25),
        };
        assert_eq!(measured(5_000).real(), Some(917));
        assert_eq!(measured(1_000).real(), None);
        assert_eq!((measured(1).per_second(), measured(1).per_cpu_second()), (20.0, Some(40.0)));
        let short = Measured { cpu_seconds: Some(0.004), ..measured(1) };
        assert_eq!(short.per_cpu_second(), None);
    }

    #[test]
    fn an_unknown_workload_is_answered_with_all_names() {
        assert!(unknown("Nope").to_string().contains("TopologySpreading"));
    }
}
