//! Odd inputs, each with what npm's `socket.io-parser` (4.2, as socket.io 4.8.4 brings it) made of it.
//!
//! An answer is `TYPE namespace id name`, with `-` for what is absent, or `reject`. `SAME` holds where both agree,
//! `DIFFERENT` where this crate answers otherwise on purpose.

use std::time::Instant;

use bytes::Bytes;
use socketio::{
    args::ArgsRef,
    assembler::Assembler,
    error::DecodeError,
    packet::{Limits, Packet, PacketType},
    parser::{DefaultParser, Message, Parser},
};

#[test]
fn odd_inputs_are_taken_as_the_reference_takes_them() {
    for (text, attachments, expected) in SAME {
        assert_eq!(decode(text, *attachments), *expected, "{text:?}");
    }
}

#[test]
fn differences_from_the_reference_are_these() {
    for (text, attachments, reference, expected) in DIFFERENT {
        assert_ne!(reference, expected, "{text:?} is no difference");
        assert_eq!(decode(text, *attachments), *expected, "{text:?}");
    }
}

/// Takes a text and as many attachments through all that a server does with them, also as one whose parser is given.
fn decode(text: &str, attachments: u8) -> String {
    let decoded = try_decode(text, attachments);
    assert_eq!(try_parse(text, attachments), decoded, "{text:?}");
    match decoded {
        Ok(Some(answer)) => answer,
        Ok(None) => "incomplete".to_owned(),
        Err(_) => "reject".to_owned(),
    }
}

fn try_parse(text: &str, attachments: u8) -> Result<Option<String>, DecodeError> {
    let (now, limits) = (now(), Limits::default());
    let mut decoder = DefaultParser.decoder();
    let text = Message::Text(Bytes::copy_from_slice(text.as_bytes()));
    let mut done = decoder.add(&text, &limits, now)?;
    if done.is_none() {
        for number in 0..attachments {
            let attachment = Message::Binary(vec![number].into());
            done = decoder.add(&attachment, &limits, now)?;
        }
    }
    let Some(done) = done else { return Ok(None) };
    describe(&Packet::check(&done, &limits)?, &done.attachments).map(Some)
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "some instant, and there is no other way"
    )]
    Instant::now()
}

fn try_decode(text: &str, attachments: u8) -> Result<Option<String>, DecodeError> {
    let (now, limits) = (now(), Limits::default());
    let packet = Packet::decode(text, &limits)?;
    if !matches!(
        packet.packet_type,
        PacketType::BinaryEvent | PacketType::BinaryAck
    ) {
        return describe(&packet, &[]).map(Some);
    }
    let mut assembler = Assembler::default();
    let mut done = assembler.begin(text, &packet, now, &limits)?;
    for number in 0..attachments {
        done = assembler.attach(&[number], now, &limits)?;
    }
    let Some(done) = done else { return Ok(None) };
    describe(&done.packet(), done.attachments()).map(Some)
}

fn describe(packet: &Packet<'_>, attachments: &[Bytes]) -> Result<String, DecodeError> {
    let packet_type = match packet.packet_type {
        PacketType::Connect => "CONNECT",
        PacketType::Disconnect => "DISCONNECT",
        PacketType::Event | PacketType::BinaryEvent => "EVENT",
        PacketType::Ack | PacketType::BinaryAck => "ACK",
        PacketType::ConnectError => "CONNECT_ERROR",
    };
    if matches!(packet_type, "EVENT" | "ACK") {
        let args = ArgsRef::of(packet, attachments);
        args.validate().map_err(|_| DecodeError::InvalidPayload)?;
    }
    let id = packet.id.map_or("-".to_owned(), |id| id.to_string());
    let event = packet.event.as_deref().unwrap_or("-");
    Ok(format!("{packet_type} {} {id} {event}", packet.namespace))
}

const SAME: &[(&str, u8, &str)] = &[
    ("0", 0, "CONNECT / - -"),
    ("1", 0, "DISCONNECT / - -"),
    ("2", 0, "EVENT / - -"),
    ("3", 0, "ACK / - -"),
    ("4", 0, "CONNECT_ERROR / - -"),
    ("5", 0, "reject"),
    ("6", 0, "reject"),
    ("7", 0, "reject"),
    ("9", 0, "reject"),
    ("a", 0, "reject"),
    ("-1", 0, "reject"),
    ("00", 0, "CONNECT / 0 -"),
    ("01", 0, "CONNECT / 1 -"),
    ("0{}", 0, "CONNECT / - -"),
    ("1{}", 0, "reject"),
    ("1null", 0, "reject"),
    (r#"1"x""#, 0, "reject"),
    ("10", 0, "DISCONNECT / 0 -"),
    ("1/a", 0, "DISCONNECT /a - -"),
    ("1/a,", 0, "DISCONNECT /a - -"),
    ("1/a,1", 0, "DISCONNECT /a 1 -"),
    ("1/a,{}", 0, "reject"),
    ("0null", 0, "reject"),
    ("0[]", 0, "reject"),
    (r#"0"x""#, 0, "reject"),
    ("0true", 0, "reject"),
    (r#"0{"token":1}"#, 0, "CONNECT / - -"),
    (r#"0{"a":"#, 0, "reject"),
    ("0{}x", 0, "reject"),
    ("05{}", 0, "CONNECT / 5 -"),
    ("0/admin", 0, "CONNECT /admin - -"),
    ("0/admin,", 0, "CONNECT /admin - -"),
    ("0/admin,{}", 0, "CONNECT /admin - -"),
    ("0/admin{}", 0, "CONNECT /admin{} - -"),
    ("0/a?x=1,{}", 0, "CONNECT /a?x=1 - -"),
    ("0/a?x=1", 0, "CONNECT /a?x=1 - -"),
    ("0/,", 0, "CONNECT / - -"),
    ("0//", 0, "CONNECT // - -"),
    ("0admin", 0, "reject"),
    ("4", 0, "CONNECT_ERROR / - -"),
    (r#"4"no""#, 0, "CONNECT_ERROR / - -"),
    ("4{}", 0, "CONNECT_ERROR / - -"),
    (r#"4{"message":"x"}"#, 0, "CONNECT_ERROR / - -"),
    ("4[]", 0, "reject"),
    ("4null", 0, "reject"),
    (r#"4/a,"x""#, 0, "CONNECT_ERROR /a - -"),
    ("2[]", 0, "reject"),
    (r#"2[""]"#, 0, "EVENT / - "),
    (r#"2["a"]"#, 0, "EVENT / - a"),
    (r#"2["a",1]"#, 0, "EVENT / - a"),
    (r#"2[ "a" ]"#, 0, "EVENT / - a"),
    ("2[\t\"a\"\r\n,1]", 0, "EVENT / - a"),
    (r#"2["a",]"#, 0, "reject"),
    (r#"2["a""#, 0, "reject"),
    (r#"2["a"]]"#, 0, "reject"),
    (r#"2["a"] "#, 0, "EVENT / - a"),
    (r#"2["a"]x"#, 0, "reject"),
    (r#"2["a" 1]"#, 0, "reject"),
    (r#"2[,"a"]"#, 0, "reject"),
    (r#"2{"a":1}"#, 0, "reject"),
    (r#"2"a""#, 0, "reject"),
    ("2null", 0, "reject"),
    ("2{}", 0, "reject"),
    ("2true", 0, "reject"),
    ("2[1]", 0, "EVENT / - 1"),
    ("2[0]", 0, "EVENT / - 0"),
    ("2[-1]", 0, "EVENT / - -1"),
    ("2[-0]", 0, "EVENT / - 0"),
    ("2[01]", 0, "reject"),
    ("2[9007199254740991]", 0, "EVENT / - 9007199254740991"),
    ("2[--1]", 0, "reject"),
    ("2[-]", 0, "reject"),
    ("2[1x]", 0, "reject"),
    ("2[null]", 0, "reject"),
    ("2[true]", 0, "reject"),
    ("2[{}]", 0, "reject"),
    (r#"2[{"toString":"foo"}]"#, 0, "reject"),
    (r#"2[["a"]]"#, 0, "reject"),
    (r#"2["connect"]"#, 0, "reject"),
    (r#"2["connect_error"]"#, 0, "reject"),
    (r#"2["disconnect"]"#, 0, "reject"),
    (r#"2["disconnecting"]"#, 0, "reject"),
    (r#"2["newListener"]"#, 0, "reject"),
    (r#"2["removeListener"]"#, 0, "reject"),
    (r#"2["connection"]"#, 0, "EVENT / - connection"),
    (r#"2["error"]"#, 0, "EVENT / - error"),
    (r#"2["message"]"#, 0, "EVENT / - message"),
    (r#"2["__proto__"]"#, 0, "EVENT / - __proto__"),
    (r#"2["c\u006fnnect"]"#, 0, "reject"),
    (r#"2["\u00e9"]"#, 0, "EVENT / - é"),
    ("2[\"a\u{1}\"]", 0, "reject"),
    (r#"2["a\"b",1]"#, 0, r#"EVENT / - a"b"#),
    (r#"2["a\x"]"#, 0, "reject"),
    (r#"2["a"#, 0, "reject"),
    (r#"2["a\"#, 0, "reject"),
    (r#"2["a",nul]"#, 0, "reject"),
    (r#"2["a",1e999]"#, 0, "EVENT / - a"),
    (r#"2["a",{"b":1,"b":2}]"#, 0, "EVENT / - a"),
    (r#"2["a",01]"#, 0, "reject"),
    ("2['a']", 0, "reject"),
    (r#"2["a",undefined]"#, 0, "reject"),
    (r#"2["a","\ud800"]"#, 0, "EVENT / - a"),
    (r#"20["a"]"#, 0, "EVENT / 0 a"),
    (r#"212["a"]"#, 0, "EVENT / 12 a"),
    (r#"2007["a"]"#, 0, "EVENT / 7 a"),
    (r#"29007199254740991["a"]"#, 0, "EVENT / 9007199254740991 a"),
    (r#"2-1["a"]"#, 0, "reject"),
    (r#"21.5["a"]"#, 0, "reject"),
    (r#"21e3["a"]"#, 0, "reject"),
    (r#"2+1["a"]"#, 0, "reject"),
    (r#"2/a,1["x"]"#, 0, "EVENT /a 1 x"),
    (r#"2/a,["x"]"#, 0, "EVENT /a - x"),
    (r#"2/a["x"]"#, 0, r#"EVENT /a["x"] - -"#),
    (r#"2/a,b["x"]"#, 0, "reject"),
    ("3[]", 0, "ACK / - -"),
    ("31[]", 0, "ACK / 1 -"),
    (r#"31["a"]"#, 0, "ACK / 1 -"),
    ("31", 0, "ACK / 1 -"),
    ("31{}", 0, "reject"),
    (r#"31"a""#, 0, "reject"),
    ("3", 0, "ACK / - -"),
    ("31[null]", 0, "ACK / 1 -"),
    ("31[1", 0, "reject"),
    ("3/a,1[]", 0, "ACK /a 1 -"),
    (r#"5-["a"]"#, 0, "reject"),
    (r#"51-["a"]"#, 1, "EVENT / - a"),
    (r#"51["a"]"#, 1, "reject"),
    (r#"5["a"]"#, 0, "reject"),
    ("51", 1, "reject"),
    ("51-", 1, "EVENT / - -"),
    (r#"511-["a"]"#, 10, "reject"),
    (r#"510-["a"]"#, 10, "EVENT / - a"),
    (r#"5-1-["a"]"#, 0, "reject"),
    (r#"51.5-["a"]"#, 1, "reject"),
    (r#"501-["a"]"#, 1, "EVENT / - a"),
    (r#"5a-["a"]"#, 0, "reject"),
    (r#"51-/a,["x"]"#, 1, "EVENT /a - x"),
    (r#"51-/a,7["x"]"#, 1, "EVENT /a 7 x"),
    (r#"51-7["x"]"#, 1, "EVENT / 7 x"),
    (r#"61-7["x"]"#, 1, "ACK / 7 -"),
    (r#"61-["x"]"#, 1, "ACK / - -"),
    (r#"51-{"a":1}"#, 1, "reject"),
    (r#"51-["connect"]"#, 1, "reject"),
    (r#"599999999999999999999999-["a"]"#, 10, "reject"),
    (
        r#"51-["a",{"_placeholder":true,"num":0}]"#,
        1,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"num":0,"_placeholder":true}]"#,
        1,
        "EVENT / - a",
    ),
    (r#"51-["a",{"_placeholder":true,"num":1}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":true,"num":-1}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":true,"num":"0"}]"#, 1, "reject"),
    (
        r#"51-["a",{"_placeholder":true,"num":"splice"}]"#,
        1,
        "reject",
    ),
    (r#"51-["a",{"_placeholder":true}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":true,"num":null}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":true,"num":1.0}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":true,"num":[0]}]"#, 1, "reject"),
    (r#"51-["a",{"_placeholder":1,"num":9}]"#, 1, "EVENT / - a"),
    (
        r#"51-["a",{"_placeholder":"true","num":9}]"#,
        1,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"_placeholder":false,"num":9}]"#,
        1,
        "EVENT / - a",
    ),
    (r#"51-["a",{"num":9}]"#, 1, "EVENT / - a"),
    (r#"51-["a",1]"#, 1, "EVENT / - a"),
    (
        r#"51-["a",{"a":[{"b":{"_placeholder":true,"num":3}}]}]"#,
        1,
        "reject",
    ),
    (
        r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
        2,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"_placeholder":false,"_placeholder":true,"num":5}]"#,
        1,
        "reject",
    ),
    (
        r#"51-["a",{"_placeholder":true,"_placeholder":false,"num":5}]"#,
        1,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"_placeholder":true,"num":5,"num":0}]"#,
        1,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"_\u0070laceholder":true,"num":5}]"#,
        1,
        "reject",
    ),
    (
        r#"51-["a","{\"_placeholder\":true,\"num\":5}"]"#,
        1,
        "EVENT / - a",
    ),
    (
        r#"51-["a",{"_placeholder":true,"num":5,"x":["]","}"]}]"#,
        1,
        "reject",
    ),
];

/// Blanks are no digits and no packet type; event names and ack ids that are numbers stay within what JavaScript counts
/// exactly; lone surrogates have no place in Rust's strings; numbers of attachments and of placeholders are plain
/// digits; a binary packet without attachments is complete; all placeholders are checked, also those within another.
const DIFFERENT: &[(&str, u8, &str, &str)] = &[
    ("", 0, "CONNECT / - -", "reject"),
    (" 0", 0, "CONNECT / 0 -", "reject"),
    ("0 {}", 0, "CONNECT / 0 -", "reject"),
    (r#"4 "x""#, 0, "CONNECT_ERROR / 0 -", "reject"),
    (r#"2 ["a"]"#, 0, "EVENT / 0 a", "reject"),
    ("2\n[\"a\"]", 0, "EVENT / 0 a", "reject"),
    ("2[1.5]", 0, "EVENT / - 1.5", "reject"),
    ("2[1e3]", 0, "EVENT / - 1000", "reject"),
    (
        "2[9007199254740992]",
        0,
        "EVENT / - 9007199254740992",
        "reject",
    ),
    ("2[1e999]", 0, "EVENT / - Infinity", "reject"),
    (r#"2["\ud800"]"#, 0, "EVENT / - �", "reject"),
    (
        r#"29007199254740992["a"]"#,
        0,
        "EVENT / 9007199254740992 a",
        "reject",
    ),
    (
        r#"29999999999999999["a"]"#,
        0,
        "EVENT / 10000000000000000 a",
        "reject",
    ),
    (
        r#"210000000000000000["a"]"#,
        0,
        "EVENT / 10000000000000000 a",
        "reject",
    ),
    (r#"21 ["a"]"#, 0, "EVENT / 1 a", "reject"),
    ("31 []", 0, "ACK / 1 -", "reject"),
    (r#"50-["a"]"#, 0, "reject", "EVENT / - a"),
    (r#"51.0-["a"]"#, 1, "EVENT / - a", "reject"),
    (r#"5 1-["a"]"#, 1, "EVENT / - a", "reject"),
    (r#"5+1-["a"]"#, 1, "EVENT / - a", "reject"),
    (r#"51e0-["a"]"#, 1, "EVENT / - a", "reject"),
    (r#"50x1-["a"]"#, 0, "incomplete", "reject"),
    (r#"60-7["x"]"#, 0, "reject", "ACK / 7 -"),
    (
        r#"51-["a",{"_placeholder":true,"num":0.5}]"#,
        1,
        "EVENT / - a",
        "reject",
    ),
    (
        r#"51-["a",{"_placeholder":true,"num":0.0}]"#,
        1,
        "EVENT / - a",
        "reject",
    ),
    (
        r#"51-["a",{"_placeholder":true,"num":-0}]"#,
        1,
        "EVENT / - a",
        "reject",
    ),
    (
        r#"51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":7}}]"#,
        1,
        "EVENT / - a",
        "reject",
    ),
];
