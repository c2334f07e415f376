//! Packets as they may arrive: whole, odd and broken.

use proptest::prelude::*;

use super::*;

fn decode(text: &str) -> Result<Packet<'_>, DecodeError> {
    Packet::decode(text, &Limits::default())
}

#[test]
fn each_part_of_the_head_is_read() {
    let packet = decode(r#"51-/chat,12["file",{"_placeholder":true,"num":0}]"#).unwrap();
    assert_eq!(
        packet,
        Packet {
            packet_type: PacketType::BinaryEvent,
            attachments: 1,
            namespace: "/chat",
            id: Some(12),
            event: Some("file".into()),
            data: r#"["file",{"_placeholder":true,"num":0}]"#,
        }
    );
}

#[test]
fn a_name_is_borrowed_unless_it_is_escaped() {
    assert!(matches!(
        decode(r#"2["plain"]"#).unwrap().event,
        Some(Cow::Borrowed("plain"))
    ));
    let escaped = decode(r#"2["a\"b\u00e9\\"]"#).unwrap().event;
    assert_eq!(escaped, Some(Cow::Owned("a\"bé\\".to_owned())));
}

#[test]
fn an_integer_name_becomes_its_digits() {
    for (text, name) in [
        ("2[12]", "12"),
        ("2[-7,1]", "-7"),
        ("2[0]", "0"),
        ("2[-0]", "0"),
    ] {
        assert_eq!(decode(text).unwrap().event.as_deref(), Some(name), "{text}");
    }
}

#[test]
fn bounds_hold_to_the_last_character() {
    let limits = Limits::default();
    type Row = (usize, fn(usize) -> String, DecodeError);
    let table: [Row; 3] = [
        (
            255,
            |size| format!(r#"2["{}"]"#, "e".repeat(size)),
            DecodeError::EventNameTooLong,
        ),
        (
            255,
            |size| format!("0/{},", "n".repeat(size - 1)),
            DecodeError::NamespaceTooLong,
        ),
        (
            16_384,
            |size| format!(r#"0{{"a":"{}"}}"#, "a".repeat(size - 8)),
            DecodeError::AuthTooLarge,
        ),
    ];
    for (limit, text, error) in table {
        assert!(
            Packet::decode(&text(limit), &limits).is_ok(),
            "{error} at the limit"
        );
        assert_eq!(Packet::decode(&text(limit + 1), &limits), Err(error));
        assert_eq!(Packet::decode(&text(limit * 1000), &limits), Err(error));
    }
}

#[test]
fn attachments_are_bounded() {
    assert_eq!(
        decode(r#"510-["a"]"#).map(|packet| packet.attachments),
        Ok(10)
    );
    assert_eq!(decode(r#"511-["a"]"#), Err(DecodeError::TooManyAttachments));
    let endless = format!(r#"5{}-["a"]"#, "1".repeat(100_000));
    assert_eq!(decode(&endless), Err(DecodeError::TooManyAttachments));
}

#[test]
fn ack_ids_are_what_javascript_counts_exactly() {
    assert_eq!(
        decode(r#"29007199254740991["a"]"#).unwrap().id,
        Some((1 << 53) - 1)
    );
    assert_eq!(
        decode(r#"29007199254740992["a"]"#),
        Err(DecodeError::AckIdOutOfRange)
    );
    assert_eq!(decode(r#"20000000000000001["a"]"#).unwrap().id, Some(1));
    assert_eq!(
        decode(r#"200000000000000001["a"]"#),
        Err(DecodeError::AckIdOutOfRange)
    );
    let endless = format!("2{}", "2".repeat(1_000_000));
    assert_eq!(decode(&endless), Err(DecodeError::AckIdOutOfRange));
}

#[test]
fn brackets_are_counted_wherever_they_are() {
    let all: String = ('\0'..'\u{80}').cycle().take(1_000).collect();
    for text in [&all, &"[".repeat(1_000), &"{".repeat(239), &"é".repeat(300)] {
        let naive = text.bytes().filter(|byte| b"[{".contains(byte)).count();
        assert_eq!(count_openers(text), naive);
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!(r#"2["a",{}{}]"#, "[".repeat(inner), "]".repeat(inner))
    };
    assert!(decode(&nested(127)).is_ok());
    assert_eq!(decode(&nested(128)), Err(DecodeError::TooDeep));
    assert_eq!(decode(&nested(100_000)), Err(DecodeError::TooDeep));
    let wide = format!(r#"2["a",{}1]"#, "[],".repeat(1_000));
    assert!(decode(&wide).is_ok(), "many brackets are not deep ones");
    let quoted = format!(r#"2["a","{}\"{}"]"#, "[".repeat(200), "{".repeat(200));
    assert!(decode(&quoted).is_ok(), "brackets in strings are text");
}

#[test]
fn reserved_names_are_refused_however_they_are_written() {
    for name in RESERVED_EVENTS {
        assert_eq!(
            decode(&format!(r#"2["{name}"]"#)),
            Err(DecodeError::ReservedEvent)
        );
        assert_eq!(
            decode(&format!(r#"51-["{name}"]"#)),
            Err(DecodeError::ReservedEvent)
        );
    }
    assert_eq!(
        decode(r#"2["\u0063onnect"]"#),
        Err(DecodeError::ReservedEvent)
    );
}

type Naive = (char, usize, String, Option<u64>, Option<String>);

/// The obvious decoder: a head read character by character, and `serde_json::Value` for the rest.
fn naive(text: &str) -> Option<Naive> {
    let mut rest: Vec<char> = text.chars().collect();
    let take_digits = |rest: &mut Vec<char>| {
        let end = rest
            .iter()
            .position(|c| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.drain(..end).collect::<String>()
    };
    if rest.is_empty() {
        return None;
    }
    let packet_type = rest.remove(0);
    if !('0'..='6').contains(&packet_type) {
        return None;
    }
    let mut attachments = 0;
    if packet_type >= '5' {
        attachments = take_digits(&mut rest)
            .parse()
            .ok()
            .filter(|count| *count <= 10)?;
        if rest.is_empty() || rest.remove(0) != '-' {
            return None;
        }
    }
    let mut namespace = "/".to_owned();
    if rest.first() == Some(&'/') {
        let end = rest.iter().position(|c| *c == ',').unwrap_or(rest.len());
        namespace = rest.drain(..end).collect();
        if !rest.is_empty() {
            rest.remove(0);
        }
    }
    let digits = take_digits(&mut rest);
    let mut id = None;
    if !digits.is_empty() {
        id = Some(
            digits
                .parse()
                .ok()
                .filter(|id| digits.len() <= 16 && *id < 1 << 53)?,
        );
    }
    let json: String = rest.into_iter().collect();
    if json.starts_with([' ', '\t', '\n', '\r']) {
        return None;
    }
    if json.is_empty() {
        return Some((packet_type, attachments, namespace, id, None));
    }
    let value: serde_json::Value = serde_json::from_str(&json).ok()?;
    let mut event = None;
    let valid = match packet_type {
        '0' => value.is_object(),
        '1' => false,
        '2' | '5' => {
            event = match value.get(0)? {
                serde_json::Value::String(name) => Some(name.clone()),
                serde_json::Value::Number(name) if name.is_i64() => Some(name.to_string()),
                _ => return None,
            };
            value.is_array() && !is_reserved(event.as_deref()?)
        }
        '4' => value.is_object() || value.is_string(),
        _ => value.is_array(),
    };
    valid.then_some((packet_type, attachments, namespace, id, event))
}

/// Fragments of packets in any order: most are wrong in some way, many are right.
fn scrambled() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "-",
        "/",
        "/a",
        ",",
        "12",
        "1-",
        "10-",
        "[",
        "]",
        "{",
        "}",
        "\"a\"",
        "\"connect\"",
        "\"é\"",
        "\"\\n\"",
        "null",
        "true",
        "-3",
        ":",
        " ",
        "[\"x\"]",
        "[\"x\",1]",
        "{\"k\":[]}",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..7).prop_map(|list| list.concat())
}

proptest! {
    #[test]
    fn decoding_agrees_with_the_obvious_decoder(text in scrambled()) {
        let decoded = decode(&text).ok().filter(|packet| packet.data.is_empty() || args::is_json(packet.data));
        let decoded = decoded.map(|packet| {
            let packet_type = text.chars().next().unwrap_or_default();
            let event = packet.event.map(Cow::into_owned);
            (packet_type, packet.attachments, packet.namespace.to_owned(), packet.id, event)
        });
        prop_assert_eq!(decoded, naive(&text));
    }

    #[test]
    fn any_text_gets_an_answer(text in "\\PC*") {
        let _ = decode(&text);
    }

    #[test]
    fn counted_depth_is_the_depth(json in nested_json()) {
        prop_assert_eq!(depth(&json.to_string()), true_depth(&json));
    }
}

fn nested_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        r#"[\[\]{}"\\a]{0,6}"#.prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(r#"["\\{a]{0,3}"#, inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn true_depth(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::Array(list) => 1 + list.iter().map(true_depth).max().unwrap_or(0),
        serde_json::Value::Object(map) => 1 + map.values().map(true_depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn a_query_is_taken_off_the_namespace_within_bounds() {
    let limits = Limits {
        max_name_len: 5,
        max_auth_bytes: 4,
        ..Limits::default()
    };
    for (text, expected) in [
        ("0/chat", Ok(("/chat", None))),
        ("0/chat?", Ok(("/chat", Some("")))),
        ("0/chat?a=?b,", Ok(("/chat", Some("a=?b")))),
        ("0/?a=b,{}", Ok(("/", Some("a=b")))),
        ("0", Ok(("/", None))),
        ("0/chats,", Err(DecodeError::NamespaceTooLong)),
        ("0/c?12345,", Err(DecodeError::AuthTooLarge)),
        ("0/chat?12345,", Err(DecodeError::NamespaceTooLong)),
    ] {
        let split = Packet::decode(text, &limits.with_query()).and_then(|mut packet| {
            let query = packet.split_query(&limits)?;
            Ok((packet.namespace, query))
        });
        assert_eq!(split, expected, "{text}");
    }
}
