//! The end of the server, little by little.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use engineio::{
    CloseReason, Config, Frame, Message, Sid,
    server::{Engine, Handler, Link},
};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::support::{Polling, Server, Told, pipe_to, soon, target, websocket_on};

const OVER: Duration = Duration::from_secs(8);

#[tokio::test(start_paused = true)]
async fn sessions_are_closed_one_by_one_over_the_time_and_none_is_let_in() {
    let mut server = Server::quiet(Config::default());
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(server.websocket().await);
        server.link().push(&[Frame::message("queued")]).unwrap();
    }
    let start = Instant::now();
    let engine = server.engine.clone();
    let draining = tokio::spawn(async move {
        engine.drain(OVER).await;
        start.elapsed()
    });
    let mut gone = HashSet::new();
    for turn in 0..4 {
        let Told::Close(sid, reason) = server.told().await else {
            panic!("not closed");
        };
        assert_eq!(reason, CloseReason::ForcedClose);
        assert!(gone.insert(sid));
        let share = OVER / 4;
        let elapsed = start.elapsed();
        // The clock of the tests has steps of a millisecond.
        let step = Duration::from_millis(1);
        assert!(
            elapsed + step >= share * turn && elapsed <= share * (turn + 1) + step,
            "{turn}: {elapsed:?}"
        );
        let reply = server.connect().get(&target("polling", "")).await;
        assert_eq!(reply.status, 503);
    }
    for mut socket in sockets {
        assert_eq!(socket.receive().await, "4queued");
        assert_eq!(socket.ended().await, None);
    }
    let took = soon(draining).await.unwrap();
    assert!(took <= OVER + Duration::from_millis(1), "{took:?}");
    assert!(!server.engine.is_closing(), "that is for close to do");
    soon(server.engine.close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_served_until_its_turn_and_draining_ends_with_the_last() {
    let mut server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    let engine = server.engine.clone();
    let start = Instant::now();
    let hour = Duration::from_secs(3_600);
    let draining = tokio::spawn(async move { engine.drain(hour).await });
    while server.connect().get(&target("polling", "")).await.status != 503 {}
    client.send("4still here").await;
    assert_eq!(client.poll().await, "4still here");
    client.send("1").await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    soon(draining).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_client_on_long_polling_fetches_what_is_queued_and_then_the_close() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    server.link().push(&[Frame::message("queued")]).unwrap();
    soon(server.engine.drain(OVER)).await;
    assert_eq!(client.poll().await, "4queued");
    assert_eq!(client.poll().await, "1");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
}

#[tokio::test]
async fn without_sessions_or_time_draining_does_not_wait() {
    let mut server = Server::quiet(Config::default());
    assert_eq!(server.engine.drain(OVER).now_or_never(), Some(()));

    let mut other = Server::quiet(Config::default());
    let _socket = other.websocket().await;
    assert_eq!(other.engine.drain(Duration::ZERO).now_or_never(), Some(()));
    assert_eq!(other.closed().await, CloseReason::ForcedClose);
    assert_eq!(server.told_so_far(), []);
}

/// Drains its server when a session has been let in and is not there yet.
#[derive(Default)]
struct Drained {
    engine: OnceLock<Weak<Engine<Self>>>,
    closed: OnceLock<CloseReason>,
}

impl Handler for Drained {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {
        let engine = self.engine.get().and_then(Weak::upgrade).unwrap();
        assert_eq!(engine.drain(OVER).now_or_never(), Some(()));
    }

    fn on_message(&self, _link: &Arc<Link<Self>>, _message: Message) {}

    fn on_close(&self, _link: &Arc<Link<Self>>, reason: CloseReason) {
        self.closed.set(reason).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_opens_while_draining_ends_is_closed_too() {
    let engine = Engine::new(Config::default(), Drained::default());
    let handler = engine.handler();
    handler.engine.set(Arc::downgrade(&engine)).unwrap();
    let stream = pipe_to(&engine, 4096);
    let mut socket = websocket_on(stream, &target("websocket", ""))
        .await
        .unwrap();
    assert!(socket.receive().await.starts_with("0{"));
    socket.ended().await;
    assert_eq!(handler.closed.get(), Some(&CloseReason::ForcedClose));
}
