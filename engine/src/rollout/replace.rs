//! Replacement of old instances by new ones: start up to a capacity, end an old one for each new one that is healthy.
//!
//! It has no deadline and no way back: an update whose new instances never get healthy stays where it is. Source of all
//! rules: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/deployment/impl/TaskReplaceActor.scala.
//! Start at [`strategy`], which is computed once, and [`next`].

/// What an update begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Wanted instances.
    pub instances: u32,
    /// Of old and new ones: healthy.
    pub healthy: u32,
    /// Old and new ones.
    pub current: u32,
    /// Healthy instances kept, in thousandths of the wanted ones.
    pub min_health: u32,
    /// Instances in addition, in thousandths of the wanted ones.
    pub max_over: u32,
    /// Instances have volumes of their own, which a new one has to take over.
    pub resident: bool,
}

/// The bounds within which an update moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Old instances that are ended at once.
    pub kill_now: u32,
    /// Old and new instances at most.
    pub capacity: u32,
}

/// Bounds of an update, `computeRestartStrategy`.
pub fn strategy(start: &Start) -> Bounds {
    let share = |permille: u32, round: u64| {
        ((u64::from(start.instances) * u64::from(permille) + round) / 1_000).min(u64::from(u32::MAX)) as u32
    };
    let min_healthy = share(start.min_health, 999);
    let mut capacity = share(1_000 + start.max_over, 0);
    let mut kill_now = start.healthy.saturating_sub(min_healthy);
    if min_healthy == capacity && capacity <= start.healthy {
        if start.resident {
            kill_now = start.healthy - min_healthy + 1;
        } else {
            capacity += 1;
        }
    }
    // A forced update finds the additional instances of the one before.
    if start.instances < start.current {
        kill_now = kill_now.max(start.current - start.instances);
    }
    Bounds { kill_now, capacity }
}

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Wanted instances.
    pub instances: u32,
    /// New ones that were asked for.
    pub started: u32,
    /// Old ones that have not ended.
    pub old_alive: u32,
    /// Old ones that were not told to end.
    pub old_left: u32,
    /// Old ones that were told to end.
    pub killed: u32,
    /// New ones that have been healthy.
    pub healthy_once: u32,
    /// Kills that may be begun now.
    pub kills: u32,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// New instances to ask for.
    pub start: u32,
    /// Old instances to end.
    pub kill: u32,
}

/// The next step within the bounds.
pub fn next(progress: &Progress, bounds: &Bounds) -> Step {
    let allowed = bounds.kill_now.saturating_add(progress.healthy_once).saturating_sub(progress.killed);
    let room = bounds.capacity.saturating_sub(progress.old_alive).saturating_sub(progress.started);
    Step {
        start: progress.instances.saturating_sub(progress.started).min(room),
        kill: allowed.min(progress.old_left).min(progress.kills),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(instances: u32, min_health: u32, max_over: u32) -> Start {
        Start { instances, healthy: instances, current: instances, min_health, max_over, resident: false }
    }

    fn bounds(kill_now: u32, capacity: u32) -> Bounds {
        Bounds { kill_now, capacity }
    }

    #[test]
    fn bounds_are_those_of_the_original() {
        let cases = [
            (start(10, 1_000, 1_000), bounds(0, 20), "default: one wave of as many again"),
            (start(10, 1_000, 0), bounds(0, 11), "neither may give way: one in addition"),
            (start(10, 500, 0), bounds(5, 10), "half goes first"),
            (start(3, 500, 500), bounds(1, 4), "the floor is rounded up, the ceiling down"),
            (start(10, 0, 0), bounds(10, 10), "all at once"),
            (Start { resident: true, ..start(10, 1_000, 0) }, bounds(1, 10), "volumes: one gives way instead"),
            (Start { healthy: 7, ..start(10, 1_000, 0) }, bounds(0, 10), "some are ill: their room is used"),
            (Start { current: 15, ..start(10, 1_000, 1_000) }, bounds(5, 20), "a forced update ends what is too much"),
        ];
        for (given, want, why) in cases {
            assert_eq!(strategy(&given), want, "{why}");
        }
    }

    /// Runs an update in which each new instance gets healthy and each kill is done within a step.
    fn waves(instances: u32, min_health: u32, max_over: u32) -> Vec<(u32, u32)> {
        let bounds = strategy(&start(instances, min_health, max_over));
        let mut at = Progress {
            instances,
            started: 0,
            old_alive: instances,
            old_left: instances,
            killed: 0,
            healthy_once: 0,
            kills: 100,
        };
        let mut seen = Vec::new();
        while at.old_alive > 0 || at.healthy_once < instances {
            let step = next(&at, &bounds);
            assert!(step != Step::default() || at.healthy_once < at.started || at.old_left < at.old_alive, "{at:?}");
            at.healthy_once = at.started;
            at.old_alive = at.old_left;
            at.started += step.start;
            at.old_left -= step.kill;
            at.killed += step.kill;
            assert!(at.started + at.old_alive <= bounds.capacity, "{at:?}");
            seen.push((at.started, at.old_left));
        }
        seen
    }

    #[test]
    fn the_default_is_one_wave() {
        assert_eq!(waves(10, 1_000, 1_000)[0], (10, 10));
        assert_eq!(waves(10, 1_000, 1_000)[2], (10, 0));
    }

    #[test]
    fn without_room_it_goes_one_by_one() {
        let seen = waves(4, 1_000, 0);
        assert_eq!(seen[0], (1, 4));
        assert!(seen.iter().all(|(new, old)| new + old >= 4), "{seen:?}");
    }

    #[test]
    fn nothing_healthy_ends_nothing() {
        let bounds = strategy(&start(10, 1_000, 1_000));
        let stuck = Progress {
            instances: 10,
            started: 10,
            old_alive: 10,
            old_left: 10,
            killed: 0,
            healthy_once: 0,
            kills: 100,
        };
        assert_eq!(next(&stuck, &bounds), Step::default());
    }

    #[test]
    fn kills_wait_for_those_in_work() {
        let bounds = strategy(&start(300, 0, 0));
        let first = Progress {
            instances: 300,
            started: 0,
            old_alive: 300,
            old_left: 300,
            killed: 0,
            healthy_once: 0,
            kills: 100,
        };
        assert_eq!(next(&first, &bounds), Step { start: 0, kill: 100 });
    }
}
