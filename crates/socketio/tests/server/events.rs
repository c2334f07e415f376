//! Events from clients, and emits to them.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use socketio::{Config, EmitError, Event, Server, Socket};
use tokio::sync::Semaphore;
use tracing::{Level, Metadata, field::Field, span};

use crate::client::{Client, notes, until};

#[tokio::test(start_paused = true)]
async fn arguments_are_parsed_into_what_the_handler_takes() {
    let io = Server::new();
    io.of("/")
        .on("tuple", async |ev: Event, (a, b): (u8, Option<String>)| {
            ev.ack((b, a))
        })
        .on("all", async |ev: Event, all: Value| ev.ack((all,)))
        .on("none", async |ev: Event, ()| ev.ack(()))
        .on("7", async |ev: Event, ()| ev.ack((ev.name(),)));
    let mut client = Client::connect(&io).await;
    client
        .ask(r#"421["tuple",5,"x",{}]"#, r#"431["x",5]"#)
        .await;
    client.ask(r#"422["tuple",5]"#, "432[null,5]").await;
    client.ask(r#"423["all",1,[2]]"#, "433[[1,[2]]]").await;
    client.ask(r#"424["none",1]"#, "434[]").await;
    client.ask("425[7]", r#"435["7"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_type_does_not_fit_is_skipped() {
    let io = Server::new();
    io.of("/")
        .on("say", async |ev: Event, (_,): (String,)| ev.ack(("text",)))
        .on("say", async |ev: Event, (_,): (u8,)| ev.ack(("number",)));
    let mut client = Client::connect(&io).await;
    client.ask(r#"421["say",1]"#, r#"431["number"]"#).await;
    client.ask(r#"422["say","x"]"#, r#"432["text"]"#).await;
    client.send(r#"423["say",{}]"#).await;
    client.quiet().await;
    assert_eq!(io.counters().mismatched_arguments, 4);
}

#[tokio::test(start_paused = true)]
async fn arguments_that_fit_no_handler_are_warned_of_once_per_event_and_namespace() {
    let log = Warnings::default();
    let _recording = tracing::subscriber::set_default(log.clone());
    let io = Server::new();
    for namespace in [io.of("/"), io.of("/chat")] {
        namespace.on("say", async |_: Event, (_,): (u8,)| ());
    }
    let mut client = Client::connect(&io).await;
    client.join("/chat").await;
    for _ in 0..3 {
        for prefix in ["42", "42/chat,"] {
            client.send(&format!(r#"{prefix}["say","secret"]"#)).await;
        }
    }
    client.quiet().await;
    assert_eq!(io.counters().mismatched_arguments, 6);
    let warned = log.0.lock().unwrap().clone();
    assert_eq!(warned.len(), 2, "{warned:?}");
    for (line, namespace) in warned.iter().zip(["/", "/chat"]) {
        let place = format!("event=\"say\" namespace=\"{namespace}\"");
        assert!(line.contains(&place), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

/// What is logged as a warning on this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &Field, value: &dyn fmt::Debug| {
            line += &format!("{field}={value:?} ");
        });
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn what_is_no_packet_closes_the_session_even_if_nobody_listens() {
    let packets = [
        "49",
        "42",
        r#"42["x""#,
        r#"42["x",nul]"#,
        r#"42["nobody",]"#,
        r#"42[{}]"#,
        r#"42["connect"]"#,
        r#"4299999999999999999["x"]"#,
        r#"44{"message":"x"}"#,
        r#"430[1"#,
        r#"4511-["x"]"#,
        r#"452["x"]"#,
        "4",
    ];
    for packet in packets {
        let io = Server::new();
        let (note, mut notes) = notes();
        io.of("/")
            .on("x", async |_: Event, _: Value| {})
            .on_disconnect(async move |_: Socket, reason| note.add(reason));
        let mut client = Client::connect(&io).await;
        client.send(packet).await;
        // An event without data means nothing.
        if packet == "42" {
            client.quiet().await;
            continue;
        }
        client.closed().await;
        notes.expect("forced close").await;
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_events_are_ignored() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    client.send(r#"421["error",{"a":[1,2]}]"#).await;
    client.send(r#"42["__proto__"]"#).await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_start_in_the_order_of_their_events() {
    let io = Server::new();
    let gate = Arc::new(Semaphore::new(0));
    let (note, mut notes) = notes();
    let closed = gate.clone();
    io.of("/").on("work", async move |_: Event, (n,): (u32,)| {
        note.add(format!("{n} starts"));
        if n % 2 == 0 {
            let _permit = closed.acquire().await.unwrap();
        }
        note.add(format!("{n} ends"));
    });
    let mut client = Client::connect(&io).await;
    for n in 0..4 {
        client.send(&format!(r#"42["work",{n}]"#)).await;
    }
    for note in [
        "0 starts", "1 starts", "1 ends", "2 starts", "3 starts", "3 ends",
    ] {
        notes.expect(note).await;
    }
    notes.none();
    gate.add_permits(1);
    notes.expect("0 ends").await;
    notes.expect("2 ends").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_an_error_stays_in_its_handler() {
    let io = Server::new();
    io.of("/")
        .on("panic", async |_: Event, ()| -> () { panic!("by test") })
        .on("late panic", async |_: Event, ()| -> () {
            tokio::task::yield_now().await;
            panic!("by test")
        })
        .on("error", async |_: Event, ()| Err::<(), _>("by test"))
        .on("fine", async |ev: Event, ()| ev.ack(()));
    let mut client = Client::connect(&io).await;
    for event in ["panic", "late panic", "error"] {
        client.send(&format!(r#"42["{event}"]"#)).await;
    }
    client.ask(r#"421["fine"]"#, "431[]").await;
    until(|| io.counters().handler_panics == 2).await;
    assert_eq!(io.counters().handler_errors, 1);
}

#[tokio::test(start_paused = true)]
async fn plain_functions_are_handlers() {
    async fn greet(ev: Event, (name,): (String,)) -> Result<(), EmitError> {
        ev.socket.emit("hello", (name,))
    }
    let io = Server::new();
    io.of("/").on("greet", greet);
    let mut client = Client::connect(&io).await;
    client
        .ask(r#"42["greet","ada"]"#, r#"42["hello","ada"]"#)
        .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "`disconnect` is a reserved event name")]
async fn a_handler_of_a_reserved_event_is_a_mistake() {
    Server::new()
        .of("/")
        .on("disconnect", async |_: Event, ()| {});
}

#[tokio::test(start_paused = true)]
async fn reserved_events_are_not_emitted() {
    let (note, mut notes) = notes();
    let io = Server::new();
    io.of("/").on_connect(async move |socket: Socket| {
        note.add(socket.emit("disconnect", ()).unwrap_err());
    });
    let mut client = Client::connect(&io).await;
    notes.expect("`disconnect` is a reserved event name").await;
    assert!(io.emit("connect_error", ()).is_err());
    assert!(io.of("/").encode("newListener", ()).is_err());
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn emits_after_the_end_are_errors() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = io.of("/").sockets().remove(0);
    socket.emit("before", ()).unwrap();
    socket.disconnect();
    assert_eq!(socket.emit("after", ()), Err(EmitError::NotConnected));
    assert_eq!(
        socket.volatile().emit("after", ()),
        Err(EmitError::NotConnected)
    );
    client.expect(r#"42["before"]"#).await;
    client.expect("41").await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn unfinished_handlers_hold_reading_up() {
    let io = Server::with_config(Config {
        max_inflight_handlers: 2,
        ..Config::default()
    });
    let gate = Arc::new(Semaphore::new(0));
    let (note, mut notes) = notes();
    let closed = gate.clone();
    io.of("/").on("work", async move |_: Event, (n,): (u32,)| {
        note.add(n);
        closed.acquire().await.unwrap().forget();
    });
    let mut client = Client::connect(&io).await;
    for n in 0..5 {
        client.send(&format!(r#"42["work",{n}]"#)).await;
    }
    notes.expect("0").await;
    notes.expect("1").await;
    for n in 2..5 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        notes.none();
        gate.add_permits(1);
        notes.expect(&n.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn strict_order_is_a_bound_of_one() {
    let io = Server::with_config(Config {
        max_inflight_handlers: 1,
        ..Config::default()
    });
    let (note, mut notes) = notes();
    io.of("/").on("work", async move |_: Event, (n,): (u32,)| {
        note.add(format!("{n} starts"));
        tokio::task::yield_now().await;
        note.add(format!("{n} ends"));
    });
    let mut client = Client::connect(&io).await;
    for n in 0..3 {
        client.send(&format!(r#"42["work",{n}]"#)).await;
    }
    for n in 0..3 {
        notes.expect(&format!("{n} starts")).await;
        notes.expect(&format!("{n} ends")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn send_is_the_event_message() {
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    let socket = io.of("/").sockets().remove(0);
    socket.send(("hi", 1)).unwrap();
    client.expect(r#"42["message","hi",1]"#).await;
    socket.volatile().send("hi").unwrap();
    client.expect(r#"42["message","hi"]"#).await;
    io.send(()).unwrap();
    client.expect(r#"42["message"]"#).await;
    io.of("/").send(()).unwrap();
    client.expect(r#"42["message"]"#).await;
    io.to(socket.id()).send(()).unwrap();
    client.expect(r#"42["message"]"#).await;
}
