//! Rolling updates against what a real control plane was recorded to do.

use super::*;

const OLD: RevisionId = RevisionId(1);
const NEW: RevisionId = RevisionId(2);
const QUARTER: Amount = Amount::Percent(25);

fn ten() -> Surge {
    Surge { replicas: 10, max_surge: QUARTER, max_unavailable: QUARTER, strict: false }
}

fn revision(id: RevisionId, wanted: u32, available: u32) -> RevisionState {
    RevisionState { wanted, active: wanted, ready: available, available, ..RevisionState::empty(id) }
}

/// Revisions whose pods appear and vanish at once, and become available when the script says so.
struct Scripted {
    new: RevisionState,
    old: Vec<RevisionState>,
    surge: Surge,
    steps: Vec<(u32, u32)>,
    /// The floor, unless the rollout begins below it.
    lowest_allowed: Option<u32>,
}

impl Scripted {
    fn new(new: RevisionState, old: Vec<RevisionState>) -> Self {
        Self { new, old, surge: ten(), steps: Vec::new(), lowest_allowed: None }
    }

    /// Syncs until nothing changes and checks the bounds after each step.
    fn settle(&mut self) {
        for _ in 0..100 {
            let changes = next(&self.new, &self.old, &self.surge);
            if changes.is_empty() {
                return;
            }
            for (id, wanted) in changes {
                self.set(id, wanted);
            }
            self.check_bounds();
        }
        panic!("the rollout does not settle: {:?}", self.steps);
    }

    fn set(&mut self, id: RevisionId, wanted: u32) {
        self.steps.push((id.0, wanted));
        let revision = self.old.iter_mut().chain([&mut self.new]).find(|r| r.id == id).expect("a known revision");
        // Unready pods go first, as the replica controller ranks them.
        let available = if wanted < revision.wanted { revision.available.min(wanted) } else { revision.available };
        *revision = self::revision(id, wanted, available);
    }

    fn check_bounds(&self) {
        let all = || self.old.iter().chain([&self.new]);
        assert!(total_wanted(all()) <= i64::from(self.surge.ceiling()), "{:?}", self.steps);
        assert!(all().map(|r| r.available).sum::<u32>() >= self.lowest(), "{:?}", self.steps);
    }

    fn lowest(&self) -> u32 {
        self.lowest_allowed.unwrap_or_else(|| self.surge.floor())
    }

    fn new_becomes_available(&mut self, count: u32) {
        self.new = revision(self.new.id, self.new.wanted, (self.new.available + count).min(self.new.wanted));
    }
}

#[test]
fn surge_rounds_up_unavailability_down_and_never_both_to_zero() {
    for (replicas, want) in
        [(0, (0, 1)), (1, (1, 0)), (2, (1, 0)), (3, (1, 0)), (4, (1, 1)), (10, (3, 2)), (20, (5, 5))]
    {
        assert_eq!(fenceposts(QUARTER, QUARTER, replicas), want, "{replicas} replicas");
    }
    assert_eq!(fenceposts(Amount::Count(0), Amount::Percent(9), 10), (0, 1));
    assert_eq!(fenceposts(Amount::Percent(100), Amount::Count(0), 7), (7, 0));
}

/// Recorded on 1.36.2: new 3, old 8, new 5; then, as new pods become available one by one, old and new in turns.
#[test]
fn ten_replicas_roll_within_eight_available_and_thirteen_in_all() {
    let mut world = Scripted::new(RevisionState::empty(NEW), vec![revision(OLD, 10, 10)]);
    world.settle();
    assert_eq!(world.steps, [(2, 3), (1, 8), (2, 5)]);
    world.steps.clear();
    world.new_becomes_available(1);
    world.settle();
    assert_eq!(world.steps, [(1, 7), (2, 6)]);
    for _ in 0..20 {
        world.new_becomes_available(1);
        world.settle();
    }
    assert!(complete(&world.new, &world.old, 10), "{:?}", world.steps);
}

#[test]
fn a_new_revision_is_created_with_what_the_surge_leaves() {
    assert_eq!(first_wanted(&[revision(OLD, 10, 10)], &ten()), 3);
    assert_eq!(first_wanted(&[revision(OLD, 13, 13)], &ten()), 0);
    assert_eq!(first_wanted(&[], &ten()), 10);
}

/// Recorded: with 3 of 6 new ones available old goes from 7 to 5, with 5 of 8 from 5 to 3.
#[test]
fn new_pods_that_are_not_available_keep_old_ones_alive() {
    assert_eq!(next(&revision(NEW, 6, 3), &[revision(OLD, 7, 7)], &ten()), [(OLD, 5)]);
    assert_eq!(next(&revision(NEW, 8, 5), &[revision(OLD, 5, 5)], &ten()), [(OLD, 3)]);
}

/// Recorded: at 20.01 s old was asked to have 7 and still had 8; it was lowered again only after it had 7.
#[test]
fn an_old_revision_with_more_pods_than_wanted_stops_the_sync() {
    let lagging = RevisionState { available: 8, ready: 8, active: 8, ..revision(OLD, 7, 7) };
    assert_eq!(next(&revision(NEW, 6, 5), &[lagging], &ten()), []);
}

#[test]
fn unhealthy_old_pods_go_first_oldest_revision_first_up_to_the_cap() {
    let (oldest, old) = (RevisionId(0), OLD);
    // 13 wanted, floor 8, 3 new ones unavailable: the cap is 2, and both are unhealthy ones of the oldest.
    let revisions = [revision(old, 5, 4), revision(oldest, 5, 2)];
    assert_eq!(next(&revision(NEW, 3, 0), &revisions, &ten()), [(oldest, 3)]);
    // With a cap of 5 three unhealthy ones of the oldest and one of the next go. 9 available less 8 are spared then.
    let revisions = [revision(old, 5, 4), revision(oldest, 5, 2)];
    assert_eq!(next(&revision(NEW, 3, 3), &revisions, &ten()), [(oldest, 1), (old, 4)]);
}

/// Recorded: with pods that never become ready it stands at 8 old and 5 new, for ever.
#[test]
fn a_bad_image_freezes_the_rollout_with_the_floor_still_available() {
    let mut world = Scripted::new(RevisionState::empty(NEW), vec![revision(OLD, 10, 10)]);
    world.settle();
    world.settle();
    assert_eq!((world.old[0].wanted, world.new.wanted), (8, 5));
    assert!(!complete(&world.new, &world.old, 10));
}

/// Recorded: the undo takes the 5 unready pods at once, then raises the good revision from 8 to 10.
#[test]
fn undo_in_mid_rollout_drops_all_bad_pods_at_once() {
    let mut world = Scripted::new(revision(OLD, 8, 8), vec![revision(NEW, 5, 0)]);
    world.settle();
    assert_eq!(world.steps, [(2, 0), (1, 10)]);
    world.new_becomes_available(2);
    assert!(complete(&world.new, &world.old, 10));
}

/// Recorded: a paused rollout scaled to 20 stands at 15 old and 10 new; resumed: old to 5, new to 20.
#[test]
fn a_resumed_rollout_uses_all_the_room_at_once() {
    let mut world = Scripted::new(revision(NEW, 10, 10), vec![revision(OLD, 15, 15)]);
    world.surge.replicas = 20;
    world.settle();
    assert_eq!(world.steps[..2], [(1, 5), (2, 20)]);
}

#[test]
fn a_new_revision_above_the_wanted_number_is_lowered_to_it() {
    assert_eq!(next(&revision(NEW, 12, 12), &[], &ten()), [(NEW, 10)]);
}

#[test]
fn without_surge_an_old_pod_goes_before_a_new_one_comes() {
    let mut world = Scripted::new(RevisionState::empty(NEW), vec![revision(OLD, 10, 10)]);
    world.surge.max_surge = Amount::Count(0);
    world.settle();
    assert_eq!(world.steps, [(1, 8), (2, 2)]);
}

/// Recorded with 12 replicas: new 3, old 9, new 6.
#[test]
fn twelve_replicas_begin_as_recorded() {
    let mut world = Scripted::new(RevisionState::empty(NEW), vec![revision(OLD, 12, 12)]);
    world.surge.replicas = 12;
    world.settle();
    assert_eq!(world.steps, [(2, 3), (1, 9), (2, 6)]);
}

proptest::proptest! {
    /// `settle` checks both bounds after every step.
    #[test]
    fn any_rollout_stays_within_its_bounds_and_ends(
        replicas in 0u32..60,
        surge in 0u32..120,
        unavailable in 0u32..=100,
        becoming_available in proptest::collection::vec(1u32..8, 1..20),
    ) {
        let mut world = Scripted::new(RevisionState::empty(NEW), vec![revision(OLD, replicas, replicas)]);
        let (max_surge, max_unavailable) = (Amount::Percent(surge), Amount::Percent(unavailable));
        world.surge = Surge { replicas, max_surge, max_unavailable, strict: false };
        world.settle();
        for count in becoming_available.iter().cycle().take(200) {
            world.new_becomes_available(*count);
            world.settle();
        }
        proptest::prop_assert!(complete(&world.new, &world.old, replicas), "{:?}", world.steps);
    }

    /// A rollout to a third revision begins while the second one is half done and partly broken.
    #[test]
    fn a_rollout_that_overtakes_another_keeps_its_bounds(oldest in 0u32..=8, old in 0u32..=5, healthy in 0u32..=5) {
        let good = oldest + healthy.min(old);
        let revisions = vec![revision(OLD, oldest, oldest), revision(NEW, old, healthy.min(old))];
        let mut world = Scripted::new(RevisionState::empty(RevisionId(3)), revisions);
        world.lowest_allowed = Some(good.min(world.surge.floor()));
        world.settle();
        for _ in 0..20 {
            world.new_becomes_available(1);
            world.settle();
        }
        proptest::prop_assert!(complete(&world.new, &world.old, 10), "{:?}", world.steps);
    }
}
