//! From long-polling to WebSocket, and all the ways in which that may fail.

use super::*;

#[test]
fn an_upgrade_moves_what_is_queued_to_the_websocket_in_order() {
    let (mut bench, probe) = Bench::probed();
    bench.send("a");
    bench.send("b");
    assert_eq!(bench.transmit_and_more(probe), (Transmit::Idle, vec![]));
    bench.receive(probe, "5");
    assert_eq!(bench.events(), [Event::Upgraded]);
    bench.send("c");
    assert_eq!(bench.transmit(probe), ["4a", "4b", "4c"]);
    bench.receive(probe, "4x");
    assert_eq!(bench.events(), [message("x")]);
}

#[test]
fn during_an_upgrade_polling_still_carries_data() {
    let (mut bench, _probe) = Bench::probed();
    bench.send("a");
    assert_eq!(bench.poll(), ["4a"]);
    bench.receive(Wire::Polling, "4x");
    assert_eq!(bench.events(), [message("x")]);
}

#[test]
fn a_probed_session_releases_parked_and_later_polls_with_a_noop() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    let probe = bench.probe();
    assert!(!bench.session.wants_transmit(Transport::Polling));
    bench.receive(probe, "2probe");
    assert!(bench.session.wants_transmit(Transport::Polling));
    assert!(bench.session.wants_transmit(Transport::WebSocket));
    assert_eq!(bench.transmit(Wire::Polling), ["6"]);
    assert_eq!(bench.transmit(probe), ["3probe"]);
    assert_eq!(bench.poll(), ["6"]);
}

#[test]
fn a_poll_that_outlives_the_upgrade_is_released() {
    let (mut bench, probe) = Bench::probed();
    bench.session.get = Slot::Parked;
    bench.receive(probe, "5");
    assert!(bench.session.wants_transmit(Transport::Polling));
    assert_eq!(bench.transmit(Wire::Polling), ["6"]);
    assert_eq!(bench.session.open_poll(), Err(RequestRefused::Mismatch));
    assert_eq!(bench.session.open_post(), Err(RequestRefused::Mismatch));
}

#[test]
fn losing_the_old_poll_after_the_upgrade_is_harmless() {
    let (mut bench, probe) = Bench::probed();
    bench.session.get = Slot::Parked;
    bench.receive(probe, "5");
    bench.session.abort_poll();
    assert_eq!(bench.events(), [Event::Upgraded]);
}

#[test]
fn probe_timeout_keeps_polling_alive() {
    let (mut bench, probe) = Bench::probed();
    bench.wait(10 * SECOND);
    assert_eq!(bench.transmit_and_more(probe), (Transmit::Close, vec![]));
    bench.receive(probe, "5");
    bench.send("a");
    assert_eq!(bench.poll(), ["4a"]);
    assert_eq!(bench.events(), []);
}

#[test]
fn any_other_packet_on_the_probe_drops_it() {
    for packet in ["4x", "2other", "x", "5", "1"] {
        let mut bench = Bench::polling();
        let probe = bench.probe();
        bench.receive(probe, packet);
        assert_eq!(
            bench.transmit_and_more(probe),
            (Transmit::Close, vec![]),
            "{packet}"
        );
        assert_eq!(bench.events(), [], "{packet}");
        bench.send("a");
        assert_eq!(bench.poll(), ["4a"], "{packet}");
    }
}

#[test]
fn a_probe_that_is_lost_keeps_polling_alive_and_another_may_follow() {
    let (mut bench, first) = Bench::probed();
    bench
        .session
        .transport_closed(first, CloseReason::TransportClose);
    let second = bench.probe();
    assert_ne!(first, second);
    bench.receive(first, "2probe");
    assert_eq!(bench.transmit_and_more(first), (Transmit::Close, vec![]));
    bench.receive(second, "2probe");
    assert_eq!(bench.transmit(second), ["3probe"]);
    bench.receive(second, "5");
    bench
        .session
        .transport_closed(first, CloseReason::TransportClose);
    assert_eq!(bench.events(), [Event::Upgraded]);
}

#[test]
fn a_probe_is_refused_while_there_is_one_after_the_upgrade_and_when_upgrades_are_off() {
    let (mut bench, probe) = Bench::probed();
    assert_eq!(bench.session.open_probe(bench.now), Err(ProbeRefused));
    bench.receive(probe, "5");
    assert_eq!(bench.session.open_probe(bench.now), Err(ProbeRefused));
    let config = Config {
        allow_upgrades: false,
        ..Config::default()
    };
    let mut bench = Bench::new(Transport::Polling, config);
    assert_eq!(bench.session.open_probe(bench.now), Err(ProbeRefused));
}

#[test]
fn a_session_that_ends_closes_its_probe() {
    let (mut bench, probe) = Bench::probed();
    bench.receive(Wire::Polling, "1");
    assert!(bench.session.wants_transmit(Transport::WebSocket));
    assert_eq!(bench.transmit_and_more(probe), (Transmit::Close, vec![]));
}

#[test]
fn an_upgrade_of_a_closing_session_flushes_there() {
    let (mut bench, probe) = Bench::probed();
    bench.send("a");
    bench.session.close(bench.now, CloseReason::ForcedClose);
    bench.receive(probe, "5");
    assert_eq!(
        bench.transmit_and_more(probe),
        (Transmit::Close, vec!["4a".to_owned()])
    );
    let events = bench.events();
    assert_eq!(events[0], Event::Upgraded);
    assert!(matches!(
        events[1..],
        [Event::Closed {
            reason: CloseReason::ForcedClose,
            ..
        }]
    ));
}

#[test]
fn a_first_poll_post_or_probe_keeps_the_session() {
    let requests: [fn(&mut Bench); 3] = [
        |bench| bench.session.open_poll().unwrap(),
        |bench| bench.session.open_post().unwrap(),
        |bench| {
            bench.probe();
        },
    ];
    for request in requests {
        let mut bench = Bench::polling();
        request(&mut bench);
        bench.wait(16 * SECOND);
        assert_eq!(bench.events(), []);
    }
}
