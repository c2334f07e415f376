//! `Fifo`: a queue that mostly holds one thing or none, and then allocates nothing.

use std::collections::VecDeque;

/// An empty queue gives memory above this many places back.
const KEPT_CAPACITY: usize = 16;

#[derive(Debug)]
pub(crate) struct Fifo<T> {
    /// The oldest. None if the queue is empty.
    front: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self {
            front: None,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Fifo<T> {
    #[inline]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.front.is_none() {
            self.front = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    pub(crate) fn push_front(&mut self, item: T) {
        if let Some(second) = self.front.replace(item) {
            self.rest.push_front(second);
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if self.rest.is_empty() {
            return self.front.take();
        }
        let item = std::mem::replace(&mut self.front, self.rest.pop_front());
        if self.rest.is_empty() && self.rest.capacity() > KEPT_CAPACITY {
            self.rest = VecDeque::new();
        }
        item
    }

    pub(crate) fn pop_back(&mut self) -> Option<T> {
        self.rest.pop_back().or_else(|| self.front.take())
    }

    pub(crate) fn back(&self) -> Option<&T> {
        self.rest.back().or(self.front.as_ref())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.front.is_some()) + self.rest.len()
    }

    /// Gives back what an empty queue has kept for the next rush.
    pub(crate) fn give_back(&mut self) {
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same seed each time: what is done is what its bits say.
    #[test]
    fn it_does_what_a_plain_queue_does() {
        let (mut fifo, mut plain) = (Fifo::default(), VecDeque::new());
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for item in 0..20_000 {
            bits = bits.rotate_left(7).wrapping_mul(0x2545_f491_4f6c_dd1d) ^ item;
            match bits >> 61 {
                0..=1 => {
                    fifo.push_back(item);
                    plain.push_back(item);
                }
                2 => {
                    fifo.push_front(item);
                    plain.push_front(item);
                }
                3..=5 => assert_eq!(fifo.pop_front(), plain.pop_front()),
                6 => assert_eq!(fifo.pop_back(), plain.pop_back()),
                _ => fifo.give_back(),
            }
            assert_eq!(fifo.len(), plain.len());
            assert_eq!(fifo.is_empty(), plain.is_empty());
            assert_eq!(fifo.back(), plain.back());
        }
    }

    #[test]
    fn one_at_a_time_needs_no_memory() {
        let mut fifo = Fifo::default();
        for item in 0..100 {
            fifo.push_back(item);
            assert_eq!(fifo.pop_front(), Some(item));
        }
        assert_eq!(fifo.rest.capacity(), 0);
    }

    #[test]
    fn what_a_rush_took_is_given_back() {
        let mut fifo = Fifo::default();
        for item in 0..1_000 {
            fifo.push_back(item);
        }
        while fifo.pop_front().is_some() {}
        assert!(fifo.rest.capacity() <= KEPT_CAPACITY);
        fifo.push_back(1);
        fifo.push_back(2);
        while fifo.pop_front().is_some() {}
        fifo.give_back();
        assert_eq!(fifo.rest.capacity(), 0);
    }
}
