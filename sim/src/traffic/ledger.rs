//! The ledger: turns rates and shares into whole thousandths of requests without losing any.
//!
//! Start at [`Ledger::book`].

use shakedown_chaos::load::Traffic;
use shakedown_engine::fact::TrafficSlice;
use shakedown_engine::ids::TrafficId;
use shakedown_engine::time::Time;

use super::outcome::Mix;
use crate::network::CERTAIN;

/// Requests in 1,000 s times nanoseconds, per thousandth of a request.
const PER_REQUEST: u128 = 1_000_000_000;
/// The same times parts of a billion.
const PER_PART: u128 = PER_REQUEST * CERTAIN as u128;

/// Remainders that are carried from slice to slice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    requests: u128,
    outcomes: [i128; 5],
    attempts: u128,
    stale: u128,
    new: u128,
}

impl Ledger {
    /// The amounts of one interval. Over a run they add up to the rate times the time, exactly; in each slice the five
    /// outcomes add up to the requests, exactly.
    pub(crate) fn book(
        &mut self,
        (source, traffic): (TrafficId, &Traffic),
        mix: &Mix,
        (since, now): (Time, Time),
    ) -> TrafficSlice {
        let volume = u128::from(traffic.rate_per_1000s) * u128::from(now.since(since).as_nanos());
        let requests = carry(&mut self.requests, volume, PER_REQUEST);
        let shares = [mix.good(), mix.slow, mix.timed_out, mix.refused, mix.errors];
        let [good, slow, timed_out, refused, errors] = self.split(requests, volume, shares);
        TrafficSlice {
            source,
            service: traffic.to,
            since,
            requests,
            good,
            slow,
            timed_out,
            refused,
            errors,
            attempts: carry(&mut self.attempts, volume * u128::from(mix.attempts), PER_PART),
            stale: carry(&mut self.stale, volume * u128::from(mix.stale), PER_PART),
            on_new_revision: carry(&mut self.new, volume * u128::from(mix.new), PER_PART),
            latency: mix.latency,
        }
    }

    /// Splits requests by shares; the outcome with the largest share takes what rounding leaves.
    fn split(&mut self, requests: u64, volume: u128, shares: [u64; 5]) -> [u64; 5] {
        let largest = (0..5).max_by_key(|&i| (shares[i], std::cmp::Reverse(i))).expect("there are five outcomes");
        let mut left = requests;
        let mut amounts = [0; 5];
        for i in 0..5 {
            self.outcomes[i] += (volume * u128::from(shares[i])) as i128;
            if i != largest {
                let due = u64::try_from(self.outcomes[i] / PER_PART as i128).unwrap_or(0);
                amounts[i] = due.min(left);
                left -= amounts[i];
            }
        }
        amounts[largest] = left;
        for (carried, amount) in self.outcomes.iter_mut().zip(amounts) {
            *carried -= i128::from(amount) * PER_PART as i128;
        }
        amounts
    }
}

/// Adds to a remainder and takes the whole units out.
fn carry(remainder: &mut u128, add: u128, unit: u128) -> u64 {
    *remainder += add;
    let whole = *remainder / unit;
    *remainder %= unit;
    u64::try_from(whole).unwrap_or(u64::MAX)
}
