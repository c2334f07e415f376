//! `Tls`: encrypts what another listener accepts, by rustls.

use std::{future::Future, io, pin::Pin, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use super::listener::{Listener, Peer};

/// A listener in front of which there is TLS, versions 1.2 and 1.3.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use engineio::server::{Engine, Handler, Tls};
/// # async fn run<H: Handler>(engine: Arc<Engine<H>>) -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
/// let (certificates, key) = (std::fs::read("chain.pem")?, std::fs::read("key.pem")?);
/// engine.serve(Tls::from_pem(listener, &certificates, &key)?).await?;
/// # Ok(())
/// # }
/// ```
pub struct Tls<L> {
    listener: L,
    acceptor: TlsAcceptor,
}

/// The certificates that the client has shown, its own first: among the extensions of a request that came by [`Tls`],
/// if its configuration asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates(pub Arc<[CertificateDer<'static>]>);

/// Why a certificate and a key cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text holds no certificate, or something in it is broken.
    #[error("no certificate in pem format")]
    Certificates,
    /// The text holds no private key, or it is broken.
    #[error("no private key in pem format")]
    Key,
    /// They do not belong together, or are of a kind that is not supported.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(rustls::Error),
}

impl<L> Tls<L> {
    /// TLS with this certificate, behind it those that lead to one that clients know, and its private key, all in PEM
    /// format.
    pub fn from_pem(listener: L, certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_broken| TlsError::Certificates)?;
        if certificates.is_empty() {
            return Err(TlsError::Certificates);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_broken| TlsError::Key)?;
        // Not the process's default provider, which a program may not have chosen, and then asking for it panics.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(certificates, key)
            })
            .map_err(TlsError::Unusable)?;
        Ok(Self::new(listener, config))
    }

    /// TLS as rustls is configured: with client certificates, several host names, or certificates that change. The
    /// protocol that is offered by ALPN is HTTP/1.1 in any case, as there is no other.
    pub fn new(listener: L, mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }
}

impl<L: Listener> Listener for Tls<L> {
    type Stream = TlsStream<L::Stream>;
    type Handshake = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Peer)>> + Send>>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        let below = self.listener.accept().await?;
        let acceptor = self.acceptor.clone();
        Ok(Box::pin(async move {
            let (stream, mut peer) = below.await?;
            let stream = acceptor.accept(stream).await?;
            peer.is_secure = true;
            if let Some(shown) = stream.get_ref().1.peer_certificates() {
                let shown = shown.iter().map(|one| one.clone().into_owned());
                peer.extensions.insert(ClientCertificates(shown.collect()));
            }
            Ok((stream, peer))
        }))
    }
}
