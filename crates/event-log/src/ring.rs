//! The newest events of one stream, each encoded once as the frame its readers get.

use std::collections::VecDeque;

use crate::{Bounds, Offset, sabotage};

/// Frames of the events up to the stream's tail, as many as the limits allow.
pub(crate) struct Ring<F> {
    /// The oldest event the store keeps; the ring itself may begin later.
    first_kept: Offset,
    tail: Offset,
    frames: VecDeque<(F, usize)>,
    bytes: usize,
    limits: RingLimits,
}

/// `Config::ring_rows` and `Config::ring_bytes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingLimits {
    pub rows: usize,
    pub bytes: usize,
}

/// What follows a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After<F> {
    /// Nothing: it is at the tail, or beyond.
    Nothing,
    /// The frames at `cursor + 1` and on.
    Frames(Vec<F>),
    /// This many events that only the store still has.
    InStore(u64),
}

impl<F: Clone> Ring<F> {
    /// A ring without frames, for a stream that holds `bounds`.
    pub fn new(bounds: Bounds, limits: RingLimits) -> Self {
        Self {
            first_kept: bounds.first,
            tail: bounds.last,
            frames: VecDeque::new(),
            bytes: 0,
            limits,
        }
    }

    pub fn bounds(&self) -> Bounds {
        Bounds {
            first: self.first_kept,
            last: self.tail,
        }
    }

    pub fn tail(&self) -> Offset {
        self.tail
    }

    /// Adds the frame of the event after the tail, and lets the oldest go that are over the limits.
    /// The newest stays whatever its size.
    pub fn push(&mut self, frame: F, bytes: usize) {
        self.tail = self.tail.next();
        if sabotage::skips(self.tail) {
            return;
        }
        self.frames.push_back((frame, bytes));
        self.bytes += bytes;
        while self.frames.len() > 1
            && (self.frames.len() > self.limits.rows || self.bytes > self.limits.bytes)
        {
            let dropped = self.frames.pop_front();
            self.bytes -= dropped.map_or(0, |(_, bytes)| bytes);
        }
    }

    /// Puts frames of events that end at the tail into an empty ring, as a start loads them.
    pub fn fill(&mut self, frames: Vec<(F, usize)>) {
        self.tail = Offset(self.tail.0 - frames.len() as u64);
        for (frame, bytes) in frames {
            self.push(frame, bytes);
        }
    }

    /// At most `limit` frames after a cursor.
    pub fn after(&self, cursor: Offset, limit: usize) -> After<F> {
        if cursor >= self.tail {
            return After::Nothing;
        }
        // The cursor is below the tail, so the ring holds it exactly if it is not too far back.
        let back = self.tail.0 - cursor.0;
        match usize::try_from(back) {
            Ok(back) if back <= self.frames.len() => {
                let start = self.frames.len() - back;
                let frames = self.frames.range(start..).take(limit);
                After::Frames(frames.map(|(frame, _)| frame.clone()).collect())
            }
            _ => After::InStore(back - self.frames.len() as u64),
        }
    }

    /// Notes that the store no longer keeps events before `first`.
    pub fn trim(&mut self, first: Offset) {
        self.first_kept = self.first_kept.max(first.min(self.tail.next()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(rows: usize, bytes: usize) -> Ring<u64> {
        Ring::new(Bounds::EMPTY, RingLimits { rows, bytes })
    }

    #[test]
    fn gives_what_follows_a_cursor() {
        let mut ring = ring(10, 1_000);
        (1..=5).for_each(|frame| ring.push(frame, 1));
        assert_eq!(
            ring.after(Offset(0), 10),
            After::Frames(vec![1, 2, 3, 4, 5])
        );
        assert_eq!(ring.after(Offset(3), 10), After::Frames(vec![4, 5]));
        assert_eq!(ring.after(Offset(1), 2), After::Frames(vec![2, 3]));
        assert_eq!(ring.after(Offset(5), 10), After::Nothing);
        assert_eq!(ring.after(Offset(u64::MAX), 10), After::Nothing);
    }

    #[test]
    fn lets_the_oldest_go_by_count() {
        let mut ring = ring(3, 1_000);
        (1..=5).for_each(|frame| ring.push(frame, 1));
        assert_eq!(ring.after(Offset(2), 10), After::Frames(vec![3, 4, 5]));
        assert_eq!(ring.after(Offset(1), 10), After::InStore(1));
        assert_eq!(ring.after(Offset(0), 10), After::InStore(2));
        assert_eq!(
            ring.bounds(),
            Bounds {
                first: Offset(1),
                last: Offset(5)
            }
        );
    }

    #[test]
    fn lets_the_oldest_go_by_bytes_but_never_the_newest() {
        let mut ring = ring(10, 100);
        (1..=3).for_each(|frame| ring.push(frame, 40));
        assert_eq!(ring.after(Offset(1), 10), After::Frames(vec![2, 3]));
        ring.push(4, 5_000);
        assert_eq!(ring.after(Offset(3), 10), After::Frames(vec![4]));
        assert_eq!(ring.after(Offset(2), 10), After::InStore(1));
        ring.push(5, 10);
        assert_eq!(ring.after(Offset(4), 10), After::Frames(vec![5]));
    }

    #[test]
    fn is_filled_backwards_from_the_tail() {
        let bounds = Bounds {
            first: Offset(3),
            last: Offset(9),
        };
        let mut ring = Ring::new(
            bounds,
            RingLimits {
                rows: 4,
                bytes: 1_000,
            },
        );
        assert_eq!(ring.after(Offset(8), 10), After::InStore(1));
        ring.fill(vec![(8, 1), (9, 1)]);
        assert_eq!(ring.bounds(), bounds);
        assert_eq!(ring.after(Offset(7), 10), After::Frames(vec![8, 9]));
        assert_eq!(ring.after(Offset(2), 10), After::InStore(5));
    }
}
