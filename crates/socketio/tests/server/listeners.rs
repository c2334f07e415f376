//! Handlers of one socket.

use std::sync::{Arc, Mutex, Weak};

use socketio::{Args, Binary, DisconnectReason, Event, ListenerId, Server, Socket};

use crate::client::{Client, notes, until};

fn only(io: &Server) -> Socket {
    io.of("/").sockets().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_sockets_handlers_come_after_the_namespaces_and_are_its_own() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [shared, own] = [(); 2].map(|()| note.clone());
    io.of("/")
        .on("x", async move |_: Event, ()| shared.add("namespace"));
    let mut other = Client::connect(&io).await;
    other.send(r#"42["x"]"#).await;
    notes.expect("namespace").await;
    let first = only(&io);
    let mut client = Client::connect(&io).await;
    let socket = io
        .of("/")
        .sockets()
        .into_iter()
        .find(|socket| socket.id() != first.id())
        .unwrap();
    socket.on("x", async move |_: Event, (n,): (u8,)| own.add(n));
    client.send(r#"42["x",3]"#).await;
    notes.expect("namespace").await;
    notes.expect("3").await;
    other.send(r#"42["x",4]"#).await;
    notes.expect("namespace").await;
    other.quiet().await;
    notes.none();
    assert_eq!(socket.event_names(), ["x"]);
    assert_eq!(socket.listeners_of("x").len(), 1);
    assert_eq!(socket.listeners_of("y"), []);
    assert!(first.event_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn handlers_registered_on_connect_get_the_first_event() {
    let io = Server::new();
    io.of("/").on_connect(async |socket: Socket| {
        socket.on("hi", async |ev: Event, (name,): (String,)| ev.ack((name,)));
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"421["hi","ada"]"#, r#"431["ada"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn once_is_once() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    only(&io).once("x", async |ev: Event, ()| ev.ack(()));
    client.ask(r#"421["x"]"#, "431[]").await;
    client.send(r#"422["x"]"#).await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_can_be_taken_off() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    let add = |event: &str, text: &'static str| {
        let note = note.clone();
        socket.on(event, async move |_: Event, ()| note.add(text))
    };
    let first: ListenerId = add("a", "first");
    add("a", "second");
    add("b", "other");
    assert!(socket.off(first));
    assert!(!socket.off(first), "it is gone");
    client.send(r#"42["a"]"#).await;
    notes.expect("second").await;
    socket.remove_all_listeners("a");
    assert_eq!(socket.event_names(), ["b"]);
    client.send(r#"42["a"]"#).await;
    client.send(r#"42["b"]"#).await;
    notes.expect("other").await;
    socket.remove_all_listeners(None);
    client.send(r#"42["b"]"#).await;
    client.quiet().await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn handlers_of_every_event_come_first_and_see_all_arguments() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let [shared, any, first] = [(); 3].map(|()| note.clone());
    io.of("/")
        .on("x", async move |_: Event, ()| shared.add("namespace"));
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    let listener = socket.on_any(async move |ev: Event, args: Args| {
        any.add(format!("{} {}", ev.name(), args.json()));
    });
    let prepended = socket.prepend_any(async move |_: Event, ()| first.add("prepended"));
    assert_eq!(socket.listeners_any(), [prepended, listener]);
    client.send(r#"42["x",1,{"a":2}]"#).await;
    for expected in ["prepended", r#"x [1,{"a":2}]"#, "namespace"] {
        notes.expect(expected).await;
    }
    client.send(r#"42["unknown"]"#).await;
    for expected in ["prepended", "unknown []"] {
        notes.expect(expected).await;
    }
    socket.off_any(listener);
    assert_eq!(socket.listeners_any(), [prepended]);
    client.send(r#"42["unknown"]"#).await;
    notes.expect("prepended").await;
    socket.off_any(None);
    client.send(r#"42["unknown"]"#).await;
    client.quiet().await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_packet_middleware_may_drop_an_event_with_an_error() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/").on("x", async |ev: Event, ()| ev.ack(("done",)));
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    let [seen, failed, second] = [(); 3].map(|()| note.clone());
    socket
        .use_packet(async |_: Event, (n,): (u8,)| match n {
            0 => Err("zero"),
            _ => Ok(()),
        })
        .use_packet(async move |_: Event, ()| {
            tokio::task::yield_now().await;
            second.add("second");
        })
        .on_error(async move |_: Socket, error: String| failed.add(error));
    socket.on_any(async move |_: Event, ()| seen.add("any"));
    client.send(r#"421["x",0]"#).await;
    for expected in ["any", "zero"] {
        notes.expect(expected).await;
    }
    client.ask(r#"422["x",1]"#, r#"432["done"]"#).await;
    for expected in ["any", "second"] {
        notes.expect(expected).await;
    }
    // What a middleware cannot look at does not pass it.
    client.send(r#"423["x","one"]"#).await;
    notes.expect("any").await;
    let error = notes.next().await;
    assert!(error.contains("invalid type"), "{error}");
    client.quiet().await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn a_packet_middleware_that_panics_drops_the_event() {
    let io = Server::new();
    io.of("/").on("x", async |ev: Event, ()| ev.ack(()));
    let mut client = Client::connect(&io).await;
    only(&io).use_packet(async |_: Event, ()| -> () { panic!("by test") });
    client.send(r#"421["x"]"#).await;
    client.quiet().await;
    assert_eq!(io.counters().handler_panics, 1);
}

#[tokio::test(start_paused = true)]
async fn arguments_must_be_json_with_own_handlers_too() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    only(&io).on("x", async |_: Event, ()| ());
    client.send(r#"42["x",]"#).await;
    client.closed().await;
    assert_eq!(io.counters().protocol_errors, 1);
}

#[tokio::test(start_paused = true)]
async fn a_socket_tells_its_own_disconnect_handlers() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    socket.join("room").unwrap();
    let [going, gone] = [(); 2].map(|()| note.clone());
    socket
        .on_disconnecting(async move |socket: Socket, _| going.add(socket.rooms().len()))
        .on_disconnect(async move |socket: Socket, why: DisconnectReason| {
            gone.add(format!("{} {why}", socket.rooms().len()));
        });
    client.send("41").await;
    notes.expect("2").await;
    notes.expect("0 client namespace disconnect").await;
}

#[tokio::test(start_paused = true)]
async fn the_end_lets_handlers_go_that_hold_the_socket() {
    let io = Server::new();
    let client = Client::connect(&io).await;
    let socket = only(&io);
    let held = Arc::new(());
    let seen: Weak<()> = Arc::downgrade(&held);
    let late = Mutex::new(Some(held));
    let holds = |held: Arc<()>| {
        let own = socket.clone();
        async move |_: Event, ()| drop((own.clone(), held.clone()))
    };
    let held = late.lock().unwrap().clone().unwrap();
    socket.on("x", holds(held));
    client.vanish();
    until(|| io.engine().clients_count() == 0).await;
    // Nor is one kept that comes too late.
    let held = late.lock().unwrap().take().unwrap();
    socket.on("x", holds(held));
    assert!(seen.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn handlers_of_every_outgoing_event_see_emits_and_broadcasts() {
    let (note, mut notes) = notes();
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    let _other = Client::connect(&io).await;
    let [last, first] = [(); 2].map(|()| note.clone());
    let listener =
        socket.on_any_outgoing(move |event, args| last.add(format!("{event} {}", args.json())));
    socket.prepend_any_outgoing(move |_, _| first.add("first"));
    socket.emit("one", (1, "a")).unwrap();
    notes.expect("first").await;
    notes.expect(r#"one [1,"a"]"#).await;
    io.emit("all", ()).unwrap();
    notes.expect("first").await;
    notes.expect("all []").await;
    let _answer = socket.emit_with_ack::<()>("question", (Binary::from(vec![1]),));
    notes.expect("first").await;
    notes
        .expect(r#"question [{"_placeholder":true,"num":0}]"#)
        .await;
    let _answers = io.emit_with_ack::<()>("vote", ());
    notes.expect("first").await;
    notes.expect("vote []").await;
    socket.broadcast().emit("not to me", ()).unwrap();
    notes.none();
    assert_eq!(socket.listeners_any_outgoing().pop(), Some(listener));
    socket.off_any_outgoing(listener);
    assert_eq!(socket.listeners_any_outgoing().len(), 1);
    socket.emit("two", ()).unwrap();
    notes.expect("first").await;
    socket.off_any_outgoing(None);
    socket.emit("three", ()).unwrap();
    notes.none();
    client.expect(r#"42["one",1,"a"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_outgoing_events_may_emit_and_panic() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = only(&io);
    let (again, everybody) = (socket.clone(), io.clone());
    socket.on_any_outgoing(move |event, _| match event {
        "news" => {
            again.join("room").unwrap();
            everybody.to("room").emit("copy", ()).unwrap();
        }
        _ => panic!("by test"),
    });
    io.emit("news", ()).unwrap();
    client.expect(r#"42["news"]"#).await;
    client.expect(r#"42["copy"]"#).await;
    assert_eq!(io.counters().handler_panics, 1);
}
