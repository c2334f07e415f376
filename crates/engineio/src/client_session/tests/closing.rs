//! The end that the application brings.

use super::*;

#[test]
fn closing_sends_what_is_queued_first() {
    let mut bench = Bench::websocket();
    bench.send("a");
    bench.session.close();
    assert_eq!(
        bench.session.send(&[Frame::message("late")]),
        Err(PushError::Closed)
    );
    assert_eq!(bench.events(), []);
    assert_eq!(
        bench.transmit(),
        [write(&["4a"]), (Transmit::CloseWebSocket, vec![])]
    );
    bench.assert_closed(CloseReason::ForcedClose);

    let mut bench = Bench::polling();
    bench.send("a");
    bench.session.close();
    assert_eq!(bench.transmit(), [(Transmit::Get, vec![]), post(&["4a"])]);
    assert_eq!(bench.events(), []);
    bench.session.handle_post_answered();
    assert_eq!(bench.transmit(), [post(&["1"])]);
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn closing_before_the_handshake_ends_at_once() {
    let mut bench = Bench::new(ClientConfig {
        transport: WebSocket,
        ..ClientConfig::default()
    });
    bench.transmit();
    bench.session.close();
    assert_eq!(bench.transmit(), [(Transmit::CloseWebSocket, vec![])]);
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn a_server_that_takes_nothing_does_not_hold_up_a_close() {
    let mut bench = Bench::websocket();
    bench.session.set_websocket_blocked(true);
    bench.send("a");
    bench.session.close();
    bench.wait(44 * SECOND);
    bench.receive(WebSocket, "2");
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}
