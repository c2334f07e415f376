//! The end of a socket, at both depths and for every reason.

use std::time::Duration;

use socketio::{Config, Event, Server, Socket};

use crate::client::{Client, Notes, notes, until};

/// Notes what the handlers of a socket's end see.
fn watched(io: &Server, namespaces: &[&str]) -> Notes {
    let (note, notes) = notes();
    for namespace in namespaces {
        let (disconnecting, disconnect) = (note.clone(), note.clone());
        io.of(namespace)
            .on_connect(async |socket: Socket| socket.join("room"))
            .on_disconnecting(async move |socket: Socket, why| {
                assert!(!socket.is_connected());
                let rooms = socket.rooms().len();
                disconnecting.add(format!(
                    "{} disconnecting: {why}, {rooms} rooms",
                    socket.namespace()
                ));
            })
            .on_disconnect(async move |socket: Socket, why| {
                assert!(socket.emit("late", ()).is_err());
                let rooms = socket.rooms().len();
                disconnect.add(format!(
                    "{} disconnected: {why}, {rooms} rooms",
                    socket.namespace()
                ));
            });
    }
    notes
}

async fn expect_end(notes: &mut Notes, namespace: &str, reason: &str) {
    notes
        .expect(&format!("{namespace} disconnecting: {reason}, 2 rooms"))
        .await;
    notes
        .expect(&format!("{namespace} disconnected: {reason}, 0 rooms"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_client_leaves_a_namespace() {
    let io = Server::new();
    let mut notes = watched(&io, &["/", "/other"]);
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    client.send("41/other,").await;
    expect_end(&mut notes, "/other", "client namespace disconnect").await;
    client.quiet().await;
    notes.none();
    assert_eq!(io.of("/").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_server_disconnects_a_socket() {
    let io = Server::new();
    let mut notes = watched(&io, &["/", "/other"]);
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    let socket = io.of("/other").sockets().remove(0);
    socket.disconnect();
    socket.disconnect();
    client.expect("41/other,").await;
    expect_end(&mut notes, "/other", "server namespace disconnect").await;
    client.quiet().await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sent_before_it_knew_is_ignored() {
    let io = Server::new();
    io.of("/other")
        .on("x", async |_: Event, ()| -> () { panic!("after the end") });
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    io.of("/other").disconnect_sockets();
    for packet in [r#"42/other,1["x"]"#, "43/other,0[]", "41/other,"] {
        client.send(packet).await;
    }
    client.send(r#"451-/other,["x"]"#).await;
    client.send_binary(b"data").await;
    client.expect("41/other,").await;
    client.quiet().await;
    client.join("/other").await;
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test(start_paused = true)]
async fn the_server_closes_the_connection_with_all_its_sockets() {
    let io = Server::new();
    let mut notes = watched(&io, &["/", "/other"]);
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    io.of("/other").sockets()[0].close();
    client.expect("41").await;
    client.expect("41/other,").await;
    client.closed().await;
    expect_end(&mut notes, "/", "server namespace disconnect").await;
    expect_end(&mut notes, "/other", "server namespace disconnect").await;
    notes.none();
    assert_eq!(io.engine().clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_connection_breaks() {
    let io = Server::new();
    let mut notes = watched(&io, &["/", "/other"]);
    let mut client = Client::connect(&io).await;
    client.join("/other").await;
    client.vanish();
    expect_end(&mut notes, "/", "transport close").await;
    expect_end(&mut notes, "/other", "transport close").await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn the_client_closes_the_session() {
    let io = Server::new();
    let mut notes = watched(&io, &["/"]);
    let mut client = Client::connect(&io).await;
    client.send("1").await;
    expect_end(&mut notes, "/", "transport close").await;
}

#[tokio::test(start_paused = true)]
async fn the_client_does_not_answer_pings() {
    let io = Server::new();
    let mut notes = watched(&io, &["/"]);
    let _client = Client::connect(&io).await;
    let connected = tokio::time::Instant::now();
    expect_end(&mut notes, "/", "ping timeout").await;
    assert_eq!(connected.elapsed().as_secs(), 45);
}

#[tokio::test(start_paused = true)]
async fn the_client_breaks_the_protocol() {
    let io = Server::new();
    let mut notes = watched(&io, &["/"]);
    let mut client = Client::connect(&io).await;
    client.send("42[").await;
    client.send(r#"42["not looked at any more"]"#).await;
    expect_end(&mut notes, "/", "forced close").await;
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_may_disconnect_its_socket() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let (connect, disconnect) = (note.clone(), note);
    io.of("/")
        .on_connect(async move |socket: Socket| {
            socket.emit("bye", ()).unwrap();
            socket.disconnect();
            assert!(socket.emit("late", ()).is_err());
            assert!(socket.join("room").is_err());
            connect.add("connected");
        })
        .on_disconnect(async move |_: Socket, why| disconnect.add(why));
    let mut client = Client::connect(&io).await;
    client.expect(r#"42["bye"]"#).await;
    client.expect("41").await;
    notes.expect("connected").await;
    notes.expect("server namespace disconnect").await;
    client.quiet().await;
    client.join("/").await;
}

#[tokio::test(start_paused = true)]
async fn an_event_handler_may_close_its_connection() {
    let io = Server::new();
    let mut notes = watched(&io, &["/"]);
    io.of("/").on("leave me", async |ev: Event, ()| {
        ev.ack(("bye",))?;
        ev.socket.close();
        ev.ack(("never",))
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"421["leave me"]"#, r#"431["bye"]"#).await;
    client.expect("41").await;
    client.closed().await;
    expect_end(&mut notes, "/", "server namespace disconnect").await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_kicked_clients_session_ends_if_it_joins_nothing_else() {
    let io = Server::with_config(Config {
        connect_timeout: Duration::from_secs(5),
        ..Config::default()
    });
    let mut client = Client::connect(&io).await;
    io.of("/").disconnect_sockets();
    client.expect("41").await;
    let kicked = tokio::time::Instant::now();
    client.closed().await;
    assert_eq!(kicked.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_gone_client_is_kept() {
    struct Kept(#[expect(dead_code, reason = "only its drop is looked at")] crate::client::Note);
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/").on_connect(async move |socket: Socket| {
        socket.set(Kept(note.clone()));
        socket.join("room").unwrap();
    });
    let client = Client::connect(&io).await;
    let socket = io.of("/").sockets().remove(0);
    let kept = std::sync::Arc::downgrade(&socket.data::<Kept>().unwrap());
    drop(socket);
    client.vanish();
    until(|| kept.upgrade().is_none()).await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn the_clients_fault_is_told_in_detail() {
    let (note, mut notes) = notes();
    let mut config = Config::default();
    config.engine.max_payload = 100;
    let io = Server::with_config(config);
    io.on_disconnect(async move |socket: Socket, why| {
        note.add(format!("{why}: {:?}", socket.close_detail()));
    });
    for (text, told) in [
        ("x".repeat(101), "transport error: Some(MessageTooLarge)"),
        (
            "7".to_owned(),
            "parse error: Some(Undecodable(UnknownType))",
        ),
        ("41".to_owned(), "client namespace disconnect: None"),
    ] {
        let mut client = Client::connect(&io).await;
        client.send(&text).await;
        notes.expect(told).await;
    }
}
