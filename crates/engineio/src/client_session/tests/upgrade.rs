//! The way of a client from long-polling to WebSocket.

use super::*;

#[test]
fn an_upgrade_waits_for_the_get_and_the_post_in_flight() {
    let mut bench = Bench::connected();
    bench.send("a");
    assert_eq!(bench.transmit(), [write(&["2probe"]), post(&["4a"])]);
    bench.receive(WebSocket, "3probe");
    bench.send("b");
    assert_eq!(bench.transmit(), []);
    bench.answer_get(&["4x", "6"]);
    assert_eq!(bench.transmit(), []);
    bench.session.handle_post_answered();
    assert_eq!(bench.events(), [message("x"), Event::Upgraded]);
    bench.send("c");
    assert_eq!(bench.transmit(), [write(&["5", "4b", "4c"])]);
    bench.receive(WebSocket, "4y");
    assert_eq!(bench.events(), [message("y")]);
}

#[test]
fn a_ping_during_the_pause_is_answered_after_it() {
    let mut bench = Bench::pausing();
    bench.answer_get(&["2"]);
    assert_eq!(bench.transmit(), [write(&["5", "3"])]);
}

#[test]
fn there_is_no_upgrade_unless_it_is_offered_and_wanted() {
    for (upgrade, open) in [(false, OPEN), (true, OPEN_WEBSOCKET)] {
        let mut bench = Bench::new(ClientConfig {
            upgrade,
            ..ClientConfig::default()
        });
        bench.transmit();
        bench.answer_get(&[open]);
        assert_eq!(bench.transmit(), [(Transmit::Get, vec![])]);
    }
}

#[test]
fn a_websocket_that_fails_at_any_step_leaves_polling_alive() {
    let steps: [fn() -> Bench; 2] = [Bench::connected, Bench::pausing];
    for step in steps {
        let mut bench = step();
        bench
            .session
            .transport_closed(WebSocket, CloseReason::TransportClose);
        bench.transmit();
        bench.answer_get(&["4x"]);
        assert_eq!(bench.events(), [message("x")]);
        bench.send("a");
        assert_eq!(bench.transmit(), [(Transmit::Get, vec![]), post(&["4a"])]);
    }
}

#[test]
fn any_other_packet_on_the_probe_drops_it() {
    for packet in ["3", "3x", "4a", "6", "x"] {
        let mut bench = Bench::connected();
        bench.transmit();
        bench.receive(WebSocket, packet);
        assert_eq!(bench.transmit(), [(Transmit::CloseWebSocket, vec![])]);
        bench.receive(WebSocket, "3probe");
        bench.answer_get(&["6"]);
        assert_eq!(bench.transmit(), [(Transmit::Get, vec![])]);
        assert_eq!(bench.events(), [], "{packet}");
    }
}

#[test]
fn a_session_that_ends_closes_its_probe() {
    let mut bench = Bench::connected();
    bench.answer_get(&["1"]);
    assert_eq!(bench.transmit(), [(Transmit::CloseWebSocket, vec![])]);
    bench.assert_closed(CloseReason::TransportClose);
}

#[test]
fn losing_the_websocket_after_the_upgrade_ends_the_session() {
    let mut bench = Bench::pausing();
    bench.answer_get(&["6"]);
    assert_eq!(bench.events(), [Event::Upgraded]);
    bench.transmit();
    bench
        .session
        .transport_closed(WebSocket, CloseReason::TransportClose);
    bench.assert_closed(CloseReason::TransportClose);
}

#[test]
fn closing_in_the_last_step_of_an_upgrade_finishes_it_first() {
    let mut bench = Bench::pausing();
    bench.send("a");
    bench.session.close();
    assert_eq!(bench.transmit(), []);
    bench.answer_get(&["6"]);
    assert_eq!(
        bench.transmit(),
        [write(&["5", "4a"]), (Transmit::CloseWebSocket, vec![])]
    );
}
