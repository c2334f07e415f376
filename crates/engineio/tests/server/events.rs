//! What a hook is told of sessions.

use engineio::{CloseReason, Config, Sid, server::Hooks, session::Event};
use tokio::sync::mpsc;

use crate::support::{Polling, Server, soon};

fn watched() -> (Server, mpsc::UnboundedReceiver<(Sid, String)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let hooks = Hooks::default().session_event(move |sid, event| {
        let text = match event {
            Event::Message(_) => "message".to_owned(),
            Event::Packet(packet) => format!("{packet:?}"),
            Event::Flushed(frames) => format!("flushed {}", frames.len()),
            Event::Drained => "drained".to_owned(),
            Event::Upgrading => "upgrading".to_owned(),
            Event::Upgraded => "upgraded".to_owned(),
            Event::Closed { reason, dropped } => format!("{reason}, {dropped} left"),
        };
        tell.send((sid.clone(), text)).unwrap();
    });
    (Server::with_hooks(Config::default(), hooks), told)
}

#[tokio::test]
async fn a_hook_is_told_of_an_upgrade_and_of_what_was_queued_at_the_end() {
    let (mut server, mut told) = watched();
    let client = Polling::open(&server).await;
    let link = server.link();
    let mut expect = async |texts: &[&str]| {
        for text in texts {
            let (sid, event) = soon(told.recv()).await.unwrap();
            assert_eq!((sid.as_str(), &*event), (&*client.sid, *text));
        }
    };
    expect(&["flushed 1", "drained"]).await;
    let mut probe = client.probe(&server).await;
    expect(&["upgrading"]).await;
    probe.send("5").await;
    expect(&["upgraded"]).await;
    probe.send("4hi").await;
    expect(&[r#"Message(Text(b"hi"))"#, "message"]).await;
    link.push(&[engineio::Frame::message("a")]).unwrap();
    assert_eq!(probe.receive().await, "4a");
    expect(&["flushed 1", "drained"]).await;
    drop(probe);
    expect(&["transport close, 0 left"]).await;
}

#[tokio::test(start_paused = true)]
async fn packets_that_nobody_fetched_are_counted_at_the_end() {
    let (mut server, mut told) = watched();
    let mut client = Polling::open(&server).await;
    let frame = engineio::Frame::message("never fetched");
    server.link().push(&[frame.clone(), frame]).unwrap();
    client.send("1").await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    let mut last = String::new();
    while let Ok((_, event)) = told.try_recv() {
        last = event;
    }
    assert_eq!(last, "transport close, 2 left");
}

#[tokio::test]
async fn a_hook_that_panics_ends_no_session() {
    let hooks = Hooks::default().session_event(|_, event| {
        assert!(
            !matches!(event, Event::Packet(_)),
            "a mistake of the application"
        );
    });
    let mut server = Server::with_hooks(Config::default(), hooks);
    let mut socket = server.websocket().await;
    socket.send("4a").await;
    assert_eq!(server.message().await, "a");
}
