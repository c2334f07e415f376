//! The ends that the application or a timeout brings.

use super::*;

#[test]
fn closing_flushes_what_is_queued_first() {
    let mut bench = Bench::websocket();
    bench.send("x");
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert_eq!(
        bench.session.send(&[Frame::message("late")]),
        Err(PushError::Closed)
    );
    assert_eq!(bench.events(), []);
    assert_eq!(
        bench.transmit_and_more(bench.wire()),
        (Transmit::Close, vec!["4x".to_owned()])
    );
    bench.assert_closed(CloseReason::ForcedClose);

    let mut bench = Bench::polling();
    bench.send("x");
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert_eq!(bench.poll(), ["4x"]);
    assert_eq!(bench.poll(), ["1"]);
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn closing_without_a_poll_ends_after_the_close_timeout() {
    let mut bench = Bench::polling();
    bench.session.close(bench.now, CloseReason::ForcedClose);
    bench.wait(30 * SECOND - Duration::from_millis(1));
    assert_eq!(bench.events(), []);
    bench.wait(Duration::from_millis(1));
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn a_client_that_leaves_a_closing_session_is_not_waited_for() {
    for mut bench in [Bench::polling(), Bench::websocket()] {
        let wire = match bench.session.transport() {
            Transport::Polling => Wire::Polling,
            Transport::WebSocket => bench.wire(),
        };
        bench.send("x");
        bench.session.close(bench.now, CloseReason::ForcedClose);
        bench.receive(wire, "4late");
        assert_eq!(bench.events(), []);
        bench.receive(wire, "1");
        bench.assert_closed(CloseReason::TransportClose);
    }
}

#[test]
fn a_closed_session_tells_its_websocket_to_close() {
    let mut bench = Bench::websocket();
    bench.wait(45 * SECOND);
    bench.wait(20 * SECOND);
    assert_eq!(
        bench.transmit_and_more(bench.wire()),
        (Transmit::Close, vec![])
    );
}

#[test]
fn a_session_that_is_not_admitted_in_time_is_closed() {
    let config = Config {
        admission_timeout: Some(5 * SECOND),
        ..Config::default()
    };
    let mut bench = Bench::new(Transport::WebSocket, config.clone());
    assert!(bench.session.is_unconnected());
    bench.wait(5 * SECOND);
    bench.assert_closed(CloseReason::ForcedClose);

    let mut bench = Bench::new(Transport::WebSocket, config);
    bench.session.admit();
    bench.wait(6 * SECOND);
    assert_eq!(bench.events(), []);
    bench.session.expect_admission(bench.now);
    bench.wait(4 * SECOND);
    bench.session.expect_admission(bench.now);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn a_session_without_a_request_after_its_handshake_is_closed() {
    let mut bench = Bench::polling();
    bench.wait(15 * SECOND);
    bench.assert_closed(CloseReason::TransportClose);
}
