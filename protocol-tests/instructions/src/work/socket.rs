//! Socket.IO: what is on the wire.

use std::hint::black_box;

use serde::de::IgnoredAny;
use socketio::{
    Args, Binary,
    args::ArgsRef,
    assembler::Assembler,
    encode::Draft,
    packet::{Limits, Packet},
    parser::{Msgpack, Parser},
};

use super::{compare, engine::now, linear, shared};
use crate::Comparison;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = incoming();
    all.extend(outgoing());
    all
}

fn incoming() -> Vec<Comparison> {
    let limits = Limits::default();
    let parse = {
        let limits = limits.clone();
        move || {
            let packet = Packet::decode(EVENT, &limits).expect("a packet");
            let (text,): (String,) = ArgsRef::of(&packet, &[]).parse().expect("a string");
            assert_eq!(text.len(), TEXT);
        }
    };
    vec![
        compare(
            "decode an event",
            move || {
                black_box(Packet::decode(black_box(EVENT), &limits)).expect("a packet");
            },
            0.75,
            "skip its JSON with serde_json",
            || {
                let skipped = serde_json::from_str::<IgnoredAny>(black_box(JSON));
                black_box(skipped).expect("JSON");
            },
        ),
        compare(
            "decode an event and parse its string",
            parse,
            2.0,
            "parse both with serde_json",
            || {
                let (_, text): (IgnoredAny, String) =
                    serde_json::from_str(black_box(JSON)).expect("JSON");
                assert_eq!(text.len(), TEXT);
            },
        ),
        linear("decode an event with 1,000 arguments", |count| {
            let (event, limits) = (numbers(count), Limits::default());
            move || {
                black_box(Packet::decode(&event, &limits)).expect("a packet");
            }
        }),
        linear("parse 1,000 arguments", |count| {
            let (event, limits) = (numbers(count), Limits::default());
            move || {
                let packet = Packet::decode(&event, &limits).expect("a packet");
                let parsed: Vec<u64> = ArgsRef::of(&packet, &[]).parse().expect("numbers");
                assert_eq!(parsed.len(), count);
            }
        }),
        linear("mend 1,000 halves of surrogate pairs", |count| {
            let (event, limits) = (
                format!("2[\"echo\",\"{}\"]", "\\ud800".repeat(count)),
                Limits::default(),
            );
            move || {
                let packet = Packet::decode(&event, &limits).expect("a packet");
                let (text,): (String,) = ArgsRef::of(&packet, &[]).parse().expect("a string");
                assert_eq!(text.chars().count(), count);
            }
        }),
        linear("put a packet of 1,000 attachments together", assemble),
        linear(
            "decode an event with 1,000 arguments by MessagePack",
            unpack,
        ),
    ]
}

fn assemble(count: usize) -> impl FnMut() {
    let limits = Limits {
        max_attachments: count,
        ..Limits::default()
    };
    let item = |number| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
    let items: Vec<String> = (0..count).map(item).collect();
    let text = format!("5{count}-[\"files\",{}]", items.join(","));
    let (data, now) = (shared(&[7; 64]), now());
    move || {
        let mut assembler = Assembler::default();
        let packet = Packet::decode(&text, &limits).expect("a packet");
        let mut whole = assembler
            .begin(&text, &packet, now, &limits)
            .expect("a header");
        for _ in 0..count {
            assert!(whole.is_none());
            whole = assembler
                .attach(&data, now, &limits)
                .expect("an attachment");
        }
        assert!(whole.is_some());
    }
}

fn unpack(count: usize) -> impl FnMut() {
    let args = Args::from_json(&numbers(count)[1..], Vec::new()).expect("JSON");
    let draft = Draft::event("list", &args).expect("JSON");
    let frames = draft.write(Some(&Msgpack), "/", None);
    let message = engineio::Message::Binary(frames.as_slice()[0].bytes().clone());
    let (limits, mut decoder, now) = (Limits::default(), Msgpack.decoder(), now());
    move || {
        let packet = decoder.add(&message, &limits, now).expect("a packet");
        assert!(packet.is_some());
    }
}

fn outgoing() -> Vec<Comparison> {
    let text = "x".repeat(TEXT);
    let same = text.clone();
    vec![
        compare(
            "encode an event",
            move || {
                let draft = Draft::event("echo", black_box(&text)).expect("JSON");
                black_box(draft.frames("/", None));
            },
            1.2,
            "write its JSON with serde_json",
            move || {
                let json = serde_json::to_vec(&("echo", black_box(&same)));
                black_box(bytes::Bytes::from(json.expect("JSON")));
            },
        ),
        linear("encode an event with 1,000 numbers", |count| {
            let list: Vec<usize> = (0..count).map(|number| 1_000 + number).collect();
            move || {
                let draft = Draft::event("list", &list).expect("JSON");
                black_box(draft.frames("/", None));
            }
        }),
        linear("encode an event with 1,000 attachments", |count| {
            let list = vec![Binary(shared(&[7; 64])); count];
            move || {
                let draft = Draft::event("files", &list).expect("JSON");
                black_box(draft.frames("/", None));
            }
        }),
        linear(
            "encode an event with 1,000 numbers by MessagePack",
            |count| {
                let list: Vec<usize> = (0..count).map(|number| 1_000 + number).collect();
                move || {
                    let draft = Draft::event("list", &list).expect("JSON");
                    black_box(draft.write(Some(&Msgpack), "/", None));
                }
            },
        ),
    ]
}

/// An event with so many arguments, all of the same length.
fn numbers(count: usize) -> String {
    let numbers: Vec<String> = (0..count)
        .map(|number| (1_000 + number).to_string())
        .collect();
    format!("2[\"list\",{}]", numbers.join(","))
}

/// An event with a string of 64 bytes, and its JSON.
const EVENT: &str =
    "20[\"echo\",\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]";
const JSON: &str =
    "[\"echo\",\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]";
const TEXT: usize = 64;
