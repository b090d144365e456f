//! Values of two-level scheduling: a master offers what is free, frameworks take it or decline.
//!
//! The mechanism is in `control/offers`. Start at [`Offers`].

use crate::time::Span;

/// How resources are offered, and how frameworks answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// The allocator offers what is free on this grid.
    pub allocation_interval: Span,
    /// From a framework's wish until it has its first offers.
    pub latency: Span,
    /// An agent is offered that has this much CPU (thousandths of a core) free …
    pub min_cpu: u32,
    /// … or this much memory (MiB).
    pub min_memory: u32,
    /// The framework of services.
    pub services: Framework,
    /// The framework of jobs; it is only there when there are jobs.
    pub batch: Framework,
    /// Instances that are started from one offer at most.
    pub per_offer: u32,
    /// Launches within one `token_refresh`; one that runs and is healthy gives its token back.
    pub launch_tokens: u32,
    /// Tokens are set back to their number on this grid.
    pub token_refresh: Span,
    /// Waits after failures.
    pub backoff: LaunchBackoff,
    /// One that does not run so long after its launch is killed.
    pub launch_timeout: Span,
    /// Those are looked for on this grid.
    pub launch_check: Span,
    /// A job that failed is run again after so long.
    pub retry: Span,
    /// A run that could not be started within so long is left out.
    pub epsilon: Span,
    /// `GROUP_BY` counts against the wanted number of groups; else only against the groups that are in use.
    pub strict_groups: bool,
}

/// How a framework answers offers that it has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framework {
    /// What it declines is not offered again for so long, unless more is free then.
    pub decline: Span,
    /// It asks for all offers anew when it wants something, at most once in this time.
    pub revive_interval: Span,
    /// It asks for them at all.
    pub revives: bool,
    /// While it wants nothing it gets no offers; else it declines them one after the other.
    pub suppresses: bool,
}

/// Waits before an application version is launched again that has failed.
/// The wait is forgotten when nothing of the version was launched or failed for `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchBackoff {
    /// First wait.
    pub initial: Span,
    /// Each is so many thousandths of the former.
    pub factor: u32,
    /// Longest wait.
    pub max: Span,
}

impl LaunchBackoff {
    /// The wait that follows `former`.
    pub fn next(&self, former: Option<Span>) -> Span {
        let wait = match former {
            None => self.initial,
            Some(former) => Span::from_nanos(
                u64::try_from(u128::from(former.as_nanos()) * u128::from(self.factor) / 1_000).unwrap_or(u64::MAX),
            ),
        };
        wait.min(self.max)
    }
}

/// What becomes of instances whose agent is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Agents that may be marked as unreachable in a time; further ones wait, and may come back meanwhile.
    pub removal: Permits,
    /// An instance is replaced after so long.
    pub inactive_after: Span,
    /// It is forgotten after so long: should it come back, it is killed.
    pub expunge_after: Span,
    /// Instances to be forgotten are looked for on this grid.
    pub expunge_check: Span,
}

/// So many in a time, one after the other: Mesos' `1/10mins`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permits {
    /// So many; 0: without limit.
    pub number: u32,
    /// In this time.
    pub within: Span,
}

impl Permits {
    /// Without limit.
    pub const UNLIMITED: Self = Self { number: 0, within: Span::ZERO };

    /// Time between two; zero without limit.
    pub fn interval(self) -> Span {
        if self.number == 0 { Span::ZERO } else { Span::from_nanos(self.within.as_nanos() / u64::from(self.number)) }
    }

    /// Reads `none` or `1/10mins`. Units as Mesos has them: `ms`, `secs`, `mins`, `hrs`, `days`, `weeks`; those of
    /// other flags are understood, too.
    pub fn read(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::UNLIMITED);
        }
        let (number, within) = text.split_once('/')?;
        let within = within.trim();
        let digits = within.bytes().take_while(u8::is_ascii_digit).count();
        let (amount, unit) = within.split_at(digits);
        let seconds = match unit {
            "secs" => Some(1),
            "mins" => Some(60),
            "hrs" => Some(3_600),
            "days" => Some(86_400),
            "weeks" => Some(604_800),
            _ => None,
        };
        let within = match seconds {
            Some(seconds) => Span::from_secs(u64::from(amount.parse::<u32>().ok()?).checked_mul(seconds)?),
            None => within.parse().ok()?,
        };
        let number: u32 = number.trim().parse().ok()?;
        (number > 0 && !within.is_zero()).then_some(Self { number, within })
    }
}

impl std::fmt::Display for Permits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.number == 0 { f.write_str("none") } else { write!(f, "{}/{}", self.number, self.within.exact()) }
    }
}

/// Replacement of old instances by new ones, one healthy one for each old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacePolicy {
    /// Healthy instances kept, in thousandths of those wanted.
    pub min_health: u32,
    /// Instances in addition, in thousandths of those wanted.
    pub max_over: u32,
    /// The same of workloads with volumes of their own.
    pub resident: (u32, u32),
    /// Kills in work at once.
    pub kills: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_read_as_mesos_writes_them() {
        let ten_minutes = Permits { number: 1, within: Span::from_secs(600) };
        assert_eq!(Permits::read("1/10mins"), Some(ten_minutes));
        assert_eq!(Permits::read("2/3hrs").map(Permits::interval), Some(Span::from_secs(5_400)));
        assert_eq!(Permits::read("none"), Some(Permits::UNLIMITED));
        for wrong in ["", "1", "0/10mins", "1/0secs", "1/10parsecs", "x/10mins"] {
            assert_eq!(Permits::read(wrong), None, "{wrong}");
        }
        assert_eq!(Permits::read(&ten_minutes.to_string()), Some(ten_minutes));
    }

    #[test]
    fn back_off_reaches_its_longest_wait_with_the_forty_second_failure() {
        let backoff = LaunchBackoff { initial: Span::from_secs(1), factor: 1_150, max: Span::from_secs(300) };
        let mut wait = None;
        let mut waits = Vec::new();
        for _ in 0..42 {
            wait = Some(backoff.next(wait));
            waits.extend(wait);
        }
        assert_eq!(waits[0], Span::from_secs(1));
        // 1.15^9 and 1.15^19.
        assert_eq!(waits[9].as_nanos() / 100_000_000, 35);
        assert_eq!(waits[19].as_nanos() / 100_000_000, 142);
        assert!(waits[40] < backoff.max && waits[41] == backoff.max, "{:?}", &waits[39..]);
    }
}
