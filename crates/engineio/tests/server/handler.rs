//! What a handler may rely on.

use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicBool, Ordering},
};

use engineio::{
    CloseReason, Config, Frame, Message, PushError, Sid,
    server::{Engine, Handler, Link},
};

use crate::support::{Http, Polling, Server, Told, pipe_to, target, websocket_on};

#[tokio::test]
async fn a_handler_may_push_and_close_within_a_message() {
    let mut server = Server::with_close(
        Config::default(),
        |link, _| {
            link.push(&[Frame::message("bye")]).unwrap();
            link.close(CloseReason::ForcedClose);
            assert_eq!(link.push(&[Frame::message("x")]), Err(PushError::Closed));
        },
        |link, _| {
            assert_eq!(link.push(&[Frame::message("x")]), Err(PushError::Closed));
            link.close(CloseReason::TransportClose);
        },
    );
    let mut socket = server.websocket().await;
    socket.send("4a").await;
    assert_eq!(socket.receive().await, "4bye");
    socket.ended().await;
    let mut client = Polling::open(&server).await;
    client.park(&server).await;
    client.send("4a\x1e4b").await;
    assert_eq!(client.polled().await, "4bye");
    assert_eq!(client.poll().await, "1");
    for _ in 0..2 {
        assert_eq!(server.message().await, "a");
        assert_eq!(server.closed().await, CloseReason::ForcedClose);
    }
    assert_eq!(server.told_so_far(), []);
}

#[tokio::test]
async fn a_session_is_out_of_the_registry_when_its_end_is_told() {
    let mut server = Server::with_close(
        Config::default(),
        |_, _| {},
        |link, _| {
            let engine = link.engine();
            assert!(engine.session(&link.sid()).is_none());
            assert_eq!(engine.clients_count(), 0);
        },
    );
    drop(server.websocket().await);
    server.closed().await;
    server.websocket().await;
}

/// Eight threads push and close while messages come in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_events_of_a_session_are_serial_whoever_causes_them() {
    for round in 0..100 {
        let inside = Arc::new(AtomicBool::new(false));
        let (in_message, in_close) = (inside.clone(), inside);
        let mut server = Server::with_close(
            Config::default(),
            move |_, _| {
                assert!(!in_message.swap(true, Ordering::SeqCst), "two at a time");
                std::thread::yield_now();
                in_message.store(false, Ordering::SeqCst);
            },
            move |_, _| assert!(!in_close.swap(true, Ordering::SeqCst), "within a message"),
        );
        let mut socket = server.websocket().await;
        let link = server.link();
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (link, start) = (link.clone(), start.clone());
                std::thread::spawn(move || {
                    start.wait();
                    for _ in 0..20 {
                        let _may_be_closed = link.push(&[Frame::message("x")]);
                    }
                    if thread == round % 8 {
                        link.close(CloseReason::ForcedClose);
                    }
                })
            })
            .collect();
        for number in 0..20 {
            use futures_util::SinkExt;
            let message = tokio_tungstenite::tungstenite::Message::text(format!("4{number}"));
            if socket.stream.send(message).await.is_err() {
                break;
            }
        }
        socket.ended().await;
        for thread in threads {
            thread.join().unwrap();
        }
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Told::Close(..))) {
            told.push(server.told().await);
        }
        let sid = link.sid();
        let last = told.pop();
        assert_eq!(
            last,
            Some(Told::Close(sid.clone(), CloseReason::ForcedClose))
        );
        let expected = (0..told.len()).map(|number| Told::Text(sid.clone(), number.to_string()));
        assert!(told.iter().cloned().eq(expected), "{told:?}");
        assert_eq!(server.told_so_far(), []);
    }
}

/// Greets everybody, and then has no time.
#[derive(Default)]
struct Greeter(Mutex<Vec<&'static str>>);

impl Greeter {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl Handler for Greeter {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {
        self.note("open");
    }

    fn on_ready(&self, link: &Arc<Link<Self>>) {
        self.note("ready");
        link.push(&[Frame::message("hello")]).unwrap();
        link.close(CloseReason::ForcedClose);
        self.note("was ready");
    }

    fn on_message(&self, _link: &Arc<Link<Self>>, _message: Message) {
        self.note("message");
    }

    fn on_close(&self, _link: &Arc<Link<Self>>, _reason: CloseReason) {
        self.note("close");
    }
}

#[tokio::test]
async fn a_session_can_be_used_and_closed_as_soon_as_it_is_ready() {
    let engine = Engine::new(Config::default(), Greeter::default());
    let stream = pipe_to(&engine, 4096);
    let mut socket = websocket_on(stream, &target("websocket", ""))
        .await
        .unwrap();
    assert!(socket.receive().await.starts_with("0{"));
    assert_eq!(socket.receive().await, "4hello");
    socket.ended().await;
    let expected = ["open", "ready", "was ready", "close"];
    assert_eq!(*engine.handler().0.lock().unwrap(), expected);

    let mut http = Http::new(pipe_to(&engine, 4096));
    let open = http.get(&target("polling", "")).await;
    assert!(open.body.ends_with("}\x1e4hello"), "{open:?}");
}
