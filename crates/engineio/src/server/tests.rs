//! What of the server cannot be seen from outside: that the clock forgets, and that wake-ups find their way.

use std::{
    task::{Context, Wake, Waker},
    time::Duration,
};

use super::*;
use crate::{
    packet::{Frame, Packet},
    session::{Transmit, Wire},
};

const SECOND: Duration = Duration::from_secs(1);

struct Quiet;

impl Handler for Quiet {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {}

    fn on_message(&self, _link: &Arc<Link<Self>>, _message: Message) {}

    fn on_close(&self, _link: &Arc<Link<Self>>, _reason: CloseReason) {}
}

fn open(engine: &Arc<Engine<Quiet>>, transport: Transport) -> Arc<Link<Quiet>> {
    let (parts, ()) = http::Request::new(()).into_parts();
    let new = NewSid::random().unwrap();
    engine
        .open_session(&new, transport, Dialect::V4, &parts)
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_clock_forgets_a_session_with_its_end() {
    let engine = Engine::new(Config::default(), Quiet);
    for count in 0..1_000 {
        let link = open(&engine, Transport::Polling);
        assert_eq!(engine.clock.len(), 1);
        if count % 2 == 0 {
            link.drive(|session| {
                session.transport_closed(Wire::Polling, CloseReason::TransportClose)
            });
        } else {
            link.drive(|session| session.receive(now(), Wire::Polling, Packet::Close));
        }
        assert_eq!(engine.clock.len(), 0);
    }
    assert_eq!(engine.clients_count(), 0);
}

/// The clock takes a deadline out and then drives its session; in between, another thread may arm an earlier one.
#[tokio::test(start_paused = true)]
async fn a_session_has_one_deadline_even_if_it_moves_while_it_fires() {
    let config = Config {
        first_poll_timeout: 5 * SECOND,
        upgrade_timeout: SECOND,
        ..Config::default()
    };
    let engine = Engine::new(config, Quiet);
    let link = open(&engine, Transport::Polling);
    let fired = now() + 5 * SECOND;
    assert_eq!(engine.clock.take(fired), 1);
    probe(&link);
    link.handle_timeout(fired, fired);
    assert_eq!(engine.clock.len(), 1);
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A transport that waits, and whether it was woken.
fn waiting() -> (Arc<Flag>, Waker) {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    (flag.clone(), Waker::from(flag))
}

fn probe(link: &Link<Quiet>) -> Wire {
    Wire::WebSocket(link.drive(|session| session.open_probe(now())).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_was_replaced_does_not_take_the_place_of_its_successor() {
    let engine = Engine::new(Config::default(), Quiet);
    let link = open(&engine, Transport::Polling);
    let first = probe(&link);
    link.drive(|session| session.transport_closed(first, CloseReason::TransportClose));
    let second = probe(&link);
    let (flag, waker) = waiting();
    let mut context = Context::from_waker(&waker);
    let mut batch = Vec::new();
    let (transmit, _) = link.poll_transmit(second, &mut context, &mut batch);
    assert_eq!(transmit, Transmit::Idle);
    link.receive(now(), first, Ok(Packet::Noop));
    let (_, other) = waiting();
    assert!(link.websocket_blocked(first, &mut Context::from_waker(&other)));
    link.receive(now(), Wire::Polling, Ok(Packet::Close));
    assert!(flag.0.load(Ordering::SeqCst), "the second was not woken");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_websocket_is_asked_again_when_it_is_not() {
    let engine = Engine::new(Config::default(), Quiet);
    let link = open(&engine, Transport::WebSocket);
    let wire = Wire::WebSocket(link.drive(|session| session.websocket_id()));
    let (flag, waker) = waiting();
    let mut context = Context::from_waker(&waker);
    let mut batch = Vec::new();
    while link.poll_transmit(wire, &mut context, &mut batch).0 != Transmit::Idle {
        batch.clear();
    }
    assert!(!link.websocket_blocked(wire, &mut context));
    link.push(&[Frame::message("a")]).unwrap();
    assert!(!flag.0.load(Ordering::SeqCst), "it could not take it");
    assert!(link.websocket_unblocked(), "it is not told of the message");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_reads_is_not_woken_before_it_has_asked_what_to_write() {
    let engine = Engine::new(Config::default(), Quiet);
    let link = open(&engine, Transport::WebSocket);
    let wire = Wire::WebSocket(link.drive(|session| session.websocket_id()));
    let (flag, waker) = waiting();
    let mut context = Context::from_waker(&waker);
    let mut batch = Vec::new();
    let (_, is_all) = link.poll_transmit(wire, &mut context, &mut batch);
    assert!(is_all);
    link.receive(now(), wire, Ok(Packet::Noop));
    link.push(&[Frame::message("a")]).unwrap();
    assert!(!flag.0.load(Ordering::SeqCst), "it would have asked anyway");
    batch.clear();
    link.poll_transmit(wire, &mut context, &mut batch);
    assert_eq!(batch, [Frame::message("a")]);
}
