//! Simulated time: an instant and a span, both in whole nanoseconds.
//!
//! Not wall-clock time: nothing here reads a clock. Start at [`Time`] and [`Span`].

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

/// A length of time in nanoseconds. Arithmetic saturates instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `seconds` seconds after the start.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start, for display only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Time since `earlier`, zero when `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The first instant at or after `self` that is `phase` plus a whole number of `period`s.
    ///
    /// A zero period means "at any time" and returns `self`.
    pub const fn next_tick(self, period: Span, phase: Span) -> Self {
        if period.0 == 0 {
            return self;
        }
        let phase = phase.0 % period.0;
        if self.0 <= phase {
            return Self(phase);
        }
        let behind = (self.0 - phase) % period.0;
        if behind == 0 { self } else { Self(self.0.saturating_add(period.0 - behind)) }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `n` nanoseconds.
    pub const fn from_nanos(n: u64) -> Self {
        Self(n)
    }

    /// A span of `n` microseconds.
    pub const fn from_micros(n: u64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// A span of `n` milliseconds.
    pub const fn from_millis(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }

    /// A span of `n` seconds.
    pub const fn from_secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000_000))
    }

    /// Length in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Length in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Length in seconds, for display only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// True for a span of no length.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self` times `n`, saturating.
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// `self` scaled by `permille` thousandths, rounded down.
    pub const fn permille(self, permille: u64) -> Self {
        Self(((self.0 as u128 * permille as u128) / 1000) as u64)
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for Span {
    fn from(d: Duration) -> Self {
        Self(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// Written as people write it: `350.2s`, `12m05s`, `1h00m`, `40ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MILLI: u64 = 1_000_000;
        const SECOND: u64 = 1_000 * MILLI;
        let n = self.0;
        if n == 0 {
            f.write_str("0s")
        } else if n < MILLI {
            write!(f, "{}us", n / 1_000)
        } else if n < SECOND {
            write!(f, "{}ms", n / MILLI)
        } else if n < 600 * SECOND {
            let tenths = (n + 50 * MILLI) / (100 * MILLI);
            if tenths % 10 == 0 { write!(f, "{}s", tenths / 10) } else { write!(f, "{}.{}s", tenths / 10, tenths % 10) }
        } else if n < 3_600 * SECOND {
            let s = n / SECOND;
            if s % 60 == 0 { write!(f, "{}m", s / 60) } else { write!(f, "{}m{:02}s", s / 60, s % 60) }
        } else {
            let m = n / (60 * SECOND);
            write!(f, "{}h{:02}m", m / 60, m % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_tick_is_at_or_after_now_and_on_the_grid() {
        let tick = |now, period, phase| {
            Time::from_nanos(now).next_tick(Span::from_nanos(period), Span::from_nanos(phase)).as_nanos()
        };
        assert_eq!(tick(0, 5, 0), 0);
        assert_eq!(tick(1, 5, 0), 5);
        assert_eq!(tick(5, 5, 0), 5);
        assert_eq!(tick(6, 5, 2), 7);
        assert_eq!(tick(1, 5, 2), 2);
        assert_eq!(tick(9, 0, 0), 9);
    }

    #[test]
    fn spans_read_as_people_write_them() {
        let show = |ms| Span::from_millis(ms).to_string();
        assert_eq!(show(0), "0s");
        assert_eq!(show(40), "40ms");
        assert_eq!(show(350_200), "350.2s");
        assert_eq!(show(725_000), "12m05s");
        assert_eq!(show(3_600_000), "1h00m");
    }
}
