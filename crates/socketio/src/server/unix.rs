//! A server on a Unix socket.

use std::{io, path::Path};

use engineio::server::UnixSocket;

use super::Server;

impl Server {
    /// Serves on a Unix socket until [`close`](Self::close) is called. A file that another process has left behind is
    /// replaced, and ours is removed at the end; see [`UnixSocket::bind`]. A socket that is bound already goes to
    /// [`serve_listener`](Self::serve_listener).
    ///
    /// The handshakes have no address then.
    ///
    /// # Errors
    ///
    /// If the socket cannot be bound.
    pub async fn serve_unix(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.serve_listener(UnixSocket::bind(path)?).await
    }
}
