//! `Other`: what is no whole message in one frame. Tungstenite is handed the bytes of one frame after the other, and says
//! what a fragment, a control frame or a broken rule makes of them.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};

use bytes::{Bytes, BytesMut};
use tokio_tungstenite::tungstenite::{
    Error, Message as WsMessage,
    protocol::{
        Role, WebSocketConfig, WebSocketContext,
        frame::{Frame as WsFrame, FrameHeader, coding::OpCode},
    },
};

use super::{
    driver::READ_BUDGET,
    socket::{Limits, Received},
};

/// Made for the first such frame, and gone when a plain message may come again.
pub(super) struct Other {
    context: WebSocketContext,
    limits: Limits,
    /// The bytes of the present frame that have not come yet.
    missing: usize,
    /// The present frame, or the next one, belongs to a message that began in an earlier one.
    is_fragmented: bool,
    /// The bytes that have come since the last message.
    unfinished: usize,
    /// What the peer is to be told. At most as many as one turn reads.
    answers: VecDeque<WsFrame>,
}

impl Other {
    pub(super) fn new(limits: Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(limits.message))
            .max_frame_size(Some(limits.message));
        Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            limits,
            missing: 0,
            is_fragmented: false,
            unfinished: 0,
            answers: VecDeque::new(),
        }
    }

    /// A frame begins.
    pub(super) fn begin(&mut self, header: &FrameHeader, head: usize, payload_len: usize) {
        // The head alone tells of a frame that is too long.
        self.missing = if payload_len > self.limits.message {
            head
        } else {
            head + payload_len
        };
        if let OpCode::Data(_) = header.opcode {
            self.is_fragmented = !header.is_final;
        }
    }

    /// Takes the bytes of the present frame, and gives what they complete.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Error> {
        let part = input.split_to(self.missing.min(input.len()));
        self.missing -= part.len();
        self.unfinished += part.len();
        let received = match self.context.read(&mut Part(&part)) {
            Ok(WsMessage::Text(text)) => Received::Text(Bytes::from(text)),
            Ok(WsMessage::Binary(data)) => Received::Binary(data),
            Ok(WsMessage::Ping(data)) => {
                self.owe(WsFrame::pong(data));
                Received::Heartbeat
            }
            Ok(WsMessage::Close(frame)) => {
                self.owe(WsFrame::close(frame));
                Received::Close
            }
            Ok(WsMessage::Pong(_) | WsMessage::Frame(_)) => Received::Heartbeat,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        if matches!(received, Received::Text(_) | Received::Binary(_)) {
            self.unfinished = 0;
        }
        Ok(Some(received))
    }

    /// All that one turn reads is answered. Of the pings of a peer that does not take the answers the last one counts, as
    /// RFC 6455 lets it, section 5.5.3.
    fn owe(&mut self, answer: WsFrame) {
        if self.answers.len() >= READ_BUDGET {
            self.answers.pop_back();
        }
        self.answers.push_back(answer);
    }

    pub(super) fn take_answer(&mut self) -> Option<WsFrame> {
        self.answers.pop_front()
    }

    /// The bytes that have come since the last message.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }

    pub(super) fn is_in_frame(&self) -> bool {
        self.missing > 0
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.missing == 0 && !self.is_fragmented && self.answers.is_empty()
    }
}

/// A part of a frame, to be read. What would be written are answers, which are ours to write.
struct Part<'a>(&'a [u8]);

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl Write for Part<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const READ_BUFFER: usize = 1024;
