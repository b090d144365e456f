//! What an agent does when its node runs short of memory or disk: thresholds, graces, and how they are written.
//!
//! Amounts of several signals are written as kubelet's flags have them: `memory.available<100Mi,nodefs.available<10%`.
//! Start at [`PressurePolicy`].

use std::fmt;

use crate::message::Amount;
use crate::time::Span;

/// Eviction of pods by their node's agent.
#[derive(Clone, Debug)]
pub struct PressurePolicy {
    /// The agent looks at its node this often.
    pub period: Span,
    /// Less than this is available: a pod is evicted at once.
    pub hard: Signals,
    /// Less than this is available for `soft_grace`: a pod is evicted.
    pub soft: Signals,
    /// How long less than a soft threshold must be available.
    pub soft_grace: Signals,
    /// Time between the polite and the forced stop of a pod that a hard threshold evicts. Zero: at once.
    pub hard_grace: Span,
    /// The same for a soft threshold. Zero: the pod's own.
    pub max_pod_grace: Span,
    /// A node stays marked for at least this long after it last ran short.
    pub transition: Span,
    /// So much more than a threshold must be available again before it is over.
    pub min_reclaim: Signals,
    /// The kernel tells the agent at once that memory runs short.
    pub notified: bool,
}

/// What can run short, in the order of [`Signals`].
pub const SIGNALS: [&str; 3] = ["memory.available", "nodefs.available", "imagefs.available"];

/// One value for each of [`SIGNALS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals(pub [Option<Level>; 3]);

/// A threshold, an amount or a grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An amount.
    Amount(Amount),
    /// A length of time.
    Span(Span),
}

impl Level {
    /// The amount, when there are `all` bytes. A length of time is none.
    pub fn bytes(self, all: i64) -> i64 {
        match self {
            Self::Amount(amount) => amount.of(all),
            Self::Span(_) => 0,
        }
    }
}

impl Signals {
    /// Amounts, in the order of [`SIGNALS`].
    pub const fn amounts(memory: Amount, nodefs: Amount, imagefs: Amount) -> Self {
        Self([Some(Level::Amount(memory)), Some(Level::Amount(nodefs)), Some(Level::Amount(imagefs))])
    }

    /// The length of time of a signal.
    pub fn span(&self, signal: usize) -> Span {
        match self.0[signal] {
            Some(Level::Span(span)) => span,
            _ => Span::ZERO,
        }
    }

    /// Reads `signal<amount` or `signal=span`, joined by commas; `-` or nothing means none.
    pub fn read(text: &str) -> Option<Self> {
        let mut signals = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "-") {
            let (name, value) = part.split_once(['<', '='])?;
            let place = SIGNALS.iter().position(|signal| *signal == name.trim())?;
            signals.0[place] = Some(level(value.trim())?);
        }
        Some(signals)
    }
}

fn level(text: &str) -> Option<Level> {
    if let Some(percent) = text.strip_suffix('%') {
        let permille = percent.parse::<u32>().ok().filter(|n| *n <= 100)? * 10;
        return Some(Level::Amount(Amount::Permille(permille)));
    }
    const UNITS: [(&str, u32); 4] = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    for (unit, shift) in UNITS {
        if let Some(number) = text.strip_suffix(unit) {
            let bytes = number.parse::<i64>().ok().filter(|n| (0..1 << 40).contains(n))?.checked_mul(1 << shift)?;
            return Some(Level::Amount(Amount::Bytes(bytes)));
        }
    }
    match text.parse::<i64>() {
        Ok(bytes) if bytes >= 0 => Some(Level::Amount(Amount::Bytes(bytes))),
        Ok(_) => None,
        Err(_) => text.parse().ok().map(Level::Span),
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(Amount::Permille(permille)) => write!(f, "<{}%", permille / 10),
            Self::Amount(Amount::Bytes(bytes)) => {
                let unit =
                    [("Gi", 30), ("Mi", 20), ("Ki", 10)].into_iter().find(|(_, s)| *bytes > 0 && bytes % (1 << s) == 0);
                match unit {
                    Some((unit, shift)) => write!(f, "<{}{unit}", bytes >> shift),
                    None => write!(f, "<{bytes}"),
                }
            }
            Self::Span(span) => write!(f, "={}", span.exact()),
        }
    }
}

impl fmt::Display for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = SIGNALS.iter().zip(&self.0).filter_map(|(name, level)| level.map(|level| format!("{name}{level}")));
        let all: Vec<String> = given.collect();
        f.write_str(if all.is_empty() { "-" } else { "" })?;
        f.write_str(&all.join(","))
    }
}

impl PressurePolicy {
    /// Kubelet's defaults.
    pub(super) fn kubernetes() -> Self {
        Self {
            // Source: kubernetes/kubernetes:pkg/kubelet/kubelet.go, `evictionMonitoringPeriod`.
            period: Span::from_secs(10),
            // Source: kubernetes/kubernetes:pkg/kubelet/eviction/defaults_linux.go, `DefaultEvictionHard`.
            hard: Signals::amounts(Amount::Bytes(100 << 20), Amount::Permille(100), Amount::Permille(150)),
            soft: Signals::default(),
            soft_grace: Signals::default(),
            // Source: kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go, `immediateEvictionGracePeriodSeconds`.
            hard_grace: Span::from_secs(1),
            max_pod_grace: Span::ZERO,
            // Source: kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go.
            transition: Span::from_secs(300),
            min_reclaim: Signals::default(),
            notified: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["memory.available<100Mi,nodefs.available<10%,imagefs.available<15%", "memory.available=1m30s", "-"]
        {
            let read = Signals::read(text).expect("it is well written");
            assert_eq!(Signals::read(&read.to_string()), Some(read), "{text}");
        }
        assert_eq!(
            PressurePolicy::kubernetes().hard.to_string(),
            "memory.available<100Mi,nodefs.available<10%,imagefs.available<15%"
        );
        for bad in ["memory<1", "memory.available<101%", "memory.available<-1", "memory.available<99999999999Ti"] {
            assert_eq!(Signals::read(bad), None, "{bad}");
        }
    }
}
