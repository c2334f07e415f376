//! `Socket`: the messages of a WebSocket over a stream of bytes, without a buffer of its own while it is idle.
//!
//! Messages that come whole, in one frame, are cut out of a buffer that the connections of a thread share, and what is
//! written is put together in another one: so all that has arrived is read by one call to the system, and all that goes
//! is written by one. Everything else, from fragments to the wrong bits, is the library's: see [`other`](super::other).

use std::{
    cell::Cell,
    future::Future,
    io::{self, Cursor},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_tungstenite::tungstenite::{
    Error,
    protocol::{
        CloseFrame,
        frame::{
            Frame as WsFrame, FrameHeader,
            coding::{Data, OpCode},
        },
    },
};

use super::{
    other::Other,
    whole::{Whole, is_utf8, unmask},
};
use crate::{config::Config, packet::Frame};

thread_local! {
    /// What is being read, from a read until its messages are handed out.
    static INPUT: Cell<BytesMut> = Cell::new(BytesMut::new());
    /// What is being written, from the messages until the stream has taken it.
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A WebSocket whose opening handshake is done.
pub(super) struct Socket<S> {
    stream: S,
    limits: Limits,
    /// What has arrived and is no whole frame yet, or has to wait. Empty while nothing is under way.
    unread: BytesMut,
    /// What the stream has not taken. Empty unless it is blocked.
    unwritten: BytesMut,
    /// All that has been written so far, in bytes.
    written: u64,
    /// While there is something else than whole messages.
    other: Option<Box<Other>>,
}

/// The bounds of a WebSocket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The bytes that are read at once.
    read: usize,
    /// The bytes that are gathered before they are written.
    write: usize,
    /// The bytes of a message.
    pub(super) message: usize,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            read: config.ws_read_buffer.max(LARGEST_FRAME_HEAD),
            write: config.ws_write_buffer.max(1),
            message: config.max_payload.min(LARGEST_MESSAGE),
        }
    }
}

/// What has arrived on a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Valid UTF-8.
    Text(Bytes),
    Binary(Bytes),
    /// A ping, which will be answered, or a pong.
    Heartbeat,
    /// A part of a message of which more has to come.
    Fragment,
    /// The peer closes, and will be answered.
    Close,
}

/// The bytes that are being decoded.
pub(super) struct Input {
    bytes: BytesMut,
    /// Whether the memory is the connection's, as for a message that is larger than what is read at once.
    is_own: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            limits,
            unread: BytesMut::new(),
            unwritten: BytesMut::new(),
            written: 0,
            other: None,
        }
    }

    /// All that has been written so far, in bytes.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The bytes that have come since the last message, if that does not go on in one frame.
    pub(super) fn unfinished(&self) -> usize {
        self.other.as_ref().map_or(0, |other| other.unfinished())
    }

    /// Begins to read; [`end_reading`](Self::end_reading) takes the rest back.
    pub(super) fn begin_reading(&mut self) -> Input {
        if self.unread.len() >= self.limits.read {
            return Input {
                bytes: std::mem::take(&mut self.unread),
                is_own: true,
            };
        }
        let mut bytes = INPUT.take();
        if !self.unread.is_empty() {
            bytes.extend_from_slice(&self.unread);
            self.unread = BytesMut::new();
        }
        Input {
            bytes,
            is_own: false,
        }
    }

    /// Keeps what was not decoded, and gives the thread its buffer back.
    pub(super) fn end_reading(&mut self, mut input: Input) {
        if input.is_own && input.bytes.len() >= self.limits.read {
            self.unread = input.bytes;
            return;
        }
        if !input.bytes.is_empty() {
            self.unread = BytesMut::from(&input.bytes[..]);
            input.bytes.clear();
        }
        if !input.is_own {
            INPUT.set(input.bytes);
        }
    }

    /// The next message or control frame, read from the stream if it is not there yet. `None` is the end of the stream.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Input,
    ) -> Poll<Option<Result<Received, Error>>> {
        loop {
            let frame_len = match self.decode(&mut input.bytes) {
                Ok(Decoded::Received(received)) => return Poll::Ready(Some(Ok(received))),
                Ok(Decoded::Partial { frame_len }) => frame_len,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            input.make_room(self.limits.read, frame_len);
            let read = pin!(self.stream.read_buf(&mut input.bytes)).poll(context);
            match ready!(read) {
                Ok(0) => return Poll::Ready(None),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, Error> {
        loop {
            if let Some(other) = self.other.as_mut().filter(|other| other.is_in_frame()) {
                if input.is_empty() {
                    return Ok(Decoded::Partial { frame_len: 0 });
                }
                let received = other.read(input)?;
                if other.is_idle() {
                    self.other = None;
                }
                match received {
                    Some(received) => return Ok(Decoded::Received(received)),
                    None if self.other.as_ref().is_some_and(|other| other.is_in_frame()) => {
                        continue;
                    }
                    // Whoever reads counts its frames, lest many small ones keep others waiting.
                    None => return Ok(Decoded::Received(Received::Fragment)),
                }
            }
            let whole = Whole::parse(input)
                .filter(|whole| self.other.is_none() && whole.payload_len <= self.limits.message);
            let Some(whole) = whole else {
                let mut cursor = Cursor::new(&input[..]);
                let Some((header, payload_len)) = FrameHeader::parse(&mut cursor)? else {
                    let frame_len = LARGEST_FRAME_HEAD;
                    return Ok(Decoded::Partial { frame_len });
                };
                let head = cursor.position() as usize;
                let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
                let limits = self.limits;
                self.other
                    .get_or_insert_with(|| Box::new(Other::new(limits)))
                    .begin(&header, head, payload_len);
                continue;
            };
            let frame_len = whole.head_len + whole.payload_len;
            let Some(frame) = input.get_mut(..frame_len) else {
                return Ok(Decoded::Partial { frame_len });
            };
            unmask(&mut frame[whole.head_len..], whole.mask);
            let mut payload = input.split_to(frame_len).freeze();
            payload.advance(whole.head_len);
            return match whole.data {
                Data::Text if !is_utf8(&payload) => {
                    Err(Error::Utf8("text of a message".to_owned()))
                }
                Data::Text => Ok(Decoded::Received(Received::Text(payload))),
                _ => Ok(Decoded::Received(Received::Binary(payload))),
            };
        }
    }

    /// Writes frames as long as the stream takes them; `next` gives one after the other. Ready means that all are
    /// written, though perhaps not flushed.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        mut next: impl FnMut(&mut Context<'_>) -> Option<Frame>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_unwritten(context))?;
        let mut output = OUTPUT.take();
        let result = loop {
            let mut has_more = true;
            while has_more && output.len() < self.limits.write {
                match next(context) {
                    Some(frame) => append(&mut output, &frame),
                    None => has_more = false,
                }
            }
            let mut rest = &output[..];
            let written = self.poll_write_all(context, &mut rest);
            if written.is_pending() {
                self.unwritten = rest.into();
            }
            output.clear();
            if !has_more || !matches!(written, Poll::Ready(Ok(()))) {
                break written;
            }
        };
        if output.capacity() <= MAX_KEPT_OUTPUT {
            OUTPUT.set(output);
        }
        result
    }

    /// Writes what the stream has not taken before, and answers to control frames.
    fn poll_unwritten(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.unwritten.is_empty() {
                let mut unwritten = std::mem::take(&mut self.unwritten);
                let written = self.poll_write_all(context, &mut unwritten);
                if written.is_pending() {
                    // Moved and not copied: a long message may go in many small steps.
                    self.unwritten = unwritten;
                }
                ready!(written)?;
            }
            let Some(answer) = self.other.as_mut().and_then(|other| other.take_answer()) else {
                return Poll::Ready(Ok(()));
            };
            self.put(answer);
            if self.other.as_ref().is_some_and(|other| other.is_idle()) {
                self.other = None;
            }
        }
    }

    /// Writes as long as the stream takes it. Ready means that nothing is left.
    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut impl Buf,
    ) -> Poll<io::Result<()>> {
        while bytes.has_remaining() {
            let written = Pin::new(&mut self.stream).poll_write(context, bytes.chunk());
            let count = ready!(written)?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count as u64;
            bytes.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes and flushes all that was to be written so far.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unwritten(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// The last frame that is written: a close frame.
    pub(super) fn close(&mut self, frame: Option<CloseFrame>) {
        while let Some(answer) = self.other.as_mut().and_then(|other| other.take_answer()) {
            self.put(answer);
        }
        self.put(WsFrame::close(frame));
    }

    /// Waits until the peer has closed, too, or is gone.
    pub(super) fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut input = self.begin_reading();
        let closed = loop {
            match self.poll_next(context, &mut input) {
                Poll::Ready(Some(Ok(
                    Received::Text(_)
                    | Received::Binary(_)
                    | Received::Heartbeat
                    | Received::Fragment,
                ))) => {}
                Poll::Ready(_) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.end_reading(input);
        closed
    }

    fn put(&mut self, frame: WsFrame) {
        let mut bytes = Vec::with_capacity(frame.len());
        let written = frame.format(&mut bytes);
        debug_assert!(written.is_ok(), "memory takes everything");
        self.unwritten.extend_from_slice(&bytes);
    }

    /// The stream, of which some bytes may have been read already.
    pub(super) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

enum Decoded {
    Received(Received),
    /// More has to be read. The frame is so long at least.
    Partial {
        frame_len: usize,
    },
}

impl Input {
    /// Makes room for what is read next. Memory for a long frame grows as the frame does, since its head may announce
    /// anything.
    fn make_room(&mut self, read: usize, frame_len: usize) {
        let (len, spare) = (self.bytes.len(), self.bytes.capacity() - self.bytes.len());
        if len < read {
            // Whoever has kept a message has kept the memory around it, too.
            if !self.bytes.try_reclaim(read - len) && spare < read / 4 {
                self.bytes.reserve(read - len);
            }
        } else if spare == 0 {
            let missing = frame_len.saturating_sub(len).max(read);
            self.bytes.reserve(missing.min(len));
            self.is_own = true;
        }
    }
}

/// Writes a frame as one message.
fn append(output: &mut Vec<u8>, frame: &Frame) {
    let (payload, data) = match frame {
        Frame::Text(payload) => (payload, Data::Text),
        Frame::Binary(payload) => (payload, Data::Binary),
    };
    let header = FrameHeader {
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    };
    let written = header.format(payload.len() as u64, output);
    debug_assert!(written.is_ok(), "memory takes everything");
    output.extend_from_slice(payload);
}

/// RFC 6455, section 5.2: two bytes, a long length and the mask.
pub(super) const LARGEST_FRAME_HEAD: usize = 14;

/// No message is larger, whatever the configuration says: a length is computed with, and what it is read into is allocated.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// A larger buffer is not kept.
const MAX_KEPT_OUTPUT: usize = 128 * 1024;

#[cfg(test)]
mod tests;
