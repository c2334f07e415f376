//! What a session does otherwise in protocol 3.

use super::*;

const V3: Dialect = Dialect {
    protocol: Protocol::V3,
    base64: false,
};

fn bench(transport: Transport) -> Bench {
    Bench::speaking(V3, transport, Config::default())
}

#[test]
fn the_client_pings_and_gets_its_data_back() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut bench = bench(transport);
        let wire = match transport {
            Transport::Polling => Wire::Polling,
            Transport::WebSocket => bench.wire(),
        };
        if transport == Transport::Polling {
            bench.session.open_poll().unwrap();
        }
        bench.receive(wire, "2");
        bench.receive(wire, "2h\u{e9}llo");
        assert_eq!(bench.transmit(wire), ["3", "3h\u{e9}llo"]);
        assert_eq!(bench.events(), []);
    }
}

#[test]
fn nothing_but_a_ping_keeps_a_session_alive() {
    let mut bench = bench(Transport::WebSocket);
    let wire = bench.wire();
    for _ in 0..3 {
        bench.wait(SECOND * 44);
        bench.receive(wire, "2");
        assert_eq!(bench.transmit(wire), ["3"]);
    }
    bench.wait(SECOND * 44);
    bench.receive(wire, "4a");
    assert_eq!(bench.events(), [message("a")]);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn the_first_ping_is_due_after_the_interval_and_the_timeout() {
    let mut bench = bench(Transport::Polling);
    bench.session.open_poll().unwrap();
    bench.wait(SECOND * 45 - Duration::from_millis(1));
    assert_eq!(bench.transmit(Wire::Polling), [""; 0]);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.transmit(Wire::Polling), ["1"]);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_pong_from_the_client_goes_the_wrong_way() {
    let mut bench = bench(Transport::WebSocket);
    bench.receive(bench.wire(), "3");
    bench.assert_closed(CloseReason::TransportError);
}

#[test]
fn an_upgrade_is_probed_as_in_protocol_4_and_the_heartbeat_goes_on() {
    let mut bench = bench(Transport::Polling);
    bench.session.open_poll().unwrap();
    let probe = bench.probe();
    bench.receive(probe, "2probe");
    assert_eq!(bench.transmit(probe), ["3probe"]);
    assert_eq!(bench.transmit(Wire::Polling), ["6"]);
    bench.send("a");
    bench.receive(probe, "5");
    assert_eq!(bench.events(), [Event::Upgraded]);
    assert_eq!(bench.transmit(probe), ["4a"]);
    bench.wait(SECOND * 40);
    bench.receive(probe, "2");
    assert_eq!(bench.transmit(probe), ["3"]);
    bench.wait(SECOND * 45);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_ping_that_is_paused_is_waited_for_and_gets_its_full_time() {
    let mut bench = bench(Transport::WebSocket);
    let wire = bench.wire();
    bench.session.pause_reading();
    bench.wait(SECOND * 45);
    // Writing shows whether the client is still there.
    assert_eq!(bench.transmit(wire), ["6"]);
    bench.wait(SECOND * 40);
    bench.session.resume_reading(bench.now);
    bench.wait(SECOND * 44);
    assert_eq!(bench.events(), []);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn pongs_that_are_not_taken_fill_the_queue() {
    let config = Config {
        max_buffered_bytes: 1_000,
        ..Config::default()
    };
    let mut bench = Bench::speaking(V3, Transport::Polling, config);
    for _ in 0..15 {
        bench.receive(Wire::Polling, "2");
    }
    assert_eq!(bench.events(), []);
    bench.receive(Wire::Polling, "2");
    bench.assert_closed(CloseReason::SlowConsumer);
}
