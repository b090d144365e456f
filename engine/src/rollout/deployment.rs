//! One look at a group of numbered replicas: what to place, what to stop, all in one plan.
//!
//! Names are numbers from 0. A new version replaces a limited number at a time, each old replica stopped in the plan
//! that places its successor; canaries come first and hold everything else until they are promoted. Nothing here
//! knows time: the caller says what is lost, what may be placed anew now, and how the deployment stands.
//!
//! Source: hashicorp/nomad:scheduler/reconcile.go, `computeGroup`, `computeLimit`, `computePlacements`,
//! `computeStop`. Start at [`decide`].

use std::collections::BTreeSet;

/// A replica that is wanted as far as the plans so far go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub slot: u32,
    /// Of the wanted version.
    pub new: bool,
    /// Placed as a canary that is not promoted.
    pub canary: bool,
    /// Part of the present deployment.
    pub of_deployment: bool,
    /// What is known of its health in its deployment.
    pub health: Option<bool>,
    /// To be moved off a drained node.
    pub migrate: bool,
    /// Its successor is being placed.
    pub superseded: bool,
}

/// A number whose replica is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacancy {
    /// The number.
    pub slot: u32,
    /// The last one was of the wanted version.
    pub new: bool,
    /// It was a canary that was not promoted.
    pub canary: bool,
    /// It was part of the present deployment.
    pub of_deployment: bool,
    /// Why it is gone.
    pub why: Why,
}

/// Why a number is vacant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its node is lost, or something else took it: it is replaced at once.
    Lost,
    /// It failed and may be placed anew now.
    Due,
    /// It failed, and may not yet or never be placed anew.
    Failed,
}

/// How the present deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is none for the wanted version.
    None,
    /// It goes on.
    Running,
    /// Somebody holds it.
    Paused,
    /// It failed.
    Failed,
    /// It is over.
    Successful,
}

/// A group.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// Replicas wanted.
    pub count: u32,
    /// Those that are there.
    pub members: &'a [Member],
    /// Those that are not.
    pub vacant: &'a [Vacancy],
    /// Replicas in work at once; 0: all.
    pub max_parallel: u32,
    /// Canaries wanted.
    pub canary: u32,
    /// How its deployment stands.
    pub stage: Stage,
    /// Its canaries are promoted.
    pub promoted: bool,
}

/// A replica to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its number.
    pub slot: u32,
    /// Of the version before the wanted one.
    pub old: bool,
    /// As a canary.
    pub canary: bool,
    /// Stop this member in the same plan.
    pub replaces: Option<usize>,
    /// It takes the place of one that failed.
    pub again: bool,
}

/// One plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Members to stop without a successor.
    pub stop: Vec<usize>,
    /// What to place.
    pub place: Vec<Placement>,
    /// Nothing is left to be done for the wanted version, and all of it is healthy.
    pub complete: bool,
}

/// What one look at a group leads to.
pub fn decide(group: &Group<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut live: Vec<usize> = (0..group.members.len()).filter(|&i| !group.members[i].superseded).collect();
    stop_canaries(group, &mut live, &mut plan);
    stop_surplus(group, &mut live, &mut plan);
    let destructive = destructive(group, &live);
    let canaries = live.iter().filter(|&&i| group.members[i].canary).count() as u32;
    let lost_canaries = group.vacant.iter().filter(|v| v.canary).count() as u32;
    let held = group.canary > 0 && !group.promoted && group.stage != Stage::Successful && !destructive.is_empty();
    let going = matches!(group.stage, Stage::None | Stage::Running);
    if held && going {
        place_canaries(group, (&destructive, &live), canaries + lost_canaries, &mut plan);
    }
    let migrating = live.iter().any(|&i| group.members[i].migrate);
    let limit = if destructive.is_empty() && !migrating { group.count } else { limit(group, &live, held) };
    let ready = going && !held || group.stage == Stage::Successful;
    let used = place_missing(group, &live, (ready, held), &mut plan);
    if ready {
        let left = limit.saturating_sub(used.min(limit)) as usize;
        plan.place.extend(destructive.iter().take(left).copied());
    }
    for &i in live.iter().filter(|&&i| group.members[i].migrate) {
        let member = &group.members[i];
        if !plan.place.iter().any(|p| p.replaces == Some(i)) {
            let old = !member.new && !ready;
            plan.place.push(Placement {
                slot: member.slot,
                old,
                canary: member.canary,
                replaces: Some(i),
                again: false,
            });
        }
    }
    let healthy = live.iter().all(|&i| {
        let member = &group.members[i];
        !member.of_deployment || member.health == Some(true)
    });
    plan.complete = group.stage == Stage::Running
        && !held
        && plan.place.is_empty()
        && plan.stop.is_empty()
        && destructive.is_empty()
        && group.vacant.is_empty()
        && healthy
        && group.members.iter().all(|m| !m.superseded);
    plan
}

/// Canaries of a deployment that failed go; of one that was promoted, the old ones of their names go.
fn stop_canaries(group: &Group<'_>, live: &mut Vec<usize>, plan: &mut Plan) {
    let failed = group.stage == Stage::Failed;
    let gone = |i: &usize| {
        let member = &group.members[*i];
        member.canary && !group.promoted && (failed || !member.of_deployment)
    };
    plan.stop.extend(live.iter().copied().filter(gone));
    live.retain(|i| !gone(i));
    if group.promoted {
        let promoted: BTreeSet<u32> =
            live.iter().map(|&i| &group.members[i]).filter(|m| m.new && m.of_deployment).map(|m| m.slot).collect();
        let doubled = |i: &usize| !group.members[*i].new && promoted.contains(&group.members[*i].slot);
        plan.stop.extend(live.iter().copied().filter(doubled));
        live.retain(|i| !doubled(i));
    }
}

/// More replicas than wanted: those that are to be moved anyway, then the highest numbers.
fn stop_surplus(group: &Group<'_>, live: &mut Vec<usize>, plan: &mut Plan) {
    let mut counted: Vec<usize> = live.iter().copied().filter(|&i| !group.members[i].canary).collect();
    let surplus = counted.len().saturating_sub(group.count as usize);
    counted.sort_by_key(|&i| {
        let member = &group.members[i];
        (member.slot < group.count, !member.migrate, std::cmp::Reverse(member.slot), member.new, i)
    });
    counted.truncate(surplus);
    plan.stop.extend(&counted);
    live.retain(|i| !counted.contains(i));
}

/// Old replicas in the order of their names, those that failed and wait included.
fn destructive(group: &Group<'_>, live: &[usize]) -> Vec<Placement> {
    let update = |slot, replaces| Placement { slot, old: false, canary: false, replaces, again: false };
    let old = live.iter().filter(|&&i| !group.members[i].new).map(|&i| update(group.members[i].slot, Some(i)));
    let failed = group.vacant.iter().filter(|v| !v.new && v.why == Why::Failed).map(|v| update(v.slot, None));
    let mut all: Vec<Placement> = old.chain(failed).collect();
    all.sort_by_key(|p| (p.slot, p.replaces));
    all
}

fn place_canaries(group: &Group<'_>, (old, live): (&[Placement], &[usize]), there: u32, plan: &mut Plan) {
    let missing = group.canary.saturating_sub(there) as usize;
    let taken: BTreeSet<u32> = live.iter().map(|&i| &group.members[i]).filter(|m| m.canary).map(|m| m.slot).collect();
    // Names of those that will be replaced first, then numbers beyond.
    let names = old.iter().map(|p| p.slot).chain(group.count..).filter(|slot| !taken.contains(slot));
    let new = |slot| Placement { slot, old: false, canary: true, replaces: None, again: false };
    plan.place.extend(names.take(missing).map(new));
}

/// How many replicas the deployment may touch now.
fn limit(group: &Group<'_>, live: &[usize], held: bool) -> u32 {
    if matches!(group.stage, Stage::Paused | Stage::Failed) || held {
        return 0;
    }
    if group.max_parallel == 0 {
        return group.count;
    }
    let part = || {
        let live = live.iter().map(|&i| (group.members[i].of_deployment, group.members[i].health));
        // One that failed stays part of the deployment until it is replaced.
        let failed = group.vacant.iter().filter(|v| v.why != Why::Lost).map(|v| (v.of_deployment, Some(false)));
        live.chain(failed).filter(|(part, _)| *part)
    };
    if part().any(|(_, health)| health == Some(false)) {
        return 0;
    }
    let open = part().filter(|(_, health)| *health != Some(true)).count() as u32;
    group.max_parallel.saturating_sub(open)
}

/// What is missing is placed; while a deployment is held or has failed, only what was lost or may be placed anew.
fn place_missing(group: &Group<'_>, live: &[usize], (ready, held): (bool, bool), plan: &mut Plan) -> u32 {
    let mut used = 0;
    for vacancy in group.vacant {
        let of_failed = group.stage == Stage::Failed && vacancy.of_deployment;
        let wanted = match vacancy.why {
            Why::Lost => true,
            Why::Due => ready || !of_failed,
            Why::Failed => false,
        };
        if !wanted {
            continue;
        }
        let old = !vacancy.new && (held || !ready);
        let (slot, canary, again) = (vacancy.slot, vacancy.canary, vacancy.why == Why::Due);
        plan.place.push(Placement { slot, old, canary, replaces: None, again });
        used += u32::from(!old);
    }
    if !ready && !held {
        return used;
    }
    let counted = live.iter().map(|&i| &group.members[i]).filter(|m| !m.canary).map(|m| m.slot);
    let waiting = group.vacant.iter().filter(|v| !v.canary).map(|v| v.slot);
    let taken: BTreeSet<u32> = counted.chain(waiting).collect();
    let missing = (group.count as usize).saturating_sub(taken.len());
    if held {
        return used;
    }
    for slot in (0..).filter(|slot| !taken.contains(slot)).take(missing) {
        plan.place.push(Placement { slot, old: false, canary: false, replaces: None, again: false });
        used += 1;
    }
    used
}

#[cfg(test)]
#[path = "deployment_tests.rs"]
mod tests;
