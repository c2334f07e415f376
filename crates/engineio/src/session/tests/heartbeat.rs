//! The heartbeat of protocol 4.

use super::*;

#[test]
fn a_ping_is_sent_after_the_interval_and_the_pong_starts_the_next() {
    let mut bench = Bench::websocket();
    bench.wait(25 * SECOND - Duration::from_millis(1));
    assert_eq!(bench.transmit(bench.wire()), [""; 0]);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.transmit(bench.wire()), ["2"]);
    bench.wait(SECOND);
    bench.receive(bench.wire(), "3");
    bench.wait(24 * SECOND);
    assert_eq!(bench.transmit(bench.wire()), [""; 0]);
    bench.wait(SECOND);
    assert_eq!(bench.transmit(bench.wire()), ["2"]);
}

#[test]
fn a_missing_pong_closes_with_ping_timeout() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut bench = Bench::new(transport, Config::default());
        if transport == Transport::Polling {
            bench.session.open_post().unwrap();
        }
        bench.wait(25 * SECOND);
        bench.wait(20 * SECOND - Duration::from_millis(1));
        assert_eq!(bench.events(), []);
        bench.wait(Duration::from_millis(1));
        bench.assert_closed(CloseReason::PingTimeout);
    }
}

#[test]
fn a_message_prolongs_the_wait_for_a_pong_once() {
    let mut bench = Bench::websocket();
    bench.wait(25 * SECOND);
    bench.wait(19 * SECOND);
    bench.receive(bench.wire(), "4a");
    bench.wait(19 * SECOND);
    bench.receive(bench.wire(), "4b");
    assert_eq!(bench.events(), [message("a"), message("b")]);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_plain_message_prolongs_the_wait_for_a_pong_once() {
    let mut bench = Bench::websocket();
    bench.wait(25 * SECOND);
    assert_eq!(bench.transmit(bench.wire()), ["2"]);
    for seconds in [15, 10] {
        bench.wait(seconds * SECOND);
        let message = Packet::Message(Message::Text(Bytes::new()));
        let (now, wire) = (bench.now, bench.wire());
        assert!(bench.session.receive_message(|| now, wire, message).is_ok());
    }
    assert!(bench.session.is_open());
    bench.wait(10 * SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_pong_nobody_asked_for_changes_nothing() {
    let mut bench = Bench::websocket();
    bench.wait(10 * SECOND);
    bench.receive(bench.wire(), "3");
    bench.wait(15 * SECOND);
    assert_eq!(bench.transmit(bench.wire()), ["2"]);
}

#[test]
fn paused_reading_does_not_end_in_ping_timeout() {
    let mut bench = Bench::websocket();
    bench.session.pause_reading();
    bench.wait(25 * SECOND);
    bench.wait(20 * SECOND);
    assert_eq!(bench.events(), []);
    bench.wait(19 * SECOND);
    bench.session.resume_reading(bench.now);
    bench.wait(19 * SECOND);
    assert_eq!(bench.events(), []);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_ping_from_the_client_closes_with_transport_error() {
    let mut bench = Bench::websocket();
    bench.receive(bench.wire(), "2");
    bench.assert_closed(CloseReason::TransportError);
}
