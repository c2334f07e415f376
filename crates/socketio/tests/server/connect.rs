//! Joining namespaces.

use std::time::Duration;

use socketio::{Config, ConnectError, Event, Server, Socket};

use crate::client::{Client, notes};

#[tokio::test(start_paused = true)]
async fn the_reply_to_connect_has_the_sockets_id() {
    let io = Server::new();
    let (mut client, id) = Client::connect_as(&io).await;
    assert_eq!(id.len(), 20);
    assert_eq!(
        io.of("/")
            .sockets()
            .iter()
            .map(|s| s.id().to_owned())
            .collect::<Vec<_>>(),
        [id]
    );
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_joined_without_being_asked_for() {
    let io = Server::new();
    let mut client = Client::open(&io).await;
    io.emit("news", ()).unwrap();
    client.quiet().await;
    assert!(io.of("/").sockets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_namespace_is_refused_and_the_session_goes_on() {
    let io = Server::new();
    let mut client = Client::open(&io).await;
    client
        .ask("40/nope,{}", r#"44/nope,{"message":"Invalid namespace"}"#)
        .await;
    client
        .ask(
            "40/nope?a=1,",
            r#"44/nope?a=1,{"message":"Invalid namespace"}"#,
        )
        .await;
    client.join("/").await;
}

#[tokio::test(start_paused = true)]
async fn names_with_and_without_a_slash_are_one() {
    let io = Server::new();
    io.of("chat").on("hello", async |ev: Event, ()| {
        ev.ack((ev.socket.namespace(),))
    });
    assert_eq!(io.of("/chat").name(), "/chat");
    assert_eq!(io.of("").name(), "/");
    let mut client = Client::open(&io).await;
    client.join("/chat").await;
    client
        .ask(r#"42/chat,1["hello"]"#, r#"43/chat,1["/chat"]"#)
        .await;
}

#[tokio::test(start_paused = true)]
async fn several_namespaces_share_a_session_and_are_apart() {
    let io = Server::new();
    io.of("/a").on("who", async |ev: Event, ()| ev.ack(("a",)));
    io.of("/b").on("who", async |ev: Event, ()| ev.ack(("b",)));
    let mut client = Client::open(&io).await;
    let ids = [
        client.join("/").await,
        client.join("/a").await,
        client.join("/b").await,
    ];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    client.ask(r#"42/a,0["who"]"#, r#"43/a,0["a"]"#).await;
    client.ask(r#"42/b,0["who"]"#, r#"43/b,0["b"]"#).await;
    io.of("/a").emit("news", (1,)).unwrap();
    client.expect(r#"42/a,["news",1]"#).await;
    assert_eq!(io.engine().clients_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn connect_handlers_start_after_the_reply_and_before_any_event() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let (on_connect, on_event) = (note.clone(), note);
    io.of("/")
        .on_connect(async move |socket: Socket| {
            assert!(socket.is_connected());
            on_connect.add("connect");
            socket.emit("welcome", ())
        })
        .on("first", async move |_: Event, ()| on_event.add("event"));
    let mut client = Client::open(&io).await;
    client.join("/").await;
    client.expect(r#"42["welcome"]"#).await;
    client.send(r#"42["first"]"#).await;
    notes.expect("connect").await;
    notes.expect("event").await;
}

#[tokio::test(start_paused = true)]
async fn a_second_connect_to_a_namespace_closes_the_session() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/")
        .on_disconnect(async move |_: Socket, reason| note.add(reason));
    let mut client = Client::connect(&io).await;
    client.send("40").await;
    client.closed().await;
    notes.expect("forced close").await;
    assert_eq!(io.counters().protocol_errors, 1);
}

#[tokio::test(start_paused = true)]
async fn packets_for_a_namespace_that_was_not_joined_close_the_session() {
    for packet in [
        r#"42["x"]"#,
        "430[]",
        "41",
        r#"42/other,["x"]"#,
        r#"451-["x"]"#,
    ] {
        let io = Server::new();
        let mut client = Client::open(&io).await;
        client.send(packet).await;
        client.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_nothing_is_closed_in_time() {
    let io = Server::with_config(Config {
        connect_timeout: Duration::from_secs(5),
        ..Config::default()
    });
    let mut client = Client::open(&io).await;
    let opened = tokio::time::Instant::now();
    client.closed().await;
    assert_eq!(opened.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_left_its_last_namespace_is_closed_in_time() {
    let io = Server::with_config(Config {
        connect_timeout: Duration::from_secs(5),
        ..Config::default()
    });
    let mut client = Client::connect(&io).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.quiet().await;
    client.send("41").await;
    let left = tokio::time::Instant::now();
    client.closed().await;
    assert_eq!(left.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_last_namespace_and_is_refused_another_is_closed_in_time() {
    let io = Server::with_config(Config {
        connect_timeout: Duration::from_secs(5),
        connect_handler_timeout: Duration::from_secs(1),
        ..Config::default()
    });
    io.of("/slow")
        .middleware(async |_: Socket, ()| std::future::pending().await);
    io.of_matching_async(async |_: String, ()| std::future::pending().await);
    for name in ["/slow", "/sought"] {
        let mut client = Client::connect(&io).await;
        client.send(&format!("40{name},")).await;
        client.send("41").await;
        let left = tokio::time::Instant::now();
        client
            .expect(&format!(r#"44{name},{{"message":"timeout"}}"#))
            .await;
        client.closed().await;
        assert_eq!(left.elapsed().as_secs(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_let_in_after_it_has_left_the_others_stays() {
    let io = Server::with_config(Config {
        connect_timeout: Duration::from_secs(5),
        ..Config::default()
    });
    io.of("/slow").middleware(async |_: Socket, ()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let mut client = Client::connect(&io).await;
    client.send("40/slow,").await;
    client.send("41").await;
    assert!(client.text().await.starts_with("40/slow,"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_can_be_left_and_joined_again() {
    let io = Server::new();
    let (mut client, first) = Client::connect_as(&io).await;
    client.send("41").await;
    let second = client.join("/").await;
    assert_ne!(first, second);
    assert_eq!(io.of("/").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn handlers_registered_later_are_for_later_sockets() {
    let io = Server::new();
    let mut early = Client::connect(&io).await;
    io.of("/").on("late", async |ev: Event, ()| ev.ack(()));
    let mut late = Client::connect(&io).await;
    late.ask(r#"420["late"]"#, "430[]").await;
    early.send(r#"420["late"]"#).await;
    early.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_sockets_of_one_client_know_each_other() {
    let io = Server::new();
    let admin = io.of("/admin");
    let (mut client, id) = Client::connect_as(&io).await;
    let in_admin = client.join("/admin").await;
    let _other = Client::connect(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    let both = socket.of_same_client();
    let ids: Vec<_> = both.iter().map(Socket::id).collect();
    assert_eq!(ids, [&*id, &*in_admin]);
    assert_eq!(socket.sid(), admin.socket(&in_admin).unwrap().sid());
    assert_ne!(socket.sid().as_str(), id);
    let mut names: Vec<_> = io
        .namespaces()
        .iter()
        .map(|ns| ns.name().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["/", "/admin"]);
}

#[tokio::test(start_paused = true)]
async fn the_server_speaks_for_its_main_namespace() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [here, going, gone] = [(); 3].map(|()| note.clone());
    io.middleware(async |socket: Socket, ()| {
        socket
            .join("checked")
            .map_err(|_| ConnectError::new("full"))
    })
    .on("hello", async |ev: Event, ()| ev.ack(("hi",)));
    io.on_connect(async move |_: Socket| here.add("here"));
    io.on_disconnecting(async move |socket: Socket, _| going.add(socket.rooms().len()));
    io.on_disconnect(async move |_: Socket, why| gone.add(why));
    let mut client = Client::connect(&io).await;
    notes.expect("here").await;
    client.ask(r#"421["hello"]"#, r#"431["hi"]"#).await;
    io.sockets_join(["a", "b"]);
    io.sockets_leave("a");
    let found = io.fetch_sockets().await.unwrap();
    assert_eq!(found[0].rooms()[1..], ["checked", "b"]);
    assert_eq!(io.sockets().len(), 1);
    io.disconnect_sockets();
    client.expect("41").await;
    notes.expect("3").await;
    notes.expect("server namespace disconnect").await;
    client.join("/").await;
    io.close_sockets();
    client.expect("41").await;
    client.closed().await;
}
