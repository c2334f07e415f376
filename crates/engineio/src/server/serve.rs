//! `serve`: accepts connections for a service, within limits, until it is told to stop.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, watch},
    task::unconstrained,
};
use tower_layer::Layer as _;

use super::{
    Engine, Handler,
    head_timer::HeadTimer,
    listener::{Listener, Peer},
    patient::Patient,
    service::other_path,
    workers::{Place, Runtimes},
};
use crate::config::Config;

/// The header fields of one request.
const MAX_HEADERS: usize = 100;

/// How long accepting rests when the system has no more file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

impl<H: Handler> Engine<H> {
    /// Serves this engine alone on a port, a Unix socket or another [`Listener`]: other paths are answered with status
    /// 501. Returns after [`close`](Self::close), when all connections are gone.
    pub async fn serve(self: &Arc<Self>, listener: impl Listener) -> io::Result<()> {
        let config = self.config.clone();
        let not_here = service_fn(move |_request: Request<Incoming>| {
            let answer = other_path(StatusCode::NOT_IMPLEMENTED, &config);
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        self.serve_with(listener, self.layer().layer(not_here))
            .await
    }

    /// Serves a service on a listener, such as this engine's [`layer`](Self::layer) in front of another, with the limits
    /// of this engine. Returns after [`close`](Self::close), when all connections are gone.
    ///
    /// # Errors
    ///
    /// Those of the function [`serve`](super::serve).
    pub async fn serve_with<L, S, B>(&self, listener: L, service: S) -> io::Result<()>
    where
        L: Listener,
        S: hyper::service::Service<Request<Incoming>, Response = Response<B>>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        serve(listener, service, self.config(), self.closed()).await
    }
}

/// Accepts HTTP/1.1 connections for a service until `stop` resolves; then connections end with the request they are
/// serving, and the call returns when all of them have.
///
/// Each request carries in its extensions what is known of its [`Peer`]. Heads are limited by
/// [`Config::max_header_bytes`] and [`Config::header_read_timeout`].
///
/// With [`Config::workers`] connections are spread over threads of their own; without, they are on the runtime of the
/// caller.
///
/// # Errors
///
/// That a worker cannot be started, or has panicked, after which the other connections are ended. That a connection
/// cannot be accepted is logged, and accepting goes on.
pub async fn serve<L, S, B>(
    mut listener: L,
    service: S,
    config: &Config,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    L: Listener,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.header_read_timeout(config.header_read_timeout)
        .max_buf_size(config.max_header_bytes.max(8 * 1024))
        .max_headers(MAX_HEADERS);
    let limits = ConnectionLimits {
        handshake: config.tls_handshake_timeout,
        // A WebSocket has a check of its own, which knows the reason; it is to come first.
        patience: config.write_deadline.saturating_mul(3) / 2,
        grace: config.shutdown_grace,
    };
    let mut runtimes = Runtimes::start(config)?;
    // Every connection holds a receiver: `closed` tells when the last of them is gone.
    let (stopping, stopped) = stopping();
    let mut stop = pin!(stop);
    let result = loop {
        let next = async {
            runtimes.has_room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break Ok(()),
            error = runtimes.failed() => break Err(error),
            accepted = next => accepted,
        };
        match accepted {
            Ok(handshake) => runtimes.spawn(|place| {
                serve_connection(
                    http.clone(),
                    handshake,
                    service.clone(),
                    stopped.clone(),
                    limits,
                    place,
                )
            }),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    };
    drop((listener, stopped));
    stopping.tell();
    // A connection has the rest of its request to finish, and then it is dropped: it ends with its receiver.
    stopping.watch.closed().await;
    result
}

#[derive(Clone, Copy)]
struct ConnectionLimits {
    /// How long a connection may take until requests can be read from it.
    handshake: Duration,
    /// How long a peer may take nothing of what is written to it.
    patience: Duration,
    /// How long a request may go on when serving stops.
    grace: Duration,
}

async fn serve_connection<C, T, S, B>(
    mut http: http1::Builder,
    handshake: C,
    service: S,
    stopped: Stopped,
    limits: ConnectionLimits,
    place: Option<Place>,
) where
    C: Future<Output = io::Result<(T, Peer)>>,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let handshake = tokio::time::timeout(limits.handshake, handshake);
    let (stream, peer) = tokio::select! {
        // A connection without a handshake is served also when the server stops at this moment.
        biased;
        result = handshake => match result {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return tracing::debug!(%error, "handshake of a connection failed"),
            Err(_elapsed) => return tracing::debug!("handshake of a connection took too long"),
        },
        () = stopped.come() => return,
    };
    let service = WithPeer {
        inner: service,
        peer,
    };
    let stream = TokioIo::new(Patient::new(stream, limits.patience, place));
    http.timer(HeadTimer::default());
    let mut connection = pin!(http.serve_connection(stream, service).with_upgrades());
    let result = match until_stopped(connection.as_mut(), &stopped).await {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.grace, connection).await {
                Ok(result) => result,
                Err(_elapsed) => return tracing::debug!("connection dropped"),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection failed");
    }
}

fn stopping() -> (Stopping, Stopped) {
    let (watch, is_stopped) = watch::channel(());
    let told = Arc::<Notify>::default();
    let stopping = Stopping {
        watch,
        told: Arc::clone(&told),
    };
    (stopping, Stopped { is_stopped, told })
}

/// Tells connections that serving stops, also if it is dropped in the middle.
struct Stopping {
    watch: watch::Sender<()>,
    told: Arc<Notify>,
}

impl Stopping {
    fn tell(&self) {
        self.watch.send_replace(());
        self.told.notify_waiters();
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.tell();
    }
}

/// The word that serving stops, as a connection waits for it. Those who wait are told in the order in which they began
/// to, where a watch alone would wake them in any.
#[derive(Clone)]
struct Stopped {
    is_stopped: watch::Receiver<()>,
    told: Arc<Notify>,
}

impl Stopped {
    fn has_come(&self) -> bool {
        !matches!(self.is_stopped.has_changed(), Ok(false))
    }

    async fn come(&self) {
        let told = self.told.notified();
        if !self.has_come() {
            told.await;
        }
    }
}

/// The end of a connection, or nothing if it goes on when serving stops.
///
/// The signal is waited for once, at the first poll; after that a look at it is enough, as it wakes this task, whose waker
/// stays the same. Waiting anew at each poll would take the locks of all who wait.
async fn until_stopped<C: Future>(
    mut connection: Pin<&mut C>,
    stopped: &Stopped,
) -> Option<C::Output> {
    // A connection that does much at first would otherwise leave no turn to wait in.
    let mut waiting = pin!(unconstrained(stopped.come()));
    let mut is_waiting = false;
    poll_fn(|context| {
        if let Poll::Ready(output) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let has_come = match mem::replace(&mut is_waiting, true) {
            true => stopped.has_come(),
            false => waiting.as_mut().poll(context).is_ready(),
        };
        if has_come {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Tells the service who is asking.
struct WithPeer<S> {
    inner: S,
    peer: Peer,
}

impl<S, B> hyper::service::Service<Request<B>> for WithPeer<S>
where
    S: hyper::service::Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> S::Future {
        self.peer.tell(request.extensions_mut());
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        sync::{mpsc, oneshot},
        time::timeout,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_begins_busily_still_hears_that_serving_stops() {
        let (stopping, stopped) = stopping();
        let (work, mut working) = mpsc::unbounded_channel();
        let (idle, is_idle) = oneshot::channel();
        // More than the runtime lets a task do at once.
        for _ in 0..1_000 {
            work.send(()).unwrap();
        }
        let connection = tokio::spawn(async move {
            let connection = async move {
                for _ in 0..1_000 {
                    working.recv().await.unwrap();
                }
                idle.send(()).unwrap();
                working.recv().await
            };
            until_stopped(pin!(connection), &stopped).await
        });
        is_idle.await.unwrap();
        stopping.tell();
        let ended = timeout(Duration::from_secs(1), connection).await;
        assert_eq!(ended.expect("it goes on").unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_hears_that_serving_was_given_up() {
        let (stopping, stopped) = stopping();
        let (idle, is_idle) = oneshot::channel();
        let connection = tokio::spawn(async move {
            let connection = async move {
                idle.send(()).unwrap();
                std::future::pending::<()>().await;
            };
            until_stopped(pin!(connection), &stopped).await
        });
        is_idle.await.unwrap();
        drop(stopping);
        let ended = timeout(Duration::from_secs(1), connection).await;
        assert_eq!(ended.expect("it goes on").unwrap(), None);
    }
}
