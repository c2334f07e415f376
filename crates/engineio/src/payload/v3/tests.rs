//! Both framings by table, then against a naive twin that counts as JavaScript does.

use proptest::prelude::*;

use super::*;
use crate::packet::Message;

fn decode_text(body: &str) -> Vec<Result<Packet, DecodeError>> {
    decode(Bytes::from(body.to_owned()), false, 100).collect()
}

fn decode_binary(body: &[u8]) -> Vec<Result<Packet, DecodeError>> {
    decode(Bytes::copy_from_slice(body), true, 100).collect()
}

fn text(text: &'static str) -> Result<Packet, DecodeError> {
    let text = Bytes::from_static(text.as_bytes());
    Ok(Packet::Message(Message::Text(text)))
}

fn binary(data: &'static [u8]) -> Result<Packet, DecodeError> {
    Ok(Packet::Message(Message::Binary(Bytes::from_static(data))))
}

#[test]
fn a_length_counts_utf16_code_units() {
    for (body, expected) in [
        ("2:4a", vec![text("a")]),
        ("2:4a2:4b", vec![text("a"), text("b")]),
        ("3:4é!1:2", vec![text("é!"), Ok(Packet::Ping(Bytes::new()))]),
        ("2:4€2:4b", vec![text("€"), text("b")]),
        ("3:4😀2:4b", vec![text("😀"), text("b")]),
        ("5:4😀😀", vec![text("😀😀")]),
        ("4:4a:b", vec![text("a:b")]),
        ("6:b4AQI=1:1", vec![binary(&[1, 2]), Ok(Packet::Close)]),
        ("002:4a", vec![text("a")]),
        ("0:", vec![Ok(Packet::Noop)]),
        ("0:2:4a", vec![Ok(Packet::Noop), text("a")]),
    ] {
        assert_eq!(decode_text(body), expected, "{body}");
    }
}

#[test]
fn a_text_body_ends_at_its_first_broken_packet() {
    let invalid = || Err(DecodeError::InvalidLength);
    for (body, expected) in [
        ("", vec![Err(DecodeError::Empty)]),
        ("2:4a3:4b", vec![text("a"), invalid()]),
        ("2:4ax", vec![text("a"), invalid()]),
        (
            "2:4a2:xb2:4c",
            vec![text("a"), Err(DecodeError::UnknownType)],
        ),
        (":4a", vec![invalid()]),
        ("2", vec![invalid()]),
        ("2:", vec![invalid()]),
        ("2:4", vec![invalid()]),
        ("-1:4a", vec![invalid()]),
        (" 2:4a", vec![invalid()]),
        ("0x2:4a", vec![invalid()]),
        ("2e0:4a", vec![invalid()]),
        ("2.0:4a", vec![invalid()]),
        // Within the surrogate pair.
        ("2:4😀", vec![invalid()]),
        ("18446744073709551617:4a", vec![invalid()]),
        ("99999999999999999999:4a", vec![invalid()]),
        ("000000000000000000002:4a", vec![invalid()]),
        ("18446744073709551615:4a", vec![invalid()]),
    ] {
        assert_eq!(decode_text(body), expected, "{body}");
    }
    let not_utf8: Vec<_> = decode(Bytes::from_static(b"2:4a2:4\xff"), false, 9).collect();
    assert_eq!(not_utf8, [Err(DecodeError::InvalidUtf8)]);
}

#[test]
fn a_binary_body_counts_bytes() {
    for (body, expected) in [
        (&b""[..], vec![]),
        (b"\0\x02\xff4a", vec![text("a")]),
        (b"\0\x03\xff4\xc3\xa9", vec![text("é")]),
        (b"\x01\x03\xff\x04\x01\x02", vec![binary(&[1, 2])]),
        (b"\x01\x01\xff\x04", vec![binary(&[])]),
        (
            b"\0\x01\x01\xff4xxxxxxxxxx\x01\x02\xff\x04\xff",
            vec![text("xxxxxxxxxx"), binary(&[0xff])],
        ),
        (b"\0\x06\xffb4AQI=", vec![binary(&[1, 2])]),
        (b"\x01\0\0\x02\xff\x04\x01", vec![binary(&[1])]),
    ] {
        assert_eq!(decode_binary(body), expected, "{body:?}");
    }
}

#[test]
fn a_binary_body_ends_at_its_first_broken_packet() {
    let invalid = || Err(DecodeError::InvalidLength);
    let many_digits = [&[1][..], &[0; 20], &[1, 255, 4]].concat();
    for (body, expected) in [
        (&b"\0\x02\xff4a\0\x02\xff4"[..], vec![text("a"), invalid()]),
        (b"\0\x02\xff4a\x01", vec![text("a"), invalid()]),
        (b"\0\x02\xff4\xff", vec![Err(DecodeError::InvalidUtf8)]),
        (
            b"\0\x02\xffxa\0\x02\xff4b",
            vec![Err(DecodeError::UnknownType)],
        ),
        (b"\0\0\xff", vec![Err(DecodeError::Empty)]),
        (b"\x01\0\xff", vec![Err(DecodeError::Empty)]),
        (b"\x01\x02\xff\x07a", vec![Err(DecodeError::UnknownType)]),
        (b"\x02\x02\xff\x04a", vec![invalid()]),
        (b"\0\xff4a", vec![invalid()]),
        (b"\0\x0a\xff4a", vec![invalid()]),
        (b"\x002\xff4a", vec![invalid()]),
        (b"\0\x02", vec![invalid()]),
        (b"\0", vec![invalid()]),
        (b"2:4a", vec![invalid()]),
        (&many_digits, vec![invalid()]),
    ] {
        assert_eq!(decode_binary(body), expected, "{body:?}");
    }
}

#[test]
fn packets_are_counted_in_both_framings() {
    for (body, is_binary) in [
        (&b"2:4a2:4b2:4c"[..], false),
        (b"\0\x02\xff4a\0\x02\xff4b\0\x02\xff4c", true),
    ] {
        let packets: Vec<_> = decode(Bytes::from_static(body), is_binary, 2).collect();
        let too_many = Err(DecodeError::TooManyPackets);
        assert_eq!(packets, [text("a"), text("b"), too_many]);
        let packets = decode(Bytes::from_static(body), is_binary, 3);
        assert!(packets.last().is_some_and(|last| last == text("c")));
    }
}

#[test]
fn a_body_is_binary_if_there_is_binary_data_and_no_wish_for_base64() {
    let texts = [Frame::message("a😀"), Frame::message("é")];
    let mixed = [
        Frame::message("é"),
        Frame::Binary(Bytes::from_static(&[1, 2])),
    ];
    for (frames, base64, body, is_binary) in [
        (&texts, false, "4:4a😀2:4é".as_bytes(), false),
        (&texts, true, "4:4a😀2:4é".as_bytes(), false),
        (&mixed, true, "2:4é6:b4AQI=".as_bytes(), false),
        (
            &mixed,
            false,
            b"\0\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02",
            true,
        ),
    ] {
        let expected = Payload {
            body: Bytes::from_static(body),
            is_binary,
        };
        assert_eq!(encode(frames, base64), expected);
    }
}

#[test]
fn a_long_packet_has_a_long_length() {
    let data = vec![b'x'; 12_345];
    let binary = encode(&[Frame::Binary(data.clone().into())], false).body;
    assert_eq!(binary[..8], [1, 1, 2, 3, 4, 6, 255, 4]);
    let text = encode(&[Frame::Text(data.into())], false).body;
    assert_eq!(text[..6], *b"12345:");
}

/// The naive way: a string of UTF-16 code units, as the reference has it, walked with indexes.
fn decode_units(body: &str) -> Vec<Result<Packet, DecodeError>> {
    let units: Vec<u16> = body.encode_utf16().collect();
    let mut packets = Vec::new();
    let mut at = 0;
    if units.is_empty() {
        return vec![Err(DecodeError::Empty)];
    }
    while at < units.len() {
        let packet = naive_packet(&units, &mut at);
        let is_broken = packet.is_err();
        packets.push(packet);
        if is_broken {
            break;
        }
    }
    packets
}

fn naive_packet(units: &[u16], at: &mut usize) -> Result<Packet, DecodeError> {
    let invalid = DecodeError::InvalidLength;
    let colon = units[*at..]
        .iter()
        .position(|unit| *unit == u16::from(b':'));
    let colon = *at + colon.ok_or(invalid)?;
    let digits = String::from_utf16(&units[*at..colon]).map_err(|_| invalid)?;
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid);
    }
    let length: usize = digits.parse().map_err(|_| invalid)?;
    let end = (colon + 1).checked_add(length).ok_or(invalid)?;
    let packet = units.get(colon + 1..end).ok_or(invalid)?;
    let packet = String::from_utf16(packet).map_err(|_| invalid)?;
    *at = end;
    if packet.is_empty() {
        return Ok(Packet::Noop);
    }
    DIALECT.decode_text(packet.into())
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(
        messages in prop::collection::vec(message(), 1..20),
        base64: bool,
    ) {
        let frames: Vec<Frame> = messages.iter().map(frame_of).collect();
        let most: usize = frames.iter().map(|frame| encoded_len(frame, base64)).sum();
        let payload = encode(&frames, base64);
        prop_assert!(payload.body.len() <= most);
        let has_binary = messages.iter().any(|message| matches!(message, Message::Binary(_)));
        prop_assert_eq!(payload.is_binary, has_binary && !base64);
        let decoded: Result<Vec<Packet>, _> = decode(payload.body, payload.is_binary, 20).collect();
        let expected: Vec<Packet> = messages.into_iter().map(Packet::Message).collect();
        prop_assert_eq!(decoded, Ok(expected));
    }

    #[test]
    fn decodes_text_as_the_naive_way_does(body in "([0-9]{0,2}:?[46b1aé😀€=]{0,5}){0,6}") {
        prop_assert_eq!(decode_text(&body), decode_units(&body));
    }

    /// Bodies that are mostly right, so that many packets are reached.
    #[test]
    fn decodes_broken_bodies_as_the_naive_way_does(
        texts in prop::collection::vec("[a-c:😀é]{0,8}", 1..8),
        cut: prop::sample::Index,
        insert in "[0-9:4😀]?",
    ) {
        let frames: Vec<Frame> = texts.iter().map(|text| Frame::message(text)).collect();
        let body = encode(&frames, false).body;
        let mut body = String::from_utf8(body.to_vec()).unwrap();
        let mut cut = cut.index(body.len() + 1);
        while !body.is_char_boundary(cut) {
            cut -= 1;
        }
        body.insert_str(cut, &insert);
        prop_assert_eq!(decode_text(&body), decode_units(&body));
    }

    #[test]
    fn no_binary_body_is_too_broken(body in prop::collection::vec(
        prop_oneof![0..5_u8, Just(255), any::<u8>()], 0..60,
    )) {
        let packets = decode_binary(&body);
        prop_assert!(packets.len() <= body.len().max(1));
        let errors = packets.iter().filter(|packet| packet.is_err()).count();
        prop_assert!(errors <= 1 && packets.iter().rev().skip(1).all(Result::is_ok));
    }
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        ".{0,20}".prop_map(|text| Message::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|data| Message::Binary(data.into())),
    ]
}

fn frame_of(message: &Message) -> Frame {
    match message {
        Message::Text(text) => Frame::message(std::str::from_utf8(text).unwrap()),
        Message::Binary(data) => Frame::Binary(data.clone()),
    }
}
