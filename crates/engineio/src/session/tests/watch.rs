//! The events of a session that is watched.

use super::*;

fn frames(texts: &[&'static str]) -> Event {
    let frame = |text: &&'static str| Frame::Text(Bytes::from_static(text.as_bytes()));
    Event::Flushed(texts.iter().map(frame).collect())
}

fn packet(packet: Packet) -> Event {
    Event::Packet(Box::new(packet))
}

/// Closes the session as the application does, and takes what it says of that.
fn closing(session: &mut Session, now: Instant) -> Vec<Event> {
    session.close(now, CloseReason::ForcedClose);
    let mut batch = Vec::new();
    session.poll_transmit(Wire::WebSocket(session.websocket_id()), &mut batch);
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn websocket(now: Instant) -> Session {
    let sid = Sid::from_random([7; 15]);
    let config = Arc::new(Config::default());
    let mut session = Session::new(now, sid, Transport::WebSocket, Dialect::V4, config);
    let mut open = Vec::new();
    session.poll_transmit(Wire::WebSocket(session.websocket_id()), &mut open);
    session
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any moment will do to begin with"
)]
fn a_watched_session_tells_each_packet_in_both_directions() {
    let now = Instant::now();
    let mut session = websocket(now);
    session.watch();
    let wire = Wire::WebSocket(session.websocket_id());
    let hello = || Message::Text(Bytes::from_static(b"hello"));
    session.receive(now, wire, Packet::Message(hello()));
    session.receive(now, wire, Packet::Noop);
    session
        .send(&[Frame::message("a"), Frame::message("b")])
        .unwrap();
    session.poll_transmit(wire, &mut Vec::new());
    session.poll_transmit(wire, &mut Vec::new());
    let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
    let expected = [
        packet(Packet::Message(hello())),
        Event::Message(hello()),
        packet(Packet::Noop),
        frames(&["4a", "4b"]),
        Event::Drained,
    ];
    assert_eq!(events, expected);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any moment will do to begin with"
)]
fn the_end_comes_behind_what_is_flushed_with_it() {
    let now = Instant::now();
    let mut session = websocket(now);
    session.watch();
    session.send(&[Frame::message("last")]).unwrap();
    let closed = Event::Closed {
        reason: CloseReason::ForcedClose,
        dropped: 0,
    };
    let expected = [frames(&["4last"]), Event::Drained, closed];
    assert_eq!(closing(&mut session, now), expected);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any moment will do to begin with"
)]
fn a_session_that_is_not_watched_tells_nothing_of_this() {
    let now = Instant::now();
    let mut session = websocket(now);
    let wire = Wire::WebSocket(session.websocket_id());
    session.receive(now, wire, Packet::Noop);
    session.send(&[Frame::message("a")]).unwrap();
    session.poll_transmit(wire, &mut Vec::new());
    assert!(!session.has_event());
}

#[test]
fn an_event_is_no_larger_than_a_message() {
    assert_eq!(size_of::<Event>(), size_of::<Message>());
}
