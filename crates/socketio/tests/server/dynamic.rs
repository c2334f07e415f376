//! Namespaces that clients bring about.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Deserialize;
use socketio::{Config, ConnectError, Event, Server, Socket};
use tokio::sync::Semaphore;

use crate::client::{Client, notes, until};

fn names(io: &socketio::Namespace) -> Vec<String> {
    let mut names: Vec<_> = io
        .sockets()
        .iter()
        .map(|s| s.namespace().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn a_child_has_the_parents_handlers_and_middlewares() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [asked, connected, left] = [(); 3].map(|()| note.clone());
    io.of_matching(|name| name.starts_with("/tenant-"))
        .middleware(async move |socket: Socket, ()| {
            asked.add(format!("asked {}", socket.namespace()));
            Ok(())
        })
        .on_connect(async move |socket: Socket| connected.add(socket.namespace()))
        .on("who", async |ev: Event, ()| {
            ev.ack((ev.socket.namespace(),))
        })
        .on_disconnect(async move |_: Socket, reason| left.add(reason));
    let mut client = Client::open(&io).await;
    client.join("/tenant-1").await;
    client
        .ask(r#"42/tenant-1,5["who"]"#, r#"43/tenant-1,5["/tenant-1"]"#)
        .await;
    client.send("41/tenant-1,").await;
    for expected in [
        "asked /tenant-1",
        "/tenant-1",
        "client namespace disconnect",
    ] {
        notes.expect(expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_no_parent_accepts_are_refused() {
    let io = Server::new();
    io.of_matching(|name| name == "/yes");
    io.of_matching_async(async |_: String, ()| false);
    let mut client = Client::open(&io).await;
    for _ in 0..100 {
        client
            .ask("40/no,", r#"44/no,{"message":"Invalid namespace"}"#)
            .await;
    }
    // The parents themselves are no namespaces for clients.
    client
        .ask("40/_0,", r#"44/_0,{"message":"Invalid namespace"}"#)
        .await;
    client.join("/yes").await;
}

#[tokio::test(start_paused = true)]
async fn the_first_parent_that_accepts_is_the_one() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let parents = [
        io.of_matching(|name| name == "/a"),
        io.of_matching_async(async |name: String, ()| {
            tokio::task::yield_now().await;
            name != "/c"
        }),
        io.of_matching(|_| true),
    ];
    for (place, parent) in parents.iter().enumerate() {
        let note = note.clone();
        parent.on_connect(async move |socket: Socket| {
            note.add(format!("{} {place}", socket.namespace()));
        });
    }
    let mut client = Client::open(&io).await;
    for (name, expected) in [("/a", "/a 0"), ("/b", "/b 1"), ("/c", "/c 2")] {
        client.join(name).await;
        notes.expect(expected).await;
    }
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[tokio::test(start_paused = true)]
async fn an_async_predicate_gets_the_auth_payload() {
    let io = Server::new();
    io.of_matching_async(async |name: String, login: Login| name == format!("/{}", login.token));
    let mut client = Client::open(&io).await;
    for auth in ["", r#"{"token":"other"}"#, r#"{"token":1}"#] {
        client
            .ask(
                &format!("40/mine,{auth}"),
                r#"44/mine,{"message":"Invalid namespace"}"#,
            )
            .await;
    }
    client.send(r#"40/mine,{"token":"mine"}"#).await;
    let reply = client.text().await;
    assert!(reply.starts_with(r#"40/mine,{"sid":"#), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn the_parent_reaches_all_children_and_their_rooms() {
    let io = Server::new();
    let parent = io.of_matching(|_| true);
    parent.on_connect(async |socket: Socket| match socket.namespace() {
        "/c" => Ok(()),
        _ => socket.join("room"),
    });
    let mut client = Client::open(&io).await;
    for name in ["/a", "/b", "/c"] {
        client.join(name).await;
    }
    assert_eq!(names(&parent), ["/a", "/b", "/c"]);
    parent.emit("all", ()).unwrap();
    let mut all = [(); 3].map(|()| String::new());
    for text in &mut all {
        *text = client.text().await;
    }
    all.sort();
    assert_eq!(
        all,
        [r#"42/a,["all"]"#, r#"42/b,["all"]"#, r#"42/c,["all"]"#]
    );
    parent.local().except("room").emit("near", ()).unwrap();
    client.expect(r#"42/c,["near"]"#).await;
    assert_eq!(parent.to("room").fetch_sockets().await.unwrap().len(), 2);
    let answers = parent.to("room").emit_with_ack::<(u8,)>("vote", ());
    for _ in 0..2 {
        let question = client.text().await;
        let rest = question.strip_prefix("42").unwrap();
        let head = rest.strip_suffix(r#"["vote"]"#).unwrap();
        client.send(&format!("43{head}[7]")).await;
    }
    assert_eq!(answers.await.unwrap(), [Ok((7,)), Ok((7,))]);
    parent.except("room").disconnect_sockets();
    client.expect("41/c,").await;
    assert_eq!(names(&parent), ["/a", "/b"]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_first_connects_make_one_child() {
    let (note, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(0));
    let io = Server::new();
    let [asked, made] = [(); 2].map(|()| note.clone());
    io.on_new_namespace(move |namespace| made.add(format!("new {}", namespace.name())));
    let closed = gate.clone();
    io.of_matching_async(async move |_: String, ()| {
        asked.add("asked");
        closed.acquire().await.unwrap().forget();
        true
    });
    let mut clients = [Client::open(&io).await, Client::open(&io).await];
    for client in &mut clients {
        client.send("40/child,").await;
        notes.expect("asked").await;
    }
    gate.add_permits(2);
    for client in &mut clients {
        let reply = client.text().await;
        assert!(reply.starts_with(r#"40/child,{"sid":"#), "{reply}");
    }
    notes.expect("new /child").await;
    notes.none();
    assert_eq!(io.of("/child").sockets().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_goes_with_its_last_socket_and_may_come_again() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    let parent = io.of_matching(|_| true);
    let mut first = Client::open(&io).await;
    let mut second = Client::open(&io).await;
    first.join("/child").await;
    second.join("/child").await;
    notes.expect("/child").await;
    first.send("41/child,").await;
    first.join("/child").await;
    first.vanish();
    until(|| io.engine().clients_count() == 1).await;
    assert_eq!(names(&parent), ["/child"]);
    notes.none();
    second.send("41/child,").await;
    second.join("/child").await;
    notes.expect("/child").await;
    parent.emit("still there", ()).unwrap();
    second.expect(r#"42/child,["still there"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_namespace_of_a_socket_is_no_reason_for_it_to_stay() {
    let (note, mut notes) = notes();
    let io = Server::with_config(Config {
        max_dynamic_namespaces: 1,
        ..Config::default()
    });
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    io.of_matching(|_| true)
        .on_connect(async move |socket: Socket| {
            let emitted = socket.nsp().emit("hi", (socket.namespace(),));
            keep.lock().unwrap().get_or_insert(socket);
            emitted
        });
    let mut client = Client::open(&io).await;
    client.join("/child").await;
    client.expect(r#"42/child,["hi","/child"]"#).await;
    client.send("41/child,").await;
    until(|| io.namespaces().len() == 1).await;
    let socket: Socket = kept.lock().unwrap().clone().unwrap();
    assert_eq!(socket.nsp().name(), "/child");
    socket.nsp().emit("to nobody", ()).unwrap();
    assert_eq!(socket.server().namespaces().len(), 1);
    // Its place is free.
    client.join("/other").await;
    for expected in ["/child", "/other"] {
        notes.expect(expected).await;
    }
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_refused_connect_leaves_no_child() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    io.of_matching(|_| true)
        .middleware(async |_: Socket, ()| Err(ConnectError::new("no")));
    let mut client = Client::open(&io).await;
    for _ in 0..3 {
        client
            .ask("40/child,", r#"44/child,{"message":"no"}"#)
            .await;
        notes.expect("/child").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_does_not_go_while_somebody_connects() {
    let (note, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(1));
    let io = Server::new();
    let [asked, made] = [(); 2].map(|()| note.clone());
    io.on_new_namespace(move |namespace| made.add(namespace.name()));
    let closed = gate.clone();
    io.of_matching(|_| true)
        .middleware(async move |_: Socket, ()| {
            asked.add("asked");
            closed.acquire().await.unwrap().forget();
            Ok(())
        });
    let mut first = Client::open(&io).await;
    first.join("/child").await;
    let mut second = Client::open(&io).await;
    second.send("40/child,").await;
    for expected in ["/child", "asked", "asked"] {
        notes.expect(expected).await;
    }
    first.vanish();
    until(|| io.engine().clients_count() == 1).await;
    gate.add_permits(1);
    let reply = second.text().await;
    assert!(reply.starts_with(r#"40/child,{"sid":"#), "{reply}");
    io.of("/child").emit("hi", ()).unwrap();
    second.expect(r#"42/child,["hi"]"#).await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn without_clean_up_a_child_stays() {
    let (note, mut notes) = notes();
    let io = Server::with_config(Config {
        cleanup_empty_child_namespaces: false,
        ..Config::default()
    });
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    io.of_matching(|_| true);
    let mut client = Client::open(&io).await;
    client.join("/child").await;
    client.send("41/child,").await;
    client.join("/child").await;
    notes.expect("/child").await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_namespace_made_by_hand_is_a_child_that_stays() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let on_connect = note.clone();
    io.on_new_namespace(move |namespace| note.add(format!("new {}", namespace.name())));
    let parent = io.of_matching(|name| name.starts_with("/tenant-"));
    parent.on_connect(async move |_: Socket| on_connect.add("the parent's"));
    io.of("/tenant-1")
        .on("own", async |ev: Event, ()| ev.ack(("own",)));
    // Later, and for a child that has handlers of its own too.
    parent.on("late", async |ev: Event, ()| ev.ack(("late",)));
    notes.expect("new /tenant-1").await;
    let mut client = Client::open(&io).await;
    for _ in 0..2 {
        client.join("/tenant-1").await;
        notes.expect("the parent's").await;
        client
            .ask(r#"42/tenant-1,1["own"]"#, r#"43/tenant-1,1["own"]"#)
            .await;
        client
            .ask(r#"42/tenant-1,2["late"]"#, r#"43/tenant-1,2["late"]"#)
            .await;
        parent.emit("news", ()).unwrap();
        client.expect(r#"42/tenant-1,["news"]"#).await;
        client.send("41/tenant-1,").await;
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_children_than_there_may_be() {
    let io = Server::with_config(Config {
        max_dynamic_namespaces: 2,
        ..Config::default()
    });
    io.of_matching(|_| true);
    io.of("/by-hand");
    let mut client = Client::open(&io).await;
    client.join("/a").await;
    client.join("/b").await;
    for _ in 0..10 {
        client
            .ask("40/c,", r#"44/c,{"message":"too many namespaces"}"#)
            .await;
    }
    client.join("/by-hand").await;
    client.send("41/a,").await;
    client.join("/c").await;
}

#[tokio::test(start_paused = true)]
async fn no_more_predicates_wait_for_a_client_than_it_may_have_namespaces() {
    let io = Server::with_config(Config {
        max_namespaces_per_client: 2,
        connect_handler_timeout: Duration::from_secs(3),
        ..Config::default()
    });
    io.of_matching_async(async |_: String, ()| std::future::pending().await);
    let mut client = Client::open(&io).await;
    client.send("40/a,").await;
    client.send("40/b,").await;
    client
        .ask("40/c,", r#"44/c,{"message":"too many namespaces"}"#)
        .await;
    client.expect(r#"44/a,{"message":"timeout"}"#).await;
    client.expect(r#"44/b,{"message":"timeout"}"#).await;
    client.ask("40/c,", r#"44/c,{"message":"timeout"}"#).await;
}

#[tokio::test(start_paused = true)]
async fn packets_while_a_predicate_waits_close_the_session() {
    for packet in ["40/a,", "41/a,", r#"42/a,["early"]"#] {
        let (note, mut notes) = notes();
        let io = Server::new();
        io.of_matching_async(async move |_: String, ()| {
            note.add("asked");
            std::future::pending().await
        });
        let mut client = Client::open(&io).await;
        client.send("40/a,").await;
        notes.expect("asked").await;
        client.send(packet).await;
        client.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_a_predicate_waits_leaves_no_child() {
    let (note, mut notes) = notes();
    let gate = Arc::new(Semaphore::new(0));
    let io = Server::new();
    let [asked, made] = [(); 2].map(|()| note.clone());
    io.on_new_namespace(move |namespace| made.add(namespace.name()));
    let closed = gate.clone();
    io.of_matching_async(async move |_: String, ()| {
        asked.add("asked");
        closed.acquire().await.unwrap().forget();
        true
    })
    .on_connect(async |_: Socket| -> () { panic!("connected") });
    let mut client = Client::open(&io).await;
    client.send("40/child,").await;
    notes.expect("asked").await;
    client.vanish();
    until(|| io.engine().clients_count() == 0).await;
    gate.add_permits(1);
    notes.expect("/child").await;
    // Were the child still there, this would not make it.
    io.of("/child");
    notes.expect("/child").await;
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test(start_paused = true)]
async fn a_predicate_or_hook_that_panics_does_not_accept() {
    let io = Server::new();
    io.of_matching(|_| panic!("by test"));
    io.of_matching_async(async |_: String, ()| panic!("by test"));
    let mut client = Client::open(&io).await;
    client
        .ask("40/a,", r#"44/a,{"message":"Invalid namespace"}"#)
        .await;
    assert_eq!(io.counters().handler_panics, 2);
    io.on_new_namespace(|_| panic!("by test"));
    io.of_matching(|_| true);
    client.join("/a").await;
    assert_eq!(io.counters().handler_panics, 5);
}
