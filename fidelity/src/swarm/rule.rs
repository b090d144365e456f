//! The rule: where recorded values lie among those of many seeds, and what counts as agreement.
//!
//! A value agrees when it lies between the 5th and the 95th percentile of the seeds; one outside their 0.1st and 99.9th
//! is impossible for us. What did not happen in the recording must not happen in more than 95 % of the seeds, and what
//! happened must happen in 5 % at least. Start at [`judge`].

use std::collections::{BTreeMap, BTreeSet};

use crate::swarm::values::{Class, Values, milestones};

/// Where a recorded value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Between the 5th and the 95th percentile.
    Inside,
    /// Outside of that, but possible.
    Edge,
    /// Outside the 0.1st and the 99.9th percentile, or it happened to one side only.
    Outside,
}

/// One recorded value beside those of the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Which.
    pub name: String,
    /// A moment or a number.
    pub class: Class,
    /// What was recorded; `None`: it did not happen.
    pub recorded: Option<f64>,
    /// 0.1st, 5th, 50th, 95th and 99.9th percentile of the seeds in which it happens.
    pub band: [f64; 5],
    /// Share of seeds in which it happens.
    pub share: f64,
    /// Where it lies.
    pub verdict: Verdict,
}

/// Two events that come in this order in the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered {
    /// The earlier and the later one.
    pub pair: (&'static str, &'static str),
    /// Share of seeds, of those that have both, in which that is so.
    pub share: f64,
}

/// Shares below this make something an exception in our seeds.
pub const RARE: f64 = 0.05;
/// Events closer than this are not in any order: the observer looks every 0.05-0.1 s, and later under load.
const TOGETHER: f64 = 0.25;
/// A recorded moment is that of a poll, which took up to this long under load; bands are this much wider on both sides.
pub const READING: f64 = 0.15;

/// Judges all values of a recording.
pub fn judge(recorded: &Values, seeds: &[Values], ends: f64) -> Vec<Judged> {
    let mut names: BTreeSet<&(Class, String)> = recorded.keys().collect();
    let mut counts: BTreeMap<&(Class, String), usize> = BTreeMap::new();
    for key in seeds.iter().flat_map(Values::keys) {
        *counts.entry(key).or_default() += 1;
    }
    names.extend(counts.keys().copied());
    names.into_iter().filter_map(|key| one(key, (recorded.get(key).copied(), ends), seeds)).collect()
}

fn one(key: &(Class, String), (recorded, ends): (Option<f64>, f64), seeds: &[Values]) -> Option<Judged> {
    let mut ours: Vec<f64> = seeds.iter().filter_map(|values| values.get(key).copied()).collect();
    ours.sort_by(f64::total_cmp);
    let share = ours.len() as f64 / seeds.len() as f64;
    let band = [0.001, 0.05, 0.5, 0.95, 0.999].map(|p| percentile(&ours, p));
    let slack = if key.0 != Class::Number { READING } else { 0.0 };
    let verdict = match recorded {
        // How often something comes is a number of its own; further members of a list need no judgement.
        None if key.0 != Class::Number && counted(&key.1) => return None,
        None if early(&ours, (key.0, ends)) > (1.0 - RARE) * seeds.len() as f64 => Verdict::Outside,
        None => Verdict::Inside,
        Some(_) if share < RARE => Verdict::Outside,
        Some(value) if value >= band[1] - slack && value <= band[3] + slack => Verdict::Inside,
        Some(value) if value >= band[0] - slack && value <= band[4] + slack => Verdict::Edge,
        Some(_) => Verdict::Outside,
    };
    Some(Judged { name: key.1.clone(), class: key.0, recorded, band, share, verdict })
}

/// So many happen before the recording's end.
fn early(ours: &[f64], (class, ends): (Class, f64)) -> f64 {
    ours.iter().filter(|t| class == Class::Number || **t < ends).count() as f64
}

/// Whether a value is a member of a list that is also counted.
fn counted(name: &str) -> bool {
    name.starts_with("task ") || name.starts_with("old task ")
}

fn percentile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    sorted[((last as f64) * p).round() as usize]
}

/// How often our events come in the recorded order.
pub fn order(recorded: &Values, seeds: &[Values], heal: Option<f64>) -> Vec<Ordered> {
    let real = milestones(recorded, heal);
    let ours: Vec<BTreeMap<&str, f64>> =
        seeds.iter().map(|values| milestones(values, heal).into_iter().collect()).collect();
    let apart = real.windows(2).filter(|pair| pair[1].1 - pair[0].1 > TOGETHER);
    let share = |(a, b): (&'static str, &'static str)| {
        let both = ours.iter().filter_map(|at| Some((at.get(a)?, at.get(b)?)));
        let (mut all, mut kept) = (0.0, 0.0);
        for (a, b) in both {
            all += 1.0;
            kept += f64::from(u8::from(a <= b));
        }
        Ordered { pair: (a, b), share: if all > 0.0 { kept / all } else { 0.0 } }
    };
    apart.map(|pair| share((pair[0].0, pair[1].0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(down: Option<f64>) -> Values {
        down.map(|t| ((Class::Time, "node Down".to_owned()), t)).into_iter().collect()
    }

    fn verdict(recorded: Option<f64>, ours: &[Option<f64>]) -> Verdict {
        let seeds: Vec<Values> = ours.iter().map(|t| values(*t)).collect();
        judge(&values(recorded), &seeds, 60.0)[0].verdict
    }

    #[test]
    fn a_value_is_inside_at_the_edge_or_impossible() {
        let ours: Vec<Option<f64>> = (0..1_000).map(|n| Some(10.0 + f64::from(n) / 100.0)).collect();
        assert_eq!(verdict(Some(12.0), &ours), Verdict::Inside);
        assert_eq!(verdict(Some(10.2), &ours), Verdict::Edge);
        assert_eq!(verdict(Some(9.5), &ours), Verdict::Outside);
        assert_eq!(verdict(Some(20.5), &ours), Verdict::Outside);
    }

    #[test]
    fn what_never_happens_to_one_side_does_not_agree() {
        assert_eq!(verdict(None, &[Some(1.0); 20]), Verdict::Outside);
        assert_eq!(verdict(Some(1.0), &[None; 20]), Verdict::Outside);
        let mixed: Vec<Option<f64>> = (0..20).map(|n| (n % 2 == 0).then_some(1.0)).collect();
        assert_eq!(verdict(None, &mixed), Verdict::Inside);
    }
}
