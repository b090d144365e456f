//! Amounts with units, exactly: durations, CPU, bytes, percentages, rates.
//!
//! All arithmetic is on integers; nothing passes through a float. Kubernetes quantities follow
//! kubernetes/kubernetes:staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go: what is finer than the wanted
//! scale is rounded up. Start at [`parse_quantity`] and [`parse_span`].

use shakedown_engine::time::Span;

use super::decode::{Decode, text_schema, wrong_type};
use super::node::Node;
use crate::problem::Problems;

/// Into which unit a quantity is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Thousandths.
    Milli,
    /// Whole ones.
    Unit,
}

/// A Kubernetes quantity in `scale`, rounded up; `None` when it is malformed, negative or too large.
pub(crate) fn parse_quantity(text: &str, scale: Scale) -> Option<i64> {
    let (digits, exponent, rest) = decimal(text)?;
    let mut digits = digits;
    let mut ten = exponent;
    let binary = match rest {
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        "Ti" => 40,
        "Pi" => 50,
        "Ei" => 60,
        _ => 0,
    };
    if binary == 0 {
        ten += match rest {
            "n" => -9,
            "u" => -6,
            "m" => -3,
            "" => 0,
            "k" => 3,
            "M" => 6,
            "G" => 9,
            "T" => 12,
            "P" => 15,
            "E" => 18,
            _ => decimal_exponent(rest)?,
        };
    } else {
        digits = digits.checked_shl(binary).filter(|shifted| shifted >> binary == digits)?;
    }
    if scale == Scale::Milli {
        ten += 3;
    }
    i64::try_from(scaled(digits, ten)?).ok()
}

/// `digits` times ten to the `ten`th, rounded up.
fn scaled(digits: u128, ten: i32) -> Option<u128> {
    if digits == 0 {
        return Some(0);
    }
    if ten >= 0 {
        return digits.checked_mul(10u128.checked_pow(ten.unsigned_abs())?);
    }
    Some(10u128.checked_pow(ten.unsigned_abs()).map_or(1, |divisor| digits.div_ceil(divisor)))
}

/// `e3`, `E-3`.
fn decimal_exponent(rest: &str) -> Option<i32> {
    let digits = rest.strip_prefix(['e', 'E'])?;
    let value: i32 = digits.parse().ok()?;
    (-30..=30).contains(&value).then_some(value)
}

/// Splits `12.50Mi` into 1250, -2 and `Mi`.
fn decimal(text: &str) -> Option<(u128, i32, &str)> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.len() > 30 || (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, -i32::try_from(fraction.len()).ok()?, rest))
}

/// A duration: numbers with units, largest first, such as `90s`, `1m30s`, `1.5h`, `250ms`. A bare `0` is one, too.
pub(crate) fn parse_span(text: &str) -> Option<Span> {
    if text == "0" {
        return Some(Span::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    let mut last = u128::MAX;
    while !rest.is_empty() {
        let (digits, ten, after) = decimal(rest).filter(|_| !rest.starts_with('+'))?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(after.len());
        let nanos: u128 = match &after[..end] {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        if nanos >= last {
            return None;
        }
        last = nanos;
        total = total.checked_add(scaled(digits.checked_mul(nanos)?, ten)?)?;
        rest = &after[end..];
    }
    if text.is_empty() { None } else { u64::try_from(total).ok().map(Span::from_nanos) }
}

/// A percentage in units of ten to the `-places`th of one whole: `99.95%` with 6 places is 999500.
fn parse_percent(text: &str, places: i32) -> Option<u64> {
    let (digits, ten, rest) = decimal(text.strip_suffix('%')?.trim_end())?;
    if !rest.is_empty() {
        return None;
    }
    let scale = ten + places - 2;
    if scale < 0 && digits % 10u128.checked_pow(scale.unsigned_abs())? != 0 {
        return None;
    }
    u64::try_from(scaled(digits, scale)?).ok()
}

/// A share in millionths.
pub(crate) fn parse_ppm(text: &str) -> Option<u64> {
    parse_percent(text, 6)
}

/// Most CPU of anything, in thousandths: a thousand times the largest machines, and small enough that a hundred thousand
/// nodes of it can be added up.
pub(crate) const MAX_MILLI_CPU: i64 = 1_000_000_000;
/// Most bytes of anything: 1 PiB. Percentages of it still fit an `i64`.
pub(crate) const MAX_BYTES: i64 = 1 << 50;

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident($inner:ty), $expected:literal, $pattern:literal, $parse:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl Decode for $name {
            fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
                let Some(text) = node.scalar() else {
                    wrong_type(node, $expected, problems);
                    return None;
                };
                let parse: fn(&str) -> Option<$inner> = $parse;
                let value = parse(text);
                if value.is_none() {
                    problems
                        .error("E0204", node.mark, format!("`{text}` is not a valid value here"))
                        .expected(concat!("expected ", $expected));
                }
                value.map(Self)
            }
        }

        text_schema!($name, $expected, $pattern);
    )+};
}

units! {
    /// A length of time.
    Dur(Span), "a duration such as `90s`, `1m30s` or `250ms`", "^(0|([0-9.]+(ns|us|µs|ms|s|m|min|h|d))+)$", parse_span;
    /// CPU in thousandths of a core.
    Cores(i64), "CPU such as `2`, `0.5` or `250m`, at most `1000000`", "^[0-9.]+m?$", |text| parse_quantity(text, Scale::Milli).filter(|&milli| milli <= MAX_MILLI_CPU);
    /// Bytes.
    Size(i64), "bytes such as `512Mi`, `16Gi` or `40M`, at most `1Pi`", "^[0-9.]+([kMGTPE]|[KMGTPE]i)?$", |text| parse_quantity(text, Scale::Unit).filter(|&bytes| bytes <= MAX_BYTES);
    /// Whole percent, at most 100.
    Percent(u32), "a whole percentage such as `30%`", "^[0-9]+%$", |text| parse_percent(text, 2).and_then(|v| u32::try_from(v).ok()).filter(|&v| v <= 100);
    /// Thousandths, at most 1000.
    Permille(u32), "a percentage from `0%` to `100%`, with at most one decimal", "^[0-9.]+%$", |text| parse_percent(text, 3).and_then(|v| u32::try_from(v).ok()).filter(|&v| v <= 1000);
    /// Millionths, at most a whole.
    Ppm(u32), "a percentage such as `99.9%`, with at most four decimals", "^[0-9.]+%$", |text| parse_ppm(text).and_then(|v| u32::try_from(v).ok()).filter(|&v| v <= 1_000_000);
    /// Bytes an hour.
    GrowthRate(i64), "bytes in a time such as `50Mi/min`, `1Mi/s` or `2Gi/h`", "^[0-9.]+([kMGTPE]|[KMGTPE]i)?/(s|m|min|h)$", parse_growth;
    /// Events in 1,000 seconds.
    Rate(u64), "a rate such as `200/s`, `30/m` or `5/h`", "^[0-9.]+/(s|m|h)$", parse_rate;
}

/// Most growth of anything: what fills the largest amount in a second.
const MAX_GROWTH: i128 = MAX_BYTES as i128 * 3600;

/// Bytes in an hour.
fn parse_growth(text: &str) -> Option<i64> {
    let (amount, unit) = text.split_once('/')?;
    let bytes = i128::from(parse_quantity(amount.trim(), Scale::Unit)?);
    let in_an_hour = match unit.trim() {
        "s" => 3600,
        "m" | "min" => 60,
        "h" => 1,
        _ => return None,
    };
    i64::try_from(bytes.checked_mul(in_an_hour).filter(|growth| *growth <= MAX_GROWTH)?).ok()
}

fn parse_rate(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once('/')?;
    let (digits, ten, rest) = decimal(number.trim())?;
    let seconds: u128 = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    if !rest.is_empty() {
        return None;
    }
    let per_million_seconds = scaled(digits, ten + 6)?;
    u64::try_from(per_million_seconds.div_ceil(seconds * 1000)).ok().filter(|&rate| rate <= 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_exact_and_round_up() {
        let milli = |text| parse_quantity(text, Scale::Milli);
        let unit = |text| parse_quantity(text, Scale::Unit);
        for (text, want) in [
            ("250m", 250),
            ("0.5", 500),
            ("2", 2000),
            (".5", 500),
            ("5.", 5000),
            ("100u", 1),
            ("1e3", 1_000_000),
            ("0.0001", 1),
        ] {
            assert_eq!(milli(text), Some(want), "{text}");
        }
        for (text, want) in [
            ("64Mi", 64 << 20),
            ("1.5Gi", 3 << 29),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("1k", 1000),
            ("100m", 1),
            ("7Ei", 7 << 60),
        ] {
            assert_eq!(unit(text), Some(want), "{text}");
        }
        for bad in ["", "Mi", "12X", "1.2.3", "-1", "8Ei", "1 Gi", "1ki", "0x10", "9e99", "1e", "."] {
            assert_eq!(unit(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_exact() {
        let ms = |text| parse_span(text).map(|span| span.as_nanos() / 1_000_000);
        assert_eq!(ms("90s"), Some(90_000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("1.5h"), Some(5_400_000));
        assert_eq!(ms("0"), Some(0));
        for bad in ["", "5", "s", "1s1m", "1s1s", "1 m", "-1s", "1x", "1.2.3s", "99999999999999999999h"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn percentages_and_rates_are_exact() {
        assert_eq!(parse_ppm("99.95%"), Some(999_500));
        assert_eq!(parse_ppm("99.99999%"), None);
        assert_eq!(parse_rate("200/s"), Some(200_000));
        assert_eq!(parse_rate("0.5/s"), Some(500));
        assert_eq!(parse_rate("60/m"), Some(1000));
        assert_eq!(parse_rate("200"), None);
    }

    proptest! {
        #[test]
        fn a_quantity_means_the_same_however_it_is_written(n in 0i64..4_000_000) {
            let wanted = parse_quantity(&format!("{n}"), Scale::Unit);
            prop_assert_eq!(wanted, Some(n));
            prop_assert_eq!(parse_quantity(&format!("{n}000m"), Scale::Unit), wanted);
            prop_assert_eq!(parse_quantity(&format!("{n}e0"), Scale::Unit), wanted);
            prop_assert_eq!(parse_quantity(&format!("{n}.000"), Scale::Unit), wanted);
            prop_assert_eq!(parse_quantity(&format!("{n}Ki"), Scale::Unit), Some(n * 1024));
            prop_assert_eq!(parse_quantity(&format!("{n}m"), Scale::Milli), Some(n));
            prop_assert_eq!(parse_quantity(&format!("{n}m"), Scale::Unit), Some((n + 999) / 1000));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,40}") {
            let _ = (parse_quantity(&text, Scale::Milli), parse_span(&text), parse_ppm(&text), parse_rate(&text));
        }

        #[test]
        fn number_like_text_does_not_overflow(text in "[0-9.]{1,31}([eE]-?[0-9]{1,10}|[KMGTPE]i|[numkMGTPE]|h|d|%)?") {
            let _ = (parse_quantity(&text, Scale::Milli), parse_span(&text), parse_ppm(&text), parse_rate(&text));
        }
    }
}
