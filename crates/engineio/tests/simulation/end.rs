//! What one end of the wire has sent and received, and the promises about it.

use std::collections::HashMap;

use engineio::{CloseReason, Frame, Message, PushError};

/// The journal of one application.
#[derive(Default)]
pub struct End {
    last_number: u32,
    /// The numbers of the messages that were taken, in order.
    pub sent: Vec<u32>,
    /// How many messages of the other end have arrived.
    pub received: usize,
    pub closed: Option<CloseReason>,
    /// The cost of what is queued by message, and in all.
    costs: HashMap<u32, usize>,
    queued: usize,
    pub volatile_dropped: u64,
}

impl End {
    /// The next message to try.
    pub fn compose(&mut self, is_binary: bool, padding: usize) -> Frame {
        self.last_number += 1;
        let number = self.last_number;
        if is_binary {
            let mut data = number.to_be_bytes().to_vec();
            data.resize(4 + padding, 0xfe);
            Frame::Binary(data.into())
        } else {
            Frame::message(&format!("{number} {}", "é".repeat(padding / 2)))
        }
    }

    pub fn sent(&mut self, frame: &Frame, result: Result<bool, PushError>, bound: usize) {
        match result {
            Ok(true) => {
                let number = number_of_frame(frame).expect("a message");
                let cost = frame.len() + 64;
                assert!(
                    self.queued == 0 || self.queued + cost <= bound,
                    "the queue is above its bound"
                );
                self.sent.push(number);
                self.costs.insert(number, cost);
                self.queued += cost;
            }
            Ok(false) => self.volatile_dropped += 1,
            Err(_) => {}
        }
    }

    /// A frame has left the queue.
    pub fn transmitted(&mut self, frame: &Frame) {
        if let Some(number) = number_of_frame(frame) {
            let cost = self.costs.remove(&number);
            self.queued -= cost.expect("a frame leaves once, and only if it was taken");
        }
    }

    /// A message of the other end has arrived: the next that was sent, nothing else.
    pub fn receive(&mut self, message: &Message, other: &Self) {
        assert_eq!(self.closed, None, "a message after the end");
        assert_eq!(
            Some(&number_of(message)),
            other.sent.get(self.received),
            "not the next that was sent"
        );
        self.received += 1;
    }

    pub fn close(&mut self, reason: CloseReason, dropped: usize) {
        assert_eq!(self.closed, None, "closed twice");
        self.closed = Some(reason);
        // Other packets than messages may be among them.
        assert!(dropped >= self.costs.len(), "dropped without a word");
        self.costs.clear();
    }
}

fn number_of(message: &Message) -> u32 {
    match message {
        Message::Text(text) => {
            let text = std::str::from_utf8(text).expect("valid text");
            let number = text.split(' ').next().map(str::parse);
            number.expect("a number").expect("a number")
        }
        Message::Binary(data) => u32::from_be_bytes(data[..4].try_into().expect("four bytes")),
    }
}

fn number_of_frame(frame: &Frame) -> Option<u32> {
    match frame {
        Frame::Binary(data) => Some(number_of(&Message::Binary(data.clone()))),
        Frame::Text(text) if text[0] == b'4' => Some(number_of(&Message::Text(text.slice(1..)))),
        Frame::Text(_) => None,
    }
}
