//! Two servers in one process that an adapter joins: whatever is asked of one is done on both.

mod adapter;
mod wire;

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{
    AckError, Binary, Config, Event, RemoteSocket, Server, ServerEvent, Socket, StoredData,
};
use tokio::time::Instant;

use self::adapter::Network;
use crate::client::{Client, notes, until};

/// One client on each of two servers: A here, B there.
struct Pair {
    network: Arc<Network>,
    here: Server,
    there: Server,
    a: Client,
    b: Client,
    a_id: String,
    b_id: String,
}

impl Pair {
    async fn new() -> Self {
        let network = Arc::new(Network::default());
        let (here, there) = (network.server(), network.server());
        let (a, a_id) = Client::connect_as(&here).await;
        let (b, b_id) = Client::connect_as(&there).await;
        Self {
            network,
            here,
            there,
            a,
            b,
            a_id,
            b_id,
        }
    }

    /// B as the other server sees it.
    async fn remote_b(&self) -> RemoteSocket {
        let found = self.here.to(&self.b_id).fetch_sockets().await.unwrap();
        found.into_iter().next().unwrap()
    }

    /// Both get this, and nothing before it.
    async fn expect_both(&mut self, text: &str) {
        self.a.expect(text).await;
        self.b.expect(text).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_its_target_on_both() {
    let mut pair = Pair::new().await;
    let (here, there) = (pair.here.clone(), pair.there.clone());
    there.socket_of(&pair.b_id).join("room").unwrap();
    // While nothing is queued.
    here.volatile().emit("volatile", ()).unwrap();
    pair.expect_both(r#"42["volatile"]"#).await;
    here.emit("all", (1, Binary::from(vec![1, 2]))).unwrap();
    let text = r#"451-["all",1,{"_placeholder":true,"num":0}]"#;
    pair.expect_both(text).await;
    assert_eq!(pair.a.binary().await, pair.b.binary().await);
    here.to("room").emit("room", ()).unwrap();
    here.except("room").emit("except", ()).unwrap();
    here.local().emit("local", ()).unwrap();
    let a = here.socket_of(&pair.a_id);
    a.broadcast().emit("from a", ()).unwrap();
    here.emit("end", ()).unwrap();
    for event in ["except", "local", "end"] {
        pair.a.expect(&format!(r#"42["{event}"]"#)).await;
    }
    for event in ["room", "from a", "end"] {
        pair.b.expect(&format!(r#"42["{event}"]"#)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_come_from_both() {
    let mut pair = Pair::new().await;
    let ask = pair.here.timeout(Duration::from_secs(3));
    let mut answers = ask.emit_with_ack::<(Binary,)>("vote", ()).stream().unwrap();
    pair.b.expect(r#"420["vote"]"#).await;
    pair.b.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    pair.b.send_binary(b"yes").await;
    let first = answers.next().await.unwrap();
    assert_eq!(first.id.as_deref(), Some(&*pair.b_id));
    assert_eq!(first.answer, Ok((Binary::from(b"yes".to_vec()),)));
    let asked = Instant::now();
    let late = answers.next().await.unwrap();
    assert_eq!(late.id.as_deref(), Some(&*pair.a_id));
    assert_eq!(late.answer, Err(AckError::Timeout));
    assert_eq!(asked.elapsed().as_secs(), 3);
    assert_eq!(answers.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn answers_that_fail_elsewhere_say_whose_they_are() {
    let mut pair = Pair::new().await;
    let ask = pair.here.except(&pair.a_id).timeout(Duration::from_secs(3));
    let mut answers = ask.emit_with_ack::<()>("vote", ()).stream().unwrap();
    pair.b.expect(r#"420["vote"]"#).await;
    let late = answers.next().await.unwrap();
    assert_eq!(late.id.as_deref(), Some(&*pair.b_id));
    assert_eq!(late.answer, Err(AckError::Timeout));
    let answers = ask.emit_with_ack::<()>("vote", ());
    pair.b.expect(r#"421["vote"]"#).await;
    pair.b.vanish();
    assert_eq!(answers.await, Ok(vec![Err(AckError::Disconnected)]));
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_leaves_partial_answers() {
    let mut pair = Pair::new().await;
    pair.network.silence_last();
    let asked = Instant::now();
    let ask = pair.here.timeout(Duration::from_secs(3));
    let answers = ask.emit_with_ack::<(u8,)>("vote", ());
    pair.a.ask("430[1]", r#"420["vote"]"#).await;
    let partial = vec![Ok((1,)), Err(AckError::Timeout)];
    assert_eq!(answers.await, Ok(partial));
    assert_eq!(asked.elapsed().as_secs(), 3);
    let found = pair.here.fetch_sockets().await;
    let error = found.map(|found| found.len()).unwrap_err();
    assert_eq!(error.to_string(), "a node does not answer");
    assert!(pair.here.rooms().await.is_err());
    assert_eq!(pair.here.local().fetch_sockets().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_waits_for_are_not_waited_for_elsewhere() {
    let network = Arc::new(Network::default());
    let here = network.server();
    let there = network.server_with(Config {
        max_pending_acks: 1,
        ..Config::default()
    });
    let (mut b, b_id) = Client::connect_as(&there).await;
    let answers = here.emit_with_ack::<()>("vote", ());
    b.expect(r#"420["vote"]"#).await;
    let again = here.emit_with_ack::<()>("vote", ()).await;
    assert_eq!(again, Ok(vec![Err(AckError::TooManyPending)]));
    drop(answers);
    let b_socket = there.socket_of(&b_id);
    until(|| {
        // Refused as long as the first answer is waited for.
        let asked = b_socket.emit_with_ack::<()>("q", ());
        futures_util::FutureExt::now_or_never(asked).is_none()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sockets_of_both_are_found_with_what_is_known_of_them() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Name(String);
    struct Secret;
    let network = Arc::new(Network::default());
    let [here, there] = [(); 2].map(|()| {
        network.server_with(Config {
            shared_data: StoredData::default().with::<Name>("name"),
            ..Config::default()
        })
    });
    for (io, name) in [(&here, "here"), (&there, "there")] {
        io.on_connect(async move |socket: Socket| {
            socket.set(Name(name.to_owned()));
            socket.set(Secret);
            socket.join([name, "both"])
        });
    }
    let path = "/socket.io/?EIO=4&transport=websocket&user=ada";
    let mut b = Client::open_with(&there, path).await;
    b.send(r#"40{"token":"t"}"#).await;
    b.text().await;
    let (_a, a_id) = Client::connect_as(&here).await;
    let found = here.to("both").fetch_sockets().await.unwrap();
    let [a, b] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(a.id(), a_id);
    assert_eq!(a.data::<Name>().unwrap().0, "here");
    assert!(a.data::<Secret>().is_some());
    assert_eq!(a.local().map(Socket::id), Some(&*a_id));
    assert_eq!(b.rooms()[1..], ["there", "both"]);
    assert!(b.local().is_none());
    assert_eq!(b.data::<Name>().unwrap().0, "there");
    assert!(b.data::<Secret>().is_none(), "it is not shared");
    let handshake = b.handshake();
    assert_eq!(handshake.query("user").as_deref(), Some("ada"));
    assert_eq!(handshake.url(), path);
    assert_eq!(handshake.auth::<Value>(), Ok(json!({"token": "t"})));
    assert_eq!(handshake.header("host"), Some("test"));
    let only_there = here.to("there").fetch_sockets().await.unwrap();
    assert_eq!(only_there.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn sockets_of_both_join_leave_and_are_disconnected() {
    let mut pair = Pair::new().await;
    let (here, there) = (pair.here.clone(), pair.there.clone());
    here.sockets_join(["x", "y"]);
    here.to("x").except(&pair.a_id).sockets_join("b only");
    let b = there.socket_of(&pair.b_id);
    until(|| b.rooms().len() == 4).await;
    assert_eq!(here.socket_of(&pair.a_id).rooms()[1..], ["x", "y"]);
    assert_eq!(here.rooms().await.unwrap(), ["b only", "x", "y"]);
    assert_eq!(here.of("/").local_adapter().room_count(), 2);
    here.sockets_leave("y");
    until(|| b.rooms()[1..] == ["x", "b only"]).await;
    here.local().disconnect_sockets();
    pair.a.expect("41").await;
    pair.b.quiet().await;
    here.to("x").disconnect_sockets();
    pair.b.expect("41").await;
    pair.b.join("/").await;
    here.close_sockets();
    pair.b.expect("41").await;
    pair.b.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_of_the_other_server_can_be_used_as_one_of_this() {
    let mut pair = Pair::new().await;
    let b = pair.remote_b().await;
    b.emit("one", (1,)).unwrap();
    b.send(("two",)).unwrap();
    pair.b.expect(r#"42["one",1]"#).await;
    pair.b.expect(r#"42["message","two"]"#).await;
    b.volatile().emit("three", ()).unwrap();
    pair.b.expect(r#"42["three"]"#).await;
    let answer = b.emit_with_ack::<(u8,)>("q", ());
    pair.b.ask("430[7]", r#"420["q"]"#).await;
    assert_eq!(answer.await, Ok((7,)));
    let asked = Instant::now();
    let short = b.timeout(Duration::from_secs(2));
    let answer = short.emit_with_ack::<(u8,)>("q", ());
    assert_eq!(answer.await, Err(AckError::Timeout));
    assert_eq!(asked.elapsed().as_secs(), 2);
    pair.b.expect(r#"421["q"]"#).await;
    b.join(["x", "y"]);
    b.leave("y");
    let socket = pair.there.socket_of(&pair.b_id);
    until(|| socket.rooms()[1..] == ["x"]).await;
    b.broadcast().emit("not to b", ()).unwrap();
    b.to("x").emit("to nobody", ()).unwrap();
    b.except(&pair.a_id).emit("to nobody", ()).unwrap();
    pair.a.expect(r#"42["not to b"]"#).await;
    b.disconnect();
    pair.b.expect("41").await;
    let gone = b.emit_with_ack::<()>("q", ()).await;
    assert_eq!(gone, Err(AckError::Disconnected));
    b.emit("for nobody", ()).unwrap();
    pair.b_id = pair.b.join("/").await;
    pair.remote_b().await.close();
    pair.b.expect("41").await;
    pair.b.closed().await;
    pair.a.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_for_servers_reaches_the_other_and_not_this_one() {
    let (note, mut notes) = notes();
    let network = Arc::new(Network::default());
    let [here, there] = [(); 2].map(|()| network.server());
    here.on_server_side("hello", async |_: ServerEvent, ()| -> () {
        panic!("its own")
    });
    there.on_server_side("hello", async move |ev: ServerEvent, (n,): (u8,)| {
        note.add(format!("{} {n}", ev.name()));
    });
    here.of("/").server_side_emit("hello", (1,)).unwrap();
    notes.expect("hello 1").await;
    here.server_side_emit("hello", (2,)).unwrap();
    notes.expect("hello 2").await;
    here.server_side_emit("unknown", ()).unwrap();
    here.server_side_emit("disconnect", ()).unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_of_each_server_is_gathered() {
    let network = Arc::new(Network::default());
    let [here, there, mute] = [(); 3].map(|()| network.server());
    there
        .on_server_side("sum", async |ev: ServerEvent, (a, b): (u8, u8)| {
            tokio::task::yield_now().await;
            ev.ack((a + b,))?;
            ev.ack(("too late",))
        })
        .on_server_side("sum", async |_: ServerEvent, ()| -> () {
            panic!("by test")
        });
    mute.on_server_side("sum", async |_: ServerEvent, ()| {
        std::future::pending::<()>().await;
    });
    let answers = here.server_side_emit_with_ack("sum", (2, 3));
    assert_eq!(answers.await.unwrap(), [Ok((5u8,)), Err(AckError::Timeout)]);
}

#[tokio::test(start_paused = true)]
async fn alone_there_is_nobody_to_hear() {
    let io = Server::new();
    io.on_server_side("hello", async |_: ServerEvent, ()| -> () {
        panic!("its own")
    });
    io.server_side_emit("hello", ()).unwrap();
    let answers = io.server_side_emit_with_ack::<()>("hello", ());
    assert!(answers.await.unwrap().is_empty());
    assert_eq!(io.server_count().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn nodes_come_with_namespaces_and_go_with_them() {
    let network = Arc::new(Network::default());
    let (here, there) = (network.server(), network.server());
    assert_eq!(here.server_count().await, Ok(2));
    let parent = here.of_matching(|name| name.starts_with("/t-"));
    assert_eq!(parent.server_count().await, Ok(1));
    let mut client = Client::open(&here).await;
    client.join("/t-1").await;
    there.of("/t-1").on("hi", async |ev: Event, ()| ev.ack(()));
    assert_eq!(network.namespaces(), ["/", "/", "/t-1", "/t-1"]);
    assert_eq!(parent.server_count().await, Ok(2));
    there.of("/t-1").sockets_join("room");
    until(|| parent.sockets()[0].rooms().len() == 2).await;
    assert_eq!(parent.rooms().await.unwrap(), ["room"]);
    client.send("41/t-1,").await;
    until(|| network.namespaces() == ["/", "/", "/t-1"]).await;
    there.close().await;
    assert_eq!(network.namespaces(), ["/"]);
    there.close().await;
    assert_eq!(here.server_count().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_parent_reaches_children_on_both() {
    let network = Arc::new(Network::default());
    let (here, there) = (network.server(), network.server());
    let [parent, _] = [&here, &there].map(|io| io.of_matching(|name| name.starts_with("/t-")));
    let (mut a, mut b) = (Client::open(&here).await, Client::open(&there).await);
    a.join("/t-1").await;
    let b_id = b.join("/t-1").await;
    parent.emit("hi", ()).unwrap();
    a.expect(r#"42/t-1,["hi"]"#).await;
    b.expect(r#"42/t-1,["hi"]"#).await;
    let found = parent.to(&b_id).fetch_sockets().await.unwrap();
    let answer = found[0].emit_with_ack::<(u8,)>("q", ());
    b.ask("43/t-1,0[1]", r#"42/t-1,0["q"]"#).await;
    assert_eq!(answer.await, Ok((1,)));
    found[0].disconnect();
    b.expect("41/t-1,").await;
}

trait SocketOf {
    /// The socket of the main namespace that has this id.
    fn socket_of(&self, id: &str) -> Socket;
}

impl SocketOf for Server {
    fn socket_of(&self, id: &str) -> Socket {
        self.of("/").socket(id).unwrap()
    }
}
