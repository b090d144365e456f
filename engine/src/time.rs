//! Simulated time: an instant and a span, both in whole nanoseconds.
//!
//! Not wall-clock time: nothing here reads a clock. Start at [`Time`] and [`Span`].

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;
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

    /// Written exactly, in the longest unit that needs no fraction: `350200ms`, `90s`. Reads back as the same span,
    /// which the rounded [`Display`](fmt::Display) does not promise.
    pub fn exact(self) -> String {
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
        let (name, unit) = units.into_iter().find(|(_, unit)| self.0.is_multiple_of(*unit)).unwrap_or(("ns", 1));
        format!("{}{name}", self.0 / unit)
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

/// Units of spans, longest first, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanError {
    /// There is nothing.
    Empty,
    /// A number was expected at the start of this.
    Number(String),
    /// This is no unit; the empty text where a unit is missing.
    Unit(String),
    /// Units do not go from long to short.
    Order,
    /// A fraction is finer than a nanosecond.
    TooFine,
    /// Longer than 584 years.
    TooLong,
}

impl std::error::Error for SpanError {}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a duration is missing: write `90s`, `1m30s` or `250ms`"),
            Self::Number(rest) => write!(f, "`{rest}` does not begin with a number: write `90s`, `1m30s` or `250ms`"),
            Self::Unit(unit) if unit.is_empty() => f.write_str("the unit is missing: use h, m, s, ms, us or ns"),
            Self::Unit(unit) => write!(f, "`{unit}` is not a unit of time: use h, m, s, ms, us or ns"),
            Self::Order => f.write_str("units go from long to short, each at most once: write `1h30m`"),
            Self::TooFine => f.write_str("the fraction is finer than a nanosecond: leave digits out"),
            Self::TooLong => f.write_str("this is longer than 584 years: use a shorter duration"),
        }
    }
}

/// Reads `50s`, `1m30s`, `1.5s`, `250ms`, `100us`; a bare `0` is no time at all. Exact: what cannot be represented in
/// nanoseconds is an error.
impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        match text {
            "" => return Err(SpanError::Empty),
            "0" => return Ok(Self::ZERO),
            _ => {}
        }
        let mut rest = text;
        let mut nanos: u64 = 0;
        let mut shorter_than = u64::MAX;
        while !rest.is_empty() {
            let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
            let (name, next) = split(after, |c| !c.is_ascii_digit() && c != '.');
            if number.is_empty() {
                return Err(SpanError::Number(rest.to_owned()));
            }
            let unit = UNITS.iter().find(|(unit, _)| *unit == name).ok_or_else(|| SpanError::Unit(name.to_owned()))?.1;
            if unit >= shorter_than {
                return Err(SpanError::Order);
            }
            nanos = nanos.checked_add(scaled(number, unit)?).ok_or(SpanError::TooLong)?;
            shorter_than = unit;
            rest = next;
        }
        Ok(Self(nanos))
    }
}

/// Splits off the longest start of which all characters satisfy `belongs`.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// A decimal number times `unit`, exactly.
fn scaled(number: &str, unit: u64) -> Result<u64, SpanError> {
    let malformed = || SpanError::Number(number.to_owned());
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(malformed()),
        Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
        None => (number, ""),
    };
    if whole.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let whole: u64 = whole.parse().map_err(|_| SpanError::TooLong)?;
    let nanos = whole.checked_mul(unit).ok_or(SpanError::TooLong)?;
    let places = u32::try_from(fraction.len()).map_err(|_| SpanError::TooFine)?;
    let place = 10u128.checked_pow(places).ok_or(SpanError::TooFine)?;
    let digits: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| SpanError::TooFine)? };
    let product = digits.checked_mul(u128::from(unit)).ok_or(SpanError::TooFine)?;
    if product % place != 0 {
        return Err(SpanError::TooFine);
    }
    let part = u64::try_from(product / place).expect("a fraction of a unit is less than the unit");
    nanos.checked_add(part).ok_or(SpanError::TooLong)
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
            if tenths.is_multiple_of(10) {
                write!(f, "{}s", tenths / 10)
            } else {
                write!(f, "{}.{}s", tenths / 10, tenths % 10)
            }
        } else if n < 3_600 * SECOND {
            let s = n / SECOND;
            if s.is_multiple_of(60) { write!(f, "{}m", s / 60) } else { write!(f, "{}m{:02}s", s / 60, s % 60) }
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

    #[test]
    fn spans_are_read_exactly() {
        let read = |text: &str| text.parse::<Span>().map(Span::as_nanos);
        for (text, nanos) in [
            ("0", 0),
            ("50s", 50_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            ("12m05s", 725_000_000_000),
            ("0.25h", 900_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("250ms", 250_000_000),
            ("100us", 100_000),
            ("1.50µs", 1_500),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(read(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_says_why() {
        let error = |text: &str| text.parse::<Span>().expect_err(text);
        assert_eq!(error(""), SpanError::Empty);
        assert_eq!(error("5"), SpanError::Unit(String::new()));
        assert_eq!(error("5 s"), SpanError::Unit(" s".into()));
        assert_eq!(error("5d"), SpanError::Unit("d".into()));
        assert_eq!(error("-5s"), SpanError::Number("-5s".into()));
        assert_eq!(error("1.s"), SpanError::Number("1.".into()));
        assert_eq!(error("1.2.3s"), SpanError::Number("1.2.3".into()));
        assert_eq!(error(".5s"), SpanError::Number(".5".into()));
        assert_eq!(error("30s1m"), SpanError::Order);
        assert_eq!(error("1s1s"), SpanError::Order);
        assert_eq!(error("0.5ns"), SpanError::TooFine);
        assert_eq!(error(&format!("0.{}1s", "0".repeat(99))), SpanError::TooFine);
        assert_eq!(error("5999999h"), SpanError::TooLong);
        assert_eq!(error(&"9".repeat(99)), SpanError::Unit(String::new()));
        assert_eq!(error(&format!("{}s", "9".repeat(99))), SpanError::TooLong);
    }

    proptest::proptest! {
        #[test]
        fn an_exact_span_reads_back(nanos: u64) {
            let span = Span::from_nanos(nanos);
            proptest::prop_assert_eq!(span.exact().parse(), Ok(span));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9.hmsuµn -]{0,40}") {
            let _ = text.parse::<Span>();
        }
    }
}
