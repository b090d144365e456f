//! Who asks for what.

use shakedown_chaos::load::{Clients, Traffic};
use shakedown_engine::ids::{Table, TrafficId};
use shakedown_engine::time::{Span, Time};

use super::Checker;
use crate::problem::Mark;
use crate::raw::{ClientsRaw, TrafficRaw};
use crate::text::At;

/// Clients that say nothing give up after this: curl and many libraries would wait longer, users would not.
const TIMEOUT: Span = Span::from_secs(5);

/// More retries than any client library makes by itself; each one costs the model a round.
const MAX_RETRIES: u32 = 100;

impl Checker<'_> {
    /// Lowers all traffic.
    pub(super) fn traffic(&mut self, raw: &[At<TrafficRaw>], duration: Span) -> Table<TrafficId, Traffic> {
        let mut table = Table::new();
        for entry in raw {
            if let Some(traffic) = self.one_traffic(&entry.value, duration) {
                table.push(traffic);
            }
        }
        table
    }

    fn one_traffic(&mut self, raw: &TrafficRaw, duration: Span) -> Option<Traffic> {
        if raw.rate.value.0 == 0 {
            self.low
                .problems
                .error("E0204", raw.rate.mark, "a rate of 0 asks for nothing")
                .expected("expected a rate above 0, such as `200/s`");
        }
        if let Some(retries) = raw.retries.filter(|retries| retries.value > MAX_RETRIES) {
            self.low
                .problems
                .error("E0204", retries.mark, format!("{} retries are not possible", retries.value))
                .expected(format!("expected at most {MAX_RETRIES}"));
        }
        let (to, mark) = self.destination(raw);
        let from = self.clients(raw.from.as_ref());
        self.window(raw, duration);
        let (to, from) = (to?, from?);
        self.must_be_backed(to, mark);
        let reach = self.reach(raw, to, &from);
        Some(Traffic {
            to,
            rate_per_1000s: raw.rate.value.0,
            from,
            reach,
            timeout: raw.timeout.map_or(TIMEOUT, |v| v.value.0),
            retries: raw.retries.map_or(0, |v| v.value),
            slow_after: raw.slow_after.map(|v| v.value.0),
            objective_ppm: raw.objective.map_or(999_000, |v| v.0),
            start: raw.start.map_or(Time::ZERO, |v| Time::ZERO + v.value.0),
            end: raw.end.map(|v| Time::ZERO + v.value.0),
        })
    }

    fn window(&mut self, raw: &TrafficRaw, duration: Span) {
        let start = raw.start.map_or(Span::ZERO, |v| v.value.0);
        let mut wrong = |mark: Mark, message: &str| {
            self.low.problems.error("E0403", mark, message).expected("expected a time inside the run, after `start`");
        };
        match (raw.start, raw.end) {
            (Some(at), _) if start >= duration => wrong(at.mark, "this traffic starts after the end of the run"),
            (_, Some(end)) if end.value.0 <= start => wrong(end.mark, "this traffic ends before it starts"),
            (_, Some(end)) if end.value.0 > duration => wrong(end.mark, "this traffic ends after the end of the run"),
            _ => {}
        }
        if let Some(zero) = raw.timeout.filter(|v| v.value.0.is_zero()) {
            self.low
                .problems
                .error("E0204", zero.mark, "with a time-out of 0 every request fails")
                .expected("expected a duration above 0");
        }
        if let Some(slow) = raw.slow_after.filter(|slow| slow.value.0 >= raw.timeout.map_or(TIMEOUT, |v| v.value.0)) {
            self.low
                .problems
                .error("E0204", slow.mark, "`slow_after` is not shorter than the time-out")
                .expected("expected a duration below `timeout`: later answers never come");
        }
    }

    fn clients(&mut self, raw: Option<&At<ClientsRaw>>) -> Option<Clients> {
        let Some(raw) = raw else { return Some(Clients::Outside) };
        match &raw.value {
            ClientsRaw::Outside => Some(Clients::Outside),
            ClientsRaw::Inside(inside) => match (&inside.nodes, &inside.workload) {
                (Some(nodes), None) => self.nodes_of(nodes, raw.mark).map(Clients::Nodes),
                (None, Some(workload)) => self.known_workload(workload).map(Clients::Workload),
                _ => {
                    self.low
                        .problems
                        .error("E0207", raw.mark, "clients are in exactly one place")
                        .expected("expected `outside`, `{ nodes: all }` or `{ workload: NAME }`");
                    None
                }
            },
        }
    }
}
