//! Overrides: each value of a profile under the flag name that its orchestrator gives it.
//!
//! Values that a real system has as a constant have a flag too, under a name that says what they are. A flag checks its
//! own value; what several values must satisfy together is checked by [`Profile::validate`] after all are set.
//! Start at [`Profile::set`]; the flags themselves are in one file per orchestrator.

use super::consensus::{Ballot, Consensus, Raft};
use std::fmt;

use super::pressure::Signals;
use super::{
    Balanced, Constraints, Covers, FailureAction, FitAlgorithm, Permits, Ports, Profile, RestartCondition, RestartMode,
    RestartWhen, SlotOrder, Strategy, Wake,
};
use crate::model::{Amount, Growth};
use crate::time::Span;

/// One overridable value.
#[derive(Clone, Copy)]
pub struct Flag {
    /// The orchestrator's own name for it.
    pub name: &'static str,
    /// What it means, one sentence.
    pub doc: &'static str,
    /// Where name and default come from.
    pub source: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Reads it.
    pub get: fn(&Profile) -> Value,
    /// Writes a value that `kind` has read.
    set: fn(&mut Profile, Value),
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A value of a flag. Its text reads back as the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A length of time, written `50s`.
    Span(Span),
    /// A whole number.
    Count(u64),
    /// A number with up to three decimals, kept in thousandths: `0.1`.
    Thousandths(u64),
    /// A number or a percentage: `3`, `25%`.
    Amount(Amount),
    /// `true` or `false`.
    Switch(bool),
    /// One of a few words.
    Word(String),
    /// A value for each of several signals: `memory.available<100Mi,nodefs.available<10%`.
    Signals(Signals),
    /// So many in a time: `1/10m`.
    Permits(Permits),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => f.write_str(&span.exact()),
            Self::Count(n) => write!(f, "{n}"),
            Self::Thousandths(n) => {
                let decimals = format!("{}.{:03}", n / 1_000, n % 1_000);
                f.write_str(decimals.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Amount(Amount::Count(n)) => write!(f, "{n}"),
            Self::Amount(Amount::Percent(n)) => write!(f, "{n}%"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::Word(word) => f.write_str(word),
            Self::Signals(signals) => signals.fmt(f),
            Self::Permits(permits) => permits.fmt(f),
        }
    }
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A length of time.
    Span,
    /// A length of time above zero: something is repeated that often.
    Period,
    /// A length of time; a bare number counts seconds, as the orchestrator itself has it.
    Seconds,
    /// The same, above zero.
    PeriodSeconds,
    /// A whole number.
    Count,
    /// A whole number above zero.
    Positive,
    /// A whole number up to 100.
    Percent,
    /// A number with up to three decimals.
    Rate,
    /// A number from 0 to 1 with up to three decimals.
    Share,
    /// A number or a percentage.
    Amount,
    /// Yes or no.
    Switch,
    /// Amounts or lengths of time by signal.
    Signals,
    /// So many in a time.
    Permits,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// The value that `text` is, if it is one of this kind.
    pub fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Span => text.parse().ok().map(Value::Span),
            Self::Period => Self::Span.read(text).filter(|v| *v != Value::Span(Span::ZERO)),
            Self::Seconds => match count(text) {
                Some(seconds) => Some(Value::Span(Span::from_secs(seconds))),
                None => Self::Span.read(text),
            },
            Self::PeriodSeconds => Self::Seconds.read(text).filter(|v| *v != Value::Span(Span::ZERO)),
            Self::Count => count(text).map(Value::Count),
            Self::Positive => count(text).filter(|n| *n > 0).map(Value::Count),
            Self::Percent => count(text).filter(|n| *n <= 100).map(Value::Count),
            Self::Rate => thousandths(text).map(Value::Thousandths),
            Self::Share => thousandths(text).filter(|n| *n <= 1_000).map(Value::Thousandths),
            Self::Amount => amount(text).map(Value::Amount),
            Self::Switch => text.parse().ok().map(Value::Switch),
            Self::Signals => Signals::read(text).map(Value::Signals),
            Self::Permits => Permits::read(text).map(Value::Permits),
            Self::Word(words) => words.contains(&text).then(|| Value::Word(text.to_owned())),
        }
    }

    /// What it takes, in words, with an example.
    pub fn expected(self) -> String {
        match self {
            Self::Span => "a length of time such as `50s`, `1m30s` or `500ms`".into(),
            Self::Period => "a length of time above zero such as `10s` or `500ms`".into(),
            Self::Seconds => "seconds such as `300`, or a length of time such as `5m`".into(),
            Self::PeriodSeconds => "seconds above zero such as `40`, or a length of time such as `1m`".into(),
            Self::Count => "a whole number such as `10`".into(),
            Self::Positive => "a whole number above zero such as `10`".into(),
            Self::Percent => "a percentage from `0` to `100`".into(),
            Self::Rate => "a number with at most three decimals such as `0.1`".into(),
            Self::Share => "a number from 0 to 1 with at most three decimals such as `0.55`".into(),
            Self::Amount => "a number such as `3` or a percentage such as `25%`".into(),
            Self::Switch => "`true` or `false`".into(),
            Self::Signals => {
                "amounts such as `memory.available<100Mi,nodefs.available<10%`, or times such as `memory.available=90s`"
                    .into()
            }
            Self::Permits => "so many in a time such as `1/10mins`, or `none`".into(),
            Self::Word(words) => format!("one of `{}`", words.join("`, `")),
        }
    }
}

/// A whole number of at most 32 bits. Signs are refused, which the standard parser lets through.
fn count(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u32>().ok().filter(|_| digits).map(u64::from)
}

fn thousandths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.is_empty() || decimals.len() > 3 {
        return None;
    }
    let thousandths = count(&format!("{decimals:0<3}"))?;
    // Held in 32 bits by the profiles.
    count(whole)?.checked_mul(1_000)?.checked_add(thousandths).filter(|n| *n <= u64::from(u32::MAX))
}

fn amount(text: &str) -> Option<Amount> {
    let (digits, amount): (_, fn(u32) -> Amount) = match text.strip_suffix('%') {
        Some(digits) => (digits, Amount::Percent),
        None => (text, Amount::Count),
    };
    count(digits).and_then(|n| u32::try_from(n).ok()).map(amount)
}

/// Why a value cannot be set, or why values do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagError {
    /// The profile has no such flag.
    Unknown {
        /// The name that was given.
        name: String,
        /// The profile.
        profile: String,
        /// The names closest to it, closest first.
        nearest: Vec<&'static str>,
    },
    /// The text is not what the flag takes.
    Bad {
        /// The flag.
        flag: &'static str,
        /// The text that was given.
        text: String,
        /// What the flag takes.
        expected: String,
    },
    /// Two values contradict each other.
    Inconsistent {
        /// What is wrong and what to do.
        reason: String,
    },
}

impl std::error::Error for FlagError {}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, profile, nearest } => {
                write!(f, "`{name}` is not a setting of {profile}")?;
                if nearest.is_empty() { Ok(()) } else { write!(f, ": did you mean `{}`?", nearest.join("`, `")) }
            }
            Self::Bad { flag, text, expected } => write!(f, "`{flag}` cannot be `{text}`: write {expected}"),
            Self::Inconsistent { reason } => f.write_str(reason),
        }
    }
}

impl Profile {
    /// The flag called `name`.
    pub fn flag(&self, name: &str) -> Result<&'static Flag, FlagError> {
        self.flags.iter().find(|flag| flag.name == name).ok_or_else(|| FlagError::Unknown {
            name: name.to_owned(),
            profile: self.name.clone().into_owned(),
            nearest: super::nearest::names(name, self.flags.iter().map(|flag| flag.name)),
        })
    }

    /// Overrides one value. When all are set, ask [`Self::validate`] whether they go together.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), FlagError> {
        let flag = self.flag(name)?;
        let value = flag.kind.read(text.trim()).ok_or_else(|| FlagError::Bad {
            flag: flag.name,
            text: text.to_owned(),
            expected: flag.kind.expected(),
        })?;
        (flag.set)(self, value);
        Ok(())
    }

    /// A value as text that [`Self::set`] takes.
    pub fn get(&self, name: &str) -> Result<String, FlagError> {
        self.flag(name).map(|flag| (flag.get)(self).to_string())
    }

    /// Every flag with its value as text, for reports of what was assumed.
    pub fn settings(&self) -> impl Iterator<Item = (&'static Flag, String)> + '_ {
        self.flags.iter().map(|flag| (flag, (flag.get)(self).to_string()))
    }
}

/// A type that fields of a profile have.
pub(super) trait Field: Sized {
    /// The field as a value of `kind`.
    fn value(&self, kind: Kind) -> Value;
    /// The field from a value, `None` for one of another kind.
    fn from_value(value: Value) -> Option<Self>;
}

impl Field for Span {
    fn value(&self, _: Kind) -> Value {
        Value::Span(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Span(span) = value { Some(span) } else { None }
    }
}

impl Field for u32 {
    fn value(&self, kind: Kind) -> Value {
        let number = u64::from(*self);
        if matches!(kind, Kind::Rate | Kind::Share) { Value::Thousandths(number) } else { Value::Count(number) }
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Count(n) | Value::Thousandths(n) => Self::try_from(n).ok(),
            _ => None,
        }
    }
}

impl Field for Amount {
    fn value(&self, _: Kind) -> Value {
        Value::Amount(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Amount(amount) = value { Some(amount) } else { None }
    }
}

impl Field for Signals {
    fn value(&self, _: Kind) -> Value {
        Value::Signals(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Signals(signals) = value { Some(signals) } else { None }
    }
}

impl Field for Permits {
    fn value(&self, _: Kind) -> Value {
        Value::Permits(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Permits(permits) = value { Some(permits) } else { None }
    }
}

impl Field for bool {
    fn value(&self, _: Kind) -> Value {
        Value::Switch(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Switch(on) = value { Some(on) } else { None }
    }
}

/// Words of an enumeration, both ways.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Its words, as a flag takes them.
            pub(super) const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl Field for $type {
            fn value(&self, _: Kind) -> Value {
                Value::Word(match self { $(Self::$variant => $word),+ }.to_owned())
            }
            fn from_value(value: Value) -> Option<Self> {
                let Value::Word(word) = value else { return None };
                match word.as_str() { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(Covers { Nobody = "nobody", Declared = "declared", Probed = "probed", Exposed = "exposed", Services = "services" });
words!(SlotOrder { StopFirst = "stop-first", StartFirst = "start-first" });
words!(Constraints { AtPlacement = "at-placement", Enforced = "enforced" });
words!(RestartCondition { Any = "any", OnFailure = "on-failure", Never = "none" });
words!(FailureAction { Pause = "pause", Continue = "continue", Rollback = "rollback" });
/// Growth by other factors than two is a workload's own wish.
impl Growth {
    /// Its words, as a flag takes them.
    pub(super) const WORDS: &'static [&'static str] = &["constant", "exponential", "fibonacci"];
}

impl Field for Growth {
    fn value(&self, _: Kind) -> Value {
        let word = match self {
            Self::Constant => "constant",
            Self::Factor(_) => "exponential",
            Self::Fibonacci => "fibonacci",
        };
        Value::Word(word.to_owned())
    }
    fn from_value(value: Value) -> Option<Self> {
        let Value::Word(word) = value else { return None };
        match word.as_str() {
            "constant" => Some(Self::Constant),
            "exponential" => Some(Self::Factor(2_000)),
            "fibonacci" => Some(Self::Fibonacci),
            _ => None,
        }
    }
}

words!(RestartMode { Fail = "fail", Delay = "delay" });
words!(Strategy { Spread = "spread", Binpack = "binpack", Random = "random" });
words!(Ports { Shared = "shared", Host = "host" });
words!(RestartWhen { Declared = "declared", Off = "OFF", OnFailure = "ON_FAILURE", Always = "ALWAYS" });
words!(Wake { Hints = "hints", Kinds = "kinds", Any = "any", Nothing = "nothing" });
words!(FitAlgorithm { Binpack = "binpack", Spread = "spread" });
words!(Balanced { After = "after", Change = "change", Difference = "difference" });

/// The field that `value` is: flags read their own kind only.
pub(super) fn field<F: Field>(value: Value) -> F {
    F::from_value(value).expect("a flag writes only what its kind has read, and that fits its field")
}

/// Flags are listed in the file of the orchestrator whose profile has what they reach into.
const VARIANT: &str = "the flag is of a profile with this variant";

/// A flag of one field (`path.to.field`), of a field in a variant (`in path, Variant(v) => v.field`), or of its own
/// making (`|p| value, |p, value| { … }`).
macro_rules! flag {
    ($name:literal, $doc:literal, $source:literal, $kind:expr, in $($path:ident).+, $variant:pat => $place:expr) => {
        Flag {
            name: $name,
            doc: $doc,
            source: $source,
            kind: $kind,
            get: |profile| {
                let $variant = &profile.$($path).+ else { unreachable!("{VARIANT}") };
                $place.value($kind)
            },
            set: |profile, value| {
                let $variant = &mut profile.$($path).+ else { unreachable!("{VARIANT}") };
                $place = field(value);
            },
        }
    };
    ($name:literal, $doc:literal, $source:literal, $kind:expr, |$p:ident| $get:expr, |$q:ident, $v:ident| $do:expr) => {
        Flag {
            name: $name,
            doc: $doc,
            source: $source,
            kind: $kind,
            get: |$p| $get.value($kind),
            set: |$q, $v| $do,
        }
    };
    ($name:literal, $doc:literal, $source:literal, $kind:expr, $($path:ident).+) => {
        flag!($name, $doc, $source, $kind, |p| p.$($path).+, |p, v| p.$($path).+ = field(v))
    };
}

/// Elections by votes, for profiles that have them.
fn raft(profile: &Profile) -> Raft {
    let Some(Consensus { ballot: Ballot::Raft(raft), .. }) = profile.control.machine.consensus else {
        unreachable!("{VARIANT}")
    };
    raft
}

fn raft_mut(profile: &mut Profile) -> &mut Raft {
    let Some(Consensus { ballot: Ballot::Raft(raft), .. }) = &mut profile.control.machine.consensus else {
        unreachable!("{VARIANT}")
    };
    raft
}

#[path = "flags_autoscaling.rs"]
mod autoscaling;
#[path = "flags_cattle.rs"]
mod cattle;
#[path = "flags_consul.rs"]
mod consul;
#[path = "flags_diego.rs"]
mod diego;
#[path = "flags_ecs.rs"]
mod ecs;
#[path = "flags_fleet.rs"]
mod fleet;
#[path = "flags_kubernetes.rs"]
mod kubernetes;
#[path = "flags_machine.rs"]
mod machine;
#[path = "flags_marathon.rs"]
mod marathon;
#[path = "flags_nomad.rs"]
mod nomad;
#[path = "flags_nomad_life.rs"]
mod nomad_life;
#[path = "flags_openshift.rs"]
mod openshift;
#[path = "flags_pressure.rs"]
mod pressure;
#[path = "flags_storage.rs"]
mod storage;
#[path = "flags_swarm.rs"]
mod swarm;
#[path = "flags_swarm_standalone.rs"]
mod swarm_standalone;
#[path = "flags_tutum.rs"]
mod tutum;

pub(super) use kubernetes::SYSTEM_SPREAD;

/// Flags of Kubernetes, in this order.
pub(super) const KUBERNETES: &[Flag] = &joined::<{ length(&OF_KUBERNETES) }>(&OF_KUBERNETES);
const OF_KUBERNETES: [&[Flag]; 5] =
    [kubernetes::FLAGS, &storage::FLAGS, &autoscaling::FLAGS, &machine::FLAGS, &pressure::FLAGS];

/// Flags of Nomad, in this order.
pub(super) const NOMAD: &[Flag] = &joined::<{ length(&OF_NOMAD) }>(&OF_NOMAD);
const OF_NOMAD: [&[Flag]; 3] = [nomad::FLAGS, &nomad_life::FLAGS, consul::FLAGS];

/// How many flags are in lists together.
const fn length(lists: &[&[Flag]]) -> usize {
    let (mut list, mut sum) = (0, 0);
    while list < lists.len() {
        sum += lists[list].len();
        list += 1;
    }
    sum
}

/// Lists one after the other.
const fn joined<const N: usize>(lists: &[&[Flag]]) -> [Flag; N] {
    let mut all = [lists[0][0]; N];
    let (mut at, mut list, mut start) = (0, 0, 0);
    while at < N {
        while at - start >= lists[list].len() {
            (start, list) = (start + lists[list].len(), list + 1);
        }
        all[at] = lists[list][at - start];
        at += 1;
    }
    all
}
pub(super) use cattle::FLAGS as CATTLE;
/// Flags of OpenShift.
pub(super) const OPENSHIFT: &[Flag] =
    &joined::<{ KUBERNETES.len() + openshift::FLAGS.len() }>(&[KUBERNETES, &openshift::FLAGS]);
pub(super) use diego::FLAGS as DIEGO;
pub(super) use ecs::FLAGS as ECS;
pub(super) use fleet::FLAGS as FLEET;
pub(super) use marathon::FLAGS as MARATHON;
pub(super) use swarm::FLAGS as SWARM;
pub(super) use swarm_standalone::FLAGS as SWARM_STANDALONE;
pub(super) use tutum::FLAGS as TUTUM;

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
