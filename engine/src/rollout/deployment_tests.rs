//! A table of cases for plans of deployments.

use super::*;

fn member(slot: u32, new: bool) -> Member {
    let health = new.then_some(true);
    Member { slot, new, canary: false, of_deployment: new, health, migrate: false, superseded: false }
}

fn old(n: u32) -> Vec<Member> {
    (0..n).map(|slot| member(slot, false)).collect()
}

fn group(members: &[Member]) -> Group<'_> {
    let count = 10;
    Group { count, members, vacant: &[], max_parallel: 1, canary: 0, stage: Stage::None, promoted: false }
}

/// Slots placed, and how many members stop with or without a successor.
fn outline(plan: &Plan) -> (Vec<u32>, usize, usize) {
    let with = plan.place.iter().filter(|p| p.replaces.is_some()).count();
    (plan.place.iter().map(|p| p.slot).collect(), with, plan.stop.len())
}

#[test]
fn a_new_group_is_placed_at_once() {
    assert_eq!(outline(&decide(&group(&[]))), ((0..10).collect(), 0, 0));
}

#[test]
fn an_update_replaces_max_parallel_in_order_of_names_and_waits_for_health() {
    let mut members = old(10);
    let three = |members: &[Member]| outline(&decide(&Group { max_parallel: 3, ..group(members) })).0;
    assert_eq!(three(&members), [0, 1, 2]);
    for (slot, one) in members.iter_mut().enumerate().take(3) {
        *one = Member { health: None, ..member(slot as u32, true) };
    }
    assert_eq!(three(&members), []);
    members[0].health = Some(true);
    assert_eq!(three(&members), [3]);
    members[1].health = Some(false);
    assert_eq!(three(&members), [], "an unhealthy one stops everything");
}

#[test]
fn it_is_complete_when_all_are_new_and_healthy() {
    let mut members: Vec<Member> = (0..10).map(|slot| member(slot, true)).collect();
    let done = |members: &[Member]| decide(&Group { stage: Stage::Running, ..group(members) }).complete;
    assert!(done(&members));
    members[9].health = None;
    assert!(!done(&members));
}

#[test]
fn canaries_come_first_and_hold_the_rest_until_promoted() {
    let mut members = old(10);
    let with = |members: &[Member], promoted| {
        let stage = Stage::Running;
        outline(&decide(&Group { canary: 1, max_parallel: 2, stage, promoted, ..group(members) }))
    };
    assert_eq!(with(&members, false), (vec![0], 0, 0));
    members.push(Member { canary: true, ..member(0, true) });
    assert_eq!(with(&members, false), (vec![], 0, 0));
    members[10].canary = false;
    assert_eq!(with(&members, true), (vec![1, 2], 2, 1), "the old one of the canary's name goes without a successor");
}

#[test]
fn as_many_canaries_as_replicas_are_blue_and_green() {
    let mut members = old(10);
    let stage = Stage::Running;
    let plan = decide(&Group { canary: 10, stage, ..group(&members) });
    assert_eq!(outline(&plan), ((0..10).collect(), 0, 0));
    members.extend((0..10).map(|slot| member(slot, true)));
    let plan = decide(&Group { canary: 10, stage, promoted: true, ..group(&members) });
    assert_eq!(outline(&plan), (vec![], 0, 10));
}

#[test]
fn a_failed_deployment_touches_nothing_more_but_replaces_what_is_lost() {
    let mut members = old(10);
    members[0] = Member { health: Some(false), ..member(0, true) };
    members.pop();
    let vacant = [Vacancy { slot: 9, new: false, canary: false, of_deployment: false, why: Why::Lost }];
    let plan = decide(&Group { stage: Stage::Failed, vacant: &vacant, ..group(&members) });
    assert_eq!(outline(&plan), (vec![9], 0, 0));
    assert!(plan.place[0].old, "with the version that it had");
}

#[test]
fn fewer_replicas_stop_the_highest_names() {
    let members: Vec<Member> = (0..30).map(|slot| member(slot, true)).collect();
    let plan = decide(&group(&members));
    assert_eq!(plan.stop, (10..30).rev().collect::<Vec<_>>());
}

#[test]
fn failed_ones_keep_their_name_until_they_may_be_placed_anew() {
    let members: Vec<Member> = (1..10).map(|slot| member(slot, true)).collect();
    let vacant = |why| [Vacancy { slot: 0, new: true, canary: false, of_deployment: false, why }];
    assert_eq!(outline(&decide(&Group { vacant: &vacant(Why::Failed), ..group(&members) })), (vec![], 0, 0));
    let plan = decide(&Group { vacant: &vacant(Why::Due), ..group(&members) });
    assert!(plan.place[0].again && plan.place.len() == 1);
}

#[test]
fn one_that_leaves_a_drained_node_is_replaced_in_the_same_plan() {
    let mut members: Vec<Member> = (0..10).map(|slot| member(slot, true)).collect();
    members[4].migrate = true;
    assert_eq!(outline(&decide(&group(&members))), (vec![4], 1, 0));
}
