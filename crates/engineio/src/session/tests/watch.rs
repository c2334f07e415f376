//! The events of a session that is watched.

use super::*;

fn watched() -> Bench {
    let mut bench = Bench::websocket();
    bench.session.watch();
    bench
}

fn frames(texts: &[&'static str]) -> Event {
    let frame = |text: &&'static str| Frame::Text(Bytes::from_static(text.as_bytes()));
    Event::Flushed(texts.iter().map(frame).collect())
}

fn packet(packet: Packet) -> Event {
    Event::Packet(Box::new(packet))
}

#[test]
fn a_watched_session_tells_each_packet_in_both_directions() {
    let mut bench = watched();
    bench.receive(bench.wire(), "4hello");
    bench.receive(bench.wire(), "6");
    bench.send("a");
    bench.send("b");
    bench.transmit(bench.wire());
    bench.transmit(bench.wire());
    let hello = Message::Text(Bytes::from_static(b"hello"));
    let expected = [
        packet(Packet::Message(hello)),
        message("hello"),
        packet(Packet::Noop),
        frames(&["4a", "4b"]),
        Event::Drained,
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn the_end_comes_behind_what_is_flushed_with_it() {
    let mut bench = watched();
    bench.send("last");
    bench.session.close(bench.now, CloseReason::ForcedClose);
    bench.transmit(bench.wire());
    let closed = Event::Closed {
        reason: CloseReason::ForcedClose,
        dropped: 0,
    };
    let expected = [frames(&["4last"]), Event::Drained, closed];
    assert_eq!(bench.events(), expected);
}

#[test]
fn a_session_that_is_not_watched_tells_nothing_of_this() {
    let mut bench = Bench::websocket();
    bench.receive(bench.wire(), "6");
    bench.send("a");
    bench.transmit(bench.wire());
    assert_eq!(bench.events(), []);
}

#[test]
fn an_event_is_no_larger_than_a_message() {
    assert_eq!(size_of::<Event>(), size_of::<Message>());
}
