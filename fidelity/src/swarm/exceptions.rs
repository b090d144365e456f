//! Where ours is known to differ from the recordings, and why: one by one, never a tolerance for all.
//!
//! Start at [`reason`].

/// A difference that is known.
struct Exception {
    /// Begin of the experiment's name.
    experiment: &'static str,
    /// Begin of the value's name.
    value: &'static str,
    /// Why.
    why: &'static str,
}

const DAEMON: &str = "the killed containers' states reach the manager only when the daemon's node agent has its session again; here, a \
                      daemon's restart is a crash of its containers, told at once";
const RACE: &str = "both first tasks failed in one instant and the workers had already taken further slots; that race is drawn here, \
                    too, but two workers lose it together in far fewer seeds";
const AT_ONCE: &str = "ten containers started at once on two cores that all hosts shared; hosts here share nothing";
const BOTH: &str = "the new and the old task of a slot are both wanted for 70 ms here (two writes and two watches), which polls see; \
                    the original tells the old one to stop within a few";
const EARLY: &str = "an agent says `starting` before its container runs, which is what ours is read from";
const BRIEF: &str =
    "two tasks of the bad image passed one check before they failed; an image here passes its checks or does not";

const EXCEPTIONS: &[Exception] = &[
    Exception { experiment: "c_dockerd-restart_4s", value: "old task", why: DAEMON },
    Exception { experiment: "c_dockerd-restart_4s", value: "task", why: DAEMON },
    Exception { experiment: "d_calm_p2_bad_rollback", value: "", why: RACE },
    Exception { experiment: "d_p2_d0_start-first_bad_rollback", value: "task created 5", why: RACE },
    Exception { experiment: "d_p0_d0_start-first", value: "update completed", why: AT_ONCE },
    Exception { experiment: "d_calm_p2_d0_start-first", value: "available at most", why: BOTH },
    Exception { experiment: "d_p1_d0_start-first_2", value: "available at most", why: BOTH },
    Exception { experiment: "d_p5_d0_start-first_2", value: "available at most", why: BOTH },
    Exception { experiment: "d_p2_d0_start-first_bad_pause", value: "task started", why: EARLY },
    Exception { experiment: "d_p1_d0_stop-first_bad_continue", value: "task running", why: BRIEF },
];

/// Why a value of an experiment may lie outside; `None` when there is no reason.
pub fn reason(experiment: &str, value: &str) -> Option<&'static str> {
    let fits = |one: &&Exception| experiment.starts_with(one.experiment) && value.starts_with(one.value);
    EXCEPTIONS.iter().find(fits).map(|one| one.why)
}
