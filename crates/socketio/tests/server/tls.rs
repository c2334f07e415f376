//! A server with TLS of its own, and the example that shows it.

use std::{io, net::SocketAddr, sync::Arc};

use socketio::{
    Config, Event, Server, TlsError,
    engineio::{self, server::Tls},
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::client::Client;

#[path = "../../examples/tls.rs"]
#[expect(dead_code, reason = "its main is for those who run it")]
mod example;

/// A connection to a server whose certificate signs itself.
async fn connect(address: SocketAddr, chain: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_client_comes_by_wss_and_its_handshake_is_secure() {
    let (chain, key) = example::self_signed().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example::serve(listener, chain.clone(), key));

    let mut client = Client::on(connect(address, &chain).await).await;
    client.join("/").await;
    client.expect(r#"42["welcome","from tls",true]"#).await;
    client.ask(r#"421["echo",1]"#, "431[1]").await;
}

#[tokio::test]
async fn a_worker_makes_the_handshakes_of_its_clients() {
    let (chain, key) = example::self_signed().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let io = Server::with_config(Config {
        engine: engineio::Config {
            workers: Some(2),
            ..Config::engine()
        },
        ..Config::default()
    });
    io.of("/").on("where", async |ev: Event, ()| {
        let thread = std::thread::current();
        ev.ack((thread.name(), ev.socket.handshake().is_secure()))
    });
    let tls = Tls::from_pem(listener, chain.as_bytes(), key.as_bytes()).unwrap();
    let serving = tokio::spawn({
        let io = io.clone();
        async move { io.serve_listener(tls).await }
    });
    for worker in [0, 1] {
        let mut client = Client::on(connect(address, &chain).await).await;
        client.join("/").await;
        let answer = format!(r#"430["engineio-worker-{worker}",true]"#);
        client.ask(r#"420["where"]"#, &answer).await;
        tokio::spawn(client.stay());
    }
    io.close().await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_key_that_is_none_is_told() {
    let (chain, _key) = example::self_signed().unwrap();
    let io = Server::new();
    let served = io.serve_tls("127.0.0.1:0", chain.as_bytes(), b"no key");
    let error = served.await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), TlsError::Key.to_string());
}
