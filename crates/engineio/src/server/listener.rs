//! `Listener`: where the connections come from that `serve` accepts, and what is known of who is at their other end.

use std::{
    future::{Future, Ready, ready},
    io,
    net::SocketAddr,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
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
    /// at most [`Config::tls_handshake_timeout`](crate::Config::tls_handshake_timeout); others do not wait for it.
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

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Handshake = Ready<io::Result<(TcpStream, Peer)>>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        let (stream, address) = TcpListener::accept(self).await?;
        // Small packets in both directions are what this is about.
        let _unsupported = stream.set_nodelay(true);
        let peer = Peer {
            address: Some(address),
            ..Peer::default()
        };
        Ok(ready(Ok((stream, peer))))
    }
}
