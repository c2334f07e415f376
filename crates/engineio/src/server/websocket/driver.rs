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
use futures_util::{Sink, Stream as _, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Sleep, timeout},
};
use tokio_tungstenite::tungstenite::{
    Error, Message as WsMessage,
    error::ProtocolError,
    protocol::{
        CloseFrame,
        frame::{
            Frame as WsFrame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use super::Stream;
use crate::{
    error::CloseReason,
    handshake::Transport,
    packet::{Frame, Message, Packet},
    server::{Handler, Link},
    session::{Transmit, WebSocketId, Wire},
};

/// How many messages are read before other tasks get their turn.
const READ_BUDGET: usize = 64;

thread_local! {
    /// The batch between the session and the socket: filled and emptied within one poll, so one a thread is enough.
    static BATCH: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

/// Carries a session, or probes for it, until either ends.
pub(super) struct Driver<H: Handler> {
    link: Arc<Link<H>>,
    wire: Wire,
    stream: Stream,
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
    /// Drives the WebSocket until it is closed.
    pub(super) async fn run(link: Arc<Link<H>>, id: WebSocketId, stream: Stream) {
        let grace = link.engine().config().write_deadline;
        let wire = Wire::WebSocket(id);
        let _abandoned = Abandoned(link.clone(), wire);
        let mut driver = Self {
            link,
            wire,
            stream,
            pending: VecDeque::new(),
            is_closing: false,
            is_unflushed: false,
            is_paused: false,
            stall: None,
        };
        let end = (&mut driver).await;
        // Boxed, so that the many that are open do not pay for the few that are closing.
        Box::pin(finish(driver.stream, end, grace)).await;
    }

    fn read(&mut self, context: &mut Context<'_>) -> ControlFlow<End> {
        self.is_paused = self.link.is_reading_paused();
        if self.is_paused {
            return ControlFlow::Continue(());
        }
        for _ in 0..READ_BUDGET {
            let message = match Pin::new(&mut self.stream).poll_next(context) {
                Poll::Pending => return ControlFlow::Continue(()),
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) => return ControlFlow::Break(self.fail(&error)),
                Poll::Ready(None) => {
                    self.transport_closed(CloseReason::TransportClose);
                    return ControlFlow::Break(End::Gone);
                }
            };
            let packet = match message {
                WsMessage::Text(text) => Packet::decode_text(Bytes::from(text)),
                WsMessage::Binary(data) => Ok(Packet::Message(Message::Binary(data))),
                // Answered by the WebSocket layer with the next flush.
                WsMessage::Ping(_) | WsMessage::Close(_) => {
                    self.is_unflushed = true;
                    continue;
                }
                WsMessage::Pong(_) | WsMessage::Frame(_) => continue,
            };
            self.is_paused = self.link.receive(self.wire, packet);
            if self.is_paused {
                return ControlFlow::Continue(());
            }
        }
        context.waker().wake_by_ref();
        ControlFlow::Continue(())
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
                if self.stall.take().is_some() && self.link.websocket_unblocked() {
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
        let grace = self.link.engine().config().write_deadline;
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
                Pin::new(&mut self.stream).start_send(to_websocket(frame))?;
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
                Pin::new(&mut self.stream).start_send(to_websocket(frame))?;
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
        let (reason, end) = match error {
            Error::Capacity(_) => (CloseReason::TransportError, End::Broken(CloseCode::Size)),
            Error::Utf8(_) => (CloseReason::TransportError, End::Broken(CloseCode::Invalid)),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                (CloseReason::TransportClose, End::Gone)
            }
            Error::Protocol(_) => (
                CloseReason::TransportError,
                End::Broken(CloseCode::Protocol),
            ),
            _ => (CloseReason::TransportClose, End::Gone),
        };
        self.transport_closed(reason);
        end
    }

    fn transport_closed(&self, reason: CloseReason) {
        self.link
            .drive(|session| session.transport_closed(self.wire, reason));
    }
}

impl<H: Handler> Future for Driver<H> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        self.link.unpark(Transport::WebSocket);
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

/// Ends the session if the task is dropped, as when its runtime shuts down. A session that has ended is not moved.
struct Abandoned<H: Handler>(Arc<Link<H>>, Wire);

impl<H: Handler> Drop for Abandoned<H> {
    fn drop(&mut self) {
        self.0
            .drive(|session| session.transport_closed(self.1, CloseReason::TransportClose));
    }
}

/// The end of a connection takes a few more bytes each way, for which it gets a bounded time.
async fn finish(mut stream: Stream, end: End, grace: Duration) {
    let goodbye = async {
        match end {
            End::Gone => {}
            End::Closed => {
                if stream.close(None).await.is_ok() {
                    while let Some(Ok(_)) = stream.next().await {}
                }
            }
            End::Broken(code) => {
                let frame = CloseFrame {
                    code,
                    reason: Default::default(),
                };
                if stream.close(Some(frame)).await.is_ok() {
                    // Closing with unread bytes would reset the connection, and the close frame could be lost.
                    let socket = stream.get_mut();
                    let mut unread = [0; 1024];
                    if socket.shutdown().await.is_ok() {
                        while socket.read(&mut unread).await.is_ok_and(|read| read > 0) {}
                    }
                }
            }
        }
    };
    let _elapsed = timeout(grace, goodbye).await;
}

/// Shared bytes go out as they are: text was valid when it was encoded.
fn to_websocket(frame: Frame) -> WsMessage {
    let (bytes, data) = match frame {
        Frame::Text(bytes) => (bytes, Data::Text),
        Frame::Binary(bytes) => (bytes, Data::Binary),
    };
    WsMessage::Frame(WsFrame::message(bytes, OpCode::Data(data), true))
}
