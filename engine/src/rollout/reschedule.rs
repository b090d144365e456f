//! When a replica that failed for good is placed anew: whether at all, and after which wait.
//!
//! A chain of replicas remembers when each was placed anew and how long that had waited. Source:
//! hashicorp/nomad:nomad/structs/structs.go, `RescheduleEligible` and `NextDelay`. Start at [`wait`].

use crate::model::Growth;
use crate::profile::RescheduleRule;
use crate::time::{Span, Time};

/// One time that a replica was placed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Time,
    /// How long that had waited.
    pub delay: Span,
}

/// How long a replica that failed at `failed` waits until it is placed anew; `None`: it is not.
pub fn wait(rule: &RescheduleRule, past: &[Attempt], failed: Time) -> Option<Span> {
    let recent = past.iter().filter(|attempt| failed.since(attempt.at) < rule.interval).count();
    let may = rule.unlimited || (recent as u64) < u64::from(rule.attempts);
    may.then(|| next_delay(rule, past, failed))
}

fn next_delay(rule: &RescheduleRule, past: &[Attempt], failed: Time) -> Span {
    let Some(last) = past.last() else { return rule.delay };
    let delay = match rule.growth {
        Growth::Constant => return rule.delay,
        Growth::Factor(thousandths) => {
            Span::from_nanos((u128::from(last.delay.as_nanos()) * u128::from(thousandths) / 1_000) as u64)
        }
        // After the longest wait a new series begins, and its first two are alike.
        Growth::Fibonacci => match past.len().checked_sub(2).map(|i| past[i].delay) {
            Some(before) if before == rule.max_delay && last.delay == rule.delay => last.delay,
            Some(before) => before + last.delay,
            None => last.delay,
        },
    };
    if rule.max_delay.is_zero() || delay <= rule.max_delay {
        return delay;
    }
    // One that held out for longer than the longest wait begins anew.
    if failed.since(last.at) > rule.max_delay { rule.delay } else { rule.max_delay }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: RescheduleRule = RescheduleRule {
        delay: Span::from_secs(30),
        growth: Growth::Factor(2_000),
        max_delay: Span::from_secs(3_600),
        attempts: 0,
        interval: Span::ZERO,
        unlimited: true,
    };

    /// Waits of a replica that fails 35 s after each placement.
    fn waits(rule: &RescheduleRule, n: usize, lives: u64) -> Vec<Option<u64>> {
        let (mut past, mut now, mut waits) = (Vec::new(), Time::ZERO, Vec::new());
        for _ in 0..n {
            now += Span::from_secs(lives);
            let delay = wait(rule, &past, now);
            waits.push(delay.map(|d| d.as_nanos() / 1_000_000_000));
            let Some(delay) = delay else { break };
            now += delay;
            past.push(Attempt { at: now, delay });
        }
        waits
    }

    #[test]
    fn waits_of_a_service_double_up_to_an_hour() {
        // Recorded on 1.1.2: 30, 60, 120, 240 s after the end of the last attempt.
        let want = [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600].map(Some);
        assert_eq!(waits(&SERVICE, 9, 35), want);
    }

    #[test]
    fn a_service_that_held_out_for_longer_than_the_longest_wait_begins_anew() {
        let past = [Attempt { at: Time::ZERO, delay: Span::from_secs(3_600) }];
        assert_eq!(wait(&SERVICE, &past, Time::from_secs(3_000)), Some(Span::from_secs(3_600)));
        assert_eq!(wait(&SERVICE, &past, Time::from_secs(4_000)), Some(Span::from_secs(30)));
    }

    #[test]
    fn batch_is_placed_anew_once_a_day_and_fibonacci_adds_the_two_before() {
        let batch = RescheduleRule {
            delay: Span::from_secs(5),
            growth: Growth::Constant,
            max_delay: Span::ZERO,
            attempts: 1,
            interval: Span::from_secs(86_400),
            unlimited: false,
        };
        assert_eq!(waits(&batch, 3, 60), [Some(5), None]);
        let fibonacci = RescheduleRule { growth: Growth::Fibonacci, max_delay: Span::from_secs(200), ..SERVICE };
        assert_eq!(waits(&fibonacci, 6, 35), [30, 30, 60, 90, 150, 200].map(Some));
    }
}
