//! Every transition of the client's session, one test each, on a clock that only moves when told.

mod closing;
mod upgrade;

use bytes::Bytes;

use super::*;
use crate::packet::Packet;
use Transport::{Polling, WebSocket};

const SECOND: Duration = Duration::from_secs(1);
const OPEN: &str = r#"0{"sid":"s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":20}"#;
const OPEN_WEBSOCKET: &str =
    r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":20}"#;

/// A client, its clock, and what it has handed back.
struct Bench {
    now: Instant,
    session: ClientSession,
}

impl Bench {
    fn new(config: ClientConfig) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an arbitrary start; the clock then moves by hand"
        )]
        let now = Instant::now();
        Self {
            now,
            session: ClientSession::new(now, config),
        }
    }

    /// Open on long-polling, with a GET in flight and no wish for more.
    fn polling() -> Self {
        let mut bench = Self::new(ClientConfig {
            upgrade: false,
            ..ClientConfig::default()
        });
        bench.open_polling();
        bench
    }

    fn open_polling(&mut self) {
        assert_eq!(self.transmit(), [(Transmit::Get, vec![])]);
        self.answer_get(&[OPEN]);
        assert_eq!(self.events(), [Event::Opened]);
    }

    fn websocket() -> Self {
        let mut bench = Self::new(ClientConfig {
            transport: WebSocket,
            ..ClientConfig::default()
        });
        assert_eq!(bench.transmit(), [(Transmit::OpenWebSocket, vec![])]);
        bench.session.handle_websocket_open();
        bench.receive(WebSocket, OPEN_WEBSOCKET);
        assert_eq!(bench.events(), [Event::Opened]);
        bench
    }

    /// Open on long-polling with a GET in flight, and its WebSocket was just opened.
    fn connected() -> Self {
        let mut bench = Self::new(ClientConfig::default());
        bench.open_polling();
        assert_eq!(
            bench.transmit(),
            [(Transmit::OpenWebSocket, vec![]), (Transmit::Get, vec![])]
        );
        bench.session.handle_websocket_open();
        bench
    }

    /// As `connected`, and the probe is answered.
    fn pausing() -> Self {
        let mut bench = Self::connected();
        assert_eq!(bench.transmit(), [write(&["2probe"])]);
        bench.receive(WebSocket, "3probe");
        bench
    }

    fn receive(&mut self, from: Transport, text: &str) {
        match Packet::decode_text(Bytes::from(text.to_owned())) {
            Ok(packet) => self.session.receive(self.now, from, packet),
            Err(error) => self.session.receive_error(from, error),
        }
    }

    fn answer_get(&mut self, packets: &[&str]) {
        for packet in packets {
            self.receive(Polling, packet);
        }
        self.session.handle_get_answered();
    }

    fn send(&mut self, text: &str) {
        self.session.send(&[Frame::message(text)]).unwrap();
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        self.session.handle_timeout(self.now);
    }

    fn transmit(&mut self) -> Vec<(Transmit, Vec<String>)> {
        let mut all = Vec::new();
        let mut batch = Vec::new();
        while let Some(transmit) = self.session.poll_transmit(&mut batch) {
            let text = |frame: Frame| String::from_utf8_lossy(frame.bytes()).into_owned();
            all.push((transmit, batch.drain(..).map(text).collect()));
        }
        assert_eq!(batch, []);
        all
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
        for from in [Polling, WebSocket] {
            self.receive(from, "4late");
            self.session
                .transport_closed(from, CloseReason::TransportClose);
        }
        self.session.close();
        self.wait(SECOND * 100);
        assert_eq!(self.events(), [], "close is reported once");
        assert_eq!(
            self.session.send(&[Frame::message("late")]),
            Err(PushError::Closed)
        );
    }
}

fn message(text: &'static str) -> Event {
    Event::Message(Message::Text(Bytes::from_static(text.as_bytes())))
}

fn frames(transmit: Transmit, texts: &[&str]) -> (Transmit, Vec<String>) {
    (
        transmit,
        texts.iter().map(|text| (*text).to_owned()).collect(),
    )
}

fn post(texts: &[&str]) -> (Transmit, Vec<String>) {
    frames(Transmit::Post, texts)
}

fn write(texts: &[&str]) -> (Transmit, Vec<String>) {
    frames(Transmit::WriteWebSocket, texts)
}

#[test]
fn opens_by_polling_and_polls_again_at_once() {
    let mut bench = Bench::polling();
    assert_eq!(bench.session.sid(), Some("s"));
    assert_eq!(bench.transmit(), [(Transmit::Get, vec![])]);
    assert_eq!(bench.transmit(), []);
    bench.answer_get(&["4a", "4b"]);
    assert_eq!(bench.events(), [message("a"), message("b")]);
    assert_eq!(bench.transmit(), [(Transmit::Get, vec![])]);
}

#[test]
fn opens_by_websocket_without_any_request() {
    let mut bench = Bench::websocket();
    bench.send("a");
    bench.send("b");
    assert_eq!(bench.transmit(), [write(&["4a", "4b"])]);
    bench.receive(WebSocket, "4x");
    assert_eq!(bench.events(), [message("x")]);
}

#[test]
fn messages_sent_before_the_handshake_wait_for_it() {
    let mut bench = Bench::new(ClientConfig {
        upgrade: false,
        ..ClientConfig::default()
    });
    bench.send("a");
    bench.open_polling();
    assert_eq!(bench.transmit(), [(Transmit::Get, vec![]), post(&["4a"])]);
}

#[test]
fn anything_but_an_open_packet_fails_the_handshake() {
    let packets = [
        "4a",
        "6",
        "x",
        "",
        "0",
        "0{}",
        "0[]",
        r#"0{"sid":"s","upgrades":[],"pingInterval":-1,"pingTimeout":1}"#,
    ];
    for packet in packets {
        let mut bench = Bench::new(ClientConfig::default());
        bench.transmit();
        bench.receive(Polling, packet);
        bench.assert_closed(CloseReason::TransportError);
    }
}

#[test]
fn a_handshake_that_takes_too_long_fails() {
    let mut bench = Bench::new(ClientConfig::default());
    bench.transmit();
    bench.wait(20 * SECOND - Duration::from_millis(1));
    assert_eq!(bench.events(), []);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.transmit(), []);
    bench.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_heartbeat_beyond_the_end_of_time_does_no_harm() {
    let mut bench = Bench::new(ClientConfig::default());
    bench.transmit();
    let max = u64::MAX;
    let open = format!(r#"0{{"sid":"s","upgrades":[],"pingInterval":{max},"pingTimeout":{max}}}"#);
    bench.answer_get(&[&open]);
    bench.wait(SECOND * 1_000_000);
    assert_eq!(bench.events(), [Event::Opened]);
}

#[test]
fn one_post_is_in_flight_and_holds_at_most_max_payload() {
    let mut bench = Bench::polling();
    bench.transmit();
    // 9 bytes and a separator each, of 20.
    for text in ["aaaaaaaa", "bbbbbbbb", "cccccccc"] {
        bench.send(text);
    }
    assert_eq!(bench.transmit(), [post(&["4aaaaaaaa", "4bbbbbbbb"])]);
    assert_eq!(bench.transmit(), []);
    bench.session.handle_post_answered();
    assert_eq!(bench.transmit(), [post(&["4cccccccc"])]);
}

#[test]
fn a_post_counts_binary_by_its_base64() {
    let mut bench = Bench::polling();
    bench.transmit();
    // 1 + 12 bytes each, although 9 are sent.
    for _ in 0..2 {
        bench
            .session
            .send(&[Frame::Binary(vec![b'x'; 9].into())])
            .unwrap();
    }
    assert_eq!(bench.transmit(), [post(&["xxxxxxxxx"])]);
}

#[test]
fn a_message_above_max_payload_is_posted_alone() {
    let mut bench = Bench::polling();
    bench.transmit();
    let long = "x".repeat(30);
    for text in ["a", &long, "b"] {
        bench.send(text);
    }
    let mut posts = Vec::new();
    while let [(Transmit::Post, frames)] = &bench.transmit()[..] {
        posts.push(frames.len());
        bench.session.handle_post_answered();
    }
    assert_eq!(posts, [1, 1, 1]);
}

#[test]
fn a_ping_is_answered_once_and_starts_the_watch_again() {
    for mut bench in [Bench::polling(), Bench::websocket()] {
        bench.transmit();
        let transport = bench.session.transport();
        bench.wait(44 * SECOND);
        bench.receive(transport, "2");
        bench.receive(transport, "2");
        let expected = match transport {
            Polling => post(&["3"]),
            WebSocket => write(&["3"]),
        };
        assert_eq!(bench.transmit(), [expected]);
        bench.wait(45 * SECOND - Duration::from_millis(1));
        assert_eq!(bench.events(), []);
        bench.wait(Duration::from_millis(1));
        bench.assert_closed(CloseReason::PingTimeout);
    }
}

#[test]
fn messages_do_not_stand_in_for_a_ping() {
    let mut bench = Bench::websocket();
    bench.wait(44 * SECOND);
    bench.receive(WebSocket, "4a");
    assert_eq!(bench.events(), [message("a")]);
    bench.wait(SECOND);
    bench.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn a_client_that_hears_no_ping_says_so() {
    let mut bench = Bench::polling();
    bench.transmit();
    bench.wait(45 * SECOND);
    assert_eq!(bench.transmit(), [post(&["1"])]);
    let mut bench = Bench::websocket();
    bench.wait(45 * SECOND);
    assert_eq!(bench.transmit(), [(Transmit::CloseWebSocket, vec![])]);
}

#[test]
fn a_failed_request_closes_with_its_reason_and_counts_what_is_lost() {
    let mut bench = Bench::polling();
    bench.transmit();
    bench.send("a");
    bench.transmit();
    bench.send("b");
    bench
        .session
        .transport_closed(Polling, CloseReason::TransportError);
    let closed = Event::Closed {
        reason: CloseReason::TransportError,
        dropped: 1,
    };
    assert_eq!(bench.events(), [closed]);
    assert_eq!(bench.transmit(), []);
}

#[test]
fn a_close_packet_closes_with_transport_close() {
    for mut bench in [Bench::polling(), Bench::websocket()] {
        let transport = bench.session.transport();
        bench.receive(transport, "1");
        bench.assert_closed(CloseReason::TransportClose);
    }
}

#[test]
fn a_broken_packet_closes_with_transport_error() {
    let mut bench = Bench::websocket();
    bench.receive(WebSocket, "x");
    bench.assert_closed(CloseReason::TransportError);
}

#[test]
fn packets_without_meaning_are_ignored() {
    let mut bench = Bench::websocket();
    for packet in [OPEN, "3", "5", "6"] {
        bench.receive(WebSocket, packet);
    }
    assert_eq!(bench.events(), []);
    assert_eq!(bench.transmit(), []);
}

#[test]
fn a_full_queue_closes_with_slow_consumer() {
    let mut bench = Bench::new(ClientConfig {
        max_buffered_bytes: 200,
        ..ClientConfig::default()
    });
    bench.send("a");
    bench.send("b");
    assert!(!bench.session.has_room(0));
    bench.send("c");
    assert_eq!(
        bench.session.send(&[Frame::message("d")]),
        Err(PushError::Overflow)
    );
    bench.assert_closed(CloseReason::SlowConsumer);
}

#[test]
fn volatile_is_dropped_unless_the_transport_can_take_it_now() {
    let x = [Frame::message("x")];
    let mut bench = Bench::new(ClientConfig::default());
    assert_eq!(bench.session.send_volatile(&x), Ok(false));

    let mut bench = Bench::polling();
    bench.transmit();
    assert_eq!(bench.session.send_volatile(&x), Ok(true));
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    assert_eq!(bench.transmit(), [post(&["4x"])]);
    assert_eq!(bench.session.send_volatile(&x), Ok(false));

    let mut bench = Bench::websocket();
    bench.session.set_websocket_blocked(true);
    assert_eq!(bench.session.send_volatile(&x), Ok(false));
    bench.session.set_websocket_blocked(false);
    assert_eq!(bench.session.send_volatile(&x), Ok(true));
    bench.session.close();
    assert_eq!(bench.session.send_volatile(&x), Err(PushError::Closed));
}
