//! Clients 2 of Socket.IO, which speak Engine.IO 3 and packets of Socket.IO's protocol 4.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use socketio::{
    Binary, Config, ConnectError, DisconnectReason, Event, Parser, Recovery, Server, Socket,
    parser::DefaultParser,
};

use crate::client::{Client, Notes, notes, until};

const PATH_2: &str = "/socket.io/?EIO=3&transport=websocket";

fn server() -> Server {
    Server::with_config(config())
}

fn config() -> Config {
    Config {
        engine: engineio::Config {
            allow_eio3: true,
            ..Config::engine()
        },
        ..Config::default()
    }
}

/// A client 2 that is in the main namespace.
async fn connect(io: &Server) -> Client {
    let mut client = Client::open_with(io, PATH_2).await;
    client.expect("40").await;
    client
}

/// Notes the ids and reasons of the sockets of a namespace.
fn watch(io: &Server, namespace: &str) -> Notes {
    let (note, notes) = notes();
    let leaving = note.clone();
    io.of(namespace)
        .on_connect(async move |socket: Socket| note.add(socket.id()))
        .on_disconnect(async move |_: Socket, why: DisconnectReason| leaving.add(why));
    notes
}

#[tokio::test(start_paused = true)]
async fn the_main_namespace_is_joined_without_being_asked_for() {
    let io = server();
    let mut ids = watch(&io, "/");
    let (mut client, sid) = Client::open_as(&io, PATH_2).await;
    client.expect("40").await;
    // The client makes its id of that of the session, so the server has the same.
    ids.expect(&sid).await;
    assert_eq!(io.of("/").sockets()[0].protocol(), engineio::Protocol::V3);
    client.vanish();
    ids.expect("transport close").await;
}

#[tokio::test(start_paused = true)]
async fn the_middlewares_of_the_main_namespace_are_asked_first() {
    let io = server();
    io.of("/").middleware(async |_: Socket, ()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(ConnectError::new("go away"))
    });
    let mut client = Client::open_with(&io, PATH_2).await;
    client.expect(r#"44"go away""#).await;
    // Nobody is there, but others may be asked for.
    io.of("/chat");
    client.ask("40/chat,", "40/chat,").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_nowhere_is_closed_after_the_connect_timeout() {
    let io = server();
    io.of("/").middleware(async |_: Socket, ()| {
        Err(ConnectError::new("go away").with_data(json!({"a": 1})))
    });
    let before = tokio::time::Instant::now();
    let mut client = Client::open_with(&io, PATH_2).await;
    client.expect(r#"44{"a":1}"#).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        client.ask("2", "3").await;
    }
    client.closed().await;
    assert_eq!(before.elapsed(), Duration::from_secs(45));
}

#[tokio::test(start_paused = true)]
async fn the_query_of_a_namespace_is_its_auth() {
    let io = server();
    io.of("/chat")
        .middleware(
            async |_: Socket, auth: Value| match auth["token"].as_str() {
                Some("a b") => Ok(()),
                _ => Err(ConnectError::new(auth.to_string())),
            },
        )
        .on("auth", async |ev: Event, ()| {
            ev.ack((ev.socket.handshake().auth::<Value>().unwrap(),))
        });
    let mut client = connect(&io).await;
    client
        .ask("40/chat?token=x,", r#"44/chat,"{\"token\":\"x\"}""#)
        .await;
    client.ask("40/chat", r#"44/chat,"{}""#).await;
    // What others send as the auth payload means nothing here.
    client
        .ask(r#"40/chat,{"token":"a b"}"#, r#"44/chat,"{}""#)
        .await;
    client.ask("40/chat?token=a+b&n=1", "40/chat,").await;
    client
        .ask(
            r#"42/chat,0["auth"]"#,
            r#"43/chat,0[{"n":"1","token":"a b"}]"#,
        )
        .await;
    // The query may come with any packet.
    client
        .ask(
            r#"42/chat?x,1["auth"]"#,
            r#"43/chat,1[{"n":"1","token":"a b"}]"#,
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_namespace_is_refused_with_an_object_as_in_the_reference() {
    let io = server();
    let mut client = connect(&io).await;
    client
        .ask("40/nope?a=b,", r#"44/nope,{"message":"Invalid namespace"}"#)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_a_client_brings_about_is_named_without_its_query() {
    let io = server();
    io.of_matching(|name| name == "/tenant-1");
    let mut client = connect(&io).await;
    client.ask("40/tenant-1?a=b,", "40/tenant-1,").await;
    assert_eq!(io.of("/tenant-1").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_answers_and_binary_data_go_both_ways() {
    let io = server();
    io.of("/")
        .on("echo", async |ev: Event, (text, data): (String, Binary)| {
            ev.socket.emit("echo", (&text, &data))?;
            ev.ack((text, data))
        });
    let mut client = connect(&io).await;
    client
        .send(r#"451-7["echo","a",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(&[4, 1, 2]).await;
    client
        .expect(r#"451-["echo","a",{"_placeholder":true,"num":0}]"#)
        .await;
    assert_eq!(client.binary().await, [4, 1, 2][..]);
    client
        .expect(r#"461-7["a",{"_placeholder":true,"num":0}]"#)
        .await;
    assert_eq!(client.binary().await, [4, 1, 2][..]);
}

#[tokio::test(start_paused = true)]
async fn one_broadcast_reaches_clients_of_both_versions() {
    let io = server();
    let mut old = connect(&io).await;
    let mut new = Client::connect(&io).await;
    io.emit("news", (Binary([9].to_vec().into()),)).unwrap();
    let text = r#"451-["news",{"_placeholder":true,"num":0}]"#;
    old.expect(text).await;
    assert_eq!(old.binary().await, [4, 9][..]);
    new.expect(text).await;
    assert_eq!(new.binary().await, [9][..]);
}

#[tokio::test(start_paused = true)]
async fn a_socket_leaves_and_comes_back_under_its_id() {
    let io = server();
    let mut ids = watch(&io, "/chat");
    let mut client = connect(&io).await;
    client.ask("40/chat,", "40/chat,").await;
    let id = ids.next().await;
    assert!(id.starts_with("/chat#"), "{id}");
    client.send("41/chat,").await;
    ids.expect("client namespace disconnect").await;
    client.ask("40/chat,", "40/chat,").await;
    ids.expect(&id).await;
    io.of("/chat").sockets()[0].disconnect();
    client.expect("41/chat,").await;
    ids.expect("server namespace disconnect").await;
    until(|| io.of("/chat").sockets().is_empty()).await;
    client.ask("40/chat,", "40/chat,").await;
    ids.expect(&id).await;
    io.of("/chat").to(&*id).emit("only you", ()).unwrap();
    client.expect(r#"42/chat,["only you"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_closes_the_session() {
    let long = format!("40/{},", "x".repeat(255));
    let query = format!("40/chat?{},", "x".repeat(16 * 1024 + 1));
    for text in ["40", r#"42/chat,["a"]"#, "4x", &long, &query] {
        let io = server();
        io.of("/chat");
        let mut ids = watch(&io, "/");
        let mut client = connect(&io).await;
        ids.next().await;
        client.send(text).await;
        client.closed().await;
        ids.expect("forced close").await;
    }
}

#[tokio::test(start_paused = true)]
async fn others_must_ask_for_the_main_namespace_and_have_an_id_of_their_own() {
    let io = server();
    let (mut client, sid) = Client::open_as(&io, crate::client::PATH).await;
    client.quiet().await;
    assert_ne!(client.join("/").await, sid);
}

#[tokio::test(start_paused = true)]
async fn with_recovery_they_are_served_without_it() {
    let io = Server::with_config(Config {
        connection_state_recovery: Some(Recovery::default()),
        ..config()
    });
    let mut ids = watch(&io, "/");
    let (mut client, sid) = Client::open_as(&io, PATH_2).await;
    client.expect("40").await;
    ids.expect(&sid).await;
    io.of("/").sockets()[0].emit("hello", ("a",)).unwrap();
    client.expect(r#"42["hello","a"]"#).await;
    client.vanish();
    ids.expect("transport close").await;
}

#[tokio::test(start_paused = true)]
async fn a_long_query_is_let_in_whatever_the_parser() {
    let query = "x".repeat(1_000);
    for parser in [None, Some(Arc::new(DefaultParser) as Arc<dyn Parser>)] {
        let io = Server::with_config(Config { parser, ..config() });
        io.of("/chat");
        let mut client = connect(&io).await;
        client
            .ask(&format!("40/chat?token={query},"), "40/chat,")
            .await;
    }
}
