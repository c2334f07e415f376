//! The end of a server.

use std::time::Duration;

use socketio::{Event, Server, Socket};

use crate::client::{Client, notes, until};

#[tokio::test(start_paused = true)]
async fn every_socket_is_told_and_what_is_queued_is_sent() {
    let (note, mut notes) = notes();
    let io = Server::new();
    for namespace in ["/", "/other"] {
        let note = note.clone();
        io.of(namespace)
            .on_disconnect(async move |socket: Socket, why| {
                note.add(format!("{} {why}", socket.namespace()));
            });
    }
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    io.emit("last", ()).unwrap();
    let closing = io.clone();
    let closed = tokio::spawn(async move { closing.close().await });
    // No DISCONNECT comes, so that the client will try to come back.
    client.expect(r#"42["last"]"#).await;
    client.closed().await;
    closed.await.unwrap();
    let mut ends = [notes.next().await, notes.next().await];
    ends.sort();
    assert_eq!(
        ends,
        ["/ server shutting down", "/other server shutting down"]
    );
    assert_eq!(io.engine().clients_count(), 0);
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn drained_sockets_go_one_after_the_other_and_no_disconnect_is_sent() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/")
        .on_disconnecting(async move |socket: Socket, why| {
            note.add(format!("{why} in {} rooms", socket.rooms().len()));
        });
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&io).await);
    }
    io.emit("last", ()).unwrap();
    let start = tokio::time::Instant::now();
    let draining = io.clone();
    let over = Duration::from_secs(9);
    let drained = tokio::spawn(async move { draining.drain(over).await });
    for left in [2, 1, 0] {
        assert_eq!(notes.next().await, "server shutting down in 1 rooms");
        until(|| io.engine().clients_count() == left).await;
        io.emit("to those who are still here", ()).unwrap();
    }
    assert!(start.elapsed() >= over * 2 / 3);
    drained.await.unwrap();
    for client in &mut clients {
        // A DISCONNECT would tell the client to stay away.
        let mut received = Vec::new();
        while let Some(text) = client.text_or_end().await {
            received.push(text);
        }
        assert_eq!(received.remove(0), r#"42["last"]"#);
        assert!(
            received.iter().all(|text| text.starts_with("42")),
            "{received:?}"
        );
    }
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn events_are_not_taken_any_more() {
    let io = Server::new();
    let closing = io.clone();
    io.of("/")
        .on("close", async move |_: Event, ()| {
            drop(tokio::spawn(async move { closing.close().await }));
        })
        .on("late", async |_: Event, ()| -> () {
            panic!("after the end")
        });
    let mut client = Client::connect(&io).await;
    let socket = io.of("/").sockets().remove(0);
    client.send(r#"42["close"]"#).await;
    until(|| !socket.is_connected()).await;
    assert!(socket.emit("late", ()).is_err());
    client.send_if_open(r#"42["late"]"#).await;
    client.closed().await;
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test]
async fn serving_ends() {
    let io = Server::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = {
        let io = io.clone();
        tokio::spawn(async move { io.serve_listener(listener).await })
    };
    let mut client = Client::dial(address).await;
    client.join("/").await;
    tokio::join!(io.close(), client.stay());
    serving.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
