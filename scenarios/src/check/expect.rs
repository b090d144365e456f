//! Expectations: metrics, units, bounds.

use shakedown_chaos::expect::{Bound, Expectation, Metric, Quantity, Statistic, Unit};

use super::Checker;
use crate::raw::{ExpectRaw, Scalar};
use crate::text::{At, Node, parse_ppm, parse_span};

/// Statistics by name.
const STATISTICS: &[(&str, Statistic)] = &[
    ("min", Statistic::Min),
    ("p50", Statistic::P50),
    ("p90", Statistic::P90),
    ("p99", Statistic::P99),
    ("max", Statistic::Max),
    ("mean", Statistic::Mean),
];

/// A written value and the bound that it makes.
type Comparison<'r> = (&'r Option<At<Scalar>>, fn(Quantity) -> Bound);

impl Checker<'_> {
    /// Lowers all expectations. A scenario without any is a demo, and is told so.
    pub(super) fn expectations(&mut self, raw: &[At<ExpectRaw>], names: &[String], node: &Node) -> Vec<Expectation> {
        if raw.is_empty() && node.get("expect").is_none_or(|list| list.items().is_empty()) {
            self.low
                .problems
                .info(
                    "N0605",
                    node.mark,
                    "this scenario expects nothing: it is a demo, and its runs neither pass nor fail",
                )
                .help("add `expect: [{ metric: time_to_recover, below: 60s }]`");
        }
        raw.iter().filter_map(|one| self.expectation(one, names)).collect()
    }

    fn expectation(&mut self, raw: &At<ExpectRaw>, names: &[String]) -> Option<Expectation> {
        let metric = self.metric(&raw.value.metric);
        let statistic = self.statistic(raw.value.statistic.as_ref());
        let of = self.of(raw.value.of.as_ref());
        let only = self.only(&raw.value, names);
        let bound = self.bound(metric?, raw);
        Some(Expectation { metric: metric?, of, statistic: statistic?, bound: bound?, only })
    }

    fn metric(&mut self, name: &At<String>) -> Option<Metric> {
        let found = Metric::named(&name.value);
        if found.is_none() {
            self.low
                .problems
                .error("E0310", name.mark, format!("there is no metric `{}`", name.value))
                .expected("expected the name of a metric")
                .suggest(&name.value, Metric::ALL.iter().map(|metric| metric.name()));
        }
        found
    }

    fn statistic(&mut self, name: Option<&At<String>>) -> Option<Statistic> {
        let Some(name) = name else { return Some(Statistic::default()) };
        let found = STATISTICS.iter().find(|(known, _)| *known == name.value).map(|&(_, statistic)| statistic);
        if found.is_none() {
            self.low
                .problems
                .error("E0205", name.mark, format!("`{}` is not a statistic", name.value))
                .expected("expected one of `min`, `p50`, `p90`, `p99`, `max`, `mean`")
                .suggest(&name.value, STATISTICS.iter().map(|(known, _)| *known));
        }
        found
    }

    fn of(&mut self, name: Option<&At<String>>) -> Option<String> {
        let name = name?;
        let bare = name.value.rsplit('/').next().unwrap_or(&name.value);
        let catalog = &*self.low.catalog;
        let services = catalog.services.rows().iter().map(|service| catalog.text(service.name));
        let workloads = catalog.workloads.rows().iter().map(|workload| catalog.text(workload.name));
        let known: Vec<&str> = services.chain(workloads).collect();
        if !known.contains(&bare) && !self.incomplete.workloads && !self.labels_of_faults.contains(&name.value) {
            self.low
                .problems
                .error("E0303", name.mark, format!("there is no service, workload or fault `{}`", name.value))
                .expected("expected the name of a service or workload, or the label of a fault")
                .suggest(&name.value, known);
        }
        Some(name.value.clone())
    }

    fn only(&mut self, raw: &ExpectRaw, names: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for name in raw.only.iter().flat_map(|only| &only.0) {
            let run = names.contains(&name.value);
            if !run && shakedown_engine::profile::Profile::named(&name.value).is_none() {
                self.unknown_orchestrator(name);
            } else if !run {
                self.low
                    .problems
                    .warn("W0305", name.mark, format!("this scenario is not run under `{}`", name.value))
                    .help("the expectation holds only when that orchestrator is asked for on the command line");
            }
            out.push(name.value.clone());
        }
        out
    }

    fn bound(&mut self, metric: Metric, raw: &At<ExpectRaw>) -> Option<Bound> {
        let one = &raw.value;
        let never = one.never.filter(|never| never.value);
        let given = [
            one.below.is_some(),
            one.at_most.is_some(),
            one.at_least.is_some(),
            one.above.is_some(),
            one.between.is_some(),
            one.equals.is_some(),
            never.is_some(),
        ];
        let bounds = given.iter().filter(|given| **given).count();
        if bounds == 0 && raw.flawed {
            return None;
        }
        if bounds != 1 {
            self.low.problems.error("E0207", raw.mark, "an expectation has exactly one bound").expected(
                "expected one of `below`, `at_most`, `at_least`, `above`, `between`, `equals`, `never: true`",
            );
            return None;
        }
        if never.is_some() {
            return Some(Bound::Never);
        }
        if let Some(pair) = &one.between {
            return self.between(metric, pair);
        }
        let bounds: [Comparison<'_>; 5] = [
            (&one.below, Bound::Below),
            (&one.at_most, Bound::AtMost),
            (&one.at_least, Bound::AtLeast),
            (&one.above, Bound::Above),
            (&one.equals, Bound::Equals),
        ];
        let (value, bound) = bounds.into_iter().find_map(|(value, bound)| value.as_ref().map(|v| (v, bound)))?;
        self.quantity(metric, value).map(bound)
    }

    fn between(&mut self, metric: Metric, pair: &At<Vec<At<Scalar>>>) -> Option<Bound> {
        let [low, high] = pair.value.as_slice() else {
            self.low
                .problems
                .error("E0203", pair.mark, "`between` has not two values")
                .expected("expected `[lowest, highest]`");
            return None;
        };
        let (low, high) = (self.quantity(metric, low)?, self.quantity(metric, high)?);
        if low > high {
            self.low
                .problems
                .error("E0408", pair.mark, "nothing is between these two: the first is larger")
                .expected("expected `[lowest, highest]`");
            return None;
        }
        Some(Bound::Between(low, high))
    }

    fn quantity(&mut self, metric: Metric, value: &At<Scalar>) -> Option<Quantity> {
        let text = value.value.0.as_str();
        let (parsed, expected) = match metric.unit() {
            Unit::Span => (parse_span(text).map(shakedown_engine::time::Span::as_nanos), "a duration such as `60s`"),
            Unit::Ratio => (parse_ppm(text), "a percentage such as `99.9%`, with at most four decimals"),
            Unit::Count => (text.parse().ok(), "a whole number"),
        };
        if parsed.is_none() {
            self.low
                .problems
                .error("E0408", value.mark, format!("`{text}` does not have the unit of `{metric}`"))
                .expected(format!("expected {expected}"));
        }
        parsed.map(Quantity)
    }
}
