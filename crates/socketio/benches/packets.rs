//! What it costs in time to decode, to parse and to encode packets, with the allocations of each:
//! `cargo bench -p socketio --bench packets`.

use std::time::Instant;

use divan::{AllocProfiler, Bencher, black_box};
use serde::{Deserialize, Serialize};
use socketio::{
    Binary,
    args::ArgsRef,
    assembler::Assembler,
    encode::Draft,
    packet::{Limits, Packet},
    parser::{Msgpack, Parser},
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// What the benchmark of whole servers has answered, too.
#[derive(Serialize, Deserialize)]
struct Item {
    active: bool,
    author: String,
    body: String,
    count: u64,
    id: String,
    tags: Vec<String>,
}

fn item() -> Item {
    Item {
        active: true,
        author: "somebody".to_owned(),
        body: "x".repeat(880),
        count: 17,
        id: "1-17".to_owned(),
        tags: ["one", "two", "three"].map(str::to_owned).to_vec(),
    }
}

mod incoming {
    use super::*;

    #[divan::bench]
    fn decode_event(bencher: Bencher<'_, '_>) {
        let limits = Limits::default();
        bencher.bench_local(|| Packet::decode(black_box(TEXT), &limits).map(|it| it.id));
    }

    #[divan::bench]
    fn parse_string(bencher: Bencher<'_, '_>) {
        let packet = Packet::decode(TEXT, &Limits::default()).expect("a packet");
        bencher.bench_local(|| ArgsRef::of(black_box(&packet), &[]).parse::<(String,)>());
    }

    #[divan::bench]
    fn parse_object_of_1_kb(bencher: Bencher<'_, '_>) {
        let text = serde_json::to_string(&("object", item())).expect("JSON");
        let text = format!("2{text}");
        let packet = Packet::decode(&text, &Limits::default()).expect("a packet");
        bencher.bench_local(|| ArgsRef::of(black_box(&packet), &[]).parse::<(Item,)>());
    }

    #[divan::bench]
    fn assemble_one_attachment_of_1_kb(bencher: Bencher<'_, '_>) {
        let (limits, now, data) = (Limits::default(), now(), [7; 1_024]);
        let text = r#"51-0["binary",{"_placeholder":true,"num":0}]"#;
        bencher.bench_local(|| {
            let mut assembler = Assembler::default();
            let packet = Packet::decode(black_box(text), &limits).expect("a packet");
            let waiting = assembler.begin(text, &packet, now, &limits);
            assert_eq!(waiting, Ok(None));
            assembler.attach(black_box(&data), now, &limits)
        });
    }

    #[divan::bench]
    fn decode_msgpack(bencher: Bencher<'_, '_>) {
        let draft = Draft::event("object", &item()).expect("JSON");
        let frames = draft.write(Some(&Msgpack), "/", None);
        let message = engineio::Message::Binary(frames.as_slice()[0].bytes().clone());
        let (limits, now, mut decoder) = (Limits::default(), now(), Msgpack.decoder());
        bencher.bench_local(|| decoder.add(black_box(&message), &limits, now));
    }
}

mod outgoing {
    use super::*;

    #[divan::bench]
    fn encode_event(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| {
            let draft = Draft::event("echo", black_box(&("some text",))).expect("JSON");
            draft.frames("/", None)
        });
    }

    #[divan::bench]
    fn encode_object_of_1_kb(bencher: Bencher<'_, '_>) {
        let item = item();
        bencher.bench_local(|| {
            let draft = Draft::event("object", black_box(&item)).expect("JSON");
            draft.frames("/", None)
        });
    }

    #[divan::bench]
    fn encode_one_attachment_of_1_kb(bencher: Bencher<'_, '_>) {
        let data = Binary::from(vec![7; 1_024]);
        bencher.bench_local(|| {
            let draft = Draft::event("binary", black_box(&data)).expect("JSON");
            draft.frames("/", None)
        });
    }

    #[divan::bench]
    fn encode_msgpack(bencher: Bencher<'_, '_>) {
        let item = item();
        bencher.bench_local(|| {
            let draft = Draft::event("object", black_box(&item)).expect("JSON");
            draft.write(Some(&Msgpack), "/", None)
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "some instant, to have one at all"
)]
fn now() -> Instant {
    Instant::now()
}

const TEXT: &str =
    "20[\"echo\",\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]";
