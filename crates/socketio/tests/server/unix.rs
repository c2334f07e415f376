//! A server on a Unix socket.

use socketio::{Event, Server};
use tokio::net::UnixStream;

use crate::client::Client;

#[tokio::test]
async fn a_server_on_a_unix_socket_knows_no_address_and_takes_its_file_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("io.sock");
    // Left behind by a process that is gone.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let io = Server::new();
    io.of("/").on("from", async |ev: Event, ()| {
        let handshake = ev.socket.handshake();
        ev.ack((handshake.address(), handshake.is_secure()))
    });
    let serving = tokio::spawn({
        let (io, path) = (io.clone(), path.clone());
        async move { io.serve_unix(path).await }
    });
    let stream = loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => break stream,
            Err(_not_yet) => tokio::task::yield_now().await,
        }
    };
    let mut client = Client::on(stream).await;
    client.join("/").await;
    client.ask(r#"420["from"]"#, "430[null,false]").await;
    client.vanish();
    io.close().await;
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
}
