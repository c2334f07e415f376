//! A server with TLS of its own.

use std::io;

use engineio::server::Tls;
use tokio::net::{TcpListener, ToSocketAddrs};

use super::Server;

impl Server {
    /// Serves on an address by HTTPS until [`close`](Self::close) is called, with a chain of certificates and its key in
    /// PEM format. What else rustls can do, such as certificates of clients, goes by [`Tls::new`] and
    /// [`serve_listener`](Self::serve_listener).
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a [`TlsError`](engineio::server::TlsError) if certificate and key cannot be used; otherwise
    /// what the system says.
    pub async fn serve_tls(
        &self,
        address: impl ToSocketAddrs,
        certificates: &[u8],
        key: &[u8],
    ) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        let listener = Tls::from_pem(listener, certificates, key)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.serve_listener(listener).await
    }
}
