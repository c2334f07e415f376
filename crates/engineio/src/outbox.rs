//! The bounded, ordered queue of what a session has to send.

use std::collections::VecDeque;

use crate::{
    dialect::{Dialect, Protocol},
    packet::Frame,
    payload,
};

/// What a packet costs on top of its bytes, so that one bound holds for bytes and packets.
const OVERHEAD: usize = 64;

/// An empty queue gives memory above this many packets back.
const KEPT_CAPACITY: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Frame>,
    cost: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Frame) {
        self.cost += cost_of(&frame);
        self.frames.push_back(frame);
    }

    /// Whether the frames can be added within the bound. An empty queue takes anything.
    pub(crate) fn fits(&self, frames: &[Frame], bound: usize) -> bool {
        self.frames.is_empty() || self.cost + frames.iter().map(cost_of).sum::<usize>() <= bound
    }

    /// What waits, each packet counted with 64 bytes on top.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Moves frames to `batch` until it holds about `max_bytes`; always at least one if there is any.
    pub(crate) fn take(&mut self, max_bytes: usize, batch: &mut Vec<Frame>) {
        self.take_within(max_bytes, usize::MAX, Frame::len, batch);
    }

    /// Moves as many frames to `batch` as fit one long-polling body of `max_bytes` when they are encoded; always at
    /// least one if there is any.
    pub(crate) fn take_payload(
        &mut self,
        dialect: Dialect,
        max_bytes: usize,
        max_packets: usize,
        batch: &mut Vec<Frame>,
    ) {
        match dialect.protocol {
            Protocol::V4 => {
                // One separator less than packets.
                let max_bytes = max_bytes.saturating_add(1);
                let size_of = |frame: &Frame| payload::encoded_len(frame) + 1;
                self.take_within(max_bytes, max_packets, size_of, batch);
            }
            Protocol::V3 => {
                let size_of = |frame: &Frame| payload::v3::encoded_len(frame, dialect.base64);
                self.take_within(max_bytes, max_packets, size_of, batch);
            }
        }
    }

    fn take_within(
        &mut self,
        max_bytes: usize,
        max_packets: usize,
        size_of: impl Fn(&Frame) -> usize,
        batch: &mut Vec<Frame>,
    ) {
        let mut bytes: usize = batch.iter().map(&size_of).sum();
        while batch.len() < max_packets
            && let Some(frame) = self.frames.front()
        {
            let size = size_of(frame);
            if bytes > 0 && bytes + size > max_bytes {
                return;
            }
            bytes += size;
            self.cost -= cost_of(frame);
            batch.extend(self.frames.pop_front());
        }
        self.give_back();
    }

    /// Drops everything and says how many packets that were.
    pub(crate) fn clear(&mut self) -> usize {
        let dropped = self.frames.len();
        *self = Self::default();
        dropped
    }

    fn give_back(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT_CAPACITY {
            self.frames = VecDeque::new();
        }
    }
}

fn cost_of(frame: &Frame) -> usize {
    frame.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: usize) -> Frame {
        Frame::Binary(vec![0; size].into())
    }

    #[test]
    fn an_empty_queue_takes_anything_and_a_filled_one_keeps_its_bound() {
        let mut outbox = Outbox::default();
        assert!(outbox.fits(&[frame(5_000)], 1_000));
        outbox.push(frame(100));
        assert!(outbox.fits(&[frame(1_000 - 164 - 64)], 1_000));
        assert!(!outbox.fits(&[frame(1_000 - 164 - 63)], 1_000));
    }

    #[test]
    fn takes_in_order_up_to_the_size_but_at_least_one() {
        let mut outbox = Outbox::default();
        for size in [50, 60, 10] {
            outbox.push(frame(size));
        }
        let mut batch = Vec::new();
        outbox.take(40, &mut batch);
        assert_eq!(batch, [frame(50)]);
        batch.clear();
        outbox.take(70, &mut batch);
        assert_eq!(batch, [frame(60), frame(10)]);
        assert!(outbox.is_empty());
        assert_eq!(outbox.cost(), 0);
    }

    #[test]
    fn gives_memory_back_when_emptied() {
        let mut outbox = Outbox::default();
        for _ in 0..1_000 {
            outbox.push(frame(1));
        }
        outbox.take(usize::MAX, &mut Vec::new());
        assert!(outbox.frames.capacity() <= KEPT_CAPACITY);
    }
}
