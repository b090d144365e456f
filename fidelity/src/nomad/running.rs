//! Allocations of the running cluster: means and penalties, which need no state of nodes.
//!
//! Start at [`compare`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use shakedown_engine::profile::{Choice, Formula, Profile};
use shakedown_engine::scheduler::nomad::NodeScores;

use super::FORMAT;
use super::checks;
use super::record::Running;
use crate::agreement::{Agreement, At};
use crate::placement::Unusable;
use crate::recordings::Source;

const KIND: &str = "running cluster";

/// Compares all groups of allocations of a file.
///
/// # Errors
/// When it is no such file.
pub(super) fn compare(source: &Source, profile: &Profile, agreement: &mut Agreement) -> Result<(), Unusable> {
    let file = source.name();
    let unusable = |problem: String| Unusable { file: file.clone(), line: None, problem, help: FORMAT };
    let mut text = String::new();
    let mut reader = source.open().map_err(|error| unusable(format!("cannot read it: {error}")))?;
    reader.read_to_string(&mut text).map_err(|error| unusable(format!("cannot read it: {error}")))?;
    let groups: BTreeMap<String, Vec<Running>> =
        serde_json::from_str(&text).map_err(|error| unusable(format!("this is not what it should be: {error}")))?;
    let formula = match &profile.placement.choice {
        Choice::Sampled(policy) => policy.formula,
        _ => return Err(unusable("the profile does not place as Nomad does".into())),
    };
    for (name, allocs) in &groups {
        let by_id: BTreeMap<&str, &Running> = allocs.iter().map(|alloc| (&*alloc.alloc, alloc)).collect();
        for alloc in allocs {
            agreement.count_item(KIND);
            one(name, alloc, (&by_id, formula), agreement);
        }
    }
    Ok(())
}

fn one(group: &str, alloc: &Running, known: (&BTreeMap<&str, &Running>, Formula), agreement: &mut Agreement) {
    let scored = alloc.scores.as_deref().unwrap_or_default();
    let rounded = |score: f64| format!("{:.12}", score + 0.0);
    for candidate in scored {
        let subject = format!("{} on {}", alloc.name, candidate.node);
        let at = At { problem: group, kind: KIND, subject: &subject };
        let counted = |name: &str| candidate.scores.get(name).copied().filter(|score| *score != 0.0);
        let scores = NodeScores {
            fit: candidate.scores.get("binpack").copied().unwrap_or(0.0),
            anti_affinity: counted("job-anti-affinity"),
            penalty: counted("node-reschedule-penalty"),
            affinity: counted("node-affinity"),
            spread: counted("allocation-spread"),
            preemption: counted("preemption"),
        };
        agreement.compare(checks::NORM, at, &rounded(candidate.norm), &rounded(scores.total(known.1)));
    }
    let at = At { problem: group, kind: KIND, subject: &alloc.name };
    let penalised: BTreeSet<&str> = scored
        .iter()
        .filter(|candidate| candidate.scores.get("node-reschedule-penalty") == Some(&-1.0))
        .map(|candidate| &*candidate.node)
        .collect();
    if !penalised.is_empty() {
        // All nodes that the chain was on before, where they are candidates at all.
        let mut chain = BTreeSet::new();
        let mut at_alloc = known.0.get(&*alloc.prev);
        while let Some(former) = at_alloc {
            chain.insert(&*former.node);
            at_alloc = known.0.get(&*former.prev);
        }
        let among: BTreeSet<&str> =
            scored.iter().map(|candidate| &*candidate.node).filter(|n| chain.contains(n)).collect();
        agreement.compare(checks::PENALTY, at, &penalised, &among);
    }
    if scored.is_empty() {
        return;
    }
    let best = scored.iter().map(|candidate| candidate.norm).fold(f64::NEG_INFINITY, f64::max);
    let own = scored.iter().find(|candidate| candidate.node == alloc.node).map(|candidate| candidate.norm);
    let seen = (alloc.evaluated - alloc.filtered - alloc.exhausted) as usize;
    // Candidates that are all poor were put aside, and only the first two of few nodes are compared.
    let worse = |own: f64| scored.iter().filter(|candidate| candidate.norm <= own).count();
    let right = own.is_some_and(|own| own >= best || (best <= 0.0 && worse(own) >= seen.min(2)));
    let words = || (rounded(best), format!("{own:?}"));
    agreement.verdict(checks::CHOICE, at, if right { Ok(()) } else { Err(words()) });
    agreement.compare(checks::COUNT, at, &seen.min(5), &scored.len());
}
