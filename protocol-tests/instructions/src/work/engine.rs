//! Engine.IO: its codecs and its session.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use engineio::{
    Config, Frame, Packet, Sid, Transport,
    dialect::Dialect,
    payload,
    session::{Session, Transmit, Wire},
};

use super::{compare, linear, shared};
use crate::Comparison;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = payloads();
    all.extend(sessions());
    all
}

fn payloads() -> Vec<Comparison> {
    vec![
        compare(
            "split a body of 100 packets",
            split(100),
            2.2,
            "cut it without a look at the packets",
            {
                let body = body(100);
                move || {
                    assert!(std::str::from_utf8(&body).is_ok());
                    let packets = body.split(|byte| *byte == 0x1e);
                    packets.for_each(|packet| drop(black_box(body.slice_ref(packet))));
                }
            },
        ),
        linear("split a body of 1,000 packets", split),
        compare(
            "join 100 packets to a body",
            join(100),
            1.6,
            "append them to a vector",
            {
                let frames = frames(100);
                move || {
                    let length = frames.iter().map(|frame| frame.len() + 1).sum();
                    let mut body = Vec::with_capacity(length);
                    for frame in &frames {
                        body.extend_from_slice(frame.bytes());
                        body.push(0x1e);
                    }
                    black_box(Bytes::from(body));
                }
            },
        ),
        linear("join 1,000 packets to a body", join),
        linear("split a body of 1,000 packets of protocol 3", |count| {
            let body = shared("22:42[\"echo\",\"some text\"]".repeat(count).as_bytes());
            move || {
                let packets = payload::v3::decode(body.clone(), false, count);
                assert_eq!(packets.filter(Result::is_ok).count(), count);
            }
        }),
        linear("join 1,000 packets of protocol 3 to a body", |count| {
            let frames = frames(count);
            move || {
                black_box(payload::v3::encode(&frames, false));
            }
        }),
    ]
}

fn split(count: usize) -> impl FnMut() {
    let body = body(count);
    move || {
        let packets = payload::decode(body.clone(), count);
        assert_eq!(packets.filter(Result::is_ok).count(), count);
    }
}

fn join(count: usize) -> impl FnMut() {
    let frames = frames(count);
    move || {
        black_box(payload::encode(&frames));
    }
}

fn sessions() -> Vec<Comparison> {
    let (text, now) = (shared(PACKET), now());
    let decode = text.clone();
    let receive = {
        let (mut session, wire) = session();
        move || {
            let packet = Packet::decode_text(text.clone()).expect("a packet");
            session.receive(now, wire, packet);
            assert!(session.poll_event().is_some());
        }
    };
    let queue = {
        let (mut queue, frame) = (VecDeque::new(), Frame::Text(shared(PACKET)));
        let mut batch = Vec::new();
        move || {
            queue.push_back(black_box(&frame).clone());
            batch.clear();
            batch.extend(queue.drain(..));
        }
    };
    vec![
        compare(
            "a session receives a message",
            receive,
            2.7,
            "decode it",
            move || {
                black_box(Packet::decode_text(decode.clone())).expect("a packet");
            },
        ),
        compare(
            "a session sends a message",
            send(1),
            2.2,
            "put it into a queue and take it out",
            queue,
        ),
        linear("a session sends 1,000 messages", send),
    ]
}

fn send(count: usize) -> impl FnMut() {
    let ((mut session, wire), mut batch) = (session(), Vec::new());
    let frame = [Frame::Text(shared(PACKET))];
    move || {
        for _ in 0..count {
            session.send(&frame).expect("open");
        }
        batch.clear();
        assert_eq!(session.poll_transmit(wire, &mut batch), Transmit::Frames);
        assert_eq!(batch.len(), count);
    }
}

/// One by WebSocket that has said who it is.
fn session() -> (Session, Wire) {
    let config = Arc::new(Config::default());
    let (sid, transport) = (Sid::from_random([0; 15]), Transport::WebSocket);
    let mut session = Session::new(now(), sid, transport, Dialect::V4, config);
    let wire = Wire::WebSocket(session.websocket_id());
    session.poll_transmit(wire, &mut Vec::new());
    (session, wire)
}

fn body(count: usize) -> Bytes {
    shared(vec![PACKET; count].join(&0x1e).as_slice())
}

fn frames(count: usize) -> Vec<Frame> {
    vec![Frame::Text(shared(PACKET)); count]
}

#[expect(
    clippy::disallowed_methods,
    reason = "some instant, to have one at all"
)]
pub fn now() -> Instant {
    Instant::now()
}

const PACKET: &[u8] = br#"42["echo","some text"]"#;
