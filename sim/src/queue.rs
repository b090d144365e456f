//! The future: items ordered by (time, sequence), so that simultaneous items leave in the order in which they came.
//!
//! Not a timer service: nothing can be taken out of the middle. Whoever schedules something that may be called off
//! puts a stamp into the item and ignores it when the stamp is no longer current (lazy cancellation). Start at
//! [`EventQueue::push`].

use shakedown_engine::time::Time;

/// Bits of a key that hold the slot; the rest holds the sequence number.
const SLOT_BITS: u32 = 26;
/// Children of a heap node: four keys of 16 bytes fill one cache line.
const ARITY: usize = 4;

/// A key: time, then sequence and slot in one word. The sequence stands in the high bits, so it decides.
type Key = (u64, u64);

/// A 4-ary heap of small keys over a slab of items.
#[derive(Clone, Debug)]
pub struct EventQueue<T> {
    heap: Vec<Key>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> EventQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { heap: Vec::new(), slots: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Number of items, called-off ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the next item is due.
    pub fn next_time(&self) -> Option<Time> {
        self.heap.first().map(|key| Time::from_nanos(key.0))
    }

    /// Adds an item that is due at `at`, behind all that are due then already.
    ///
    /// # Panics
    /// With more than 2^26 items waiting or 2^38 ever pushed: far beyond what a run can hold.
    pub fn push(&mut self, at: Time, item: T) {
        let slot = self.store(item);
        assert!(slot < 1 << SLOT_BITS, "at most 2^26 events wait at once");
        assert!(self.sequence < 1 << (64 - SLOT_BITS), "a run schedules fewer than 2^38 events");
        let key = (at.as_nanos(), (self.sequence << SLOT_BITS) | slot as u64);
        self.sequence += 1;
        self.heap.push(key);
        self.sift_up(self.heap.len() - 1);
    }

    /// Takes the first item.
    pub fn pop(&mut self) -> Option<(Time, T)> {
        let last = self.heap.pop()?;
        let first = match self.heap.first() {
            Some(&first) => {
                self.sift_down(last);
                first
            }
            None => last,
        };
        let slot = (first.1 & ((1 << SLOT_BITS) - 1)) as usize;
        let item = self.slots[slot].take().expect("a key in the heap owns its slot");
        self.free.push(slot as u32);
        Some((Time::from_nanos(first.0), item))
    }

    /// Takes the first item if it is due at `until` at the latest.
    pub fn pop_until(&mut self, until: Time) -> Option<(Time, T)> {
        if self.next_time()? > until { None } else { self.pop() }
    }

    fn store(&mut self, item: T) -> usize {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(item);
            return slot as usize;
        }
        self.slots.push(Some(item));
        self.slots.len() - 1
    }

    fn sift_up(&mut self, mut at: usize) {
        let key = self.heap[at];
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.heap[parent] <= key {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = key;
    }

    /// Puts `key` where the root was and moves it down to its place.
    fn sift_down(&mut self, key: Key) {
        let heap = self.heap.as_mut_slice();
        let mut at = 0;
        loop {
            let first = at * ARITY + 1;
            let Some(children) = heap.get(first..heap.len().min(first + ARITY)) else { break };
            let Some((offset, &child)) = children.iter().enumerate().min_by_key(|(_, child)| **child) else { break };
            if key <= child {
                break;
            }
            heap[at] = child;
            at = first + offset;
        }
        heap[at] = key;
    }
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shakedown_engine::rng::{Purpose, Streams};

    #[test]
    fn simultaneous_items_leave_in_the_order_in_which_they_came() {
        let mut queue = EventQueue::new();
        for item in 0..100u32 {
            queue.push(Time::from_secs(u64::from(item % 3)), item);
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop().map(|(_, item)| item)).collect();
        let mut want: Vec<u32> = (0..100).collect();
        want.sort_by_key(|item| (item % 3, *item));
        assert_eq!(order, want);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_use() {
        let mut stream = Streams::new(3).stream(Purpose::Fault, 0);
        let mut queue = EventQueue::new();
        let mut twin: Vec<(Time, u64)> = Vec::new();
        for number in 0..5_000u64 {
            if stream.below(3) == 0 {
                let popped = queue.pop();
                let first = (0..twin.len()).min_by_key(|&i| twin[i]);
                assert_eq!(popped, first.map(|i| twin.remove(i)));
            } else {
                let at = Time::from_nanos(stream.below(50));
                queue.push(at, number);
                twin.push((at, number));
            }
            assert_eq!(queue.len(), twin.len());
        }
    }

    #[test]
    fn pop_until_leaves_later_items() {
        let mut queue = EventQueue::new();
        queue.push(Time::from_secs(2), 'b');
        queue.push(Time::from_secs(1), 'a');
        assert_eq!(queue.pop_until(Time::from_secs(1)), Some((Time::from_secs(1), 'a')));
        assert_eq!(queue.pop_until(Time::from_secs(1)), None);
        assert_eq!(queue.next_time(), Some(Time::from_secs(2)));
    }
}
