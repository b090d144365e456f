//! Tables of the comparison: for a terminal, and `docs/fidelity-swarm.md`.
//!
//! Generated, so that the page cannot promise more than was counted.

use std::fmt::Write;

use crate::swarm::exceptions::reason;
use crate::swarm::rule::{Judged, Verdict};
use crate::swarm::values::Class;
use crate::swarm::{Outcome, Sum, Swarm};

impl Swarm {
    /// A table for a terminal, with everything that does not agree below it.
    pub fn text(&self) -> String {
        let width = self.each.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
        let mut out = format!(
            "  {:<width$}{:>9}{:>9}{:>9}{:>10}{:>9}\n",
            "experiment", "times", "inside", "outside", "numbers", "outside"
        );
        for outcome in &self.each {
            let name = &outcome.name;
            let _ = match &outcome.result {
                Err(why) => writeln!(out, "  {name:<width$}  not compared: {}", why.lines().next().unwrap_or_default()),
                Ok(compared) => {
                    let (t, n) = (compared.sum(name, Class::Time), compared.sum(name, Class::Number));
                    writeln!(
                        out,
                        "  {name:<width$}{:>9}{:>9}{:>9}{:>10}{:>9}",
                        t.compared, t.inside, t.outside, n.compared, n.outside
                    )
                }
            };
        }
        for outcome in &self.each {
            differences(outcome, &mut |line| {
                let _ = writeln!(out, "  {line}");
            });
        }
        let (t, n) = (self.sum(Class::Time), self.sum(Class::Number));
        let _ = writeln!(out, "\n  {} seeds each: {}; {}", self.seeds, sentence("moments", t), sentence("numbers", n));
        let _ = writeln!(out, "  the rule {}", if self.holds() { "holds" } else { "does not hold" });
        out
    }

    /// `docs/fidelity-swarm.md`.
    pub fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        let (t, n) = (self.sum(Class::Time), self.sum(Class::Number));
        let _ = writeln!(
            page,
            "\nWith {} seeds each: {}; {}.\n",
            self.seeds,
            sentence("moments", t),
            sentence("numbers", n)
        );
        page.push_str(
            "| experiment | moments | 5-95 % | outside | numbers | outside | order |\n|---|--:|--:|--:|--:|--:|--:|\n",
        );
        for outcome in &self.each {
            let name = &outcome.name;
            let _ = match &outcome.result {
                Err(why) => {
                    writeln!(page, "| {name} | not compared: {} | | | | | |", why.lines().next().unwrap_or_default())
                }
                Ok(compared) => {
                    let (t, n) = (compared.sum(name, Class::Time), compared.sum(name, Class::Number));
                    let kept = compared.ordered.len() - compared.disordered().count();
                    writeln!(
                        page,
                        "| {name} | {} | {} | {} | {} | {} | {kept} of {} |",
                        t.compared,
                        t.inside,
                        t.outside,
                        n.compared,
                        n.outside,
                        compared.ordered.len()
                    )
                }
            };
        }
        page.push_str("\n## What does not agree, one by one\n\n");
        for outcome in &self.each {
            differences(outcome, &mut |line| {
                let _ = writeln!(page, "- {line}");
            });
        }
        page
    }
}

fn sentence(what: &str, sum: Sum) -> String {
    let share = if sum.compared == 0 { 0.0 } else { sum.inside as f64 * 100.0 / sum.compared as f64 };
    format!(
        "{} {what}, {share:.1} % between the 5th and 95th percentile, {} outside the 0.1st-99.9th ({} explained)",
        sum.compared, sum.outside, sum.explained
    )
}

/// A line for each value outside and each pair of events in another order.
fn differences(outcome: &Outcome, tell: &mut dyn FnMut(String)) {
    let Ok(compared) = &outcome.result else { return };
    let name = &outcome.name;
    let rule = |one: &&Judged| one.verdict == Verdict::Outside && one.class != Class::Latency;
    for one in compared.judged.iter().filter(rule) {
        let why = reason(name, &one.name).unwrap_or("unexplained");
        tell(format!("{name}, {}: {}: {why}", one.name, beside(one)));
    }
    for one in compared.disordered() {
        let (first, then) = one.pair;
        let why = reason(name, first).or_else(|| reason(name, then)).unwrap_or("unexplained");
        tell(format!("{name}: {first} before {then} in {:.1} % of the seeds: {why}", one.share * 100.0));
    }
}

fn beside(one: &Judged) -> String {
    let recorded = one.recorded.map_or_else(|| "never".to_owned(), |value| format!("{value:.2}"));
    if one.share == 0.0 {
        return format!("recorded {recorded}, ours never");
    }
    let [least, low, middle, high, most] = one.band;
    let share = one.share * 100.0;
    format!("recorded {recorded}, ours {middle:.2} ({low:.2}-{high:.2}, {least:.2}-{most:.2}) in {share:.0} %")
}

const HEAD: &str = "\
# How faithful the Swarm profile is

<!-- Written by `shakedown conform swarm --write-docs docs/fidelity-swarm.md`; do not edit. -->

The profile `swarm` is held to recordings of a real Docker Swarm (20.10, 3 to 5 hosts on one machine), which ship in
`fidelity/recordings/swarm`. Anybody can repeat the comparison, with recordings of one's own as well:

```console
$ shakedown conform swarm [DIR]
```

Each experiment is set up from its file (hosts, heartbeat, restart delay, replicas, health check, fault and its duration,
update settings) and run with many seeds. What an observer who polls as often as the recorded one would have seen is
read out of both sides by the same code: moments (node Down, tasks created, started, running, told to stop, ended, node
Ready, update status) and numbers (available and live containers at least and at most, tasks by host, reasons). The
rule: 90 % of the recorded moments lie between the 5th and the 95th percentile of the seeds, nothing lies outside the
0.1st and 99.9th, and neighbouring events come in the recorded order in at least 5 % of the seeds. A recorded moment is
a poll's, which took up to 0.15 s longer under load; bands are wider by that.

The recorded machine was busy (load 8 to 45 on two cores). Durations of its hosts are a model fitted once to all files
together, never to one: a slowness between 0.6 and 3.0 is drawn for each run and multiplies making a sandbox (100-400 ms),
starting a container (100-400 ms), until it serves (60 ms), a part of a polite stop (0.7 s + 0.4 s), a stop after failed health
checks (0.35 s), a part of the boot of a host (2 s + 0.9 s), until a death is known (0.45 s) and an operator's command has its
effect (10-130 ms). Agents of a healed link have a session after 0.1-5 s. A stopped or killed daemon is set up as a cut between
its host and the manager: nothing is heard of it, and its containers run on; one that starts again ends them. Moments of tasks
in experiments in which nothing waits for a timer (scaling, first placement, an update of all slots at once) are those of the
machine alone: they are in the JSON, but not part of the rule. What DNS said is not compared yet.
";
