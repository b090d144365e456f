//! Numbers as people read them. Floats appear here and nowhere before.
//!
//! Start at [`measured`].

use shakedown_chaos::expect::Unit;
use shakedown_engine::time::{Span, Time};

use crate::measure::{Distribution, Measured};

/// A value in its unit.
pub fn quantity(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Span => span(value),
        Unit::Ratio => percent(value),
        Unit::Count => count(value),
    }
}

/// A measured value, or why there is none.
pub fn measured(unit: Unit, value: Measured) -> String {
    match value {
        Measured::Nothing => "nothing".to_owned(),
        Measured::Never => "never".to_owned(),
        Measured::Value(value) => quantity(unit, value),
    }
}

/// A measured value in a table, where a dash says that there is none.
pub fn cell(unit: Unit, value: Measured) -> String {
    if value == Measured::Nothing { "-".to_owned() } else { measured(unit, value) }
}

/// One statistic of a distribution of spans.
pub fn stat(of: &Distribution, which: shakedown_chaos::expect::Statistic) -> String {
    cell(Unit::Span, of.statistic(which))
}

/// Nanoseconds as `350.2s`.
pub fn span(nanos: u64) -> String {
    Span::from_nanos(nanos).to_string()
}

/// A moment as a stop watch shows it: `5:00`, `5:52.4`, `1:05:00`.
pub fn clock(at: Time) -> String {
    let tenths = at.as_nanos() / 100_000_000;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let tenth = if tenth == 0 { String::new() } else { format!(".{tenth}") };
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}{tenth}")
    } else {
        format!("{minutes}:{seconds:02}{tenth}")
    }
}

/// Millionths as `99.95%`, cut off rather than rounded: 99.9999 % is not 100 %.
pub fn percent(ppm: u64) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    if rest == 0 {
        return format!("{whole}%");
    }
    let digits = format!("{rest:04}");
    format!("{whole}.{}%", digits.trim_end_matches('0'))
}

/// Millionths as `99.95%` with at most two decimals, cut off.
pub fn percent_short(ppm: u64) -> String {
    percent(ppm - ppm % 100)
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text from a scenario as a terminal may show it: control characters and those that turn the direction of writing
/// round are replaced, so that a name can neither move the cursor, nor hide or reorder what is said about it.
pub fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `1 replica`, `2 replicas`.
pub fn plural(n: u64, word: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {word}{ending}", count(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_cut_off_not_rounded() {
        assert_eq!(percent(999_999), "99.9999%");
        assert_eq!(percent_short(999_999), "99.99%");
        assert_eq!(percent(1_000_000), "100%");
        assert_eq!(percent(987_000), "98.7%");
        assert_eq!(percent(5_000), "0.5%");
    }

    #[test]
    fn moments_are_shown_as_on_a_stop_watch() {
        let show = |millis| clock(Time::ZERO + Span::from_millis(millis));
        assert_eq!(show(0), "0:00");
        assert_eq!(show(352_450), "5:52.4");
        assert_eq!(show(3_900_000), "1:05:00");
    }

    #[test]
    fn what_would_steer_a_terminal_is_replaced() {
        assert_eq!(harmless("a\u{1b}[2Jb\rc\u{202e}d\u{9b}e"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e");
        assert_eq!(harmless("Grüße, Zoë: 日本"), "Grüße, Zoë: 日本");
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(plural(1, "pod"), "1 pod");
        assert_eq!(plural(1000, "pod"), "1,000 pods");
    }
}
