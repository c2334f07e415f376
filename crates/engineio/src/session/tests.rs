//! Every transition of the session, one test each, on a clock that only moves when told.

mod closing;
mod detail;
mod heartbeat;
mod queue;
mod upgrade;
mod v3;
mod watch;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::*;
use crate::error::PushError;

const SECOND: Duration = Duration::from_secs(1);

/// A session, its clock, and what it has handed back.
struct Bench {
    now: Instant,
    session: Session,
}

impl Bench {
    fn polling() -> Self {
        Self::new(Transport::Polling, Config::default())
    }

    fn websocket() -> Self {
        Self::new(Transport::WebSocket, Config::default())
    }

    fn new(transport: Transport, config: Config) -> Self {
        Self::speaking(Dialect::V4, transport, config)
    }

    fn speaking(dialect: Dialect, transport: Transport, config: Config) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an arbitrary start; the clock then moves by hand"
        )]
        let now = Instant::now();
        let sid = Sid::from_random([7; 15]);
        let mut bench = Self {
            now,
            session: Session::new(now, sid, transport, dialect, Arc::new(config)),
        };
        let open = match transport {
            Transport::Polling => bench.transmit(Wire::Polling),
            Transport::WebSocket => bench.transmit(bench.wire()),
        };
        assert!(open[0].starts_with("0{"), "{open:?}");
        bench
    }

    /// A polling session whose WebSocket was probed and answered.
    fn probed() -> (Self, Wire) {
        let mut bench = Self::polling();
        let probe = bench.probe();
        bench.receive(probe, "2probe");
        assert_eq!(bench.transmit(probe), ["3probe"]);
        (bench, probe)
    }

    fn probe(&mut self) -> Wire {
        Wire::WebSocket(self.session.open_probe(self.now).unwrap())
    }

    fn wire(&self) -> Wire {
        Wire::WebSocket(self.session.websocket_id())
    }

    fn receive(&mut self, from: Wire, text: &str) {
        match Packet::decode_text(Bytes::from(text.to_owned())) {
            Ok(packet) => self.session.receive(self.now, from, packet),
            Err(error) => self.session.transport_failed(from, error.into()),
        }
    }

    fn send(&mut self, text: &str) {
        self.session.send(&[Frame::message(text)]).unwrap();
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        self.session.handle_timeout(self.now);
    }

    /// A GET that is answered at once.
    fn poll(&mut self) -> Vec<String> {
        self.session.open_poll().unwrap();
        self.transmit(Wire::Polling)
    }

    fn transmit(&mut self, to: Wire) -> Vec<String> {
        self.transmit_and_more(to).1
    }

    fn transmit_and_more(&mut self, to: Wire) -> (Transmit, Vec<String>) {
        let mut batch = Vec::new();
        let transmit = self.session.poll_transmit(to, &mut batch);
        let text = |frame: &Frame| String::from_utf8_lossy(frame.bytes()).into_owned();
        (transmit, batch.iter().map(text).collect())
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    #[track_caller]
    fn assert_closed(&mut self, expected: CloseReason) {
        let events = self.events();
        assert!(
            matches!(events[..], [Event::Closed { reason, .. }] if reason == expected),
            "{events:?}"
        );
        assert_eq!(self.session.poll_timeout(), None);
        self.session
            .transport_closed(Wire::Polling, CloseReason::TransportClose);
        self.session.close(self.now, CloseReason::ForcedClose);
        self.wait(SECOND * 100);
        assert_eq!(self.events(), [], "close is reported once");
    }
}

fn message(text: &'static str) -> Event {
    Event::Message(Message::Text(Bytes::from_static(text.as_bytes())))
}

#[test]
fn an_initial_packet_follows_the_open_packet_at_once() {
    let config = Config {
        initial_packet: Some(Frame::message("welcome")),
        ..Config::default()
    };
    for transport in [Transport::Polling, Transport::WebSocket] {
        let now = Bench::polling().now;
        let sid = Sid::from_random([7; 15]);
        let session = Session::new(now, sid, transport, Dialect::V4, Arc::new(config.clone()));
        let mut bench = Bench { now, session };
        let sent = match transport {
            Transport::Polling => bench.transmit(Wire::Polling),
            Transport::WebSocket => bench.transmit(bench.wire()),
        };
        assert!(sent[0].starts_with("0{"), "{sent:?}");
        assert_eq!(sent[1..], ["4welcome"]);
    }
}

#[test]
fn messages_arrive_in_order_on_polling() {
    let mut bench = Bench::polling();
    bench.session.open_post().unwrap();
    bench.receive(Wire::Polling, "4a");
    bench.receive(Wire::Polling, "4b");
    bench.session.close_post();
    assert_eq!(bench.events(), [message("a"), message("b")]);
    bench.send("x");
    bench.send("y");
    assert_eq!(bench.poll(), ["4x", "4y"]);
}

#[test]
fn messages_arrive_in_order_on_websocket() {
    let mut bench = Bench::websocket();
    bench.receive(bench.wire(), "4a");
    bench.receive(bench.wire(), "4b");
    assert_eq!(bench.events(), [message("a"), message("b")]);
    bench.send("x");
    bench.send("y");
    assert_eq!(bench.transmit(bench.wire()), ["4x", "4y"]);
    assert_eq!(
        bench.transmit_and_more(bench.wire()),
        (Transmit::Idle, vec![])
    );
}

#[test]
fn a_poll_is_parked_until_there_is_something() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    assert_eq!(
        bench.transmit_and_more(Wire::Polling),
        (Transmit::Idle, vec![])
    );
    assert!(!bench.session.wants_transmit(Transport::Polling));
    bench.send("x");
    assert!(bench.session.wants_transmit(Transport::Polling));
    assert_eq!(bench.transmit(Wire::Polling), ["4x"]);
    assert!(!bench.session.wants_transmit(Transport::Polling));
}

#[test]
fn a_second_poll_closes_with_transport_error() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    assert_eq!(bench.session.open_poll(), Err(RequestRefused::Overlap));
    assert_eq!(
        bench.transmit_and_more(Wire::Polling),
        (Transmit::Close, vec!["1".to_owned()])
    );
    bench.assert_closed(CloseReason::TransportError);
    assert_eq!(bench.session.open_poll(), Err(RequestRefused::Closed));
}

#[test]
fn a_second_post_closes_with_transport_error() {
    let mut bench = Bench::polling();
    bench.session.open_post().unwrap();
    assert_eq!(bench.session.open_post(), Err(RequestRefused::Overlap));
    bench.assert_closed(CloseReason::TransportError);
}

#[test]
fn posts_one_after_the_other_are_fine() {
    let mut bench = Bench::polling();
    for _ in 0..3 {
        bench.session.open_post().unwrap();
        bench.session.close_post();
    }
    assert_eq!(bench.events(), []);
}

#[test]
fn a_poll_whose_connection_is_lost_closes_with_transport_error() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    bench.session.abort_poll();
    bench.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_broken_packet_closes_with_parse_error() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    bench.receive(Wire::Polling, "x");
    assert_eq!(bench.transmit(Wire::Polling), ["1"]);
    bench.assert_closed(CloseReason::ParseError);
}

#[test]
fn a_broken_packet_does_not_keep_the_close_packet_from_the_client() {
    let mut bench = Bench::polling();
    bench.session.close(bench.now, CloseReason::ForcedClose);
    bench.receive(Wire::Polling, "x");
    bench.session.open_poll().unwrap();
    assert_eq!(bench.transmit(Wire::Polling), ["1"]);
    bench.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn a_close_packet_closes_with_transport_close_and_releases_the_poll() {
    let mut bench = Bench::polling();
    bench.session.open_poll().unwrap();
    bench.receive(Wire::Polling, "4last");
    bench.receive(Wire::Polling, "1");
    bench.receive(Wire::Polling, "4late");
    assert_eq!(
        bench.transmit_and_more(Wire::Polling),
        (Transmit::Close, vec!["6".to_owned()])
    );
    let events = bench.events();
    assert_eq!(events[0], message("last"));
    let closed = Event::Closed {
        reason: CloseReason::TransportClose,
        dropped: 0,
    };
    assert_eq!(events[1..], [closed]);
}

#[test]
fn packets_without_meaning_are_ignored() {
    let mut bench = Bench::websocket();
    for packet in ["0{}", "5", "6"] {
        bench.receive(bench.wire(), packet);
    }
    assert_eq!(bench.events(), []);
}

#[test]
fn a_lost_websocket_closes_with_its_reason_and_counts_what_is_lost() {
    let mut bench = Bench::websocket();
    bench.send("x");
    bench.send("y");
    bench
        .session
        .transport_closed(bench.wire(), CloseReason::TransportClose);
    let closed = Event::Closed {
        reason: CloseReason::TransportClose,
        dropped: 2,
    };
    assert_eq!(bench.events(), [closed]);
    assert_eq!(
        bench.session.send(&[Frame::message("z")]),
        Err(PushError::Closed)
    );
}

#[test]
fn a_plain_message_is_handed_on_without_an_event() {
    let message = || Packet::Message(Message::Text(Bytes::from_static(b"x")));
    let mut bench = Bench::websocket();
    let (now, wire) = (bench.now, bench.wire());
    let Packet::Message(text) = message() else {
        panic!("not a message")
    };
    let received = bench.session.receive_message(|| now, wire, message());
    assert_eq!(received, Ok(text.clone()));
    assert_eq!(bench.events(), []);

    // Whatever is not plain comes back.
    let stale = bench
        .session
        .receive_message(|| now, Wire::Polling, message());
    assert_eq!(stale, Err(message()));
    let noop = bench.session.receive_message(|| now, wire, Packet::Noop);
    assert_eq!(noop, Err(Packet::Noop));
    bench.session.receive(now, wire, message());
    let second = bench.session.receive_message(|| now, wire, message());
    assert_eq!(second, Err(message()), "the first one is still queued");
    assert_eq!(bench.events(), [Event::Message(text)]);
    bench.session.close(now, CloseReason::ForcedClose);
    let late = bench.session.receive_message(|| now, wire, message());
    assert_eq!(late, Err(message()));
}
