//! Handlers that panic.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use engineio::{CloseReason, Config, Frame, Message, server::Link};

use crate::support::{App, Polling, Server, soon};

/// Panics at the message `panic`.
fn panicking(link: &Arc<Link<App>>, message: Message) {
    match message {
        Message::Text(text) if text == "panic" => panic!("as the test wants"),
        Message::Text(text) => {
            let text = std::str::from_utf8(&text).unwrap();
            let _closed = link.push(&[Frame::message(text)]);
        }
        Message::Binary(_) => {}
    }
}

#[tokio::test]
async fn a_handler_that_panics_does_not_wedge_its_websocket() {
    let mut server = Server::new(Config::default(), panicking).that_may_panic();
    let mut socket = server.websocket().await;
    socket.send("4panic").await;
    socket.send("4a").await;
    assert_eq!(socket.receive().await, "4a");
    assert_eq!(server.message().await, "panic");
    assert_eq!(server.message().await, "a");
}

#[tokio::test]
async fn a_handler_that_panics_does_not_wedge_its_polling_session() {
    let mut server = Server::new(Config::default(), panicking).that_may_panic();
    let mut client = Polling::open(&server).await;
    client.send("4panic\x1e4panic\x1e4a").await;
    assert_eq!(client.poll().await, "4a");
    client.send("1").await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_at_the_end_of_a_session_leaves_the_others_their_heartbeat() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counted = closed.clone();
    let mut server = Server::with_close(
        Config::default(),
        |_, _| {},
        move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("as the test wants");
        },
    )
    .that_may_panic();
    // The clock is what ends them.
    let _first = Polling::open(&server).await;
    let mut second = server.websocket().await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(second.receive().await, "2");
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    assert_eq!(closed.load(Ordering::SeqCst), 2);
    soon(server.engine.close()).await;
}
