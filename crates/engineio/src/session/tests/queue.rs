//! What the application queues: bounds, batches, and what is dropped.

use super::*;

#[test]
fn a_full_queue_closes_with_slow_consumer() {
    let config = Config {
        max_buffered_bytes: 1_000,
        ..Config::default()
    };
    let mut bench = Bench::new(Transport::WebSocket, config);
    let frame = Frame::Binary(vec![0; 436].into());
    let both = [frame.clone(), frame.clone()];
    bench.session.send(&both).unwrap();
    assert_eq!(bench.session.send(&[frame]), Err(PushError::Overflow));
    bench.assert_closed(CloseReason::SlowConsumer);
}

#[test]
fn a_message_above_the_bound_is_taken_when_nothing_waits() {
    let config = Config {
        max_buffered_bytes: 1_000,
        ..Config::default()
    };
    let mut bench = Bench::new(Transport::WebSocket, config);
    let frame = Frame::Binary(vec![0; 5_000].into());
    bench.session.send(&[frame]).unwrap();
    assert_eq!(bench.events(), []);
}

#[test]
fn an_empty_queue_has_room_for_anything_and_another_up_to_the_bound() {
    let mut bench = Bench::new(Transport::WebSocket, Config::default());
    assert!(bench.session.has_room(5_000, 1_000));
    bench
        .session
        .send(&[Frame::Binary(vec![0; 436].into())])
        .unwrap();
    assert!(bench.session.has_room(500, 1_000));
    assert!(!bench.session.has_room(501, 1_000));
}

#[test]
fn volatile_is_dropped_unless_the_transport_can_take_it_now() {
    let x = [Frame::message("x")];
    let mut bench = Bench::polling();
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    bench.session.open_poll().unwrap();
    assert_eq!(bench.session.send_volatile(&x), Ok(true));
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    assert_eq!(bench.transmit(Wire::Polling), ["4x"]);

    let mut bench = Bench::websocket();
    bench.session.set_websocket_blocked(true);
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    bench.session.set_websocket_blocked(false);
    bench.send("a");
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    bench.transmit(bench.wire());
    assert_eq!(bench.session.send_volatile(&x), Ok(true));
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert_eq!(bench.session.send_volatile(&x), Err(PushError::Closed));
}

#[test]
fn frames_that_nobody_else_wants_are_queued_like_all_others() {
    let [a, b, c] = ["a", "b", "c"].map(Frame::message);
    let options = SendOptions::default();
    let mut bench = Bench::websocket();
    let pair = vec![a, b];
    assert_eq!(bench.session.send_all(pair.clone(), options), Ok(true));
    assert_eq!(bench.session.send_one(c, options), Ok(true));
    let volatile = SendOptions {
        volatile: true,
        ..options
    };
    assert_eq!(bench.session.send_all(pair.clone(), volatile), Ok(false));
    assert_eq!(bench.transmit(bench.wire()), ["4a", "4b", "4c"]);
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert_eq!(
        bench.session.send_all(pair, options),
        Err(PushError::Closed)
    );
}

#[test]
fn a_blocked_websocket_is_woken_only_by_the_end() {
    let mut bench = Bench::websocket();
    bench.session.set_websocket_blocked(true);
    bench.send("a");
    assert!(!bench.session.wants_transmit(Transport::WebSocket));
    bench
        .session
        .transport_closed(bench.wire(), CloseReason::TransportClose);
    assert!(bench.session.wants_transmit(Transport::WebSocket));
}

#[test]
fn a_websocket_does_not_inherit_that_another_was_blocked() {
    let (mut bench, first) = Bench::probed();
    bench.session.set_websocket_blocked(true);
    bench
        .session
        .transport_closed(first, CloseReason::TransportClose);
    let second = bench.probe();
    bench.receive(second, "2probe");
    bench.transmit(second);
    bench.receive(second, "5");
    bench.send("a");
    assert!(bench.session.wants_transmit(Transport::WebSocket));
}

#[test]
fn a_long_queue_leaves_in_batches() {
    let mut bench = Bench::websocket();
    for _ in 0..3 {
        bench
            .session
            .send(&[Frame::Binary(vec![0; 40_000].into())])
            .unwrap();
    }
    for expected in [1, 1, 1, 0] {
        assert_eq!(bench.transmit(bench.wire()).len(), expected);
    }
}

#[test]
fn a_poll_takes_what_fits_max_payload_when_it_is_encoded() {
    let config = Config {
        max_payload: 27,
        ..Config::default()
    };
    let mut bench = Bench::new(Transport::Polling, config);
    // 13 bytes each as base64, and a separator between them.
    for _ in 0..3 {
        let frame = Frame::Binary(vec![b'x'; 9].into());
        bench.session.send(&[frame]).unwrap();
    }
    for expected in [2, 1] {
        assert_eq!(bench.poll().len(), expected);
    }
}
