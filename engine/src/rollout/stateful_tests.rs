//! Steps of StatefulSets: order, parallel creation, partitions and updates.

use super::*;

use Stage::{Absent, Available, Ready, Terminating, Unready};

const ORDERED: Set<'static> =
    Set { replicas: &[], condemned: &[], order: Order::Ordered, partition: 0, budget: Budget::AtMost(1) };
const PARALLEL: Set<'static> = Set { order: Order::Parallel, ..ORDERED };

/// Pods of ordinals from `first` on; `+` marks those of the newest revision.
fn pods(first: u32, stages: &[(Stage, char)]) -> Vec<Replica> {
    let pod = |(ordinal, &(stage, revision))| Replica { ordinal, stage, updated: revision == '+' };
    (first..).zip(stages).map(pod).collect()
}

fn create(ordinal: u32) -> Step {
    Step::Create { ordinal, updated: true }
}

fn steps(plan: &Plan) -> Vec<Vec<Step>> {
    assert!(plan.waits_for.is_none() || plan.batches.is_empty(), "who writes does not wait");
    plan.batches.clone()
}

/// Recorded on 1.36.2 (04a): each pod is created when the one before it is ready.
#[test]
fn ordered_replicas_come_one_after_the_other() {
    let check = |stages: &[(Stage, char)], want: Result<u32, u32>| {
        let plan = next(&Set { replicas: &pods(0, stages), ..ORDERED });
        match want {
            Ok(ordinal) => assert_eq!(steps(&plan), [[create(ordinal)]]),
            Err(ordinal) => assert_eq!(plan, Plan { batches: Vec::new(), waits_for: Some(ordinal) }),
        }
    };
    check(&[(Absent, '-'), (Absent, '-')], Ok(0));
    check(&[(Unready, '+'), (Absent, '-')], Err(0));
    check(&[(Ready, '+'), (Absent, '-')], Err(0));
    check(&[(Available, '+'), (Absent, '-')], Ok(1));
    // A gap is filled first, whatever stands behind it; a name that is taken blocks.
    check(&[(Available, '+'), (Absent, '-'), (Available, '+')], Ok(1));
    check(&[(Available, '+'), (Terminating, '-'), (Absent, '-')], Err(1));
}

/// Recorded on 1.36.2 (04a): highest ordinal first, each when the one before is ready again.
#[test]
fn updates_go_from_the_highest_ordinal_down_to_the_partition() {
    let old = pods(0, &[(Available, '-'); 4]);
    let set = Set { replicas: &old, ..ORDERED };
    assert_eq!(steps(&next(&set)), [[Step::Update { ordinal: 3 }]]);
    let half = pods(0, &[(Available, '-'), (Available, '-'), (Available, '+'), (Available, '+')]);
    assert_eq!(steps(&next(&Set { replicas: &half, ..ORDERED })), [[Step::Update { ordinal: 1 }]]);
    let held = Set { replicas: &half, partition: 2, ..ORDERED };
    assert_eq!(next(&held), Plan::default());
    assert!(complete(&held) && !settled(&held), "as far as the partition lets it");
    assert_eq!(next(&Set { budget: Budget::OnDelete, ..set }), Plan::default());
    assert_eq!(steps(&next(&Set { budget: Budget::AtMost(3), ..set }))[0].len(), 3);
    assert_eq!(steps(&next(&Set { budget: Budget::OneByOne, ..set })), [[Step::Update { ordinal: 3 }]]);
}

#[test]
fn a_replica_below_the_partition_comes_back_at_the_revision_before() {
    let replicas = pods(0, &[(Absent, '-'), (Available, '-'), (Available, '+')]);
    let plan = next(&Set { replicas: &replicas, partition: 2, ..ORDERED });
    assert_eq!(steps(&plan), [[Step::Create { ordinal: 0, updated: false }]]);
}

/// Recorded on 1.36.2 (04a): one at a time, and the next one when the former is gone.
#[test]
fn ordered_replicas_go_one_after_the_other_before_any_update() {
    let stay = pods(0, &[(Available, '-')]);
    let down = |stages: &[(Stage, char)]| next(&Set { replicas: &stay, condemned: &pods(1, stages), ..ORDERED });
    assert_eq!(steps(&down(&[(Available, '-'), (Available, '-')])), [[Step::ScaleDown { ordinal: 2 }]]);
    assert_eq!(down(&[(Available, '-'), (Terminating, '-')]).waits_for, Some(2));
    // One that is not available goes only when it is the lowest of that kind.
    assert_eq!(steps(&down(&[(Available, '-'), (Unready, '-')])), [[Step::ScaleDown { ordinal: 2 }]]);
    assert_eq!(down(&[(Unready, '-'), (Unready, '-')]).waits_for, Some(1));
    assert_eq!(steps(&down(&[(Unready, '-'), (Available, '-')])), [[Step::ScaleDown { ordinal: 2 }]]);
}

/// A broken revision stays: undoing the template does not touch the pod that everybody waits for.
#[test]
fn an_ordered_set_waits_for_its_broken_pod_even_after_an_undo() {
    let broken = pods(0, &[(Available, '+'), (Available, '+'), (Unready, '-')]);
    assert_eq!(next(&Set { replicas: &broken, ..ORDERED }).waits_for, Some(2));
    let parallel = next(&Set { replicas: &broken, ..PARALLEL });
    assert_eq!(steps(&parallel), [[Step::Update { ordinal: 2 }]]);
    let before_35 = next(&Set { replicas: &broken, budget: Budget::OneByOne, ..PARALLEL });
    assert_eq!(steps(&before_35), [[Step::Update { ordinal: 2 }]]);
}

/// Recorded on 1.36.2 (04b): four creations in batches of 1, 2 and 1, two deletions in batches of 1 and 1.
#[test]
fn parallel_replicas_come_and_go_in_growing_batches() {
    let none = pods(0, &[(Absent, '-'); 4]);
    let plan = next(&Set { replicas: &none, ..PARALLEL });
    assert_eq!(steps(&plan), [vec![create(0)], vec![create(1), create(2)], vec![create(3)]]);
    let (stay, extra) = (pods(0, &[(Available, '+'); 2]), pods(2, &[(Available, '+'); 2]));
    let plan = next(&Set { replicas: &stay, condemned: &extra, ..PARALLEL });
    assert_eq!(steps(&plan), [[Step::ScaleDown { ordinal: 3 }], [Step::ScaleDown { ordinal: 2 }]]);
}

/// Recorded on 1.36.2 (04b): a rolling update is one at a time all the same.
#[test]
fn a_parallel_update_keeps_to_its_budget() {
    let waiting = pods(0, &[(Available, '-'), (Available, '-'), (Unready, '+')]);
    assert_eq!(next(&Set { replicas: &waiting, ..PARALLEL }).waits_for, Some(2));
    let down = pods(0, &[(Unready, '-'), (Available, '-'), (Available, '-')]);
    let plan = next(&Set { replicas: &down, ..PARALLEL });
    assert_eq!(steps(&plan), [[Step::Update { ordinal: 0 }]], "what is down anyway costs nothing");
    let plan = next(&Set { replicas: &down, budget: Budget::AtMost(2), ..PARALLEL });
    assert_eq!(steps(&plan), [[Step::Update { ordinal: 0 }, Step::Update { ordinal: 2 }]]);
}

#[test]
fn a_budget_rounds_down_and_is_never_nothing() {
    assert_eq!(Budget::at_most(Amount::Percent(50), 5), Budget::AtMost(2));
    assert_eq!(Budget::at_most(Amount::Percent(10), 5), Budget::AtMost(1));
}

#[test]
fn ordinals_may_start_anywhere() {
    let replicas = pods(7, &[(Available, '-'), (Absent, '-')]);
    let plan = next(&Set { replicas: &replicas, partition: 1, ..ORDERED });
    assert_eq!(steps(&plan), [[create(8)]], "the partition counts from the first ordinal");
}
