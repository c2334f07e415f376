//! The pure parts: codecs of both protocols, the session, rooms.

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::Bytes;
use engineio::{
    Config, Frame, Packet, Sid, Transport,
    dialect::Dialect,
    payload,
    session::{Session, Transmit, Wire},
};
use serde::Deserialize;
use socketio::{
    Binary,
    args::ArgsRef,
    assembler::Assembler,
    encode::Draft,
    packet::{self, Limits},
    parser::{Msgpack, Parser},
    rooms::{Room, RoomLimits, Rooms, Target},
};

use super::{Count, count};

pub fn counts() -> Vec<Count> {
    let mut counts = engine();
    counts.extend(session());
    counts.extend(socket());
    counts.extend(encoded());
    counts.extend(rooms());
    counts
}

fn engine() -> Vec<Count> {
    let text = shared(br#"42["echo","some text"]"#);
    let body = shared([&text[..]; 10].join(&0x1e).as_slice());
    let body_3 = shared("22:42[\"echo\",\"some text\"]".repeat(10).as_bytes());
    let frames = vec![Frame::Text(text.clone()); 10];
    vec![
        count("decode a text packet", || {
            black_box(Packet::decode_text(text.clone())).unwrap();
        }),
        count("decode a payload of 10 packets", || {
            assert!(payload::decode(body.clone(), 10).all(|packet| packet.is_ok()));
        }),
        count("decode a payload of 10 packets of protocol 3", || {
            assert!(payload::v3::decode(body_3.clone(), false, 10).all(|packet| packet.is_ok()));
        }),
        count("encode a payload of 1 packet", || {
            black_box(payload::encode(&frames[..1]));
        }),
        count("encode a payload of 10 packets", || {
            black_box(payload::encode(&frames));
        }),
        count("encode a payload of 10 packets of protocol 3", || {
            black_box(payload::v3::encode(&frames, false));
        }),
    ]
}

fn session() -> Vec<Count> {
    let now = now();
    let mut session = Session::new(
        now,
        Sid::from_random([0; 15]),
        Transport::WebSocket,
        Dialect::V4,
        Arc::new(Config::default()),
    );
    let wire = Wire::WebSocket(session.websocket_id());
    let mut batch = Vec::new();
    session.poll_transmit(wire, &mut batch);
    let text = shared(br#"42["echo","some text"]"#);
    let frame = [Frame::Text(text.clone())];
    vec![
        count("a session receives a message", || {
            let packet = Packet::decode_text(text.clone()).unwrap();
            session.receive(now, wire, packet);
            assert!(session.poll_event().is_some());
        }),
        count("a session sends a message", || {
            batch.clear();
            session.send(&frame).unwrap();
            assert_eq!(session.poll_transmit(wire, &mut batch), Transmit::Frames);
        }),
    ]
}

fn socket() -> Vec<Count> {
    let limits = Limits::default();
    let now = now();
    let object = r#"2["object",{"active":true,"count":3,"id":"one"}]"#;
    let object = packet::Packet::decode(object, &limits).unwrap();
    let text = packet::Packet::decode(r#"20["echo","some text"]"#, &limits).unwrap();
    let binary = r#"51-0["binary",{"_placeholder":true,"num":0}]"#;
    let data = shared(&[7; 1_024]);
    let mut assembler = Assembler::default();
    let mut decoder = Msgpack.decoder();
    let packed = Draft::event("echo", &"some text").unwrap();
    let packed = packed.write(Some(&Msgpack), "/", None);
    let packed = engineio::Message::Binary(packed.as_slice()[0].bytes().clone());
    vec![
        count("decode an event", || {
            let text = r#"20["echo","some text"]"#;
            black_box(packet::Packet::decode(text, &limits)).unwrap();
        }),
        count("decode an event of another namespace", || {
            let text = r#"2/chat,0["echo","some text"]"#;
            black_box(packet::Packet::decode(text, &limits)).unwrap();
        }),
        count("put an event with one attachment together", || {
            let packet = packet::Packet::decode(binary, &limits).unwrap();
            let waiting = assembler.begin(binary, &packet, now, &limits).unwrap();
            assert!(waiting.is_none());
            let whole = assembler.attach(&data, now, &limits).unwrap();
            assert!(whole.is_some());
        }),
        count("decode an event by MessagePack", || {
            assert!(decoder.add(&packed, &limits, now).unwrap().is_some());
        }),
        count("parse a number", || {
            let packet = packet::Packet::decode(r#"2["add",17]"#, &limits).unwrap();
            let (number,): (u64,) = ArgsRef::of(&packet, &[]).parse().unwrap();
            assert_eq!(number, 17);
        }),
        count("parse a string", || {
            let (said,): (String,) = ArgsRef::of(&text, &[]).parse().unwrap();
            assert_eq!(said.len(), 9);
        }),
        count("parse an object with one string", || {
            let (item,): (Item,) = ArgsRef::of(&object, &[]).parse().unwrap();
            assert!(item.active && item.count == 3 && item.id.len() == 3);
        }),
        count("check that arguments are JSON", || {
            ArgsRef::of(&object, &[]).validate().unwrap();
        }),
    ]
}

#[derive(Deserialize)]
struct Item {
    active: bool,
    count: u64,
    id: String,
}

fn encoded() -> Vec<Count> {
    let data = Binary(shared(&[7; 1_024]));
    vec![
        count("encode an event", || {
            let draft = Draft::event("echo", &"some text").unwrap();
            black_box(draft.frames("/", None));
        }),
        count("encode an event for another namespace", || {
            let draft = Draft::event("echo", &("some text", 1)).unwrap();
            black_box(draft.frames("/chat", Some(17)));
        }),
        count("encode an answer", || {
            black_box(Draft::ack(&"some text").unwrap().frames("/", Some(17)));
        }),
        count("encode an event with one attachment", || {
            black_box(Draft::event("binary", &data).unwrap().frames("/", None));
        }),
        count("encode an event by MessagePack", || {
            let draft = Draft::event("echo", &"some text").unwrap();
            black_box(draft.write(Some(&Msgpack), "/", None));
        }),
    ]
}

fn rooms() -> Vec<Count> {
    let mut rooms = Rooms::new(RoomLimits::default());
    let (big, other): (Room, Room) = ("big".into(), "other".into());
    let members = Vec::from_iter((0..100).map(|number: u32| {
        let member = rooms.insert(number.to_string().into(), number);
        rooms.join(member, big.clone()).unwrap();
        member
    }));
    rooms.join(members[0], other.clone()).unwrap();
    let to = |rooms: &[&Room], except: &[&Room]| Target {
        rooms: rooms.iter().map(|room| Room::clone(room)).collect(),
        except: except.iter().map(|room| Room::clone(room)).collect(),
    };
    let select = |rooms: &Rooms<u32>, target: &Target| {
        let mut sum = 0;
        rooms.select(target, |number| sum += number);
        assert!(sum > 0);
    };
    let mut counts = vec![
        count("select everybody", || select(&rooms, &to(&[], &[]))),
        count("ask for a member of a room", || {
            assert!(rooms.is_in(members[50], "big"));
        }),
    ];
    let (one, without) = (to(&[&big], &[]), to(&[], &[&other]));
    counts.push(count("select one room", || select(&rooms, &one)));
    counts.push(count("select all but one room", || {
        select(&rooms, &without)
    }));
    counts.push(count("join a room that is there and leave it", || {
        rooms.join(members[1], other.clone()).unwrap();
        rooms.leave(members[1], "other");
    }));
    counts
}

/// Bytes as a read buffer has them: nothing is allocated when they are cloned or cut.
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
