//! What the codecs and the session cost in time, with the allocations of each: `cargo bench -p engineio`.
//!
//! They are for whoever changes this code; what must not become worse is held by counts, not by time, in socketio's test
//! `allocations` and in `protocol-tests/instructions`.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use engineio::{
    Config, Frame, Packet, Sid, Transport,
    dialect::Dialect,
    payload,
    session::{Session, Wire},
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// How many packets there are in a body.
const PACKETS: [usize; 3] = [1, 10, 100];

#[divan::bench]
fn decode_packet(bencher: Bencher<'_, '_>) {
    let text = shared(PACKET);
    bencher.bench_local(|| Packet::decode_text(black_box(text.clone())));
}

#[divan::bench(args = PACKETS)]
fn decode_payload(bencher: Bencher<'_, '_>, count: usize) {
    let body = shared(vec![PACKET; count].join(&0x1e).as_slice());
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let packets = payload::decode(black_box(body.clone()), count);
        packets.filter(Result::is_ok).count()
    });
}

#[divan::bench(args = PACKETS)]
fn decode_payload_of_protocol_3(bencher: Bencher<'_, '_>, count: usize) {
    let body = shared("22:42[\"echo\",\"some text\"]".repeat(count).as_bytes());
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let packets = payload::v3::decode(black_box(body.clone()), false, count);
        packets.filter(Result::is_ok).count()
    });
}

#[divan::bench(args = PACKETS)]
fn encode_payload(bencher: Bencher<'_, '_>, count: usize) {
    let frames = vec![Frame::Text(shared(PACKET)); count];
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| payload::encode(black_box(&frames)));
}

#[divan::bench(args = PACKETS)]
fn encode_payload_of_protocol_3(bencher: Bencher<'_, '_>, count: usize) {
    let frames = vec![Frame::Text(shared(PACKET)); count];
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| payload::v3::encode(black_box(&frames), false));
}

#[divan::bench]
fn session_receives(bencher: Bencher<'_, '_>) {
    let ((mut session, wire), now, text) = (session(), now(), shared(PACKET));
    bencher.bench_local(|| {
        let packet = Packet::decode_text(text.clone()).expect("a packet");
        session.receive(now, wire, black_box(packet));
        session.poll_event()
    });
}

#[divan::bench(args = PACKETS)]
fn session_transmits(bencher: Bencher<'_, '_>, count: usize) {
    let ((mut session, wire), mut batch) = (session(), Vec::new());
    let frame = [Frame::Text(shared(PACKET))];
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        for _ in 0..count {
            session.send(black_box(&frame)).expect("open");
        }
        batch.clear();
        session.poll_transmit(wire, &mut batch)
    });
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

/// Bytes as a read buffer has them.
fn shared(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::copy_from_slice(bytes);
    // The first clone of what is not shared yet makes the count of references.
    drop(bytes.clone());
    bytes
}

#[expect(
    clippy::disallowed_methods,
    reason = "some instant, to have one at all"
)]
fn now() -> Instant {
    Instant::now()
}

const PACKET: &[u8] = br#"42["echo","some text"]"#;
