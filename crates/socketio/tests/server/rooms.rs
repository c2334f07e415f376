//! Rooms and broadcasts.

use socketio::{Args, Config, Event, JoinError, Server, Socket, server::adapter::RoomEvent};

use crate::client::{Client, notes};

/// A, B and C: A and B are in room x, B and C in room y.
async fn three(io: &Server) -> [(Client, Socket); 3] {
    let mut list = Vec::new();
    for rooms in [&["x"][..], &["x", "y"], &["y"]] {
        let (client, id) = Client::connect_as(io).await;
        let socket = io.of("/").socket(&id).unwrap();
        socket.join(rooms).unwrap();
        list.push((client, socket));
    }
    list.try_into()
        .unwrap_or_else(|_| unreachable!("three of them"))
}

/// Who has got the event, when all that was emitted has arrived.
async fn receivers(clients: &mut [(Client, Socket); 3]) -> String {
    let mut receivers = String::new();
    for ((client, socket), name) in clients.iter_mut().zip(["A", "B", "C"]) {
        socket.emit("mark", ()).unwrap();
        loop {
            match &*client.text().await {
                r#"42["hi"]"# => receivers.push_str(name),
                r#"42["mark"]"# => break,
                other => panic!("{other}"),
            }
        }
    }
    receivers
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_its_target_once() {
    let io = Server::new();
    let mut clients = three(&io).await;
    let a = clients[0].1.clone();
    let table = [
        (io.to("x"), "AB"),
        (io.to("x").to("y"), "ABC"),
        (io.to(["x", "y"]), "ABC"),
        (io.in_("y").except("x"), "C"),
        (io.except(vec!["y"]), "A"),
        (io.except(a.id()), "BC"),
        (io.to(a.id()), "A"),
        (io.to("nobody"), ""),
        (io.local(), "ABC"),
        (io.volatile(), "ABC"),
        (a.broadcast(), "BC"),
        (a.to("x"), "B"),
        (a.in_(String::from("x")), "B"),
        (a.to("x").to("y"), "BC"),
        (a.except("y"), ""),
        (a.local(), "BC"),
        (a.volatile().broadcast(), "BC"),
        (a.volatile().to("y").except(clients[1].1.id()), "C"),
    ];
    for (broadcast, expected) in table {
        broadcast.emit("hi", ()).unwrap();
        assert_eq!(receivers(&mut clients).await, expected, "{broadcast:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_can_be_used_again_and_refined() {
    let io = Server::new();
    let mut clients = three(&io).await;
    let x = io.to("x");
    let only_a = x.clone().except("y");
    x.emit("hi", ()).unwrap();
    only_a.emit("hi", ()).unwrap();
    x.emit("hi", ()).unwrap();
    assert_eq!(receivers(&mut clients).await, "AAABB");
}

#[tokio::test(start_paused = true)]
async fn left_rooms_are_forgotten() {
    let io = Server::new();
    let mut clients = three(&io).await;
    let b = clients[1].1.clone();
    assert_eq!(b.rooms(), [b.id(), "x", "y"]);
    b.leave(["x", "y", "never joined"]);
    assert_eq!(b.rooms(), [b.id()]);
    io.to(["x", "y"]).emit("hi", ()).unwrap();
    assert_eq!(receivers(&mut clients).await, "AC");
    assert_eq!(io.of("/").local_adapter().room_count(), 2);
    for (_, socket) in &clients {
        socket.leave(["x", "y"]);
    }
    assert_eq!(io.of("/").local_adapter().room_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_socket_takes_its_rooms_with_it() {
    let io = Server::new();
    let clients = three(&io).await;
    for (client, socket) in clients {
        socket.disconnect();
        assert_eq!(socket.join("x"), Err(JoinError::Disconnected));
        assert_eq!(socket.rooms(), [] as [&str; 0]);
        drop(client);
    }
    let local = io.of("/").local_adapter().clone();
    assert_eq!((local.room_count(), local.socket_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rooms_of_different_namespaces_are_different() {
    let io = Server::new();
    for namespace in ["/a", "/b"] {
        io.of(namespace)
            .on_connect(async |socket: Socket| socket.join("room"));
    }
    let mut client = Client::open(&io).await;
    client.join("/a").await;
    client.join("/b").await;
    io.of("/a").to("room").emit("hi", ()).unwrap();
    client.expect(r#"42/a,["hi"]"#).await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn all_recipients_get_broadcasts_in_the_same_order() {
    let io = Server::new();
    let (mut a, mut b) = (Client::connect(&io).await, Client::connect(&io).await);
    let threads = [0, 1].map(|thread| {
        let io = io.clone();
        std::thread::spawn(move || {
            (0..100).for_each(|n| io.emit("n", (thread, n)).unwrap());
        })
    });
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    for _ in 0..200 {
        assert_eq!(a.text().await, b.text().await);
    }
}

#[tokio::test(start_paused = true)]
async fn joins_are_bounded() {
    let io = Server::with_config(Config {
        max_rooms_per_socket: 2,
        ..Config::default()
    });
    let (_client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    assert_eq!(socket.join(["1", "2", "3"]), Err(JoinError::TooManyRooms));
    assert_eq!(socket.rooms(), [&*id, "1", "2"]);
    assert_eq!(socket.join("n".repeat(256)), Err(JoinError::NameTooLong));
}

#[tokio::test(start_paused = true)]
async fn sockets_are_found_moved_and_disconnected() {
    let io = Server::new();
    let mut clients = three(&io).await;
    let found = io.to("x").fetch_sockets().await.unwrap();
    let expected: Vec<_> = clients[..2]
        .iter()
        .map(|(_, s)| (s.id().to_owned(), s.rooms()))
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|socket| (socket.id().to_owned(), socket.rooms().to_vec()))
        .collect();
    assert_eq!(found, expected);

    io.to("x").except("y").sockets_join(["z"]);
    io.to("y").sockets_leave("y");
    assert_eq!(clients[0].1.rooms()[1..], ["x", "z"]);
    assert_eq!(clients[2].1.rooms()[1..], [] as [&str; 0]);

    let c = io.except(["x"]).fetch_sockets().await.unwrap().remove(0);
    c.join("w");
    c.emit("hi", ()).unwrap();
    io.to("w").emit("hi", ()).unwrap();
    assert_eq!(receivers(&mut clients).await, "CC");
    c.disconnect();
    clients[2].0.expect("41").await;
    io.to("z").close_sockets();
    clients[0].0.expect("41").await;
    clients[0].0.closed().await;
    assert_eq!(io.of("/").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_broadcast_and_be_a_recipient() {
    let io = Server::new();
    let everybody = io.clone();
    io.of("/").on("shout", async move |_: Event, args: Args| {
        everybody.emit("shout", args)
    });
    let mut client = Client::connect(&io).await;
    client
        .ask(r#"42["shout",1,"two"]"#, r#"42["shout",1,"two"]"#)
        .await;
}

#[tokio::test(start_paused = true)]
async fn rooms_tell_what_happens_to_them() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/")
        .local_adapter()
        .on_room_event(move |event| note.add(format!("{event:?}")));
    let (mut client, id) = Client::connect_as(&io).await;
    notes.expect(&format!("Create({id:?})")).await;
    notes
        .expect(&format!("Join {{ room: {id:?}, id: {id:?} }}"))
        .await;
    let (_other, other_id) = Client::connect_as(&io).await;
    notes.expect(&format!("Create({other_id:?})")).await;
    notes.next().await;
    let [one, two] = [&id, &other_id].map(|id| io.of("/").socket(id).unwrap());
    one.join(["room", "room"]).unwrap();
    two.join("room").unwrap();
    two.leave(["room", "room"]);
    let of_room = |what: &str, id: &str| format!("{what} {{ room: \"room\", id: {id:?} }}");
    notes.expect("Create(\"room\")").await;
    for (what, id) in [("Join", &id), ("Join", &other_id), ("Leave", &other_id)] {
        notes.expect(&of_room(what, id)).await;
    }
    client.send("41").await;
    notes
        .expect(&format!("Leave {{ room: {id:?}, id: {id:?} }}"))
        .await;
    notes.expect(&format!("Delete({id:?})")).await;
    notes.expect(&of_room("Leave", &id)).await;
    notes.expect("Delete(\"room\")").await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_rooms_may_join_rooms_itself() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let main = io.of("/");
    io.of("/").local_adapter().on_room_event(move |event| {
        if let RoomEvent::Create(room) = event {
            note.add(room.len());
            if &**room == "first" {
                main.sockets_join("second");
                note.add("joined");
            }
        }
    });
    let _client = Client::connect(&io).await;
    notes.expect("20").await;
    io.of("/").sockets_join("first");
    // One after the other, even so.
    for expected in ["5", "joined", "6"] {
        notes.expect(expected).await;
    }
}
