//! The engine's own alarm clock: what it wants to do later, in order of (time, sequence).
//!
//! Nothing is ever cancelled here: a timer carries a stamp of what it was set for and is ignored when that is over.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::fact::FactId;
use crate::time::Time;

/// Timers of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Timers<T> {
    heap: BinaryHeap<Entry<T>>,
    sequence: u64,
}

/// A timer that is due.
#[derive(Clone, Debug)]
pub(crate) struct Due<T> {
    pub(crate) cause: FactId,
    pub(crate) what: T,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    due: Due<T>,
}

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }

    /// Wakes the engine at `at`, or at once when that is past.
    pub(crate) fn set(&mut self, at: Time, cause: FactId, what: T) {
        self.sequence += 1;
        self.heap.push(Entry { at, sequence: self.sequence, due: Due { cause, what } });
    }

    /// Timers that are set.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the first timer is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|e| e.at)
    }

    /// The first timer, if it is due at `now`.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Due<T>> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|e| e.due)
    }
}

// Reversed, because the heap gives the greatest first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T> Eq for Entry<T> {}
