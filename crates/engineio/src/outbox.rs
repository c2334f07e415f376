//! The bounded, ordered queue of what a session has to send.

use bytes::Bytes;

use crate::{
    dialect::{Dialect, Protocol},
    fifo::Fifo,
    packet::Frame,
    payload,
};

/// What a packet costs on top of its bytes, so that one bound holds for bytes and packets.
const OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: Fifo<Queued>,
    cost: usize,
}

/// A frame, and whether compressing it is worth it. No larger than a frame, since that is what most of a queue is.
#[derive(Debug)]
enum Queued {
    Text(Bytes),
    Binary(Bytes),
    UncompressedText(Bytes),
    UncompressedBinary(Bytes),
}

impl Queued {
    fn new(frame: Frame, compress: bool) -> Self {
        match (frame, compress) {
            (Frame::Text(bytes), true) => Self::Text(bytes),
            (Frame::Binary(bytes), true) => Self::Binary(bytes),
            (Frame::Text(bytes), false) => Self::UncompressedText(bytes),
            (Frame::Binary(bytes), false) => Self::UncompressedBinary(bytes),
        }
    }

    fn into_frame(self) -> (Frame, bool) {
        match self {
            Self::Text(bytes) => (Frame::Text(bytes), true),
            Self::Binary(bytes) => (Frame::Binary(bytes), true),
            Self::UncompressedText(bytes) => (Frame::Text(bytes), false),
            Self::UncompressedBinary(bytes) => (Frame::Binary(bytes), false),
        }
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Frame) {
        self.push_with(frame, true);
    }

    /// Adds a frame that is or is not to be compressed.
    pub(crate) fn push_with(&mut self, frame: Frame, compress: bool) {
        self.cost += cost_of(&frame);
        self.frames.push_back(Queued::new(frame, compress));
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
    /// least one if there is any. The answer says whether one of them is to be compressed.
    pub(crate) fn take_payload(
        &mut self,
        dialect: Dialect,
        max_bytes: usize,
        max_packets: usize,
        batch: &mut Vec<Frame>,
    ) -> bool {
        match dialect.protocol {
            Protocol::V4 => {
                // One separator less than packets.
                let max_bytes = max_bytes.saturating_add(1);
                let size_of = |frame: &Frame| payload::encoded_len(frame) + 1;
                self.take_within(max_bytes, max_packets, size_of, batch)
            }
            Protocol::V3 => {
                let size_of = |frame: &Frame| payload::v3::encoded_len(frame, dialect.base64);
                self.take_within(max_bytes, max_packets, size_of, batch)
            }
        }
    }

    fn take_within(
        &mut self,
        max_bytes: usize,
        max_packets: usize,
        size_of: impl Fn(&Frame) -> usize,
        batch: &mut Vec<Frame>,
    ) -> bool {
        let mut bytes: usize = batch.iter().map(&size_of).sum();
        let mut is_compressed = false;
        while batch.len() < max_packets
            && let Some(queued) = self.frames.pop_front()
        {
            let (frame, compress) = queued.into_frame();
            let size = size_of(&frame);
            if bytes > 0 && bytes + size > max_bytes {
                self.frames.push_front(Queued::new(frame, compress));
                return is_compressed;
            }
            bytes += size;
            self.cost -= cost_of(&frame);
            is_compressed |= compress;
            batch.push(frame);
        }
        is_compressed
    }

    /// Drops everything and says how many packets that were.
    pub(crate) fn clear(&mut self) -> usize {
        let dropped = self.frames.len();
        *self = Self::default();
        dropped
    }

    /// Gives back what an empty queue keeps for the next rush.
    pub(crate) fn give_back(&mut self) {
        self.frames.give_back();
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
    fn a_batch_is_compressed_if_one_of_its_packets_is() {
        for (flags, expected) in [
            (&[false, false][..], false),
            (&[false, true], true),
            (&[true, false], true),
            (&[], false),
        ] {
            let mut outbox = Outbox::default();
            for compress in flags {
                outbox.push_with(Frame::message("a"), *compress);
            }
            let mut batch = Vec::new();
            let compress = outbox.take_payload(Dialect::V4, 1_000, usize::MAX, &mut batch);
            assert_eq!(
                (batch.len(), compress),
                (flags.len(), expected),
                "{flags:?}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_keeps_its_place_and_its_flag() {
        let mut outbox = Outbox::default();
        outbox.push(Frame::message("first"));
        outbox.push_with(Frame::message("second"), false);
        let mut batch = Vec::new();
        assert!(outbox.take_payload(Dialect::V4, 8, usize::MAX, &mut batch));
        assert_eq!(batch, [Frame::message("first")]);
        batch.clear();
        assert!(!outbox.take_payload(Dialect::V4, 8, usize::MAX, &mut batch));
        assert_eq!(batch, [Frame::message("second")]);
    }

    #[test]
    fn a_flag_takes_no_room() {
        assert_eq!(size_of::<Queued>(), size_of::<Frame>());
    }
}
