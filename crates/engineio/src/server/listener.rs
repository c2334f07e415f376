//! `Listener`: where the connections come from that `serve` accepts, and what is known of who is at their other end.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime::{self, Handle},
};

/// Where connections come from: a TCP port, a Unix socket, TLS on top of either, or anything that makes streams.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use engineio::server::{Engine, Handler, UnixSocket};
/// # async fn run<H: Handler>(engine: Arc<Engine<H>>) -> std::io::Result<()> {
/// engine.serve(UnixSocket::bind("/run/chat/chat.sock")?).await
/// # }
/// ```
pub trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// What has to be done before requests are read, such as a TLS handshake. It runs in the connection's own task, for
    /// at most [`Config::tls_handshake_timeout`](crate::Config::tls_handshake_timeout); others do not wait for it. With
    /// [`Config::workers`](crate::Config::workers) that task is on another runtime than [`accept`](Self::accept) is, to
    /// which [`Accepted`] takes a stream of tokio's.
    type Handshake: Future<Output = io::Result<(Self::Stream, Peer)>> + Send + 'static;

    /// The next connection. The future is dropped when serving ends.
    ///
    /// # Errors
    ///
    /// What ails the listener as a whole, such as that the system has no more file descriptors: it is logged, and nobody
    /// is accepted for 100 ms. What a single peer can cause is the handshake's to say.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Handshake>> + Send;
}

/// Who is at the other end of a connection. Each of its requests says so in its extensions.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// The address, as the extension [`RemoteAddr`]. Default: none, as on a Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether nobody in between can read along, as the extension [`Secure`]. Default: `false`.
    pub is_secure: bool,
    /// More extensions. Default: none.
    pub extensions: http::Extensions,
}

/// The address of the peer, among the extensions of a request that [`serve`](super::serve) has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// The connection is encrypted: among the extensions of a request that [`serve`](super::serve) has accepted by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secure;

impl Peer {
    pub(super) fn tell(&self, extensions: &mut http::Extensions) {
        if let Some(address) = self.address {
            extensions.insert(RemoteAddr(address));
        }
        if self.is_secure {
            extensions.insert(Secure);
        }
        if !self.extensions.is_empty() {
            extensions.extend(self.extensions.clone());
        }
    }
}

/// A stream of tokio's that needs no handshake. It moves to the runtime on which it is awaited, so that readiness is told
/// to the thread that uses it, and to no other one first.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Until it is awaited.
    accepted: Option<(S, Peer)>,
    runtime: runtime::Id,
}

impl<S> Accepted<S> {
    /// One that the current runtime has accepted.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(stream: S, peer: Peer) -> Self {
        Self {
            accepted: Some((stream, peer)),
            runtime: Handle::current().id(),
        }
    }
}

impl<S: Move> Future for Accepted<S> {
    type Output = io::Result<(S, Peer)>;

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        let (stream, peer) = self
            .accepted
            .take()
            .expect("it is ready at once, and then awaited no more");
        let is_elsewhere = Handle::try_current().is_ok_and(|here| here.id() != self.runtime);
        let stream = if is_elsewhere {
            stream.move_here()
        } else {
            Ok(stream)
        };
        Poll::Ready(stream.map(|stream| (stream, peer)))
    }
}

/// A stream of tokio's, which belongs to a runtime.
pub trait Move: Sized + Unpin {
    /// The same stream, on the current runtime.
    fn move_here(self) -> io::Result<Self>;
}

impl Move for TcpStream {
    fn move_here(self) -> io::Result<Self> {
        Self::from_std(self.into_std()?)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Handshake = Accepted<TcpStream>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        let (stream, address) = TcpListener::accept(self).await?;
        // Small packets in both directions are what this is about.
        let _unsupported = stream.set_nodelay(true);
        let peer = Peer {
            address: Some(address),
            ..Peer::default()
        };
        Ok(Accepted::new(stream, peer))
    }
}
