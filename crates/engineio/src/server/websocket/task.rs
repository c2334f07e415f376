//! `Task`: what is spawned for a WebSocket. It drives the session's wire, then says goodbye within a bounded time.
//!
//! It is a future by hand, and all of an idle connection: whatever it holds, thousands of them hold.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{
    Stream,
    driver::{Driver, End},
    socket::Socket,
};
use crate::{
    error::CloseReason,
    server::{Engine, Handler},
};

pub(super) struct Task<H: Handler> {
    phase: Phase<H>,
    _counted: Counted<H>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of a task's life is the large one"
)]
enum Phase<H: Handler> {
    Carrying(Driver<H>),
    /// Boxed, so that the many that are open do not pay for the few that are closing.
    Finishing(Pin<Box<dyn Future<Output = ()> + Send>>),
    Done,
}

impl<H: Handler> Task<H> {
    pub(super) fn new(driver: Driver<H>, counted: Counted<H>) -> Self {
        Self {
            phase: Phase::Carrying(driver),
            _counted: counted,
        }
    }
}

impl<H: Handler> Future for Task<H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Phase::Carrying(driver) = &mut self.phase {
            let end = ready!(Pin::new(driver).poll(context));
            if let Phase::Carrying(driver) = mem::replace(&mut self.phase, Phase::Done) {
                let grace = driver.grace();
                self.phase = Phase::Finishing(Box::pin(finish(driver.into_socket(), end, grace)));
            }
        }
        match &mut self.phase {
            Phase::Finishing(goodbye) => goodbye.as_mut().poll(context),
            Phase::Carrying(_) | Phase::Done => Poll::Ready(()),
        }
    }
}

impl<H: Handler> Drop for Task<H> {
    /// The task may be dropped at any time, as when its runtime shuts down.
    fn drop(&mut self) {
        if let Phase::Carrying(driver) = &self.phase {
            driver.transport_closed(CloseReason::TransportClose);
        }
    }
}

/// One WebSocket of an engine, whose `close` waits for the last of them.
pub(super) struct Counted<H: Handler>(Arc<Engine<H>>);

impl<H: Handler> Counted<H> {
    pub(super) fn new(engine: Arc<Engine<H>>) -> Self {
        engine.websockets.fetch_add(1, Ordering::SeqCst);
        Self(engine)
    }
}

impl<H: Handler> Drop for Counted<H> {
    fn drop(&mut self) {
        self.0.websockets.fetch_sub(1, Ordering::SeqCst);
        self.0.notify_if_closing();
    }
}

/// The end of a connection takes a few more bytes each way, for which it gets a bounded time.
async fn finish(mut socket: Socket<Stream>, end: End, grace: Duration) {
    let goodbye = async {
        match end {
            End::Gone => return,
            End::Left => {}
            End::Closed => socket.close(None),
            End::Broken(code) => socket.close(Some(CloseFrame {
                code,
                reason: Default::default(),
            })),
        }
        if poll_fn(|context| socket.poll_flush(context)).await.is_err() {
            return;
        }
        match end {
            End::Gone | End::Left => {}
            End::Closed => poll_fn(|context| socket.poll_closed(context)).await,
            End::Broken(_) => {
                // Closing with unread bytes would reset the connection, and the close frame could be lost.
                let stream = socket.stream_mut();
                let mut unread = [0; 1024];
                if stream.shutdown().await.is_ok() {
                    while stream.read(&mut unread).await.is_ok_and(|read| read > 0) {}
                }
            }
        }
    };
    let _elapsed = timeout(grace, goodbye).await;
}
