//! Amounts of CPU, memory and extended resources.

use crate::ids::Symbol;

/// CPU in thousandths of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub i64);

/// Memory or disk in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub i64);

/// What a pod requests, or what a node can give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// Ephemeral storage.
    pub ephemeral: Bytes,
    /// Countable extended resources such as `nvidia.com/gpu`, sorted by name.
    pub extended: Vec<(Symbol, i64)>,
}

impl Resources {
    /// CPU and memory only.
    pub const fn new(cpu: MilliCpu, memory: Bytes) -> Self {
        Self { cpu, memory, ephemeral: Bytes(0), extended: Vec::new() }
    }

    /// Adds `other` to `self`.
    pub fn add(&mut self, other: &Self) {
        self.cpu.0 = self.cpu.0.saturating_add(other.cpu.0);
        self.memory.0 = self.memory.0.saturating_add(other.memory.0);
        self.ephemeral.0 = self.ephemeral.0.saturating_add(other.ephemeral.0);
        for &(name, amount) in &other.extended {
            match self.extended.binary_search_by_key(&name, |e| e.0) {
                Ok(i) => self.extended[i].1 = self.extended[i].1.saturating_add(amount),
                Err(i) => self.extended.insert(i, (name, amount)),
            }
        }
    }

    /// The larger of each amount.
    pub fn max(&mut self, other: &Self) {
        self.cpu = self.cpu.max(other.cpu);
        self.memory = self.memory.max(other.memory);
        self.ephemeral = self.ephemeral.max(other.ephemeral);
        for &(name, amount) in &other.extended {
            match self.extended.binary_search_by_key(&name, |e| e.0) {
                Ok(i) => self.extended[i].1 = self.extended[i].1.max(amount),
                Err(i) => self.extended.insert(i, (name, amount)),
            }
        }
    }

    /// The amount of an extended resource.
    pub fn extended(&self, name: Symbol) -> i64 {
        self.extended.binary_search_by_key(&name, |e| e.0).map_or(0, |i| self.extended[i].1)
    }
}
