//! Amounts as Docker writes them: sizes, CPUs, durations, ports. They differ from Kubernetes quantities.
//!
//! All arithmetic is on integers. Start at the forms; each says what it expects and how it is read.

use std::ops::RangeInclusive;

use shakedown_engine::model::{Bytes, MilliCpu};
use shakedown_engine::time::Span;

use crate::text::{MAX_BYTES, MAX_MILLI_CPU, Scale, parse_quantity, parse_span};

/// How a text becomes a value.
pub(super) struct Form<T> {
    /// In words, for problems.
    pub(super) expected: &'static str,
    pub(super) parse: fn(&str) -> Option<T>,
}

/// Bytes, with binary units.
pub(super) const SIZE: Form<Bytes> =
    Form { expected: "a size such as `512M`, `1.5g` or `1048576`; units are binary: b, k, m, g, t", parse: size };

/// Processors.
pub(super) const CPUS: Form<MilliCpu> = Form { expected: "a number of processors such as `0.5` or `2`", parse: cpus };

/// A length of time.
pub(super) const DURATION: Form<Span> =
    Form { expected: "a duration such as `90s`, `1m30s` or `500ms`", parse: duration };

/// A time of a health check; zero means the default.
pub(super) const CHECK: Form<Span> = Form {
    expected: "a duration of at least `1ms`, such as `5s` or `1m30s`",
    // Source: moby/moby:api/types/container/config.go, MinimumDuration.
    parse: |text| duration(text).filter(|span| span.is_zero() || *span >= Span::from_millis(1)),
};

/// A whole number.
pub(super) const COUNT: Form<u32> =
    Form { expected: "a whole number that is not negative", parse: |text| text.parse().ok() };

/// A share in thousandths.
pub(super) const RATIO: Form<u32> = Form { expected: "a number from `0` to `1`, such as `0.25`", parse: ratio };

/// A port or a range of ports.
pub(super) const PORTS: Form<RangeInclusive<u16>> =
    Form { expected: "a port from 1 to 65535, or a range such as `3000-3005`", parse: ports };

/// Source: docker/go-units:size.go, RAMInBytes: a decimal number, and a unit of 1024, whatever its case.
fn size(text: &str) -> Option<Bytes> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.len() > 24 || whole.is_empty() {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    // Twenty-four digits and fifty bits are below 128 bits.
    let bytes = digits.checked_mul(1 << shift)? / 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    i64::try_from(bytes).ok().filter(|&bytes| bytes <= MAX_BYTES).map(Bytes)
}

fn cpus(text: &str) -> Option<MilliCpu> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let milli = plain.then(|| parse_quantity(text, Scale::Milli)).flatten();
    milli.filter(|&milli| milli <= MAX_MILLI_CPU).map(MilliCpu)
}

fn ratio(text: &str) -> Option<u32> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let milli = plain.then(|| parse_quantity(text, Scale::Milli)).flatten()?;
    u32::try_from(milli).ok().filter(|&milli| milli <= 1000)
}

/// Go's durations, and days, as newer Compose takes them.
fn duration(text: &str) -> Option<Span> {
    parse_span(text).filter(|_| !text.contains("min"))
}

pub(super) fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (first, last) = (number(first)?, number(last)?);
    (first > 0 && first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units_in_any_case() {
        let bytes = |text| size(text).map(|bytes| bytes.0);
        for (text, want) in [("50M", 50 << 20), ("1gb", 1 << 30), ("1.5g", 3 << 29), ("64KiB", 64 << 10), ("7", 7)] {
            assert_eq!(bytes(text), Some(want), "{text}");
        }
        for bad in ["", "M", "-1m", "1x", "1.2.3m", "1 2m", ".5g", "99999999999999999999999p", "1e3"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn processors_have_no_units() {
        assert_eq!(cpus("0.25"), Some(MilliCpu(250)));
        assert_eq!(cpus("2"), Some(MilliCpu(2000)));
        for bad in ["", "250m", "1e3", "-1", "two"] {
            assert_eq!(cpus(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_need_units_and_ports_a_range() {
        assert_eq!(duration("1m30s"), Some(Span::from_secs(90)));
        for bad in ["30", "5min", "-5s", ""] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(ports("80"), Some(80..=80));
        assert_eq!(ports("80-82"), Some(80..=82));
        for bad in ["0", "65536", "82-80", "+80", "80-", "x"] {
            assert_eq!(ports(bad), None, "{bad}");
        }
    }
}
