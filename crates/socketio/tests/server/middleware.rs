//! Middlewares and auth.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use socketio::{Config, ConnectError, Event, Server, Socket};
use tokio::sync::{Notify, Semaphore};

use crate::client::{Client, notes, until};

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[tokio::test(start_paused = true)]
async fn middlewares_run_in_order_before_the_connect_handlers() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [first, second, third] = [(); 3].map(|()| note.clone());
    io.of("/")
        .middleware(async move |socket: Socket, ()| {
            assert!(!socket.is_connected());
            tokio::task::yield_now().await;
            first.add("first");
            Ok(())
        })
        .middleware(async move |_: Socket, ()| {
            second.add("second");
            Ok(())
        })
        .on_connect(async move |_: Socket| third.add("connect"));
    Client::connect(&io).await;
    for expected in ["first", "second", "connect"] {
        notes.expect(expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_clients_answer_and_the_rest_is_not_asked() {
    let io = Server::new();
    io.of("/")
        .on_connect(async |_: Socket| -> () { panic!("never connected") })
        .middleware(async |_: Socket, login: Login| match &*login.token {
            "plain" => Err(ConnectError::new("go away")),
            _ => Err(ConnectError::new("no").with_data(("code", 7))),
        })
        .middleware(async |_: Socket, ()| panic!("not asked"));
    let mut client = Client::open(&io).await;
    client
        .ask(r#"40{"token":"plain"}"#, r#"44{"message":"go away"}"#)
        .await;
    client
        .ask(
            r#"40{"token":""}"#,
            r#"44{"message":"no","data":["code",7]}"#,
        )
        .await;
    assert!(io.of("/").sockets().is_empty());
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test(start_paused = true)]
async fn the_middlewares_of_one_namespace_do_not_concern_another() {
    let io = Server::new();
    io.of("/closed")
        .middleware(async |_: Socket, ()| Err(ConnectError::new("closed")));
    let mut client = Client::open(&io).await;
    client
        .ask("40/closed,", r#"44/closed,{"message":"closed"}"#)
        .await;
    client.join("/").await;
}

#[tokio::test(start_paused = true)]
async fn auth_that_does_not_fit_is_refused_without_saying_what_would() {
    let io = Server::new();
    io.of("/").middleware(async |_: Socket, _: Login| Ok(()));
    let mut client = Client::open(&io).await;
    for auth in ["", "{}", r#"{"token":null}"#, r#"{"other":1}"#] {
        let refused = r#"44{"message":"invalid auth"}"#;
        client.ask(&format!("40{auth}"), refused).await;
    }
    client.send(r#"40{"token":"x""#).await;
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn absent_auth_is_none_or_empty() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [maybe, any] = [(); 2].map(|()| note.clone());
    io.of("/")
        .middleware(async move |_: Socket, login: Option<Login>| {
            maybe.add(login.is_some());
            Ok(())
        })
        .middleware(async move |socket: Socket, auth: serde_json::Value| {
            any.add(auth);
            let again: serde_json::Value = socket.handshake().auth().unwrap();
            any.add(again);
            Ok(())
        });
    Client::connect(&io).await;
    for expected in ["false", "{}", "{}"] {
        notes.expect(expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn data_and_rooms_of_a_middleware_stay_with_the_socket() {
    struct User(String);
    let io = Server::new();
    io.of("/")
        .middleware(async |socket: Socket, login: Login| {
            socket.set(User(login.token));
            socket.join(["members", "left again"]).unwrap();
            socket.leave("left again");
            assert_eq!(socket.rooms(), ["members"]);
            Ok(())
        })
        .on("whoami", async |ev: Event, ()| {
            match ev.socket.data::<User>() {
                Some(user) => ev.ack((&user.0,)),
                None => ev.ack(()),
            }
        });
    let mut client = Client::open(&io).await;
    client.send(r#"40{"token":"ada"}"#).await;
    assert!(client.text().await.starts_with("40{"));
    client.ask(r#"420["whoami"]"#, r#"430["ada"]"#).await;
    io.to("members").emit("hi", ()).unwrap();
    client.expect(r#"42["hi"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_socket_leaves_no_rooms() {
    let io = Server::new();
    io.of("/").middleware(async |socket: Socket, ()| {
        socket.join("members").unwrap();
        Err(ConnectError::new("no"))
    });
    let mut client = Client::open(&io).await;
    client.ask("40", r#"44{"message":"no"}"#).await;
    assert_eq!(io.of("/").local_adapter().room_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn broadcasts_do_not_reach_a_socket_before_its_reply() {
    let io = Server::new();
    let go = Arc::new(Notify::new());
    let (started, mut starts) = notes();
    let gate = go.clone();
    io.of("/").middleware(async move |socket: Socket, ()| {
        socket.join("members").unwrap();
        assert!(socket.emit("early", ()).is_err(), "not connected yet");
        started.add("asked");
        gate.notified().await;
        Ok(())
    });
    let mut client = Client::open(&io).await;
    client.send("40").await;
    starts.expect("asked").await;
    io.to("members").emit("missed", ()).unwrap();
    io.emit("missed", ()).unwrap();
    go.notify_one();
    let reply = client.text().await;
    assert!(reply.starts_with("40{"), "{reply}");
    io.to("members").emit("seen", ()).unwrap();
    client.expect(r#"42["seen"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_is_never_connected() {
    let io = Server::new();
    let gate = Arc::new(Semaphore::new(0));
    let (note, mut notes) = notes();
    let [asked, ended] = [(); 2].map(|()| note.clone());
    let closed = gate.clone();
    io.of("/")
        .middleware(async move |socket: Socket, ()| {
            socket.join("members").unwrap();
            asked.add("asked");
            closed.acquire().await.unwrap().forget();
            ended.add("asked to the end");
            Ok(())
        })
        .on_connect(async |_: Socket| -> () { panic!("connected") })
        .on_disconnect(async |_: Socket, _| -> () { panic!("disconnected") });
    let mut client = Client::open(&io).await;
    client.send("40").await;
    notes.expect("asked").await;
    client.vanish();
    until(|| io.engine().clients_count() == 0).await;
    gate.add_permits(1);
    notes.expect("asked to the end").await;
    tokio::task::yield_now().await;
    assert!(io.of("/").sockets().is_empty());
    assert_eq!(io.of("/").local_adapter().room_count(), 0);
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_while_connecting_closes_the_session() {
    for packet in [r#"42["early"]"#, "40", "41"] {
        let io = Server::new();
        let (note, mut notes) = notes();
        io.of("/").middleware(async move |_: Socket, ()| {
            note.add("asked");
            std::future::pending().await
        });
        let mut client = Client::open(&io).await;
        client.send("40").await;
        notes.expect("asked").await;
        client.send(packet).await;
        client.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn other_namespaces_go_on_while_one_is_connecting() {
    let io = Server::new();
    io.of("/slow")
        .middleware(async |_: Socket, ()| std::future::pending().await);
    io.of("/").on("hi", async |ev: Event, ()| ev.ack(()));
    let mut client = Client::open(&io).await;
    client.send("40/slow,").await;
    client.join("/").await;
    client.ask(r#"421["hi"]"#, "431[]").await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_hangs_is_a_timeout_for_the_client() {
    let io = Server::with_config(Config {
        connect_handler_timeout: Duration::from_secs(3),
        ..Config::default()
    });
    io.of("/")
        .middleware(async |_: Socket, ()| std::future::pending().await);
    let mut client = Client::open(&io).await;
    let asked = tokio::time::Instant::now();
    client.ask("40", r#"44{"message":"timeout"}"#).await;
    assert_eq!(asked.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_panics_refuses() {
    let io = Server::new();
    io.of("/")
        .middleware(async |_: Socket, ()| panic!("by test"));
    let mut client = Client::open(&io).await;
    client.ask("40", r#"44{"message":"internal error"}"#).await;
    client.ask("40", r#"44{"message":"internal error"}"#).await;
    assert_eq!(io.counters().handler_panics, 2);
}
