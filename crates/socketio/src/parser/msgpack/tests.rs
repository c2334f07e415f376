//! JSON through MessagePack and back, hostile input, and naive twins of what reads and writes.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::packet::{MAX_DEPTH, Packet};

fn event<'a>(data: &'a str, attachments: &'a [Bytes]) -> Outgoing<'a> {
    Outgoing {
        packet_type: PacketType::Event,
        namespace: "/",
        id: None,
        data,
        attachments,
    }
}

fn encode(packet: &Outgoing<'_>) -> Vec<u8> {
    let frames = Msgpack.encode(packet);
    let [Frame::Binary(message)] = frames.as_slice() else {
        panic!("no single binary message: {frames:?}")
    };
    message.to_vec()
}

fn through(data: &str, attachments: &[Bytes]) -> Incoming {
    read(&encode(&event(data, attachments)), &Limits::default()).unwrap()
}

/// Only the data, written.
fn written(data: &str, attachments: &[Bytes]) -> Vec<u8> {
    let mut message = Vec::new();
    write::json(&mut message, data, attachments).unwrap();
    message
}

/// Only the data, read.
fn json_of(bytes: &[u8]) -> Result<(String, Vec<Bytes>), DecodeError> {
    read::json(bytes, BinaryAs::Attachments { max: 3 })
}

#[test]
fn lengths_of_every_size_are_written_and_read() {
    for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        let list = vec![7; len];
        let map: Map<_, _> = (0..len).map(|i| (i.to_string(), json!(i))).collect();
        let data = json!(["e", "x".repeat(len), list, map]).to_string();
        assert_eq!(through(&data, &[]).data, data, "{len}");
        let attachments = [Bytes::from(vec![1; len])];
        let data = r#"["e",{"_placeholder":true,"num":0}]"#;
        assert_eq!(through(data, &attachments).attachments, attachments);
    }
}

#[test]
fn json_is_written_however_it_is_spelt() {
    for (data, hex) in [
        (" [ 1 , { \"a\" : null } ] ", &b"\x92\x01\x81\xa1a\xc0"[..]),
        ("[1.0,-0.0,1e2,-3.0]", b"\x94\x01\x00\x64\xfd"),
        (r#""\u0061\n""#, b"\xa2a\n"),
        (r#""\ud83d\ude00""#, b"\xa4\xf0\x9f\x98\x80"),
        (
            "18446744073709551615",
            b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        ("18446744073709551616", b"\xcb\x43\xf0\0\0\0\0\0\0"),
        ("1e400", b"\xcb\x7f\xf0\0\0\0\0\0\0"),
        (
            r#"{"_placeholder":true,"num":0}"#,
            b"\x82\xac_placeholder\xc3\xa3num\x00",
        ),
    ] {
        assert_eq!(written(data, &[]), hex, "{data}");
    }
    let half = written(r#""a\ud83d""#, &[]);
    let text = String::from_utf8(half[1..].to_vec()).unwrap();
    assert!(text.starts_with("a\u{fffd}"), "{text}");
}

#[test]
fn placeholders_are_those_that_name_an_attachment() {
    let attachments = [Bytes::from("x"), Bytes::from("y")];
    for (data, message) in [
        (
            r#"[{"_placeholder":true,"num":1},2]"#,
            &b"\x92\xc4\x01y\x02"[..],
        ),
        (
            r#"[{"num":0,"more":[{},[3]],"_placeholder":true},{"a":[4]}]"#,
            b"\x92\xc4\x01x\x81\xa1a\x91\x04",
        ),
        (
            r#"{"_placeholder":1,"num":0}"#,
            b"\x82\xac_placeholder\x01\xa3num\x00",
        ),
        (r#"{"_placeholder":true}"#, b"\x81\xac_placeholder\xc3"),
        (
            r#"{"_placeholder":true,"num":2}"#,
            b"\x82\xac_placeholder\xc3\xa3num\x02",
        ),
    ] {
        assert_eq!(written(data, &attachments), message, "{data}");
    }
}

#[test]
fn depth_is_bounded_where_json_is() {
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(json_of(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(json_of(&nested(MAX_DEPTH + 1)), Err(DecodeError::TooDeep));
    assert_eq!(json_of(&nested(1_000_000)), Err(DecodeError::TooDeep));
    // What is passed over may be as deep as it likes.
    let message = [
        b"\x84\xa1x",
        &nested(100_000)[..],
        b"\xa4type\x01\xa3nsp\xa1/\xa1y\xc0",
    ];
    assert!(read(&message.concat(), &Limits::default()).is_ok());
    let data = format!(r#"["e",{}{}]"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(written(&data, &[]).len(), 3 + 200);
}

#[test]
fn binary_values_are_bounded_while_they_are_read() {
    let list = |count: u8| [vec![0x90 | count], b"\xc4\x01x".repeat(count.into())].concat();
    assert_eq!(json_of(&list(3)).unwrap().1.len(), 3);
    assert_eq!(json_of(&list(4)), Err(DecodeError::TooManyAttachments));
}

#[test]
fn an_object_like_a_placeholder_is_refused_beside_binary_data() {
    let object = b"\x81\xac_placeholder\xc3";
    assert_eq!(json_of(object).unwrap().0, r#"{"_placeholder":true}"#);
    let beside = [b"\x92", &object[..], b"\xc4\x01x"].concat();
    assert_eq!(json_of(&beside), Err(DecodeError::InvalidPlaceholder));
    let harmless = b"\x92\x81\xac_placeholder\xc2\xc4\x01x";
    assert!(json_of(harmless).is_ok());
}

#[test]
fn text_is_no_packet() {
    let text = Message::Text(Bytes::from_static(b"2[\"e\"]"));
    #[expect(
        clippy::disallowed_methods,
        reason = "some instant, and there is no other way"
    )]
    let now = Instant::now();
    let added = Msgpack.decoder().add(&text, &Limits::default(), now);
    assert_eq!(added, Err(DecodeError::UnexpectedText));
}

/// As recursive and as wasteful as it gets. `None` is undefined.
fn naive_read(reader: &mut Reader<'_>, depth: usize) -> Result<Option<Json>, ()> {
    if depth > MAX_DEPTH {
        return Err(());
    }
    Ok(Some(match reader.next().map_err(drop)? {
        Value::Undefined => return Ok(None),
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Uint(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::Date(value) => json!(date::iso(value)),
        Value::Binary(data) => json!(data),
        Value::Extension(number, data) => json!([number, data]),
        Value::Array(len) => {
            let mut list = Vec::new();
            for _ in 0..len {
                list.push(naive_read(reader, depth + 1)?.unwrap_or_default());
            }
            list.into()
        }
        Value::Map(len) => {
            let mut map = Map::new();
            for _ in 0..len {
                let key = match reader.next().map_err(drop)? {
                    Value::Text(key) => key.to_owned(),
                    Value::Uint(key) => key.to_string(),
                    Value::Int(key) => key.to_string(),
                    _ => return Err(()),
                };
                if let Some(value) = naive_read(reader, depth + 1)? {
                    map.insert(key, value);
                }
            }
            map.into()
        }
    }))
}

fn naive_write(message: &mut Vec<u8>, value: &Json, attachments: &[Bytes]) {
    match value {
        Json::Null => message.push(0xc0),
        Json::Bool(value) => message.push(0xc2 + u8::from(*value)),
        Json::Number(value) => match (value.as_u64(), value.as_i64(), value.as_f64()) {
            (Some(value), _, _) => drop(rmp::encode::write_uint(message, value).unwrap()),
            (_, Some(value), _) => drop(rmp::encode::write_sint(message, value).unwrap()),
            (_, _, value) => rmp::encode::write_f64(message, value.unwrap()).unwrap(),
        },
        Json::String(value) => rmp::encode::write_str(message, value).unwrap(),
        Json::Array(list) => {
            rmp::encode::write_array_len(message, list.len() as u32).unwrap();
            list.iter()
                .for_each(|item| naive_write(message, item, attachments));
        }
        Json::Object(map) => {
            let num = map.get("num").and_then(Json::as_u64).unwrap_or(u64::MAX);
            let attachment = attachments.get(num as usize);
            if let (Some(Json::Bool(true)), Some(data)) = (map.get("_placeholder"), attachment) {
                return rmp::encode::write_bin(message, data).unwrap();
            }
            rmp::encode::write_map_len(message, map.len() as u32).unwrap();
            for (key, value) in map {
                rmp::encode::write_str(message, key).unwrap();
                naive_write(message, value, attachments);
            }
        }
    }
}

/// JSON with placeholders for two attachments, and with objects that only look so.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-9_999..9_999).prop_map(|n| json!(f64::from(n) + 0.5)),
        any::<String>().prop_map(Json::from),
        (0..4_u8).prop_map(|num| json!({"_placeholder": true, "num": num})),
        (0..4_u8).prop_map(|num| json!({"_placeholder": num, "num": num, "x": [num]})),
    ];
    leaf.prop_recursive(5, 50, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::btree_map("[a-z_\"\\\\]{0,3}", inner, 0..8)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Bytes that have more to do with MessagePack than random ones.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0x80..0xa3_u8).prop_map(|header| vec![header]),
        (0..0x10_u8).prop_map(|low| vec![0xc0 | low, 0, 1]),
        prop::collection::vec(any::<u8>(), 0..12),
        Just(b"\xac_placeholder\xc3".to_vec()),
        Just(b"\xd4\x00\x00".to_vec()),
        Just(b"\xa1a".to_vec()),
        Just(b"\xc4\x01x".to_vec()),
        Just(b"\xdd\xff\xff\xff\xff".to_vec()),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_obvious_writer_writes(json in any_json()) {
        let attachments = [Bytes::from("one"), Bytes::new()];
        let mut expected = Vec::new();
        naive_write(&mut expected, &json, &attachments);
        prop_assert_eq!(written(&json.to_string(), &attachments), expected);
    }

    #[test]
    fn what_is_written_is_read_again(json in any_json()) {
        let data = json!(["e", json]);
        let incoming = through(&data.to_string(), &[]);
        prop_assert_eq!(serde_json::from_str::<Json>(&incoming.data).unwrap(), data);
        prop_assert_eq!(incoming.attachments.len(), 0);
    }

    #[test]
    fn what_is_read_is_what_the_obvious_reader_reads(bytes in any_bytes()) {
        let mut reader = Reader::new(&bytes);
        let expected = naive_read(&mut reader, 0);
        // It stops where the value does, and so it does if more follows.
        let value = Reader::new(&bytes).skip().unwrap_or(&bytes);
        let found = read::json(value, BinaryAs::Numbers);
        // serde_json parses some floats to a neighbour, so both sides are parsed.
        let parse = |text: String| serde_json::from_str::<Json>(&text).unwrap();
        let expected = expected.ok().map(Option::unwrap_or_default);
        let expected = expected.map(|json| parse(json.to_string()));
        prop_assert_eq!(found.ok().map(|(text, _)| parse(text)), expected);
    }

    #[test]
    fn no_bytes_do_harm(data in any_bytes(), id in any_bytes(), at in any::<prop::sample::Index>()) {
        let head = b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e";
        let whole = [&head[..], &data, b"\xa2id", &id].concat();
        for message in [&whole[..], &whole[..at.index(whole.len())]] {
            if let Ok(incoming) = read(message, &Limits::default()) {
                let attached = incoming.attachments.len();
                prop_assert!(incoming.data.len() <= 6 * message.len() + 40 * attached);
                let bytes: usize = incoming.attachments.iter().map(Bytes::len).sum();
                prop_assert!(bytes <= message.len());
                let _ = Packet::check(&incoming, &Limits::default());
            }
        }
    }

    #[test]
    fn text_that_is_not_json_does_no_harm(text in "[\\[\\]{},:\"\\\\a-z_0-9 .é-]{0,40}") {
        let _ = written(&text, &[Bytes::new()]);
    }
}
