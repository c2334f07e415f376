//! `Driver`: the one future of a WebSocket. It reads, writes and flushes, and does nothing else.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream as _};
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::{
    Error, Message as WsMessage,
    error::ProtocolError,
    protocol::frame::{
        Frame as WsFrame,
        coding::{CloseCode, Data, OpCode},
    },
};

use super::Stream;
use crate::{
    dialect::Dialect,
    error::{CloseDetail, CloseReason},
    packet::Frame,
    server::{Handler, Link},
    session::{Transmit, WebSocketId, Wire},
};

/// How many messages are read before other tasks get their turn.
const READ_BUDGET: usize = 64;

/// RFC 6455, section 5.2: two bytes, a long length and the mask.
const LARGEST_FRAME_HEAD: usize = 14;

thread_local! {
    /// The batch between the session and the socket: filled and emptied within one poll, so one a thread is enough.
    static BATCH: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// Carries a session, or probes for it, until either ends; then says how.
pub(super) struct Driver<H: Handler> {
    link: Arc<Link<H>>,
    wire: Wire,
    dialect: Dialect,
    stream: Stream,
    /// What was taken from the session and not by the socket. Empty unless the socket is blocked.
    pending: VecDeque<Frame>,
    /// The session has asked to close behind what is pending.
    is_closing: bool,
    is_unflushed: bool,
    /// Reading was left off because the application has paused it.
    is_paused: bool,
    /// The bytes that had been read when the last message was complete.
    read_before: u64,
    stall: Option<Stall>,
}

/// Since when the peer has taken nothing although there is something to write.
struct Stall {
    written: u64,
    deadline: Pin<Box<Sleep>>,
}

/// How the connection ends.
pub(super) enum End {
    /// It is gone, or of no use.
    Gone,
    /// By the session: with a close frame, and the peer's in return.
    Closed,
    /// By a peer that broke the rules: with a close frame that says which.
    Broken(CloseCode),
}

impl<H: Handler> Driver<H> {
    pub(super) fn new(
        link: Arc<Link<H>>,
        id: WebSocketId,
        dialect: Dialect,
        stream: Stream,
    ) -> Self {
        Self {
            link,
            wire: Wire::WebSocket(id),
            dialect,
            stream,
            pending: VecDeque::new(),
            is_closing: false,
            is_unflushed: false,
            is_paused: false,
            read_before: 0,
            stall: None,
        }
    }

    /// How long the peer may take nothing.
    pub(super) fn grace(&self) -> Duration {
        self.link.engine().config().write_deadline
    }

    /// The socket, when it carries the session no more.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Tells the session that its wire is gone. It makes no difference to a session that is over or elsewhere.
    pub(super) fn transport_closed(&self, reason: CloseReason) {
        self.link
            .drive(|session| session.transport_closed(self.wire, reason));
    }

    fn transport_failed(&self, detail: CloseDetail) {
        self.link
            .drive(|session| session.transport_failed(self.wire, detail));
    }

    fn read(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        self.is_paused = self.link.is_reading_paused();
        if self.is_paused {
            return ControlFlow::Continue(());
        }
        for _ in 0..READ_BUDGET {
            let message = match Pin::new(&mut self.stream).poll_next(context) {
                Poll::Pending => return self.check_fragments(),
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) => return ControlFlow::Break(self.fail(&error)),
                Poll::Ready(None) => {
                    self.transport_closed(CloseReason::TransportClose);
                    return ControlFlow::Break(End::Gone);
                }
            };
            let packet = match message {
                WsMessage::Text(text) => self.dialect.decode_text(Bytes::from(text)),
                WsMessage::Binary(data) => self.dialect.decode_binary(data),
                // Answered by the WebSocket layer with the next flush.
                WsMessage::Ping(_) | WsMessage::Close(_) => {
                    self.is_unflushed = true;
                    continue;
                }
                WsMessage::Pong(_) | WsMessage::Frame(_) => continue,
            };
            self.read_before = self.stream.get_ref().read();
            self.is_paused = self.link.receive(self.wire, packet);
            if self.is_paused {
                return ControlFlow::Continue(());
            }
        }
        context.waker().wake_by_ref();
        self.check_fragments()
    }

    /// The WebSocket layer bounds the size of a message, and not the number of frames it is made of.
    fn check_fragments(&self) -> ControlFlow<End> {
        let config = self.link.engine().config();
        let heads = config.ws_max_fragments.saturating_mul(LARGEST_FRAME_HEAD);
        let most = config.max_payload.saturating_add(heads);
        if self.stream.get_ref().read() - self.read_before <= most as u64 {
            return ControlFlow::Continue(());
        }
        self.transport_failed(CloseDetail::TooManyFragments);
        ControlFlow::Break(End::Broken(CloseCode::Policy))
    }

    /// Feeds the socket with what the session has, as long as it takes it.
    fn write(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        let mut batch = BATCH.take();
        let flow = loop {
            match self.feed_pending(context) {
                Poll::Pending => break ControlFlow::Continue(()),
                Poll::Ready(Err(error)) => break ControlFlow::Break(self.fail(&error)),
                Poll::Ready(Ok(())) => {}
            }
            if self.is_closing {
                break ControlFlow::Break(End::Closed);
            }
            match self.link.poll_transmit(self.wire, context, &mut batch) {
                Transmit::Idle => break ControlFlow::Continue(()),
                Transmit::Frames => {}
                Transmit::Close => self.is_closing = true,
            }
            let result = self.feed(context, &mut batch);
            if let Err(error) = result {
                break ControlFlow::Break(self.fail(&error));
            }
        };
        batch.clear();
        BATCH.set(batch);
        flow
    }

    fn flush(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        if !self.is_unflushed && self.stall.is_none() {
            return ControlFlow::Continue(());
        }
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Ok(())) => {
                self.is_unflushed = false;
                let has_more = self.stall.take().is_some() && self.link.websocket_unblocked();
                if has_more || !self.pending.is_empty() {
                    context.waker().wake_by_ref();
                }
                ControlFlow::Continue(())
            }
            Poll::Ready(Err(error)) => ControlFlow::Break(self.fail(&error)),
            Poll::Pending => self.wait_for_room(context),
        }
    }

    /// The socket is blocked. It may be, as long as the peer takes something now and then.
    fn wait_for_room(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        let is_over = self.link.websocket_blocked(self.wire, context);
        if is_over {
            return ControlFlow::Break(End::Gone);
        }
        let written = self.stream.get_ref().written();
        let grace = self.grace();
        let stall = match &mut self.stall {
            Some(stall) if stall.written == written => stall,
            stall => stall.insert(Stall {
                written,
                deadline: Box::pin(tokio::time::sleep(grace)),
            }),
        };
        if stall.deadline.as_mut().poll(context).is_ready() {
            self.transport_closed(CloseReason::SlowConsumer);
            return ControlFlow::Break(End::Gone);
        }
        ControlFlow::Continue(())
    }

    fn feed(&mut self, context: &mut Context<'_>, batch: &mut Vec<Frame>) -> Result<(), Error> {
        for frame in batch.drain(..) {
            if self.pending.is_empty() && Pin::new(&mut self.stream).poll_ready(context)?.is_ready()
            {
                Pin::new(&mut self.stream).start_send(to_websocket(self.dialect.encode(frame)))?;
                self.is_unflushed = true;
            } else {
                self.pending.push_back(frame);
            }
        }
        Ok(())
    }

    fn feed_pending(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.pending.is_empty() {
            std::task::ready!(Pin::new(&mut self.stream).poll_ready(context))?;
            if let Some(frame) = self.pending.pop_front() {
                Pin::new(&mut self.stream).start_send(to_websocket(self.dialect.encode(frame)))?;
                self.is_unflushed = true;
            }
        }
        if self.pending.capacity() > 0 {
            self.pending = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the session what has gone wrong with its wire.
    fn fail(&mut self, error: &Error) -> End {
        let (detail, code) = match error {
            Error::Capacity(_) => (CloseDetail::MessageTooLarge, CloseCode::Size),
            Error::Utf8(_) => (CloseDetail::InvalidUtf8, CloseCode::Invalid),
            Error::Protocol(error) if *error != ProtocolError::ResetWithoutClosingHandshake => {
                (CloseDetail::InvalidFrame, CloseCode::Protocol)
            }
            _ => {
                self.transport_closed(CloseReason::TransportClose);
                return End::Gone;
            }
        };
        self.transport_failed(detail);
        End::Broken(code)
    }
}

impl<H: Handler> Future for Driver<H> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        self.link.unpark(self.wire);
        let mut flow = self.read(context);
        if flow.is_continue() {
            flow = self.write(context);
        }
        if flow.is_continue() {
            flow = self.flush(context);
        }
        match flow {
            ControlFlow::Continue(()) => {
                // It may have been resumed before this was parked, when there was nobody to wake.
                if self.is_paused && !self.link.is_reading_paused() {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            ControlFlow::Break(end) => Poll::Ready(end),
        }
    }
}

/// Shared bytes go out as they are: text was valid when it was encoded.
fn to_websocket(frame: Frame) -> WsMessage {
    let (bytes, data) = match frame {
        Frame::Text(bytes) => (bytes, Data::Text),
        Frame::Binary(bytes) => (bytes, Data::Binary),
    };
    WsMessage::Frame(WsFrame::message(bytes, OpCode::Data(data), true))
}
