//! TLS, with real handshakes over pipes.

use std::{future::pending, io, sync::Arc, time::Duration};

use engineio::{
    Config,
    server::{
        ClientCertificates, Hooks, Listener, Peer, Secure, Tls, TlsError,
        rustls::{
            ClientConfig, RootCertStore, ServerConfig,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, ServerName},
            server::WebPkiClientVerifier,
        },
    },
};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{Http, Server, soon, target, websocket_on};

/// Makes connections of pipes.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Stream = DuplexStream;
    type Handshake = std::future::Ready<io::Result<(DuplexStream, Peer)>>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        match self.0.recv().await {
            Some(pipe) => Ok(std::future::ready(Ok((pipe, Peer::default())))),
            None => pending().await,
        }
    }
}

/// A certificate that signs itself, and a server with it.
struct Encrypted {
    server: Server,
    certificate: CertificateDer<'static>,
    pipes: mpsc::UnboundedSender<DuplexStream>,
    serving: JoinHandle<io::Result<()>>,
}

fn certified(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn roots(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    roots
}

impl Encrypted {
    fn new(server: Server) -> Self {
        let own = certified("test");
        let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        Self::serve(server, own.cert.der().clone(), |pipes| {
            Tls::from_pem(pipes, chain.as_bytes(), key.as_bytes()).unwrap()
        })
    }

    /// A server that asks for this certificate of its clients.
    fn asking_for(server: Server, client: &CertificateDer<'static>) -> Self {
        let own = certified("test");
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots(client).into(), provider.clone());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        Self::serve(server, own.cert.der().clone(), |pipes| {
            Tls::new(pipes, config)
        })
    }

    fn serve(
        server: Server,
        certificate: CertificateDer<'static>,
        tls: impl FnOnce(Pipes) -> Tls<Pipes>,
    ) -> Self {
        let (pipes, receiver) = mpsc::unbounded_channel();
        let (engine, tls) = (server.engine.clone(), tls(Pipes(receiver)));
        Self {
            server,
            certificate,
            pipes,
            serving: tokio::spawn(async move { engine.serve(tls).await }),
        }
    }

    /// A connection before its handshake.
    fn pipe(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.pipes.send(theirs).unwrap();
        ours
    }

    async fn connect(&self) -> TlsStream<DuplexStream> {
        self.handshake(None).await.unwrap()
    }

    async fn handshake(
        &self,
        client: Option<CertifiedKey<KeyPair>>,
    ) -> io::Result<TlsStream<DuplexStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(&self.certificate));
        let mut config = match client {
            None => config.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
                let chain = vec![own.cert.der().clone()];
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("test").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        soon(connector.connect(name, self.pipe())).await
    }
}

#[tokio::test]
async fn a_session_begins_by_https_and_goes_on_by_wss() {
    let encrypted = Encrypted::new(Server::echo(Config::default()));
    let mut http = Http::new(encrypted.connect().await);
    let open = http.get(&target("polling", "")).await;
    let sid = open.body.split('"').nth(3).unwrap();
    let stream = encrypted.connect().await;
    let mut socket = websocket_on(stream, &target("websocket", sid))
        .await
        .unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    socket.send("5").await;
    let long = format!("4{}", "x".repeat(200_000));
    socket.send(&long).await;
    assert_eq!(socket.receive().await, long);
    tokio::join!(soon(encrypted.server.engine.close()), socket.ended());
    http.ended().await;
    soon(encrypted.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn of_the_protocols_a_client_offers_it_is_http_1() {
    let encrypted = Encrypted::new(Server::quiet(Config::default()));
    let stream = encrypted.connect().await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_request_by_tls_is_secure() {
    let (told, mut seen) = mpsc::unbounded_channel();
    let hooks = Hooks::default().headers(move |_headers, request| {
        let extensions = &request.extensions;
        let has_certificates = extensions.get::<ClientCertificates>().is_some();
        told.send((extensions.get::<Secure>().copied(), has_certificates))
            .unwrap();
    });
    let encrypted = Encrypted::new(Server::with_hooks(Config::default(), hooks));
    let mut http = Http::new(encrypted.connect().await);
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
    assert_eq!(seen.recv().await, Some((Some(Secure), false)));
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_and_refused_without() {
    let (told, mut shown) = mpsc::unbounded_channel();
    let hooks = Hooks::default().headers(move |_headers, request| {
        let certificates = request.extensions.get::<ClientCertificates>().cloned();
        told.send(certificates).unwrap();
    });
    let client = certified("client");
    let der = client.cert.der().clone();
    let encrypted = Encrypted::asking_for(Server::with_hooks(Config::default(), hooks), &der);

    let mut stream = encrypted.connect().await;
    // In TLS 1.3 a client learns of it with the first answer.
    let refused = soon(stream.read_u8()).await.unwrap_err();
    assert!(
        refused.to_string().contains("CertificateRequired"),
        "{refused}"
    );

    let mut http = Http::new(encrypted.handshake(Some(client)).await.unwrap());
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
    let shown = shown.recv().await.unwrap().unwrap();
    assert_eq!(*shown.0, [der]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_dropped_in_time_and_holds_nobody_up() {
    let encrypted = Encrypted::new(Server::quiet(Config::default()));
    let (mut silent, before) = (encrypted.pipe(), Instant::now());
    let mut http = Http::new(encrypted.connect().await);
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
    let ended = soon(silent.read_u8()).await.unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn what_is_no_tls_ends_its_own_connection_alone() {
    let encrypted = Encrypted::new(Server::quiet(Config::default()));
    for _ in 0..10 {
        let mut plain = encrypted.pipe();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut alert = Vec::new();
        soon(plain.read_to_end(&mut alert)).await.unwrap();
        assert_eq!(alert.first(), Some(&21), "an alert, by RFC 8446, section 6");
    }
    let mut http = Http::new(encrypted.connect().await);
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_close_up() {
    let encrypted = Encrypted::new(Server::quiet(Config::default()));
    let _silent = encrypted.pipe();
    // So that the one before it has been accepted.
    drop(encrypted.connect().await);
    soon(encrypted.server.engine.close()).await;
    tokio::time::timeout(Duration::from_secs(5), encrypted.serving)
        .await
        .expect("the handshake was dropped")
        .unwrap()
        .unwrap();
}

#[test]
fn certificate_and_key_must_be_there_and_belong_together() {
    let (one, other) = (certified("one"), certified("other"));
    let (chain, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let tls = |chain: &str, key: &str| {
        let made = Tls::from_pem((), chain.as_bytes(), key.as_bytes());
        made.map(|_tls| ()).map_err(|error| error.to_string())
    };
    assert_eq!(tls(&chain, &key), Ok(()));
    let no_certificate = Err(TlsError::Certificates.to_string());
    assert_eq!(tls("", &key), no_certificate);
    assert_eq!(tls(&key, &key), no_certificate);
    assert_eq!(tls(&chain.replace("M", "!"), &key), no_certificate);
    assert_eq!(tls(&chain, &chain), Err(TlsError::Key.to_string()));
    let mismatch = tls(&chain, &other.signing_key.serialize_pem()).unwrap_err();
    assert!(
        mismatch.starts_with("certificate and key cannot be used: "),
        "{mismatch}"
    );
}
