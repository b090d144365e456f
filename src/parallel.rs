//! Runs side by side, results in order.
//!
//! One run is one thread and knows nothing of others, so the number of workers changes nothing but the time it takes.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does `work` for `0..count` with so many workers; results are in the order of their numbers.
pub(crate) fn map<T: Send>(count: usize, workers: NonZeroUsize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let labour = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let result = work(index);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.get().min(count) {
            scope.spawn(labour);
        }
        labour();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// As many workers as the machine has cores.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_number_of_workers() {
        let squares: Vec<usize> = (0..100).map(|n| n * n).collect();
        for workers in [1, 2, 7, 200] {
            let workers = NonZeroUsize::new(workers).unwrap();
            assert_eq!(map(100, workers, |n| n * n), squares);
        }
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        assert!(map(0, NonZeroUsize::MIN, |n| n).is_empty());
    }
}
