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

use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::{
    Error, error::ProtocolError, protocol::frame::coding::CloseCode,
};

use super::{
    Stream,
    socket::{Input, LARGEST_FRAME_HEAD, Received, Socket},
};
use crate::{
    dialect::Dialect,
    error::{CloseDetail, CloseReason},
    packet::Frame,
    server::{Handler, Link, link::Turn, now},
    session::{Transmit, WebSocketId, Wire},
};

/// How many messages are read before other tasks get their turn.
pub(super) const READ_BUDGET: usize = 64;

thread_local! {
    /// The batch between the session and the socket: filled and emptied within one poll, so one a thread is enough.
    static BATCH: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// Carries a session, or probes for it, until either ends; then says how.
pub(super) struct Driver<H: Handler> {
    link: Arc<Link<H>>,
    wire: Wire,
    dialect: Dialect,
    socket: Socket<Stream>,
    /// What was taken from the session and not by the socket. Empty unless the socket is blocked.
    pending: VecDeque<Frame>,
    /// The session has asked to close behind what is pending.
    is_closing: bool,
    is_unflushed: bool,
    /// Reading was left off because the application has paused it.
    is_paused: bool,
    stall: Option<Stall>,
}

/// Since when the peer has taken nothing although there is something to write.
struct Stall {
    written: u64,
    deadline: Pin<Box<Sleep>>,
}

/// Why no more is read for now.
enum Stop {
    /// There is no more.
    Empty,
    /// Others have to get their turn.
    Budget,
    /// The application wants it so.
    Paused,
    Failed(Error),
    /// The peer closes.
    Left,
    /// The stream has ended.
    Gone,
}

/// How the connection ends.
pub(super) enum End {
    /// It is gone, or of no use.
    Gone,
    /// By the peer's close frame, which is answered.
    Left,
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
        socket: Socket<Stream>,
    ) -> Self {
        Self {
            link,
            wire: Wire::WebSocket(id),
            dialect,
            socket,
            pending: VecDeque::new(),
            is_closing: false,
            is_unflushed: false,
            is_paused: false,
            stall: None,
        }
    }

    /// How long the peer may take nothing.
    pub(super) fn grace(&self) -> Duration {
        self.link.engine().config().write_deadline
    }

    /// The socket, when it carries the session no more.
    pub(super) fn into_socket(self) -> Socket<Stream> {
        self.socket
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
        if self.is_paused {
            return ControlFlow::Continue(());
        }
        let mut input = self.socket.begin_reading();
        let stop = self.read_messages(context, &mut input);
        self.socket.end_reading(input);
        match stop {
            Stop::Empty => self.check_fragments(),
            Stop::Budget => {
                context.waker().wake_by_ref();
                self.check_fragments()
            }
            Stop::Paused => ControlFlow::Continue(()),
            Stop::Failed(error) => ControlFlow::Break(self.fail(&error)),
            Stop::Left => {
                self.transport_closed(CloseReason::TransportClose);
                ControlFlow::Break(End::Left)
            }
            Stop::Gone => {
                self.transport_closed(CloseReason::TransportClose);
                ControlFlow::Break(End::Gone)
            }
        }
    }

    fn read_messages(&mut self, context: &mut Context<'_>, input: &mut Input) -> Stop {
        let mut turn = Turn::new(&self.link);
        let mut arrived = None;
        let mut stop = Stop::Budget;
        for _ in 0..READ_BUDGET {
            let received = match self.socket.poll_next(context, input) {
                Poll::Ready(Some(Ok(received))) => received,
                Poll::Ready(Some(Err(error))) => {
                    stop = Stop::Failed(error);
                    break;
                }
                Poll::Ready(None) => {
                    stop = Stop::Gone;
                    break;
                }
                Poll::Pending => {
                    stop = Stop::Empty;
                    break;
                }
            };
            let packet = match received {
                Received::Text(text) => self.dialect.decode_text(text),
                Received::Binary(data) => self.dialect.decode_binary(data),
                Received::Heartbeat => {
                    self.is_unflushed = true;
                    continue;
                }
                Received::Fragment => continue,
                Received::Close => {
                    stop = Stop::Left;
                    break;
                }
            };
            // What one read has brought has arrived at one time.
            let now = || *arrived.get_or_insert_with(now);
            if turn.receive(now, self.wire, packet) {
                stop = Stop::Paused;
                break;
            }
        }
        self.is_paused = turn.end() || matches!(stop, Stop::Paused);
        stop
    }

    /// The WebSocket layer bounds the size of a message, and not the number of frames it is made of.
    fn check_fragments(&self) -> ControlFlow<End> {
        let config = self.link.engine().config();
        let heads = config.ws_max_fragments.saturating_mul(LARGEST_FRAME_HEAD);
        let most = config.max_payload.saturating_add(heads);
        if self.socket.unfinished() <= most {
            return ControlFlow::Continue(());
        }
        self.transport_failed(CloseDetail::TooManyFragments);
        ControlFlow::Break(End::Broken(CloseCode::Policy))
    }

    /// Feeds the socket with what the session has, as long as it takes it.
    fn write(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        let Self {
            link,
            wire,
            dialect,
            socket,
            pending,
            is_closing,
            is_unflushed,
            ..
        } = self;
        let mut batch = BATCH.take();
        let mut is_all = false;
        let next = |context: &mut Context<'_>| {
            let mut frame = pending.pop_front().or_else(|| batch.pop());
            if frame.is_none() && !*is_closing && !is_all {
                let transmit;
                (transmit, is_all) = link.poll_transmit(*wire, context, &mut batch);
                *is_closing = transmit == Transmit::Close;
                batch.reverse();
                frame = batch.pop();
            }
            *is_unflushed |= frame.is_some();
            frame.map(|frame| dialect.encode(frame))
        };
        let written = socket.poll_write(context, next);
        pending.extend(batch.drain(..).rev());
        if pending.is_empty() && pending.capacity() > 0 {
            *pending = VecDeque::new();
        }
        BATCH.set(batch);
        match written {
            Poll::Pending => ControlFlow::Continue(()),
            Poll::Ready(Err(error)) => ControlFlow::Break(self.fail(&error.into())),
            Poll::Ready(Ok(())) if self.is_closing => ControlFlow::Break(End::Closed),
            Poll::Ready(Ok(())) => ControlFlow::Continue(()),
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        if !self.is_unflushed && self.stall.is_none() {
            return ControlFlow::Continue(());
        }
        match self.socket.poll_flush(context) {
            Poll::Ready(Ok(())) => {
                self.is_unflushed = false;
                let has_more = self.stall.take().is_some() && self.link.websocket_unblocked();
                if has_more || !self.pending.is_empty() {
                    context.waker().wake_by_ref();
                }
                ControlFlow::Continue(())
            }
            Poll::Ready(Err(error)) => ControlFlow::Break(self.fail(&error.into())),
            Poll::Pending => self.wait_for_room(context),
        }
    }

    /// The socket is blocked. It may be, as long as the peer takes something now and then.
    fn wait_for_room(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        let is_over = self.link.websocket_blocked(self.wire, context);
        if is_over {
            return ControlFlow::Break(End::Gone);
        }
        let written = self.socket.written();
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
        self.is_paused = self.link.is_reading_paused();
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
