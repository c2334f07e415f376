//! `Acks`: who waits for the answer to which event. Pure; the waiting itself is the caller's.

use std::collections::BTreeMap;

/// The pending acks of one socket. Empty, it has no heap.
#[derive(Debug)]
pub struct Acks<W> {
    pending: BTreeMap<u64, W>,
}

/// The socket already waits for as many answers as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyPending;

impl<W> Acks<W> {
    /// Notes who waits for the answer with this id, unless `max` are waiting already.
    pub fn insert(&mut self, id: u64, waiter: W, max: usize) -> Result<(), TooManyPending> {
        if self.pending.len() >= max {
            return Err(TooManyPending);
        }
        self.pending.insert(id, waiter);
        Ok(())
    }

    /// The answer has come, or nobody waits for it any more. An id is taken once: a late or a second answer finds
    /// nobody.
    pub fn take(&mut self, id: u64) -> Option<W> {
        self.pending.remove(&id)
    }

    /// The socket is gone: everybody who waits, in the order of the ids.
    pub fn take_all(&mut self) -> impl ExactSizeIterator<Item = W> + use<W> {
        std::mem::take(&mut self.pending).into_values()
    }

    /// How many answers are waited for.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no answer is waited for.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl<W> Default for Acks<W> {
    fn default() -> Self {
        Self {
            pending: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_waiter_once() {
        let mut acks = Acks::default();
        acks.insert(0, "first", 10).unwrap();
        acks.insert(7, "second", 10).unwrap();
        assert_eq!(acks.take(7), Some("second"));
        assert_eq!(acks.take(7), None, "a second answer");
        assert_eq!(acks.take(3), None, "an answer to nothing");
        assert_eq!(acks.len(), 1);
    }

    #[test]
    fn above_the_bound_nobody_waits() {
        let mut acks = Acks::default();
        assert_eq!(acks.insert(0, (), 2), Ok(()));
        assert_eq!(acks.insert(1, (), 2), Ok(()));
        assert_eq!(acks.insert(2, (), 2), Err(TooManyPending));
        assert_eq!(acks.take(2), None);
        acks.take(0);
        assert_eq!(acks.insert(3, (), 2), Ok(()));
    }

    #[test]
    fn taking_all_leaves_nobody() {
        let mut acks = Acks::default();
        acks.insert(5, 'b', 10).unwrap();
        acks.insert(4, 'a', 10).unwrap();
        assert_eq!(acks.take_all().collect::<String>(), "ab");
        assert!(acks.is_empty());
    }
}
